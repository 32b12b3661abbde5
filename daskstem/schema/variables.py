"""One spec per variable: check, attributes and documentation in one place."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from daskstem.schema.content import PATTERNS
from daskstem.schema.dims import (
    CENTROID,
    CLUSTER,
    FRAME,
    ITERATION,
    LEVEL,
    MAP,
    MERGE,
    N_CLASSES,
    NEIGHBOR,
    OFFSET,
    PATTERN,
    SCAN,
    SERIES,
    SIZE,
    THRESHOLD,
    Q,
)
from daskstem.schema.errors import InputError, MissingVariableError


@dataclass(frozen=True)
class Variable:
    """What a variable is: its dims, its dtype kinds (numpy letters), its unit, its maker."""

    name: str
    dims: tuple[str, ...]
    kinds: str
    units: str
    made_by: str
    about: str

    def wrap(self, data: Any, **attrs: Any) -> xr.Variable:
        """Return ``data`` under this spec's dims and attributes."""
        described = {"units": self.units, "long_name": self.about, **attrs}
        return xr.Variable(self.dims, data, described)

    def check(self, array: xr.DataArray) -> xr.DataArray:
        """Return ``array`` if it keeps this spec, else raise InputError."""
        if array.dims != self.dims:
            raise InputError(
                f"{array.name!r} has the dims {array.dims}, expected {self.dims}; "
                f"transpose or rename them first"
            )
        if array.dtype.kind not in self.kinds:
            raise InputError(
                f"{array.name!r} is of dtype {array.dtype}, expected kind {self.kinds!r} "
                f"(numpy letters); convert it first"
            )
        return array


def require(ds: xr.Dataset, spec: Variable, name: str | None = None) -> xr.DataArray:
    """Return the variable that keeps ``spec``, or say which step makes it.

    Raises
    ------
    InputError
        If it is missing (then a ``MissingVariableError``), or has other dims or another kind of
        dtype.
    """
    name = name or spec.name
    if name not in ds.variables:
        raise MissingVariableError(
            f"no variable {name!r} in the dataset (it has {sorted(map(str, ds.data_vars))}); "
            f"run {spec.made_by!r} first",
            spec.made_by,
        )
    return spec.check(ds[name])


patterns: Final = Variable(
    PATTERNS, SERIES, "iuf", "counts", "convert", "diffraction pattern at every probe position"
)

mean_pattern: Final = Variable(
    "mean_pattern", PATTERN, "f", "counts", "summary", "mean over all positions of a frame"
)
max_pattern: Final = Variable(
    "max_pattern", PATTERN, "iuf", "counts", "summary", "largest value over a frame, by pixel"
)
bright_field: Final = Variable(
    "bright_field", MAP, "f", "counts", "virtual", "intensity in the bright-field disk"
)
dark_field: Final = Variable(
    "dark_field", MAP, "f", "counts", "virtual", "intensity in the dark-field annulus"
)
masked: Final = Variable(
    "masked", MAP, "f", "counts", "virtual", "intensity weighted by a detector mask"
)

bad_pixel: Final = Variable(
    "bad_pixel", PATTERN, "b", "1", "bad_pixels", "True where the detector pixel is not to be used"
)
beam_y: Final = Variable(
    "beam_y", MAP, "f", "px", "center", "measured beam centre, rows from the first detector row"
)
beam_x: Final = Variable(
    "beam_x", MAP, "f", "px", "center", "measured beam centre, columns from the first column"
)
descan_y: Final = Variable(
    "descan_y", MAP, "f", "px", "center", "plane through beam_y: the scan-dependent beam centre"
)
descan_x: Final = Variable(
    "descan_x", MAP, "f", "px", "center", "plane through beam_x: the scan-dependent beam centre"
)

