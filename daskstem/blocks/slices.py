"""Slices of stored arrays are stored arrays: what was cut off is not read.

``ds.isel(frame=3)`` and ``ds.isel(scan_y=slice(0, 64))`` leave a Dask array whose tasks index
those of the whole one. Steps recognise it and read the part themselves, block and halo at a
time, as they do with the whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from daskstem.blocks.viewing import ViewSource
from daskstem.schema.source import BlockSource, Piece, Region

Index = tuple[slice | int | None, ...]


@dataclass(frozen=True, eq=False)
class SlicedSource(ViewSource):
    """A box of a source; dimensions of one element may be left out, or be new.

    Attributes
    ----------
    source
        The whole.
    starts
        Where the box begins along every dimension of the source.
    axes
        The dimensions of the box: which of the source each is, None for a new one.
    """

    source: BlockSource
    starts: tuple[int, ...]
    axes: tuple[int | None, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    token: str

    def read(self, region: Region) -> np.ndarray:
        """Return the values of a region of the box."""
        values = self.source.read(self._in_source(region))
        return values.reshape([part.stop - part.start for part in region])

    def read_into(self, region: Region, out: np.ndarray) -> None:
        """Write the values of a region to an array, as the source does."""
        inside = self._in_source(region)
        self.source.read_into(inside, out.reshape([part.stop - part.start for part in inside]))

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield the region in the pieces of the source."""
        for there, values in self.source.pieces(self._in_source(region)):
            where = tuple(
                slice(0, 1) if axis is None else _shifted(there[axis], -self.starts[axis])
                for axis in self.axes
            )
            yield where, values.reshape([part.stop - part.start for part in where])

    def _in_source(self, region: Region) -> Region:
        found = [slice(start, start + 1) for start in self.starts]
        for axis, part in zip(self.axes, region, strict=True):
            if axis is not None:
                found[axis] = _shifted(part, self.starts[axis])
        return tuple(found)


def sliced_source(array: da.Array) -> SlicedSource | None:
    """Return the box of a source that an array is, if its tasks do nothing but index.

    A stand-in for the source goes through the tasks of the blocks along each edge of the
    array: it takes indices and keeps count of what they leave; whatever else is done to it
    raises.
    """
    layers = array.dask.layers
    originals = [name for name in layers if name.startswith("original-")]
    if len(originals) != 1:
        return None
    (name,) = originals
    known = {name, name.removeprefix("original-")}
    if not all(layer in known or layer.startswith("getitem-") for layer in layers):
        return None
    source = layers[name][name]
    source = getattr(source, "value", source)
    if not hasattr(source, "pieces") or array.size == 0 or array.ndim == 0:
        return None
    whole = _Box(source.shape)
    try:
        edges = [_edge(layers, array, axis, name, whole) for axis in range(array.ndim)]
    except _OtherUseError:
        return None
    first = edges[0][0]
    if not all(_continuous(edge, axis) for axis, edge in enumerate(edges)):
        return None
    return SlicedSource(
        source, first.starts, first.axes, array.shape, array.dtype, tokenize(array.name)
    )


class _OtherUseError(Exception):
    """What tasks do is more than taking a box."""


@dataclass(frozen=True, eq=False)
class _Box:
    """Stands for a part of the source in its tasks."""

    sizes: tuple[int, ...]
    starts: tuple[int, ...] = ()
    axes: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        if not self.starts:
            object.__setattr__(self, "starts", (0,) * len(self.sizes))
            object.__setattr__(self, "axes", tuple(range(len(self.sizes))))

    def __getitem__(self, index: Any) -> "_Box":
        left = list(zip(self.axes, self.sizes, strict=True))
        starts, sizes = list(self.starts), []
        axes: list[int | None] = []
        for part in index if isinstance(index, tuple) else (index,):
            if part is None:
                axes.append(None)
                sizes.append(1)
                continue
            axis, size = left.pop(0)
            start, stop = _bounds(part, size)
            if axis is not None:
                starts[axis] += start
            if isinstance(part, slice):
                axes.append(axis)
                sizes.append(stop - start)
        axes += [axis for axis, _ in left]
        sizes += [size for _, size in left]
        return replace(self, sizes=tuple(sizes), starts=tuple(starts), axes=tuple(axes))


def _bounds(part: Any, size: int) -> tuple[int, int]:
    if isinstance(part, slice):
        start, stop, step = part.indices(size)
        if step == 1 and start < stop:
            return start, stop
    elif isinstance(part, int | np.integer):
        start = range(size)[int(part)]
        return start, start + 1
    raise _OtherUseError(part)


def _edge(layers: Any, array: da.Array, axis: int, original: str, whole: _Box) -> list[_Box]:
    """Return what is left in the blocks along one edge of an array."""

    def left(key: Any) -> Any:
        layer = key[0] if isinstance(key, tuple) else key
        if key == original:
            return whole
        task = layers[layer][key]
        try:
            return task({needed: left(needed) for needed in task.dependencies})
        except (KeyError, TypeError, AttributeError) as error:
            raise _OtherUseError(layer) from error

    index = [0] * array.ndim
    found = []
    for n in range(array.numblocks[axis]):
        index[axis] = n
        found.append(left((array.name, *index)))
    return found


def _continuous(edge: list[_Box], axis: int) -> bool:
    """Whether boxes that follow each other along an axis have no gaps between them."""
    first = edge[0]
    of_source = first.axes[axis]
    if of_source is None:
        return len(edge) == 1
    at = first.starts[of_source]
    for box in edge:
        if box.axes != first.axes or box.starts[of_source] != at:
            return False
        at += box.sizes[axis]
    return True


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
