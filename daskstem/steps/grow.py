"""Contiguous clusters of similar positions."""

from functools import partial
from typing import Annotated, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.frames import map_frames
from daskstem.kernels.growing import grow_clusters, grow_published
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.schema import variables
from daskstem.schema.dims import SCAN
from daskstem.schema.parameters import Between
from daskstem.steps.step import step


@step
def grow(
    ds: xr.Dataset,
    *,
    threshold: Annotated[float, Between(-1, 1)] = 0.95,
    min_size: Annotated[int, Between(1)] = 8,
    convention: Literal["daskstem", "published"] = "daskstem",
) -> xr.Dataset:
    """Clusters of neighboring positions whose patterns are similar.

    Parameters
    ----------
    ds
        Holds ``similarity`` ([frame,] scan_y, scan_x, neighbor), ``mean_similarity`` and
        ``mask`` ([frame,] scan_y, scan_x).
    threshold
        Least similarity of two neighbors that belong together.
    min_size
        Clusters of fewer positions are rejected.
    convention
        ``published``: growth as in the published program, which never enters the two
        outermost positions at each border although they may be seeds.

    Returns
    -------
    Dataset with ``label`` ([frame,] scan_y, scan_x) int32, -1 for background and rejected
    positions, and ``n_clusters`` ([frame]) int32, lazy. Number 0 holds the position of
    highest mean similarity, and so on; ties go by scan order.

    Raises
    ------
    InputError
        If a map is missing or a parameter is not allowed.

    Notes
    -----
    Lee et al., arXiv:2601.17262, doi 10.1093/mam/ozag044. Growing from seeds with a
    symmetric similarity gives the connected components of the thresholded graph.

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
    similarity, mean, mask = (
        da.asarray(variables.require(ds, spec).data)
        for spec in (variables.similarity, variables.mean_similarity, variables.mask)
    )
    rule = _published if convention == "published" else _grown
    label = map_frames(
        partial(rule, threshold=threshold, min_size=min_size),
        similarity, mean, mask,
        shape=tuple(ds.sizes[dim] for dim in SCAN), dtype=np.int32, name="grow",
    )  # fmt: skip
    count = map_frames(_number_of_clusters, label, shape=(), dtype=np.int32, name="grow-count")
    return xr.Dataset(
        {
            variables.label.name: variables.label.wrap(label),
            variables.n_clusters.name: variables.n_clusters.wrap(count),
        }
    )


def _grown(
    similarity: np.ndarray, mean: np.ndarray, mask: np.ndarray, *, threshold: float, min_size: int
) -> np.ndarray:
    return grow_clusters(similarity, mean, mask, NEIGHBORS, threshold=threshold, min_size=min_size)


def _published(
    similarity: np.ndarray, _mean: np.ndarray, mask: np.ndarray, *, threshold: float, min_size: int
) -> np.ndarray:
    return grow_published(similarity, mask, NEIGHBORS, threshold=threshold, min_size=min_size)


def _number_of_clusters(label: np.ndarray) -> np.ndarray:
    return np.asarray(label.max(initial=-1) + 1, dtype=np.int32)
