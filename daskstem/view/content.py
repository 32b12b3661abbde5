"""What a report shows: plain values, gathered before the page is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import xarray as xr

TRUTH_LABEL: Final = "truth_label"
"""The known grains among a frame's maps; there, ``label`` is what was found."""

CLASS_LABEL: Final = "class_label"
"""The K-means classes among a frame's maps."""

SEED_PATTERN: Final = "seed_pattern"
"""Variable beside ``pattern`` (cluster, q_y, q_x): the raw pattern at the cluster's seed."""

N_ASSIGNED: Final = "n_assigned"
N_AT_BORDER: Final = "n_at_border"
N_FLAT: Final = "n_flat"
ADJUSTED_RAND: Final = "adjusted_rand"


@dataclass(frozen=True)
class FrameContent:
    """One frame's pictures, computed.

    Attributes
    ----------
    number
        Place of the frame in the series, from 0.
    maps
        (scan_y, scan_x): any of ``dark_field``, ``mean_similarity``, ``mask``, ``label``,
        ``track``, ``truth_label``, ``class_label``, with the scan's coordinates.
    clusters
        (cluster): the table of the frame's clusters, without patterns; empty if not made.
    shown
        (cluster, q_y, q_x): ``pattern`` and ``seed_pattern`` of the largest clusters, largest
        first, with the table's variables along ``cluster``; empty if not made.
    curves
        (threshold): ``cluster_count`` and ``cover``, and ``suggested_threshold``; empty if not
        made.
    """

    number: int
    maps: xr.Dataset
    clusters: xr.Dataset
    shown: xr.Dataset
    curves: xr.Dataset = field(default_factory=xr.Dataset)


@dataclass(frozen=True)
class ReportContent:
    """All that the page says about a series, computed.

    Attributes
    ----------
    store
        Path or URL of the store, as the reader would type it.
    shape
        Sizes of frame, scan_y, scan_x, q_y, q_x of the raw patterns.
    dtype
        Of the raw patterns.
    raw
        Coordinates and attributes of the raw group, without patterns.
    per_frame
        (frame): any of ``n_clusters``, ``n_assigned``, ``n_at_border``, ``n_flat`` (positions
        whose similarities are all exactly 0), ``adjusted_rand``, ``background_threshold``,
        ``used_threshold``, ``suggested_threshold``; NaN where a frame is not finished.
    frames
        The frames that are shown.
    groups
        Attributes of every derived group, by its name.
    unfinished
        Names of the groups that a stopped run left half-made.
    cluster_bytes
        Size of the clusters' mean patterns; None if not made.
    n_positions
        (K,) integer: size of every cluster of the series; empty if not made.
    tracks
        The curves and events of the tracks, and the drift; empty if not made.
    track_maps
        (frame, scan_y, scan_x) int32: number of the track, every frame, of large scans a part
        of the positions only; None if not made.
    classes
        K-means classes without their maps; empty if not made.
    """

    store: str
    shape: tuple[int, int, int, int, int]
    dtype: np.dtype
    raw: xr.Dataset
    per_frame: xr.Dataset
    frames: tuple[FrameContent, ...]
    groups: Mapping[str, Mapping[str, Any]]
    unfinished: tuple[str, ...]
    cluster_bytes: int | None
    n_positions: np.ndarray
    tracks: xr.Dataset = field(default_factory=xr.Dataset)
    track_maps: xr.DataArray | None = None
    classes: xr.Dataset = field(default_factory=xr.Dataset)

    @property
    def raw_bytes(self) -> int:
        """Size of the raw patterns, not compressed."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def positions(self) -> int:
        """Number of probe positions in the whole series."""
        return int(np.prod(self.shape[:3], dtype=np.int64))

    @property
    def reduction(self) -> float | None:
        """How many times smaller the clusters' patterns are than the raw ones."""
        return self.raw_bytes / self.cluster_bytes if self.cluster_bytes else None

    def total(self, name: str) -> int | None:
        """Sum of a number over the finished frames; None where no frame has it."""
        if name not in self.per_frame:
            return None
        values = self.per_frame[name].values
        finished = values[np.isfinite(values)]
        return int(finished.sum()) if finished.size else None

    def number(self, name: str, frame: int) -> float:
        """Return a number of one frame; NaN where it is not known."""
        return float(self.per_frame[name].values[frame]) if name in self.per_frame else np.nan

    def finished(self, name: str) -> int:
        """Count the frames that have a number of this name."""
        known = self.per_frame.get(name)
        return 0 if known is None else int(np.isfinite(known.values).sum())
