"""How similar each pattern is to those of its neighbors."""

from typing import Annotated

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.halo import map_with_halo
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.schema import variables
from daskstem.schema.dims import NEIGHBOR
from daskstem.schema.parameters import Between
from daskstem.steps.comparing import (
    BothOfBlock,
    NoiseModel,
    RawSimilarityOfBlock,
    SimilarityOfBlock,
    footprint_comparison,
    footprint_reach,
    neighbor_comparison,
    offsets_of,
    wrap_weights,
)
from daskstem.steps.step import step


@step
def similarity(
    ds: xr.Dataset,
    *,
    q_inner_px: Annotated[float | None, Between(0)] = None,
    q_outer_px: Annotated[float | None, Between(0, open_low=True)] = None,
    blur_px: Annotated[float, Between(0)] = 0.0,
    center: tuple[float, float] | None = None,
    noise: NoiseModel = "auto",
    gain: Annotated[float, Between(0, open_low=True)] = 1.0,
) -> xr.Dataset:
    """Cosine similarity of every pattern to those of its eight neighbors.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x). Where it holds ``weights``
        too, the filtered patterns are compared.
    q_inner_px, q_outer_px
        Annulus of detector pixels that count, as radii from ``center``: by default from
        1/16 of the detector's shorter side, which leaves out the direct beam that all
        positions share, to the corners.
    blur_px
        Gaussian blur of the patterns before they are compared, sigma in pixels.
    center
        Row and column of the beam on the detector, in pixels; its middle by default.
    noise
        ``poisson`` takes out what counting noise adds to the norms and, where filtered
        patterns share raw ones, to the products; ``auto`` does so for integer patterns.
    gain
        Detector counts per electron, for ``noise``.

    Returns
    -------
    Dataset with ``similarity`` ([frame,] scan_y, scan_x, neighbor) and ``mean_similarity``
    ([frame,] scan_y, scan_x), float32, lazy, in [-1, 1]. NaN where the neighbor is outside
    the scan; 0 where one of the two patterns is flat. Coordinates ``neighbor_y`` and
    ``neighbor_x``.

    Raises
    ------
    InputError
        If patterns are missing, a parameter is not allowed, or the annulus is empty.

    Notes
    -----
    Lee et al., arXiv:2601.17262, doi 10.1093/mam/ozag044.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> counts = np.random.default_rng(0).poisson(2, (8, 8, 32, 32)).astype("u2")
    >>> made = daskstem.similarity(xr.Dataset({"patterns": (dims, counts)}))
    >>> made["similarity"].shape
    (8, 8, 8)
    """
    patterns = da.asarray(variables.require(ds, variables.patterns).data)
    neighbors = neighbor_comparison(
        ds, q_inner_px=q_inner_px, q_outer_px=q_outer_px, blur_px=blur_px, center=center,
        noise=noise, gain=gain,
    )  # fmt: skip
    if variables.weights.name not in ds:
        found = map_with_halo(
            RawSimilarityOfBlock(neighbors), patterns,
            depths=[1], channels=len(NEIGHBORS), dtype=np.float32, name="similarity",
        )  # fmt: skip
        return _wrapped(found)
    weights = da.asarray(variables.require(ds, variables.weights).data)
    offsets = offsets_of(ds)
    found = map_with_halo(
        SimilarityOfBlock(neighbors, offsets), patterns, weights,
        depths=[footprint_reach(ds) + 1, 1],
        channels=len(NEIGHBORS), dtype=np.float32, name="similarity",
    )  # fmt: skip
    return _wrapped(found)


def prefilter_similarity(
    ds: xr.Dataset, prefilter: dict[str, object], similarity: dict[str, object]
) -> xr.Dataset:
    """Do what the steps prefilter and similarity do, in one reading of the patterns.

    Parameters
    ----------
    ds
        As for prefilter, with the frame dimension.
    prefilter, similarity
        Checked parameters of the two steps, all of them.

    Returns
    -------
    Dataset with the variables of both, equal to theirs.
    """
    patterns = da.asarray(variables.require(ds, variables.patterns).data)
    compare = footprint_comparison(ds, **prefilter)
    neighbors = neighbor_comparison(ds, **similarity)
    n_offsets = len(compare.offsets)
    both = map_with_halo(
        BothOfBlock(compare, neighbors), patterns, depths=[compare.depth + 1],
        channels=n_offsets + 1 + len(NEIGHBORS), dtype=np.float32, name="prefilter-similarity",
    )  # fmt: skip
    weights = wrap_weights(both, compare.offsets)
    return weights.merge(_wrapped(both[..., n_offsets + 1 :]))


def _wrapped(found: da.Array) -> xr.Dataset:
    mean = da.map_blocks(_mean_of_available, found, drop_axis=3, dtype=np.float32)
    units = {"units": "position"}
    return xr.Dataset(
        {
            variables.similarity.name: variables.similarity.wrap(found),
            variables.mean_similarity.name: variables.mean_similarity.wrap(mean),
        },
        coords={
            f"{NEIGHBOR}_y": (NEIGHBOR, NEIGHBORS[:, 0], units),
            f"{NEIGHBOR}_x": (NEIGHBOR, NEIGHBORS[:, 1], units),
        },
    )


def _mean_of_available(similarity: np.ndarray) -> np.ndarray:
    available = ~np.isnan(similarity)
    total = np.where(available, similarity, 0).sum(axis=-1, dtype=np.float64)
    # a scan of a single position has no neighbor at all
    return (total / np.maximum(available.sum(axis=-1), 1)).astype(np.float32)
