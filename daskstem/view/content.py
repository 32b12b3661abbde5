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

SMALL_PATTERN: Final = "small_pattern"
"""Variable beside the table of clusters: a binned copy of each mean pattern."""

HOMOGENEITY: Final = "homogeneity"
BELOW_THRESHOLD: Final = "below_threshold"
AT_BORDER: Final = "at_border"
"""Of each cluster: mean similarity inside, share of pairs below the threshold, and whether it
touches the scan's border."""

ORDER: Final = "order"
SHOWN: Final = "shown"
SHOWN_FRAME: Final = "shown_frame"
"""Dimensions of the patterns shown, of particles and of frames, and these frames' numbers."""

SINGLE: Final = "single"
FILTERED: Final = "filtered"
N_AVERAGED: Final = "n_averaged"

N_SATURATED: Final = "n_saturated"
LARGEST_COUNT: Final = "largest_count"
N_MASKED: Final = "n_masked"
N_BAD: Final = "n_bad"
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
class StepContent:
    """One step, as it was run.

    Attributes
    ----------
    name
        Of the step.
    group
        Where its products are; empty for a view.
    about
        What it makes, in one line.
    parameters
        All of them, JSON-like.
    chosen
        Those that are not the step's defaults.
    time
        When it was run; empty for a view.
    """

    name: str
    group: str
    about: str
    parameters: Mapping[str, Any]
    chosen: Mapping[str, Any]
    time: str


@dataclass(frozen=True)
class AtLimit:
    """A parameter that was set to the end of its range."""

    step: str
    parameter: str
    value: Any
    default: Any
    allowed: str


@dataclass(frozen=True)
class Example:
    """One frame, looked at more closely than the others.

    Attributes
    ----------
    number
        Of the frame.
    filtering
        (q_y, q_x): ``single`` and ``filtered``, a pattern before and after the prefilter;
        (scan_y, scan_x): ``n_averaged``. Empty if not made.
    pairs
        ``inside`` and ``between`` (bin): similarities of neighbors in one cluster and of all
        others; ``edge`` (edge) of the bins. Empty if not made.
    means
        (q_y, q_x): ``mean_pattern`` and ``max_pattern`` of the frame. Empty if not made.
    beam
        (scan_y, scan_x): where the direct beam was found. Empty if not made.
    """

    number: int
    filtering: xr.Dataset = field(default_factory=xr.Dataset)
    pairs: xr.Dataset = field(default_factory=xr.Dataset)
    means: xr.Dataset = field(default_factory=xr.Dataset)
    beam: xr.Dataset = field(default_factory=xr.Dataset)


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
    steps
        All steps that were run, in order, views too.
    at_limits
        Parameters at the end of their range.
    example
        The frame that stands for the others.
    table
        (cluster): the table of all clusters, with ``homogeneity``, ``below_threshold`` and
        ``at_border``; empty if not made.
    largest
        (cluster, q_y, q_x): ``small_pattern`` of the largest clusters, with the table.
    particles
        What ``extract`` made, its patterns binned; empty if not made.
    versions
        Of the libraries that this page was made with.
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
    steps: tuple[StepContent, ...] = ()
    at_limits: tuple[AtLimit, ...] = ()
    example: Example = field(default_factory=lambda: Example(0))
    table: xr.Dataset = field(default_factory=xr.Dataset)
    largest: xr.Dataset = field(default_factory=xr.Dataset)
    particles: xr.Dataset = field(default_factory=xr.Dataset)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_frame(self) -> FrameContent | None:
        """The example's pictures."""
        return next((f for f in self.frames if f.number == self.example.number), None)

    def parameter(self, step: str, name: str) -> Any:
        """Return a parameter that a step was run with; None if it was not run."""
        return next((one.parameters.get(name) for one in self.steps if one.name == step), None)

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


MOVES: Final = ("same", "moved", "first_only", "second_only")
"""Numbers of positions in a frame: in clusters that match, in clusters that do not, in a
cluster of the first run only, of the second only."""


@dataclass(frozen=True)
class ComparedFrame:
    """One frame of two runs: ``first``, ``second`` (labels) and ``moved`` (scan_y, scan_x)."""

    number: int
    maps: xr.Dataset


@dataclass(frozen=True)
class ComparisonContent:
    """All that the page says about two runs, computed.

    Attributes
    ----------
    stores
        Names of the two.
    same_patterns
        Whether both were made from the very same patterns; None if that is not recorded.
    per_frame
        (frame): ``first_clusters``, ``second_clusters``, ``first_assigned``,
        ``second_assigned``, ``adjusted_rand`` over all positions and ``adjusted_rand_inside``
        over those in clusters of both, and the numbers of ``MOVES``.
    frames
        The frames that are shown.
    steps
        Parameters of the steps of each, by name.
    sizes
        (K,) integer: sizes of all clusters of each.
    curves
        (threshold): ``cluster_count`` and ``cover`` of the first frame; empty if not made.
    """

    stores: tuple[str, str]
    same_patterns: bool | None
    per_frame: xr.Dataset
    frames: tuple[ComparedFrame, ...]
    steps: tuple[Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]
    sizes: tuple[np.ndarray, np.ndarray]
    curves: tuple[xr.Dataset, xr.Dataset]