weights: Final = Variable(
    "weights", (*MAP, OFFSET), "f", "1", "prefilter",
    "normalised weight of each neighbor in the filtered pattern",
)  # fmt: skip
signal: Final = Variable(
    "signal", MAP, "f", "counts^2", "prefilter",
    "energy of the weighted pattern beyond counting noise: Bragg disks raise it, films do not",
)  # fmt: skip
similarity: Final = Variable(
    "similarity", (*MAP, NEIGHBOR), "f", "1", "similarity",
    "cosine similarity with the neighbor's pattern; NaN outside the scan",
)  # fmt: skip
mean_similarity: Final = Variable(
    "mean_similarity", MAP, "f", "1", "similarity", "mean similarity with the available neighbors"
)

mask: Final = Variable(
    "mask", MAP, "b", "1", "background", "True where a position belongs to the specimen"
)
background_threshold: Final = Variable(
    "background_threshold", (FRAME,), "f", "1", "background",
    "signal or mean similarity from which a position counts as specimen; NaN if all do",
)  # fmt: skip
merge_first: Final = Variable(
    "merge_first", (FRAME, MERGE), "i", "position", "hierarchy",
    "flat position in one of two clusters that join; -1 after the last merge",
)  # fmt: skip
merge_second: Final = Variable(
    "merge_second", (FRAME, MERGE), "i", "position", "hierarchy",
    "its neighbor in the other; -1 after the last merge",
)  # fmt: skip
merge_similarity: Final = Variable(
    "merge_similarity", (FRAME, MERGE), "f", "1", "hierarchy",
    "highest threshold at which the two are one, decreasing; NaN after the last merge",
)  # fmt: skip
rank: Final = Variable(
    "rank", MAP, "i", "1", "hierarchy",
    "place in the order of mean similarity, 0 the highest; -1 outside the mask",
)  # fmt: skip
cluster_count: Final = Variable(
    "cluster_count", (FRAME, THRESHOLD), "i", "1", "hierarchy", "clusters at each threshold"
)
cover: Final = Variable(
    "cover", (FRAME, THRESHOLD), "f", "1", "hierarchy",
    "share of the mask's positions in clusters, at each threshold",
)  # fmt: skip
size_count: Final = Variable(
    "size_count", (FRAME, THRESHOLD, SIZE), "i", "1", "hierarchy",
    "clusters of each size class, of any size, at each threshold",
)  # fmt: skip
suggested_threshold: Final = Variable(
    "suggested_threshold", (FRAME,), "f", "1", "hierarchy",
    "threshold at which most positions lie in their most stable cluster; NaN without any",
)  # fmt: skip
branch_label: Final = Variable(
    "branch_label", MAP, "i", "1", "hierarchy",
    "most stable clusters, each at a threshold of its own; -1 for none",
)  # fmt: skip
nested_label: Final = Variable(
    "nested_label", (FRAME, LEVEL, *SCAN), "i", "1", "hierarchy",
    "clusters at the chosen levels; those of a higher level lie in those of a lower one",
)  # fmt: skip
label: Final = Variable(
    "label", MAP, "i", "1", "grow", "cluster of every position; -1 is background or rejected"
)
n_clusters: Final = Variable(
    "n_clusters", (FRAME,), "i", "1", "grow", "number of clusters in a frame"
)
used_threshold: Final = Variable(
    "used_threshold", (FRAME,), "f", "1", "grow",
    "least similarity that joined; NaN where every cluster has its own",
)  # fmt: skip

pattern: Final = Variable(
    "pattern", (CLUSTER, *Q), "f", "counts", "average", "mean pattern of the cluster"
)
cluster_frame: Final = Variable(
    "frame", (CLUSTER,), "i", "1", "average", "frame the cluster lies in"
)
cluster_label: Final = Variable(
    "label", (CLUSTER,), "i", "1", "average", "the cluster's number in segments/label"
)
n_positions: Final = Variable(
    "n_positions", (CLUSTER,), "i", "1", "average", "number of probe positions"
)
centroid_y: Final = Variable(
    "centroid_y", (CLUSTER,), "f", "position", "average", "mean row of its positions"
)
centroid_x: Final = Variable(
    "centroid_x", (CLUSTER,), "f", "position", "average", "mean column of its positions"
)
bounding_box: Final = tuple(
    Variable(name, (CLUSTER,), "i", "position", "average", about)
    for name, about in (
        ("y_min", "first row"),
        ("y_max", "last row"),
        ("x_min", "first column"),
        ("x_max", "last column"),
    )
)
seed_y: Final = Variable(
    "seed_y", (CLUSTER,), "i", "position", "average", "row of its most similar position"
)
seed_x: Final = Variable(
    "seed_x", (CLUSTER,), "i", "position", "average", "column of its most similar position"
)
cluster_similarity: Final = Variable(
    "mean_similarity", (CLUSTER,), "f", "1", "average", "mean over its positions"
)
cluster_min_similarity: Final = Variable(
    "min_similarity", (CLUSTER,), "f", "1", "average", "smallest mean similarity of a position"
)
residual: Final = Variable(
    "residual", (CLUSTER,), "f", "1", "average",
    "root mean square of raw minus mean pattern, relative to that of the raw patterns",
)  # fmt: skip

