"""What tracks is made of: clusters described frame by frame, and curves along the tracks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import dask
import dask.array as da
import numpy as np
import xarray as xr

from daskstem.kernels.drift import drift_between
from daskstem.kernels.lineage import EVENT_KINDS, Lineage
from daskstem.kernels.linking import Regions, regions_of
from daskstem.kernels.polar import Rings, azimuthal_spectra
from daskstem.schema import track_variables as made
from daskstem.schema import variables
from daskstem.schema.calibration import PIXEL, axes_of
from daskstem.schema.dims import SCAN, SCAN_X, SCAN_Y
from daskstem.schema.errors import InputError

DriftImage = Literal["mean_similarity", "bright_field", "dark_field", "none"]

_FRAMES_AT_ONCE: Final = 4
"""Frames read together: enough to keep some cores busy, few enough to hold their spectra."""
_MOST_DRIFT: Final = 0.25
"""Largest drift from one frame to the next, as a share of the scan's shorter side."""


@dataclass(frozen=True, eq=False)
class ClusterColumns:
    """What is known of every cluster beside its track, frame after frame.

    Attributes
    ----------
    n_positions : (N,) int64
    centroid : (N, 2) float64
        Row and column.
    total : (N,) float64
        Sum over the mean pattern.
    drift : (F, 2) float64
        Of the frames, in positions.
    """

    n_positions: np.ndarray
    centroid: np.ndarray
    total: np.ndarray
    drift: np.ndarray

    @classmethod
    def of(cls, frames: "Sequence[ClusterColumns]") -> "ClusterColumns":
        """Put frames together, one after the other."""
        return cls(
            np.concatenate([one.n_positions for one in frames]),
            np.concatenate([one.centroid for one in frames]),
            np.concatenate([one.total for one in frames]),
            np.concatenate([one.drift for one in frames]),
        )


def described_frames(
    ds: xr.Dataset, on: Rings, drift: DriftImage
) -> Iterator[tuple[Regions, ClusterColumns]]:
    """Yield the clusters of each frame, to be linked, and what is kept of them.

    A few frames' maps and spectra are computed at a time; patterns are read block by block.

    Raises
    ------
    InputError
        If the label maps hold other clusters than the table.
    """
    label = da.asarray(variables.require(ds, variables.label).data)
    table = da.asarray(variables.require(ds, variables.pattern).data).rechunk({1: -1, 2: -1})
    image = _drift_image(ds, drift)
    moved, last, row = np.zeros(2), None, 0
    for start in range(0, len(label), _FRAMES_AT_ONCE):
        frames = range(start, min(start + _FRAMES_AT_ONCE, len(label)))
        labels = dask.compute(*(label[frame] for frame in frames))
        rows = row + np.cumsum([0, *(_count(values) for values in labels)])
        if rows[-1] > len(table):
            break
        parts = [table[a:b] for a, b in zip(rows[:-1], rows[1:], strict=True)]
        images, spectra, totals = dask.compute(
            [None if image is None else image[frame] for frame in frames],
            [_spectra(part, on) for part in parts],
            [part.sum(axis=(1, 2), dtype=np.float64) for part in parts],
        )
        row = int(rows[-1])
        for values, now, one, total in zip(labels, images, spectra, totals, strict=True):
            if now is not None and last is not None:
                moved = moved + drift_between(last, now, most=_MOST_DRIFT * min(now.shape))
            last = now
            regions = regions_of(values, one, moved)
            yield (
                regions,
                ClusterColumns(regions.n_positions, regions.centroid, total, moved[np.newaxis]),
            )
    if row != len(table):
        raise InputError(
            f"{variables.pattern.name!r} holds {len(table)} clusters, the label maps hold "
            f"others; run 'average' on these labels first"
        )


