"""Blocks of patterns that reach a task in pieces small enough for the processor's cache.

A block of 75 MB put together first and summed then goes to memory and back; a piece of 1 MB is
summed where it was decoded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from daskstem.blocks.native import native
from daskstem.blocks.slices import sliced_source
from daskstem.schema.source import BlockSource, Piece, Region

Chunks = tuple[tuple[int, ...], ...]
PiecesFunction = Callable[..., Any]
"""``function(pieces, *inputs)``: an iterator of pieces of one block, and what else it needs."""


def source_of(array: da.Array) -> BlockSource | None:
    """Return what ``array`` is a view of, whole or a box of it, or None if it is computed.

    Dask keeps the object given to ``from_array`` in a task of its own, named after the
    array; any operation makes an array of another name, so an array whose name still has that
    task is the stored one, element by element. Of operations only indexing leaves a source.
    """
    layer = array.dask.layers.get(f"original-{array.name}")
    if layer is None:
        return sliced_source(array)
    original = layer[f"original-{array.name}"]
    original = getattr(original, "value", original)
    return original if hasattr(original, "pieces") else None


def values_of(*maps: da.Array) -> tuple[np.ndarray, ...]:
    """Return the values of maps; stored ones are read here and now, which needs no task."""
    sources = [source for source in map(source_of, maps) if source is not None]
    if len(sources) < len(maps):
        return tuple(da.compute(*maps))
    return tuple(source.read(tuple(slice(0, n) for n in source.shape)) for source in sources)


@dataclass(frozen=True)
class PatternBlocks:
    """Patterns (frame, scan_y, scan_x, q_y, q_x) cut into blocks, and how tasks get them.

    Attributes
    ----------
    chunks
        Sizes of the blocks along frame, scan_y and scan_x.
    source
        Where the tasks read the patterns themselves, if they can.
    array
        The patterns with these blocks, detector whole.
    """

    chunks: Chunks
    source: BlockSource | None
    array: da.Array

    @property
    def dependencies(self) -> list[da.Array]:
        """Lazy arrays that the tasks refer to."""
        return [] if self.source is not None else [self.array]

    @property
    def tasks_before(self) -> dict[Any, Any]:
        """The tasks of those, for a graph that is put together by hand."""
        return {} if self.source is not None else dict(self.array.dask)

    @property
    def indices(self) -> Iterator[tuple[int, ...]]:
        """Numbers of every block along frame, scan_y and scan_x, in order."""
        return np.ndindex(*map(len, self.chunks))

    def region(self, index: tuple[int, ...]) -> Region:
        """Return where a block lies along frame, scan_y and scan_x."""
        starts = (sum(sizes[:i]) for sizes, i in zip(self.chunks, index, strict=True))
        return tuple(
            slice(start, start + sizes[i])
            for start, sizes, i in zip(starts, self.chunks, index, strict=True)
        )

    def task(self, function: PiecesFunction, index: tuple[int, ...], *inputs: Any) -> Any:
        """Return a Dask task that calls ``function(pieces, *inputs)`` for one block.

        Pieces come in an order that only the block decides. Each is C-contiguous, in native
        byte order, and gone when the next one is asked for: all may share a buffer.
        """
        detector = (slice(0, n) for n in self.array.shape[3:])
        region = (*self.region(index), *detector)
        if self.source is not None:
            return (partial(_on_source, function, self.source, region), *inputs)
        return (partial(_on_block, function, region), (self.array.name, *index, 0, 0), *inputs)


def pattern_blocks(array: da.Array, chunks: Chunks | None = None) -> PatternBlocks:
    """Cut patterns into blocks.

    Parameters
    ----------
    array
        (frame, scan_y, scan_x, q_y, q_x), any chunks.
    chunks
        Sizes along frame, scan_y and scan_x; by default those of the array.
    """
    chunks = chunks or array.chunks[:3]
    source = source_of(array)
    if source is not None:
        return PatternBlocks(chunks, source, array)
    whole = tuple((n,) for n in array.shape[3:])
    return PatternBlocks(chunks, None, array.rechunk((*chunks, *whole)))


def native_pieces(source: BlockSource, region: Region) -> Iterator[Piece]:
    """Yield a region in pieces as kernels want them: C-contiguous, in native byte order."""
    return _native(source.pieces(region))


def _on_source(function: PiecesFunction, source: BlockSource, region: Region, *inputs: Any) -> Any:
    return function(native_pieces(source, region), *inputs)


def _on_block(function: PiecesFunction, region: Region, block: Any, *inputs: Any) -> Any:
    return function(_native(iter([(region, np.asarray(block))])), *inputs)


def _native(pieces: Iterator[Piece]) -> Iterator[Piece]:
    for where, values in pieces:
        yield where, native(values)