cluster_table: Final = (
    cluster_frame, cluster_label, n_positions, centroid_y, centroid_x, *bounding_box,
    seed_y, seed_x, cluster_similarity, cluster_min_similarity,
)  # fmt: skip
"""The coordinates along ``cluster`` that the label and similarity maps alone determine."""

class_label: Final = Variable(
    "label", MAP, "i", "1", "kmeans", "K-means class of every position; -1 was left out"
)
class_pattern: Final = Variable(
    "pattern", (CENTROID, *Q), "f", "counts", "kmeans", "mean pattern of the class"
)
class_n_positions: Final = Variable(
    "n_positions", (CENTROID,), "i", "1", "kmeans", "number of probe positions; 0: empty class"
)
class_number: Final = Variable(
    "n_classes", (N_CLASSES,), "i", "1", "kmeans", "number of classes tried"
)
inertia: Final = Variable(
    "inertia", (N_CLASSES, ITERATION), "f", "1", "kmeans",
    "sum of squared distances to the nearest centroid before each iteration; NaN after the last",
)  # fmt: skip
silhouette: Final = Variable(
    "silhouette", (N_CLASSES,), "f", "1", "kmeans",
    "mean silhouette of a sample: 1 for classes far apart, 0 for classes that touch",
)  # fmt: skip
n_reseeded: Final = Variable(
    "n_reseeded", (N_CLASSES,), "i", "1", "kmeans",
    "how often a class without patterns was begun anew with the farthest pattern",
)  # fmt: skip
n_constant: Final = Variable(
    "n_constant", (FRAME,), "i", "1", "kmeans",
    "patterns taking part that are the same at all pixels, empty ones included",
)  # fmt: skip
n_unusable: Final = Variable(
    "n_unusable", (FRAME,), "i", "1", "kmeans", "patterns left out: a value is not finite"
)

truth_label: Final = Variable(
    "label", MAP, "i", "1", "simulate",
    "grain of every position, the same number in every frame; -1 is the film",
)  # fmt: skip
truth_purity: Final = Variable(
    "purity", MAP, "f", "1", "simulate", "share of the probe that lies in that grain"
)
GRAIN: Final = "grain"
REFLECTION: Final = "reflection"
truth_orientation: Final = Variable(
    "orientation", (FRAME, GRAIN, "row", "column"), "f", "1", "simulate",
    "rotation matrix from crystal to laboratory axes (x, y, beam)",
)  # fmt: skip
truth_strain: Final = Variable(
    "strain", (GRAIN, "row", "column"), "f", "1", "simulate",
    "symmetric strain tensor in crystal axes",
)  # fmt: skip

truth_intensity: Final = Variable(
    "reflection_intensity", (FRAME, GRAIN, REFLECTION), "f", "counts", "simulate",
    "expected counts of a reflection at one position in the crystal's middle",
)  # fmt: skip
truth_reflection: Final = Variable(
    "reflection_vector", (REFLECTION, "column"), "f", "1/angstrom", "simulate",
    "reciprocal vector of an unstrained crystal, crystal axes",
)  # fmt: skip


def is_counts(dtype: np.dtype) -> bool:
    """Whether patterns of this dtype are counts, for which Poisson noise is known."""
    return np.dtype(dtype).kind in "iu"
