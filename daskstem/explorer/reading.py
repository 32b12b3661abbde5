"""Readings of a whole frame, block by block on threads or workers, seen as they grow."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import dask.array as da
import numpy as np

from daskstem.blocks.pieces import native_pieces, source_of
from daskstem.blocks.sources import HeldArray
from daskstem.kernels.grouping import add_to_groups
from daskstem.kernels.imaging import detector_runs, detector_sums
from daskstem.schema.source import BlockSource, Piece, Region, within

Measure = Callable[[np.ndarray], np.ndarray]
"""Takes flattened patterns (N, P) to a number for each (N,); it must pickle."""

_EVERY_S: Final = 0.15
"""A picture that grows is sent no more often: sending and drawing it take time too."""
_SAMPLE_BYTES: Final = 300e6
"""Patterns read for the first, coarse picture: a tenth to a fifth of a second."""
_SIDE: Final = 4
"""Rows and columns of positions that a store keeps in one chunk."""
_COARSEST: Final = 8


@dataclass(frozen=True, eq=False)
class ComputedSource:
    """Patterns that a Dask graph computes, read like stored ones."""

    array: da.Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the values."""
        return np.dtype(self.array.dtype)

    def read(self, region: Region) -> np.ndarray:
        """Compute the values of a region."""
        return np.asarray(self.array[region].compute())

    def read_into(self, region: Region, out: np.ndarray) -> None:
        """Compute the values of a region and write them to an array."""
        out[...] = self.read(region)

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield the region as one piece."""
        yield region, self.read(region)


@dataclass(frozen=True, eq=False)
class Readers:
    """Who reads blocks, and how many of them at once.

    Attributes
    ----------
    executor
        Takes a function and its argument.
    n_threads
        How many it works on at once.
    """

    executor: Executor
    n_threads: int

    def each(self, function: Callable[[Any], Any], inputs: Iterable[Any]) -> Iterator[Any]:
        """Yield results as they come; what has not begun when the caller stops never does.

        Few are handed over in advance, so that two readings at once share the threads.
        """
        left = iter(inputs)
        running: set[Future[Any]] = set()
        try:
            while True:
                ahead = 2 * self.n_threads - len(running)
                running |= {self.executor.submit(function, one) for one in islice(left, ahead)}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()


@dataclass(frozen=True, eq=False)
class Patterns:
    """Patterns (frame, scan_y, scan_x, q_y, q_x), and who reads many of them at once.

    Attributes
    ----------
    source
        Where they are read.
    blocks
        Sizes along scan_y and scan_x of what one task reads.
    readers
        Threads of this process, or the workers of a Dask cluster.
    """

    source: BlockSource
    blocks: tuple[tuple[int, ...], tuple[int, ...]]
    readers: "Readers"

    @classmethod
    def of(
        cls, array: da.Array, threads: "Readers", workers: "Readers | None" = None
    ) -> "Patterns":
        """Look at an array; workers read what is stored, not what a graph would compute."""
        source = source_of(array)
        blocks = (array.chunks[1], array.chunks[2])
        if source is None:
            return cls(ComputedSource(array), blocks, threads)
        return cls(source, blocks, workers or threads)

    def pattern(self, frame: int, y: int, x: int) -> np.ndarray:
        """Return the pattern (q_y, q_x) at one position."""
        return self.around(frame, slice(y, y + 1), slice(x, x + 1))[0, 0]

    def around(self, frame: int, rows: slice, columns: slice) -> np.ndarray:
        """Return the patterns (scan_y, scan_x, q_y, q_x) of a part of the scan."""
        return self.source.read((slice(frame, frame + 1), rows, columns, *self._detector))[0]

    def regions(self, frame: int) -> list[Region]:
        """Return the blocks of one frame."""
        rows, columns = (_spans(sizes) for sizes in self.blocks)
        one = slice(frame, frame + 1)
        return [(one, y, x, *self._detector) for y in rows for x in columns]

    @property
    def _detector(self) -> Region:
        return tuple(slice(0, n) for n in self.source.shape[3:])


@dataclass(frozen=True)
class DetectorSum:
    """Intensity on a detector."""

    weights: np.ndarray
    runs: np.ndarray

    @classmethod
    def of(cls, selected: np.ndarray) -> "DetectorSum":
        """Sum over the selected detector pixels (q_y, q_x)."""
        weights = np.asarray(selected, np.float64).reshape(1, -1)
        return cls(weights, detector_runs(weights))

    def __call__(self, patterns: np.ndarray) -> np.ndarray:
        """Return the sum of every pattern."""
        return np.asarray(detector_sums(patterns, self.weights, self.runs)[:, 0])


@dataclass(frozen=True)
class CountFrom:
    """Number of pixels at or above a level."""

    level: float

    def __call__(self, patterns: np.ndarray) -> np.ndarray:
        """Return the count of every pattern."""
        return np.count_nonzero(patterns >= self.level, axis=1).astype(np.float64)


@dataclass(frozen=True)
class Image:
    """A map on its way: the values so far and the share of positions that are final."""

    values: np.ndarray
    share: float


@dataclass(frozen=True)
class Means:
    """Mean patterns on their way.

    Attributes
    ----------
    patterns : (G, q_y, q_x) float64
        Means over the positions read so far; NaN before the first.
    counts : (G,) int64
        Positions read so far.
    share
        Of all blocks, those that are read.
    """

    patterns: np.ndarray
    counts: np.ndarray
    share: float


def growing_image(patterns: Patterns, frame: int, measure: Measure) -> Iterator[Image]:
    """Measure every pattern of a frame: first of a few positions, spread out, then of all.

    Yields
    ------
    Image, float64 (scan_y, scan_x). Before the last one, positions not yet read have the
    value of the nearest one that was.
    """
    values = np.full(patterns.source.shape[1:3], np.nan)
    regions = patterns.regions(frame)
    stride = coarse_stride(patterns)
    if stride > 1:
        sample = partial(sampled_block, patterns.source, measure=measure, stride=stride)
        for region, cells in patterns.readers.each(sample, regions):
            values[region[1:3]] = cells
        yield Image(values.copy(), 0.0)
    shown = time.monotonic()
    whole = partial(measured_block, patterns.source, measure=measure)
    found = patterns.readers.each(whole, regions)
    for done, (region, block) in enumerate(found, start=1):
        values[region[1:3]] = block
        if done == len(regions) or time.monotonic() - shown > _EVERY_S:
            yield Image(values.copy(), done / len(regions))
            shown = time.monotonic()


def growing_means(
    patterns: Patterns, frame: int, groups: np.ndarray, n_groups: int
) -> Iterator[Means]:
    """Average the patterns of groups of positions; blocks without any are not read.

    Parameters
    ----------
    patterns, frame
        What to read.
    groups : (scan_y, scan_x) int
        Group of every position, -1 for none.
    n_groups : int
        How many there are.
    """
    q_shape = patterns.source.shape[3:]
    sums = np.zeros((n_groups, *q_shape))
    counts = np.zeros(n_groups, np.int64)
    wanted = [
        (region, groups[region[1:3]])
        for region in patterns.regions(frame)
        if (groups[region[1:3]] >= 0).any()
    ]
    shown = time.monotonic()
    found = patterns.readers.each(partial(summed_block, patterns.source), wanted)
    for done, (present, part, number) in enumerate(found, start=1):
        sums[present] += part.reshape(-1, *q_shape)
        counts[present] += number
        if done == len(wanted) or time.monotonic() - shown > _EVERY_S:
            with np.errstate(invalid="ignore", divide="ignore"):
                means = sums / counts[:, np.newaxis, np.newaxis]
            yield Means(means, counts.copy(), done / len(wanted))
            shown = time.monotonic()


def coarse_stride(patterns: Patterns) -> int:
    """Return of how many chunks along each side of the scan the first picture reads one."""
    n_bytes = int(np.prod(patterns.source.shape[1:])) * patterns.source.dtype.itemsize
    return int(np.clip(np.ceil(np.sqrt(n_bytes / _SAMPLE_BYTES)), 1, _COARSEST))


def measured_block(
    source: BlockSource, region: Region, *, measure: Measure
) -> tuple[Region, np.ndarray]:
    """Measure every pattern of a block."""
    corner = region[1].start, region[2].start
    found = np.empty([s.stop - s.start for s in region[1:3]])
    for where, values in native_pieces(source, region):
        flat = values.reshape(-1, values.shape[3] * values.shape[4])
        found[within(where[1:3], corner)] = measure(flat).reshape(values.shape[1:3])
    return region, found


def sampled_block(
    source: BlockSource, region: Region, *, measure: Measure, stride: int
) -> tuple[Region, np.ndarray]:
    """Measure one chunk in every ``stride`` by ``stride`` of a block, spread over the others."""
    rows, columns = (s.stop - s.start for s in region[1:3])
    found = np.empty((rows, columns))
    step = _SIDE * stride
    for y in range(0, rows, step):
        for x in range(0, columns, step):
            low = region[1].start + y, region[2].start + x
            stops = region[1].stop, region[2].stop
            box = tuple(slice(a, min(a + _SIDE, stop)) for a, stop in zip(low, stops, strict=True))
            _, values = measured_block(source, (region[0], *box, *region[3:]), measure=measure)
            found[y : y + step, x : x + step] = values.mean()
    return region, found


def summed_block(
    source: BlockSource, block: tuple[Region, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum the patterns of the groups in a block: groups, sums (G, P) float64, positions."""
    region, groups = block
    rows, columns = (np.flatnonzero((groups >= 0).any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    corner = region[1].start + box[0].start, region[2].start + box[1].start
    wanted = (slice(o, o + s.stop - s.start) for o, s in zip(corner, box, strict=True))
    inside = groups[box]
    present, number = np.unique(inside[inside >= 0], return_counts=True)
    row_of = np.where(inside >= 0, np.searchsorted(present, inside), -1)
    sums = np.zeros((len(present), region[3].stop * region[4].stop))
    for where, values in native_pieces(source, (region[0], *wanted, *region[3:])):
        flat = values.reshape(-1, values.shape[3] * values.shape[4])
        add_to_groups(flat, row_of[within(where[1:3], corner)].ravel(), sums)
    return present, sums, number


def warm_up() -> None:
    """Load the compiled kernels, so that the first answers come as soon as the others."""
    one = np.ones((1, 1, 1, 1, 1), np.uint16)
    held = HeldArray(one)
    region = tuple(slice(0, 1) for _ in range(5))
    measured_block(held, region, measure=DetectorSum.of(np.ones((1, 1), bool)))
    summed_block(held, (region, np.zeros((1, 1), np.int32)))


def _spans(sizes: tuple[int, ...]) -> list[slice]:
    stops = np.cumsum(sizes).tolist()
    return [slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]
