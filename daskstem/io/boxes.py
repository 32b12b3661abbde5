"""What a region wants of the boxes of a regular grid, such as chunks and shards."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from daskstem.schema.source import Region

Index = tuple[int, ...]
Box = tuple[Index, Region, Region]
"""The number of a box, what is wanted of it, and where in it that lies."""


def boxes_of(region: Region, shape: Sequence[int], low: Sequence[int] | None = None) -> list[Box]:
    """Return the boxes of a regular grid that a region touches, in order.

    ``low`` is where the grid begins, and the region's bounds count from where it does.
    """
    along = map(_cuts, region, shape, low or (0,) * len(shape))
    return [tuple(zip(*cuts, strict=True)) for cuts in product(*along)]


def grid_of(
    region: Region, shape: Sequence[int], low: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same boxes as arrays.

    Returns
    -------
    numbers : (N, D) int64
        Number of each along every dimension.
    boxes : (N, D, 3) int64
        Where what is wanted of it begins in the box, and in the array, and its lengths.
    """
    along = [
        np.array([(number, cut.start, where.start, where.stop - where.start)
                  for number, where, cut in _cuts(*of)])
        for of in zip(region, shape, low, strict=True)
    ]  # fmt: skip
    picked = np.indices([len(cuts) for cuts in along]).reshape(len(along), -1)
    found = np.stack([cuts[i] for cuts, i in zip(along, picked, strict=True)], axis=1)
    return found[:, :, 0], found[:, :, 1:]


def side_by_side(boxes: np.ndarray, at_once: int) -> Iterator[slice]:
    """Yield which of a grid's boxes, in order, are one box together, ``at_once`` at most."""
    moved = np.diff(boxes[:, :, 1], axis=0)
    joined = (moved != 0).sum(axis=1) == 1
    joined &= ((moved == 0) | (moved == boxes[:-1, :, 2])).all(axis=1)
    first = 0
    for n in range(1, len(boxes) + 1):
        if n == len(boxes) or not joined[n - 1] or n - first == at_once:
            yield slice(first, n)
            first = n


def _cuts(span: slice, length: int, low: int) -> list[tuple[int, slice, slice]]:
    """Return the same along one dimension."""
    if span.start >= span.stop:
        return []
    found = []
    for number in range((span.start - low) // length, -(-(span.stop - low) // length)):
        begin = low + number * length
        start, stop = max(span.start, begin), min(span.stop, begin + length)
        found.append((number, slice(start, stop), slice(start - begin, stop - begin)))
    return found
