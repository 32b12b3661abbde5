"""Reading a block and its halo straight from where an array is stored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from daskstem.blocks.native import native
from daskstem.blocks.pieces import pattern_blocks, source_of
from daskstem.blocks.viewing import ViewSource
from daskstem.schema.source import BlockSource, Piece, Region, within

PatternFunction = Callable[..., np.ndarray]
"""``function(patterns, region, *maps, *wholes)``, all for one block of the scan."""


@dataclass(frozen=True, eq=False)
class MappedSource(ViewSource):
    """A source whose patterns pass through a function of single patterns.

    Attributes
    ----------
    source
        (frame, scan_y, scan_x, q_y, q_x).
    function
        ``function(patterns, region, *maps, *wholes)``; returns patterns of the last two
        lengths of ``shape``.
    maps
        Sources (frame, scan_y, scan_x): read where the patterns are.
    wholes
        Sources (frame, ...): read whole for the frames of the patterns.
    """

    source: BlockSource
    function: PatternFunction
    maps: tuple[BlockSource, ...]
    wholes: tuple[BlockSource, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    token: str

    def read(self, region: Region) -> np.ndarray:
        """Return the mapped patterns of a region."""
        scan = region[:3]
        patterns = self.source.read((*scan, *_all_of(self.source.shape[3:])))
        mapped = self._mapped(scan, patterns)
        return np.ascontiguousarray(mapped[:, :, :, region[3], region[4]])

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield the mapped patterns of each piece of the source."""
        detector = region[3:]
        for where, patterns in self.source.pieces((*region[:3], *_all_of(self.source.shape[3:]))):
            mapped = self._mapped(where[:3], patterns)
            yield (*where[:3], *detector), mapped[(slice(None),) * 3 + detector]

    def _mapped(self, scan: Region, patterns: np.ndarray) -> np.ndarray:
        maps = (side.read(scan) for side in self.maps)
        wholes = (side.read((scan[0], *_all_of(side.shape[1:]))) for side in self.wholes)
        return np.asarray(_on_region(self.function, scan, patterns, *maps, *wholes))


@dataclass(frozen=True, eq=False)
class HeldArray:
    """A small array in memory, as a source."""

    values: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the values."""
        return self.values.dtype

    def read(self, region: Region) -> np.ndarray:
        """Return the values of a region."""
        return self.values[region]

    def read_into(self, region: Region, out: np.ndarray) -> None:
        """Write the values of a region to an array."""
        out[...] = self.values[region]

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield the region as one piece."""
        yield region, self.read(region)


def map_patterns(
    function: PatternFunction,
    array: da.Array,
    *,
    maps: Sequence[da.Array | np.ndarray] = (),
    wholes: Sequence[da.Array | np.ndarray] = (),
    pattern_shape: tuple[int, int],
    dtype: Any,
    name: str,
) -> da.Array:
    """Apply a function of single patterns to every block, lazily.

    Parameters
    ----------
    function
        ``function(patterns, region, *maps, *wholes)``, all for one block: patterns
        (frame, scan_y, scan_x, q_y, q_x), the scan region they lie in, the maps cut to it,
        and the wholes of its frames. It returns one new pattern for each, leaves its
        arguments as they are, and must pickle.
    array
        (frame, scan_y, scan_x, q_y, q_x), any chunks.
    maps
        Values at the positions that the function needs: (frame, scan_y, scan_x).
    wholes
        Values of the frames that it needs, such as detector masks: (frame, ...).
    pattern_shape, dtype
        What the new patterns look like.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    Dask array of the new patterns with the same scan blocks. If ``array`` and all maps and
    wholes are stored or in memory, the result can itself be read block and halo at a time.
    """
    sides = (*maps, *wholes)
    named = [side.name if isinstance(side, da.Array) else side for side in sides]
    token = tokenize(function, array.name, named, len(maps), pattern_shape, str(dtype))
    source = source_of(array)
    found = [_side_source(side) for side in sides]
    if source is not None and all(side is not None for side in found):
        stored = tuple(side for side in found if side is not None)
        shape = (*array.shape[:3], *pattern_shape)
        at, whole = stored[: len(maps)], stored[len(maps) :]
        view = MappedSource(source, function, at, whole, shape, np.dtype(dtype), token)
        return view.lazy((*array.chunks[:3], *((n,) for n in pattern_shape)), name)
    return _map_blocks(
        function, array, maps, wholes, lengths=pattern_shape, dtype=dtype, name=f"{name}-{token}"
    )


