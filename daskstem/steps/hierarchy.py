"""The clusters of every threshold at once, and the thresholds worth choosing."""

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Annotated, Any, Final

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.frames import map_frames
from daskstem.kernels import hierarchy as kernels
from daskstem.kernels.linkage import Linkage
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.kernels.stability import cut_branches, suggest_threshold
from daskstem.schema import variables
from daskstem.schema.dims import LEVEL, SCAN, SIZE, THRESHOLD
from daskstem.schema.parameters import Between, Increasing
from daskstem.schema.variables import Variable
from daskstem.steps.step import step

# finer where similarities crowd
CURVE: Final = np.concatenate([np.arange(0, 45) / 50, 0.9 + np.arange(0, 51) / 500]).round(3)
"""Thresholds of the curves."""

_TREE: Final = (
    variables.merge_first, variables.merge_second, variables.merge_similarity, variables.rank,
)  # fmt: skip


@step
def hierarchy(
    ds: xr.Dataset,
    *,
    min_size: Annotated[int, Between(1)] = 8,
    linkage: Linkage = "single",
    levels: Annotated[tuple[float, ...], Increasing(-1, 1)] = (0.8, 0.9, 0.95, 0.98),
) -> xr.Dataset:
    """Tree of all clusters: what every threshold would find, and which ones last.

    Parameters
    ----------
    ds
        Holds ``similarity`` ([frame,] scan_y, scan_x, neighbor), ``mean_similarity`` and
        ``mask`` ([frame,] scan_y, scan_x).
    min_size
        Clusters of fewer positions do not count in curves, suggestion and labels.
    linkage
        What joins two clusters, as for ``grow``.
    levels
        Thresholds of the nested labels, increasing.

    Returns
    -------
    Dataset, lazy. The tree: ``merge_first``, ``merge_second`` ([frame,] merge) int32 and
    ``merge_similarity`` float32, for ``cut``; ``rank`` ([frame,] scan_y, scan_x) int32. The
    curves: ``cluster_count`` ([frame,] threshold) int32, ``cover`` float32 in [0, 1],
    ``size_count`` ([frame,] threshold, size) int32, the clusters of 1, 2 to 3, 4 to 7, ...
    positions. The choice: ``suggested_threshold`` ([frame]) float64, NaN without clusters;
    ``branch_label`` ([frame,] scan_y, scan_x) and ``nested_label`` ([frame,] level, scan_y,
    scan_x) int32, -1 for none.

    Raises
    ------
    InputError
        If a map is missing or a parameter is not allowed.

    Notes
    -----
    The multi-level hierarchy that Lee et al., arXiv:2601.17262, leave to be done. Stability:
    Campello, Moulavi, Sander, PAKDD 2013, doi 10.1007/978-3-642-37456-2_14.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> scan = ("scan_y", "scan_x")
    >>> ds = xr.Dataset({
    ...     "similarity": ((*scan, "neighbor"), np.full((4, 6, 8), 0.9, "f4")),
    ...     "mean_similarity": (scan, np.ones((4, 6), "f4")),
    ...     "mask": (scan, np.ones((4, 6), bool)),
    ... })
    >>> made = daskstem.hierarchy(ds)
    >>> [int(daskstem.cut(made, threshold=t)["label"].max()) + 1 for t in (0.8, 0.95)]
    [1, 0]
    """
    maps = [
        da.asarray(variables.require(ds, spec).data)
        for spec in (variables.similarity, variables.mean_similarity, variables.mask)
    ]
    scan = (ds.sizes[SCAN[0]], ds.sizes[SCAN[1]])
    # a frame's tree is one object of one task; its arrays are what is stored
    trees = map_frames(
        partial(_tree, linkage=linkage), *maps, shape=(), dtype=object, name="hierarchy-tree"
    )
    scan = (ds.sizes[SCAN[0]], ds.sizes[SCAN[1]])
    n_bins = kernels.size_bins(scan[0] * scan[1])
    return xr.Dataset(
        {
            spec.name: spec.wrap(
                map_frames(make, trees, shape=shape, dtype=dtype, name=f"hierarchy-{spec.name}")
            )
            for spec, make, shape, dtype in _products(scan, n_bins, np.asarray(levels), min_size)
        },
        coords={
            THRESHOLD: (THRESHOLD, CURVE, {"units": "1"}),
            SIZE: (SIZE, 2 ** np.arange(n_bins), {"units": "position"}),
            LEVEL: (LEVEL, np.asarray(levels), {"units": "1"}),
        },
    )


