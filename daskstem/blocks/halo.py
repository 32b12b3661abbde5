"""Kernels that look at neighboring positions: one task per block and its halo."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from daskstem.blocks.native import native
from daskstem.blocks.pieces import source_of
from daskstem.chunks.tiling import Window, joined_blocks, windows
from daskstem.schema.dims import SERIES
from daskstem.schema.errors import InputError
from daskstem.schema.source import BlockSource

BlockFunction = Callable[..., np.ndarray]
"""``function(*haloed, windows)``: arrays (rows, columns, ...) and where each one lies."""


def map_with_halo(
    function: BlockFunction,
    *arrays: da.Array,
    depths: Sequence[int],
    channels: int,
    dtype: Any,
    name: str,
) -> da.Array:
    """Apply a kernel to every block of a scan with its halo, lazily.

    One function, two ways in, same numbers. If every array is stored, each task reads its
    own block and halo: one task per block, or per few that are joined so that their
    halos weigh less. Otherwise the halos go through
    ``dask.array.overlap``, which makes about ten.

    Parameters
    ----------
    function
        Called for one frame and block as ``function(*haloed, windows)`` with arrays
        (rows, columns, ...) of the block and its halo, cut off at the scan's border, and
        a Window for each; returns (rows, columns, channels) without the halo.
    arrays
        (frame, scan_y, scan_x, ...) with equal scans.
    depths
        Halo of each array, in positions.
    channels, dtype
        Length of the result's last dimension, and its dtype.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    (frame, scan_y, scan_x, channels), one chunk per block.

    Raises
    ------
    InputError
        If a halo that must come from other chunks is deeper than a chunk.
    """
    token = tokenize(function, [array.name for array in arrays], list(depths), channels, dtype)
    key = f"{name}-{token}"
    placed = place(arrays, depths, join=max(depths))
    n_frames = arrays[0].shape[0]
    graph = {
        (key, frame, *block.index, 0): block.task(partial(_one_frame, function))
        for frame in range(n_frames)
        for block in placed.blocks(frame)
    }
    chunks = ((1,) * n_frames, *placed.scan_chunks, (channels,))
    layers = HighLevelGraph.from_collections(key, graph, dependencies=placed.dependencies)
    return da.Array(layers, key, chunks, meta=np.empty((0,) * 4, dtype))


@dataclass(frozen=True)
class HaloedBlock:
    """One block of several arrays with their halos, and how a task gets them."""

    index: tuple[int, int]
    windows: tuple[Window, ...]
    inputs: tuple[Any, ...]

    def task(self, function: Callable[..., Any]) -> Any:
        """Return a Dask task that calls ``function(*haloed, here=windows)``."""
        return (partial(_call, function, self.windows), *self.inputs)


@dataclass(frozen=True)
class PlacedArrays:
    """Arrays of one scan, cut into the same blocks with halos of their own."""

    scan_chunks: tuple[tuple[int, ...], tuple[int, ...]]
    depths: tuple[int, ...]
    ways: tuple["_FromSource | _FromTask", ...]
    dependencies: tuple[da.Array, ...]

    def blocks(self, frame: int) -> Iterator[HaloedBlock]:
        """Yield the blocks of one frame in scan order."""
        placed = (windows(self.scan_chunks, depth) for depth in self.depths)
        for together in zip(*placed, strict=True):
            index, here = together[0][0], tuple(w for _, w in together)
            inputs = (way.task(frame, index, w) for way, w in zip(self.ways, here, strict=True))
            yield HaloedBlock(index, here, tuple(inputs))


def place(arrays: Sequence[da.Array], depths: Sequence[int], *, join: int = 0) -> PlacedArrays:
    """Cut arrays (frame, scan_y, scan_x, ...) into the blocks of the first one.

    Stored blocks are joined as suits a halo of ``join`` positions; 0 leaves them as they are.

    Raises
    ------
    InputError
        If a halo that must come from other chunks is deeper than a chunk.
    """
    found = [source for source in map(source_of, arrays) if source is not None]
    scan_chunks = (arrays[0].chunks[1], arrays[0].chunks[2])
    if len(found) == len(arrays):
        ways = tuple(_FromSource(source) for source in found)
        position_bytes = prod(arrays[0].shape[3:]) * arrays[0].dtype.itemsize
        scan_chunks = joined_blocks(scan_chunks, join, position_bytes)
        return PlacedArrays(scan_chunks, tuple(depths), ways, ())
    whole = [_one_frame_per_chunk(array, scan_chunks, max(depths)) for array in arrays]
    overlapped = tuple(
        da.overlap.overlap(array, depth=_where_cut(array, depth), boundary="none")
        for array, depth in zip(whole, depths, strict=True)
    )
    scan_chunks = (whole[0].chunks[1], whole[0].chunks[2])
    return PlacedArrays(
        scan_chunks, tuple(depths), tuple(_FromTask(array) for array in overlapped), overlapped
    )


@dataclass(frozen=True)
class _FromSource:
    source: BlockSource

    def task(self, frame: int, _index: tuple[int, int], window: Window) -> Any:
        return partial(_read, self.source, frame, window)


@dataclass(frozen=True)
class _FromTask:
    array: da.Array

    def task(self, frame: int, index: tuple[int, int], _window: Window) -> Any:
        return (self.array.name, frame, *index, *(0,) * (self.array.ndim - 3))


def _one_frame(function: BlockFunction, *haloed: np.ndarray, here: tuple[Window, ...]) -> Any:
    return function(*haloed, here)[np.newaxis]


def _call(function: Callable[..., Any], here: tuple[Window, ...], *inputs: Any) -> Any:
    haloed = [block() if callable(block) else np.asarray(block)[0] for block in inputs]
    return function(*map(native, haloed), here=here)


class _Held(threading.local):
    """What each thread holds from task to task."""

    block = np.empty(0, np.uint8)


_held = _Held()
"""Memory for a block and its halo. New memory comes page by page and emptied: for 426 MB that
takes as long as decoding them, and the threads of a process wait for each other."""


def _read(source: BlockSource, frame: int, window: Window) -> np.ndarray:
    """Read a block and its halo: patterns into the thread's memory, gone with its next task."""
    others = tuple(slice(0, n) for n in source.shape[3:])
    region = (slice(frame, frame + 1), *window.region, *others)
    if len(source.shape) < len(SERIES):
        return source.read(region)[0]
    shape = tuple(s.stop - s.start for s in region)
    size = prod(shape) * source.dtype.itemsize
    if _held.block.size < size:
        _held.block = np.empty(size, np.uint8)
    block = _held.block[:size].view(source.dtype).reshape(shape)
    source.read_into(region, block)
    return block[0]