def curves(lineage: Lineage, columns: ClusterColumns, ds: xr.Dataset) -> dict[str, Any]:
    """Gather what is known of the tracks' clusters into curves (track, frame).

    Of several clusters of one track in one frame, positions and areas are added, centroids
    and intensities averaged with the positions as weights; the largest tells the rotation.
    """
    size, at = _sizes(lineage, columns.n_positions)
    found: dict[variables.Variable, np.ndarray] = {made.track_n_positions: size}
    weights = columns.n_positions / np.maximum(size[at], 1)
    for spec, values in (
        (made.intensity, columns.total),
        (made.track_centroid_y, columns.centroid[:, 0]),
        (made.track_centroid_x, columns.centroid[:, 1]),
    ):
        curve = np.zeros(size.shape)
        np.add.at(curve, at, weights * values)
        found[spec] = np.where(size > 0, curve, np.nan)
    rotation = np.full(size.shape, np.nan, np.float32)
    largest_last = np.argsort(columns.n_positions, kind="stable")
    rotation[lineage.track[largest_last], lineage.frame[largest_last]] = lineage.rotation_deg[
        largest_last
    ]
    found[made.rotation] = rotation
    step_y, step_x = _steps_nm(ds)
    found[made.area] = np.where(size > 0, size * abs(step_y * step_x), np.nan)
    return {spec.name: spec.wrap(values) for spec, values in found.items()}


def drifts(columns: ClusterColumns, ds: xr.Dataset) -> dict[str, Any]:
    """Return the drift in positions and in nm, (frame)."""
    in_nm = columns.drift * _steps_nm(ds)
    values = np.concatenate([columns.drift, in_nm], axis=1).T
    return {spec.name: spec.wrap(one) for spec, one in zip(made.drift, values, strict=True)}


def events(lineage: Lineage) -> dict[str, Any]:
    """Return the event table, (event)."""
    kinds = {"flag_values": list(range(len(EVENT_KINDS))), "flag_meanings": " ".join(EVENT_KINDS)}
    attrs = {made.event_kind: kinds}
    return {
        spec.name: spec.wrap(column, **attrs.get(spec, {}))
        for spec, column in zip(made.EVENTS, lineage.events.T, strict=True)
    }


def rows_of_frames(
    lineage: Lineage, n_positions: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each frame: its clusters, their tracks, and the clusters' shares of their tracks."""
    size, at = _sizes(lineage, n_positions)
    share = n_positions / np.maximum(size[at], 1)
    borders = np.cumsum(lineage.n_clusters)[:-1]
    rows = np.split(np.arange(len(lineage.track)), borders)
    return [(part, lineage.track[part].astype(np.int64), share[part]) for part in rows]


def _sizes(
    lineage: Lineage, n_positions: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Positions of every track in every frame, and where each cluster stands there."""
    size = np.zeros((lineage.n_tracks, len(lineage.n_clusters)), np.int32)
    at = lineage.track, lineage.frame
    np.add.at(size, at, n_positions)
    return size, at


def _spectra(part: da.Array, on: Rings) -> da.Array:
    return part.map_blocks(
        partial(azimuthal_spectra, on=on),
        chunks=(part.chunks[0], *((n,) for n in on.spectrum_shape)),
        dtype=np.complex64,
        meta=np.empty((0, 0, 0), np.complex64),
        name=f"tracks-spectra-{dask.base.tokenize(part.name, on.center, on.radii, on.n_angles)}",
    )


def _drift_image(ds: xr.Dataset, drift: DriftImage) -> da.Array | None:
    if drift == "none":
        return None
    spec: variables.Variable = getattr(variables, drift)
    return da.asarray(variables.require(ds, spec).data)


def _count(label: np.ndarray) -> int:
    return len(np.unique(label[label >= 0]))


def _steps_nm(ds: xr.Dataset) -> np.ndarray:
    """Distance of two rows and of two columns; NaN where the scan is not calibrated."""
    axes = axes_of(ds.coords.to_dataset())
    calibrated = all(axes[dim].units != PIXEL for dim in SCAN)
    return np.array([axes[d].step if calibrated else np.nan for d in (SCAN_Y, SCAN_X)])