_Product = tuple[Variable, Callable[..., np.ndarray], tuple[int, ...], Any]


def _products(
    scan: tuple[int, int], n_bins: int, levels: np.ndarray, min_size: int
) -> tuple[_Product, ...]:
    """Return every variable, what makes it of a tree, and its shape and dtype in a frame."""
    curve = [partial(_curve, number, min_size) for number in range(3)]
    nested = partial(kernels.nested, thresholds=levels, min_size=min_size)
    branches = partial(cut_branches, min_size=min_size)
    merges = (max(scan[0] * scan[1] - 1, 1),)
    return (
        (variables.merge_first, attrgetter("first"), merges, np.int32),
        (variables.merge_second, attrgetter("second"), merges, np.int32),
        (variables.merge_similarity, attrgetter("similarity"), merges, np.float32),
        (variables.rank, attrgetter("rank"), scan, np.int32),
        (variables.cluster_count, curve[0], CURVE.shape, np.int32),
        (variables.cover, curve[1], CURVE.shape, np.float32),
        (variables.size_count, curve[2], (*CURVE.shape, n_bins), np.int32),
        (variables.suggested_threshold, partial(_suggestion, min_size), (), np.float64),
        (variables.branch_label, branches, scan, np.int32),
        (variables.nested_label, nested, (len(levels), *scan), np.int32),
    )


def cut(ds: xr.Dataset, *, threshold: float, min_size: int = 8) -> xr.Dataset:
    """Clusters at a threshold, from a stored tree.

    Parameters
    ----------
    ds
        Holds the tree, as ``hierarchy`` makes it or the store's group ``hierarchy`` holds it.
    threshold
        Least similarity that joins.
    min_size
        Clusters of fewer positions are rejected.

    Returns
    -------
    Dataset with ``label`` ([frame,] scan_y, scan_x) int32, lazy: what ``grow`` makes with the
    same threshold, min_size and linkage. Load the tree of a frame first to cut it many times.

    Raises
    ------
    InputError
        If the tree is missing or a parameter is not allowed.

    Examples
    --------
    >>> import daskstem, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = daskstem.simulate(f"{folder}/s.zarr", shape=(1, 24, 24, 48, 48))
    ...     _ = daskstem.run_recipe("default", store, quiet=True)
    ...     tree = daskstem.open_series(store)["hierarchy"].to_dataset().isel(frame=0).load()
    ...     label = daskstem.cut(tree, threshold=0.9)["label"].values
    >>> label.shape
    (24, 24)
    """
    return _cut(ds, threshold=threshold, min_size=min_size)


@step
def _cut(
    ds: xr.Dataset,
    *,
    threshold: Annotated[float, Between(-1, 1)],
    min_size: Annotated[int, Between(1)],
) -> xr.Dataset:
    arrays = [da.asarray(variables.require(ds, spec).data) for spec in _TREE]
    label = map_frames(
        partial(_cut_arrays, threshold=threshold, min_size=min_size),
        *arrays,
        shape=tuple(ds.sizes[dim] for dim in SCAN),
        dtype=np.int32,
        name="cut",
    )
    return xr.Dataset({variables.label.name: variables.label.wrap(label)})


def _tree(
    similarity: np.ndarray, mean: np.ndarray, mask: np.ndarray, *, linkage: Linkage
) -> np.ndarray:
    tree = kernels.similarity_tree(similarity, mean, mask, NEIGHBORS, linkage=linkage)
    return np.array(tree, dtype=object)


def _cut_arrays(*arrays: np.ndarray, threshold: float, min_size: int) -> np.ndarray:
    return kernels.cut(kernels.Tree(*arrays), threshold, min_size)


def _curve(which: int, min_size: int, tree: kernels.Tree) -> np.ndarray:
    return kernels.curves(tree, CURVE, min_size)[which]


def _suggestion(min_size: int, tree: kernels.Tree) -> np.ndarray:
    return np.asarray(suggest_threshold(tree, min_size))
