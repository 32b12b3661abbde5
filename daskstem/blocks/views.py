"""A part of the patterns, or coarser ones, still readable block and halo at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from daskstem.blocks.pieces import source_of
from daskstem.blocks.slices import sliced_source
from daskstem.blocks.viewing import ViewSource
from daskstem.schema.source import BlockSource, Region

Binning = Callable[[np.ndarray], np.ndarray]
"""Turns patterns (frame, scan_y, scan_x, q_y, q_x) of whole boxes into one pixel per box."""


@dataclass(frozen=True, eq=False)
class BinnedSource(ViewSource):
    """A source binned by a whole factor along every dimension."""

    source: BlockSource
    function: Binning
    factors: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    token: str

    def read(self, region: Region) -> np.ndarray:
        """Return the binned values of a region."""
        boxes = zip(region, self.factors, strict=True)
        covered = tuple(slice(s.start * n, s.stop * n) for s, n in boxes)
        return self.function(self.source.read(covered))


def crop_patterns(array: da.Array, box: Region, *, name: str) -> da.Array:
    """Return a box of an array, lazily.

    Parameters
    ----------
    array
        Any number of dimensions and any chunks.
    box
        Bounds along every dimension.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    The box, in the pieces of the array's chunks. If ``array`` is stored, nothing around the
    box is read, whatever is done with it.
    """
    view = array[box]
    source = sliced_source(view)
    return view if source is None else source.lazy(view.chunks, name)


def bin_patterns(
    function: Binning, array: da.Array, factors: tuple[int, ...], *, dtype: Any, name: str
) -> da.Array:
    """Bin an array by whole factors, lazily; what fills no box at the end is left out.

    Parameters
    ----------
    function
        Bins a block that holds whole boxes. It must pickle.
    array
        (frame, scan_y, scan_x, q_y, q_x), any chunks.
    factors
        Length of a box along every dimension.
    dtype
        Dtype of the function's result.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    The binned array, its blocks as near to the array's chunks as boxes allow, the detector
    whole. If ``array`` is stored, it can itself be read block and halo at a time.
    """
    token = tokenize(function, array.name, factors, str(dtype))
    shape = tuple(n // factor for n, factor in zip(array.shape, factors, strict=True))
    scan = (_binned_chunks(*pair) for pair in zip(array.chunks[:3], factors[:3], strict=True))
    chunks = (*scan, *((n,) for n in shape[3:]))
    source = source_of(array)
    if source is not None:
        view = BinnedSource(source, function, factors, shape, np.dtype(dtype), token)
        return view.lazy(chunks, name)
    whole = array[tuple(slice(0, n * f) for n, f in zip(shape, factors, strict=True))]
    boxes = whole.rechunk(
        tuple(tuple(n * f for n in sizes) for sizes, f in zip(chunks, factors, strict=True))
    )
    return da.map_blocks(
        function, boxes, chunks=chunks, dtype=dtype, name=f"{name}-{token}",
        meta=np.empty((0,) * array.ndim, dtype),
    )  # fmt: skip


def _binned_chunks(sizes: Sequence[int], factor: int) -> tuple[int, ...]:
    """Chunks whose borders lie at the last whole box before the old ones."""
    borders = np.unique(np.cumsum((0, *sizes)) // factor)
    return tuple(int(n) for n in np.diff(borders))
