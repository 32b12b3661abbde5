"""Clusters followed through the frames of a series."""

from typing import Annotated, Any, Final, Literal

import dask.array as da
import xarray as xr

from daskstem.blocks.rows import mean_rows
from daskstem.kernels.linking import LinkRules
from daskstem.kernels.polar import Rings, rings
from daskstem.kernels.spacetime import SpaceTime
from daskstem.kernels.tracking import Tracker
from daskstem.schema import track_variables as made
from daskstem.schema import variables
from daskstem.schema.dims import FRAME, Q
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between, Shares
from daskstem.steps.following import (
    ClusterColumns,
    DriftImage,
    curves,
    described_frames,
    drifts,
    events,
    rows_of_frames,
)
from daskstem.steps.step import step

BLOCK_BYTES: Final = 4 * 2**20
"""Patterns of a few tracks in one frame together: a file of the store."""


@step
def tracks(
    ds: xr.Dataset,
    *,
    connectivity: Literal["frame", "series"] = "frame",
    max_gap: Annotated[int, Between(0)] = 2,
    reach_positions: Annotated[float, Between(0)] = 3.0,
    turn_deg: Annotated[float, Between(0, 180)] = 5.0,
    least_similarity: Annotated[float, Between(-1, 1)] = 0.5,
    least_score: Annotated[float, Between(0, 1)] = 0.4,
    weights: Annotated[tuple[float, float, float, float], Shares()] = (0.3, 0.1, 0.1, 0.5),
    drift: DriftImage = "mean_similarity",
    q_inner_px: Annotated[float | None, Between(0)] = None,
    center: tuple[float, float] | None = None,
    patterns: bool = True,
) -> xr.Dataset:
    """Identity of every cluster through the frames, its history, curves and patterns.

    Clusters are linked forward, frame by frame, and tracks numbered as they appear: frames
    appended to a series change no number. Links of one frame are chosen together, so that
    their scores add up to the most.

    Parameters
    ----------
    ds
        Holds ``label`` (frame, scan_y, scan_x), ``pattern`` (cluster, q_y, q_x) as
        ``average`` makes it, without its coordinates, and the image for ``drift``.
    connectivity
        ``frame``: a track has at most one cluster in a frame. ``series``: clusters of
        consecutive frames that share positions, and whose patterns reach
        ``least_similarity``, hang together, and so do all that hang together with them; a
        frame appended can join tracks that were two.
    max_gap
        Frames that a cluster may be missing and keep its track.
    reach_positions
        How far a centroid may move in a frame beyond the drift and the cluster's radius.
    turn_deg
        How far a pattern may turn in a frame.
    least_similarity
        Cosine of two mean patterns below which their clusters are not linked.
    least_score
        Score below which clusters are not linked.
    weights
        Shares in the score of overlap (intersection over union), distance, ratio of sizes
        and similarity of the patterns.
    drift
        The image whose displacement from frame to frame is the drift; ``none`` for no drift.
    q_inner_px
        Radius around the direct beam that does not count in similarity and rotation; by
        default 1/16 of the detector's shorter side.
    center
        Row and column of the beam on the detector, in pixels; its middle by default.
    patterns
        Whether to make ``track_pattern``.

    Returns
    -------
    Dataset. Computed: ``track`` int32 and ``link_score`` float32 (cluster); ``drift_y``,
    ``drift_x`` and, in nm, ``drift_y_nm``, ``drift_x_nm`` ([frame]) float64, since the first
    frame; ``n_positions`` int32, ``area`` (nm^2), ``intensity``, ``centroid_y``,
    ``centroid_x`` float64 and ``rotation`` (degrees) float32 (track, [frame]), NaN where a
    track is missing; the events ``event_kind``, ``event_frame``, ``event_track``,
    ``other_track``, ``event_cluster`` (event) int32. Lazy: ``track_pattern`` (track,
    [frame,] q_y, q_x) float32, NaN where a track is missing.

    Raises
    ------
    InputError
        If a variable is missing, the table holds other clusters than the maps, or a
        parameter is not allowed.

    Notes
    -----
    Similarity is the cosine of patterns on rings, without the rings' means, at the turn
    where it is highest; rotation is that turn, summed over the frames and refined against the
    first. Drift: Guizar-Sicairos et al., Optics Letters 33 (2008) 156. Assignment: a linear
    sum assignment of what the scores exceed ``least_score`` by, solved exactly. A track has
    died or merged when it is missing for longer than ``max_gap``; the end of the series ends
    none. Clusters of one track in one frame are averaged by their positions, which equals the
    mean over all of them.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> label = np.full((3, 8, 8), -1, "i4")
    >>> for frame in range(3):
    ...     label[frame, 2:6, frame : frame + 4] = 0
    >>> spots = np.random.default_rng(0).random((1, 16, 16), dtype="f4").repeat(3, axis=0)
    >>> ds = xr.Dataset({
    ...     "label": (("frame", "scan_y", "scan_x"), label),
    ...     "pattern": (("cluster", "q_y", "q_x"), spots),
    ... })
    >>> daskstem.tracks(ds, drift="none")["track"].values.tolist()
    [0, 0, 0]
    """
    table = variables.require(ds, variables.pattern)
    detector = ds.sizes[Q[0]], ds.sizes[Q[1]]
    on = _rings(detector, center, q_inner_px)
    rules = LinkRules(
        reach=reach_positions, turn_deg=turn_deg, least_similarity=least_similarity,
        weights=weights, least_score=least_score, max_gap=max_gap, n_angles=on.n_angles,
    )  # fmt: skip
    follower = SpaceTime(rules) if connectivity == "series" else Tracker(rules)
    kept = []
    for regions, columns_of_frame in described_frames(ds, on, drift):
        follower.follow(regions)
        kept.append(columns_of_frame)
    lineage, columns = follower.lineage(), ClusterColumns.of(kept)
    found = {
        made.track.name: made.track.wrap(lineage.track),
        made.link_score.name: made.link_score.wrap(lineage.score),
        **drifts(columns, ds),
        **curves(lineage, columns, ds),
        **events(lineage),
    }
    if patterns:
        found[made.track_pattern.name] = made.track_pattern.wrap(
            mean_rows(
                da.asarray(table.data),
                rows_of_frames(lineage, columns.n_positions),
                n_targets=lineage.n_tracks,
                block_rows=max(1, BLOCK_BYTES // (4 * detector[0] * detector[1])),
                name="track-pattern",
            )
        )
    return xr.Dataset(found, coords=_kept_coordinates(ds))


def _rings(
    detector: tuple[int, int], center: tuple[float, float] | None, q_inner_px: float | None
) -> Rings:
    inner = min(detector) / 16 if q_inner_px is None else q_inner_px
    on = rings(detector, center, inner)
    if on.radii[-1] <= inner:
        raise InputError(
            f"no ring beyond q_inner_px = {inner:g} around {on.center} lies on a detector of "
            f"{detector[0]} x {detector[1]} pixels; choose a smaller radius or another center"
        )
    return on


def _kept_coordinates(ds: xr.Dataset) -> dict[Any, Any]:
    return {name: c for name, c in ds.coords.items() if c.dims in ((FRAME,), (Q[0],), (Q[1],))}
