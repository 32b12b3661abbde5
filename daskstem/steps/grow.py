"""Contiguous clusters of similar positions."""

from functools import partial
from typing import Annotated, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.frames import map_frames
from daskstem.kernels.growing import grow_clusters, grow_published
from daskstem.kernels.hierarchy import Tree, cut, similarity_tree
from daskstem.kernels.linkage import Linkage
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.kernels.stability import cut_branches, suggest_threshold
from daskstem.schema import variables
from daskstem.schema.dims import SCAN
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between
from daskstem.steps.step import step

Choice = Literal["auto", "branches"]


@step
def grow(
    ds: xr.Dataset,
    *,
    threshold: Annotated[float, Between(-1, 1)] | Choice = 0.95,
    min_size: Annotated[int, Between(1)] = 8,
    linkage: Linkage = "single",
    convention: Literal["daskstem", "published"] = "daskstem",
) -> xr.Dataset:
    """Clusters of neighboring positions whose patterns are similar.

    Parameters
    ----------
    ds
        Holds ``similarity`` ([frame,] scan_y, scan_x, neighbor), ``mean_similarity`` and
        ``mask`` ([frame,] scan_y, scan_x).
    threshold
        Least similarity of two neighbors that belong together. ``auto``: one for each frame,
        at which most positions lie in their most stable cluster; ``branches``: the most
        stable clusters themselves, each at a threshold of its own.
    min_size
        Clusters of fewer positions are rejected.
    linkage
        ``single``: two clusters join where one pair of positions reaches the threshold, as
        published; noise can then chain domains together. ``mean``: where the mean similarity
        along their common border does, as in the recipe ``default``; 0.88 suits it.
    convention
        ``published``: growth as in the published program, which never enters the two
        outermost positions at each border although they may be seeds; single linkage and a
        number for the threshold.

    Returns
    -------
    Dataset with ``label`` ([frame,] scan_y, scan_x) int32, -1 for background and rejected
    positions, ``n_clusters`` ([frame]) int32 and ``used_threshold`` ([frame]) float64, NaN
    for ``branches``, lazy. Number 0 holds the position of highest mean similarity, and so on;
    ties go by scan order.

    Raises
    ------
    InputError
        If a map is missing, a parameter is not allowed, or two do not go together.

    Notes
    -----
    Lee et al., arXiv:2601.17262, doi 10.1093/mam/ozag044. Growing from seeds with a
    symmetric similarity gives the connected components of the thresholded graph, which is
    single linkage. Mean linkage: Bailoni et al., arXiv:1906.11713.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> scan = ("scan_y", "scan_x")
    >>> ds = xr.Dataset({
    ...     "similarity": ((*scan, "neighbor"), np.ones((4, 6, 8), "f4")),
    ...     "mean_similarity": (scan, np.ones((4, 6), "f4")),
    ...     "mask": (scan, np.ones((4, 6), bool)),
    ... })
    >>> int(daskstem.grow(ds)["n_clusters"])
    1
    """
    published = convention == "published"
    if published and (linkage == "mean" or isinstance(threshold, str)):
        raise InputError(
            f"threshold = {threshold!r} and linkage = {linkage!r}: convention = 'published' "
            f"grows by single linkage at a number; choose these, or convention = 'daskstem'"
        )
    maps = [
        da.asarray(variables.require(ds, spec).data)
        for spec in (variables.similarity, variables.mean_similarity, variables.mask)
    ]
    scan = tuple(ds.sizes[dim] for dim in SCAN)
    used = da.full(
        (maps[0].shape[0],), np.nan if isinstance(threshold, str) else threshold, chunks=1
    )
    if isinstance(threshold, float) and (published or linkage == "single"):
        rule = _published if published else _single
        label = map_frames(
            partial(rule, threshold=threshold, min_size=min_size),
            *maps, shape=scan, dtype=np.int32, name="grow",
        )  # fmt: skip
        return _wrapped(label, used)
    least = -1.0 if isinstance(threshold, str) else threshold
    build = partial(_tree, linkage=linkage, least=least)
    trees = map_frames(build, *maps, shape=(), dtype=object, name="grow-tree")
    if threshold == "auto":
        suggest = partial(_suggestion, min_size=min_size)
        used = map_frames(suggest, trees, shape=(), dtype=np.float64, name="grow-threshold")
    if threshold == "branches":
        branches = partial(cut_branches, min_size=min_size)
        label = map_frames(branches, trees, shape=scan, dtype=np.int32, name="grow")
    else:
        at_threshold = partial(_at_threshold, min_size=min_size)
        label = map_frames(at_threshold, trees, used, shape=scan, dtype=np.int32, name="grow")
    return _wrapped(label, used)


def _wrapped(label: da.Array, used: da.Array) -> xr.Dataset:
    count = map_frames(_number_of_clusters, label, shape=(), dtype=np.int32, name="grow-count")
    made = (
        (variables.label, label),
        (variables.n_clusters, count),
        (variables.used_threshold, used),
    )
    return xr.Dataset({spec.name: spec.wrap(array) for spec, array in made})


def _tree(
    similarity: np.ndarray, mean: np.ndarray, mask: np.ndarray, *, linkage: Linkage, least: float
) -> np.ndarray:
    tree = similarity_tree(similarity, mean, mask, NEIGHBORS, linkage=linkage, least=least)
    return np.array(tree, dtype=object)


def _suggestion(tree: Tree, *, min_size: int) -> np.ndarray:
    return np.asarray(suggest_threshold(tree, min_size))


def _at_threshold(tree: Tree, threshold: np.ndarray, *, min_size: int) -> np.ndarray:
    return cut(tree, float(threshold), min_size)


def _single(
    similarity: np.ndarray, mean: np.ndarray, mask: np.ndarray, *, threshold: float, min_size: int
) -> np.ndarray:
    return grow_clusters(similarity, mean, mask, NEIGHBORS, threshold=threshold, min_size=min_size)


def _published(
    similarity: np.ndarray, _mean: np.ndarray, mask: np.ndarray, *, threshold: float, min_size: int
) -> np.ndarray:
    return grow_published(similarity, mask, NEIGHBORS, threshold=threshold, min_size=min_size)


def _number_of_clusters(label: np.ndarray) -> np.ndarray:
    return np.asarray(label.max(initial=-1) + 1, dtype=np.int32)