def measure_patterns(
    function: PatternFunction,
    array: da.Array,
    *,
    maps: Sequence[da.Array | np.ndarray] = (),
    wholes: Sequence[da.Array | np.ndarray] = (),
    channels: int,
    dtype: Any,
    name: str,
) -> da.Array:
    """Measure numbers on every single pattern, lazily: one task per block.

    Stored patterns are measured piece by piece, as they are read.

    Parameters
    ----------
    function
        As for ``map_patterns``, but it returns (frame, scan_y, scan_x, channels).
    array, maps, wholes
        As for ``map_patterns``.
    channels, dtype
        Length of the result's last dimension, and its dtype.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    (frame, scan_y, scan_x, channels) with the same scan blocks.
    """
    named = [s.name if isinstance(s, da.Array) else s for s in (*maps, *wholes)]
    token = tokenize(function, array.name, named, len(maps), channels, str(dtype))
    return _map_blocks(
        function, array, maps, wholes, lengths=(channels,), dtype=dtype, name=f"{name}-{token}"
    )


def _map_blocks(
    function: PatternFunction,
    array: da.Array,
    maps: Sequence[da.Array | np.ndarray],
    wholes: Sequence[da.Array | np.ndarray],
    *,
    lengths: tuple[int, ...],
    dtype: Any,
    name: str,
) -> da.Array:
    blocks = pattern_blocks(array)
    cut = [da.asarray(side).rechunk(blocks.chunks) for side in maps]
    gathered = [
        da.asarray(side).rechunk((blocks.chunks[0], *((n,) for n in side.shape[1:])))
        for side in wholes
    ]
    graph: dict[Any, Any] = {}
    for index in blocks.indices:
        sides: list[Any] = [(side.name, *index) for side in cut]
        sides += [(side.name, index[0], *(0,) * (side.ndim - 1)) for side in gathered]
        mapped = partial(_map_pieces, function, blocks.region(index), len(cut), lengths, dtype)
        graph[(name, *index, *(0,) * len(lengths))] = blocks.task(mapped, index, *sides)
    layers = HighLevelGraph.from_collections(
        name, graph, dependencies=[*blocks.dependencies, *cut, *gathered]
    )
    chunks = (*blocks.chunks, *((n,) for n in lengths))
    return da.Array(layers, name, chunks, meta=np.empty((0,) * len(chunks), dtype))


def _map_pieces(
    function: PatternFunction,
    region: Region,
    n_maps: int,
    lengths: tuple[int, ...],
    dtype: Any,
    pieces: Iterator[Piece],
    *sides: Any,
) -> np.ndarray:
    mapped = np.empty((*(s.stop - s.start for s in region), *lengths), dtype)
    maps, wholes = sides[:n_maps], sides[n_maps:]
    start = [s.start for s in region]
    for where, patterns in pieces:
        here = within(where[:3], start)
        own = [*(np.asarray(m)[here] for m in maps), *(np.asarray(w)[here[0]] for w in wholes)]
        mapped[here] = _on_region(function, where[:3], patterns, *own)
    return mapped


def _on_region(function: PatternFunction, region: Region, patterns: Any, *sides: Any) -> Any:
    return function(native(patterns), region, *map(native, sides))


def _side_source(side: da.Array | np.ndarray) -> BlockSource | None:
    return source_of(side) if isinstance(side, da.Array) else HeldArray(side)


def _all_of(shape: tuple[int, ...]) -> Region:
    return tuple(slice(0, n) for n in shape)
