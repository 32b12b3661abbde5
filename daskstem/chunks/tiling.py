"""How a scan is cut into blocks, and what a halo costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod
from typing import Final

TARGET_BLOCK_BYTES: Final = 80 * 2**20
"""A block of 32 x 32 positions on a 192 x 192 detector of uint16 is 75 MB."""
LARGEST_HALOED_BYTES: Final = 448 * 2**20
"""64 x 64 positions with a halo of 6 on that detector are 426 MB and read 1.4 times."""
FEWEST_BLOCKS: Final = 4
MOST_JOINED: Final = 4
LARGEST_SIDE: Final = 64
SMALLEST_SIDE: Final = 16
INNER_SIDE: Final = 4
"""Side of the chunks inside a shard: small enough that one pattern is read in milliseconds."""


@dataclass(frozen=True)
class Tiling:
    """A regular cut of a scan: ``side`` positions per block, ``inner`` per chunk inside it."""

    scan_shape: tuple[int, int]
    side: tuple[int, int]
    inner: tuple[int, int]

    @property
    def blocks(self) -> tuple[int, int]:
        """Number of blocks along scan_y and scan_x."""
        (height, width), (rows, columns) = self.scan_shape, self.side
        return ceil(height / rows), ceil(width / columns)

    @property
    def chunks(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Sizes of the blocks along scan_y and scan_x, as Dask writes them."""
        height, width = (
            tuple(min(side, size - start) for start in range(0, size, side))
            for size, side in zip(self.scan_shape, self.side, strict=True)
        )
        return height, width


def tiling(scan_shape: tuple[int, int], pattern_bytes: int) -> Tiling:
    """Choose the blocks for a scan of patterns of ``pattern_bytes`` bytes each.

    A block is one shard of the store and one task of every step: as large as the target
    allows, so that halos weigh little, yet small enough that a frame has four of them to
    share between threads.

    Examples
    --------
    >>> tiling((512, 512), 192 * 192 * 2).side
    (32, 32)
    >>> tiling((64, 64), 96 * 96 * 2).side
    (32, 32)
    """
    side = LARGEST_SIDE
    while side > SMALLEST_SIDE and side * side * pattern_bytes > TARGET_BLOCK_BYTES:
        side //= 2
    while side > SMALLEST_SIDE and prod(ceil(size / side) for size in scan_shape) < FEWEST_BLOCKS:
        side //= 2
    # a shard must be a whole number of inner chunks, also where the scan is narrower
    height, width = (min(side, _round_up(size, INNER_SIDE)) for size in scan_shape)
    return Tiling(scan_shape, (height, width), (INNER_SIDE, INNER_SIDE))


def joined_blocks(
    chunks: tuple[Sequence[int], Sequence[int]], depth: int, pattern_bytes: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Join neighboring blocks so that their halos weigh less.

    Of all ways to join whole blocks into blocks of one size, the one that reads least, as
    long as a block with its halo has at most ``LARGEST_HALOED_BYTES`` and a frame keeps
    ``FEWEST_BLOCKS`` to share between threads.

    Parameters
    ----------
    chunks
        Sizes of the blocks along scan_y and scan_x.
    depth
        Halo in positions; without one nothing is joined.
    pattern_bytes
        Bytes of one pattern.

    Examples
    --------
    >>> joined_blocks(((32,) * 16, (32,) * 16), 6, 192 * 192 * 2)[0]
    (64, 64, 64, 64, 64, 64, 64, 64)
    """
    best = (tuple(chunks[0]), tuple(chunks[1]))
    if depth == 0:
        return best
    for by_row, by_column in product(range(1, MOST_JOINED + 1), repeat=2):
        joined = (_every(chunks[0], by_row), _every(chunks[1], by_column))
        largest = prod(max(haloed_sizes(sizes, depth)) for sizes in joined)
        fits = largest * pattern_bytes <= LARGEST_HALOED_BYTES
        if (
            fits
            and len(joined[0]) * len(joined[1]) >= FEWEST_BLOCKS
            and halo_factor(joined, depth) < halo_factor(best, depth)
        ):
            best = joined
    return best


def _every(sizes: Sequence[int], n: int) -> tuple[int, ...]:
    return tuple(sum(sizes[i : i + n]) for i in range(0, len(sizes), n))


@dataclass(frozen=True)
class Window:
    """A stretch of the scan with its halo, cut off at the scan's border.

    ``start`` and ``stop`` bound the positions that are computed, ``haloed_start`` and
    ``haloed_stop`` those that are read; each is (row, column).
    """

    start: tuple[int, int]
    stop: tuple[int, int]
    haloed_start: tuple[int, int]
    haloed_stop: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that are computed."""
        return self.stop[0] - self.start[0], self.stop[1] - self.start[1]

    @property
    def haloed_shape(self) -> tuple[int, int]:
        """Rows and columns that are read."""
        (top, left), (bottom, right) = self.haloed_start, self.haloed_stop
        return bottom - top, right - left

    @property
    def margin(self) -> tuple[int, int]:
        """Rows above and columns left of the computed positions in what is read."""
        return self.start[0] - self.haloed_start[0], self.start[1] - self.haloed_start[1]

    @property
    def region(self) -> tuple[slice, slice]:
        """What is read, as slices of the scan."""
        (top, left), (bottom, right) = self.haloed_start, self.haloed_stop
        return slice(top, bottom), slice(left, right)


def window(
    start: tuple[int, int], stop: tuple[int, int], depth: int, scan_shape: tuple[int, int]
) -> Window:
    """Return the block [start, stop) with a halo of ``depth`` positions inside the scan."""
    top, left = (max(0, s - depth) for s in start)
    bottom, right = (min(n, s + depth) for s, n in zip(stop, scan_shape, strict=True))
    return Window(start, stop, (top, left), (bottom, right))


def windows(
    chunks: tuple[Sequence[int], Sequence[int]], depth: int
) -> Iterator[tuple[tuple[int, int], Window]]:
    """Yield block index and window of every block, in scan order."""
    rows, columns = (_bounds(sizes) for sizes in chunks)
    scan_shape = (rows[-1][1], columns[-1][1])
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            yield (i, j), window((top, left), (bottom, right), depth, scan_shape)


def haloed_sizes(sizes: Sequence[int], depth: int) -> list[int]:
    """Return how far along one axis each block and its halo reach inside the scan."""
    size = sum(sizes)
    return [min(size, stop + depth) - max(0, start - depth) for start, stop in _bounds(sizes)]


def halo_factor(chunks: tuple[Sequence[int], Sequence[int]], depth: int) -> float:
    """Return how many positions are read for each one computed; 1 without a halo."""
    return prod(sum(haloed_sizes(sizes, depth)) / sum(sizes) for sizes in chunks)


def _bounds(sizes: Sequence[int]) -> list[tuple[int, int]]:
    stops = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]


def _round_up(size: int, multiple: int) -> int:
    return ceil(size / multiple) * multiple