def _where_cut(array: da.Array, depth: int) -> dict[int, int]:
    # Dask refuses a depth above the array's length, although a whole axis needs no halo
    return {axis: depth if array.numblocks[axis] > 1 else 0 for axis in (1, 2)}


def _one_frame_per_chunk(
    array: da.Array, scan_chunks: tuple[tuple[int, ...], ...], depth: int
) -> da.Array:
    largest = [max(sizes) for sizes in scan_chunks]
    wanted = [_merged_tail(sizes, depth) if len(sizes) > 1 else sizes for sizes in scan_chunks]
    if any(n < depth and len(sizes) > 1 for n, sizes in zip(largest, scan_chunks, strict=True)):
        raise InputError(
            f"a halo of {depth} positions does not fit in chunks of {tuple(largest)}; "
            f"rechunk the scan to at least {depth} positions per chunk"
        )
    others = {axis: -1 for axis in range(3, array.ndim)}
    return array.rechunk({0: 1, 1: wanted[0], 2: wanted[1], **others})


def _merged_tail(sizes: tuple[int, ...], depth: int) -> tuple[int, ...]:
    """Join each chunk smaller than the halo to the one before it."""
    merged: list[int] = []
    for size in sizes:
        if merged and (size < depth or merged[-1] < depth):
            merged[-1] += size
        else:
            merged.append(size)
    return tuple(merged)
