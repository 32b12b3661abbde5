"""Sums over scans and over detectors: mean and largest pattern, virtual images."""

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.summing import ROWS_AT_ONCE, sum_dtype

# Pixels taken through all patterns before the next: their sums stay in the first-level cache.
_TILE = 2048
# A vector loop's start and end cost as much as this many pixels of weight zero.
_GAP = 32


def add_patterns(patterns: np.ndarray, total: np.ndarray, largest: np.ndarray) -> None:
    """Add patterns to a sum and raise the largest values to theirs, in one reading.

    Parameters
    ----------
    patterns : (N, P)
        Flattened patterns, any real dtype.
    total : (P,) float64
        Changed in place; exact for counts as long as it is below 2^53.
    largest : (P,)
        In the dtype of ``patterns``, changed in place.
    """
    tile = np.empty(_TILE, sum_dtype(patterns.dtype))
    for start in range(0, len(patterns), ROWS_AT_ONCE):
        _add_patterns(patterns[start : start + ROWS_AT_ONCE], total, largest, tile)


# 22 GB/s of uint16 in cache, one thread: four patterns at once, so that sums and largest values
# are read and written a fourth as often; 15 one by one.
@kernel()
def _add_patterns(
    patterns: np.ndarray, total: np.ndarray, largest: np.ndarray, tile: np.ndarray
) -> None:
    n_patterns, size = patterns.shape
    by_four = n_patterns // 4 * 4
    for start in range(0, size, len(tile)):
        stop = min(size, start + len(tile))
        sums, highest = tile[: stop - start], largest[start:stop]
        sums[:] = 0
        for i in range(0, by_four, 4):
            a, b = patterns[i, start:stop], patterns[i + 1, start:stop]
            c, d = patterns[i + 2, start:stop], patterns[i + 3, start:stop]
            for p in range(len(sums)):
                sums[p] = sums[p] + a[p] + b[p] + c[p] + d[p]
                highest[p] = max(highest[p], a[p], b[p], c[p], d[p])
        for i in range(by_four, n_patterns):
            pattern = patterns[i, start:stop]
            for p in range(len(pattern)):
                sums[p] += pattern[p]
                highest[p] = max(highest[p], pattern[p])
        for p in range(len(sums)):
            total[start + p] += np.float64(sums[p])


def detector_runs(detectors: np.ndarray) -> np.ndarray:
    """Stretches of pixels outside of which the detectors' weights are zero.

    Parameters
    ----------
    detectors : (M, P) float64
        Weight of each pixel on each detector.

    Returns
    -------
    (R, 4) int64
        Detector, first pixel, pixel after the last, and 1 where all weights are 1, else 0;
        detector by detector.
    """
    runs = []
    for number, weights in enumerate(detectors):
        seen = np.flatnonzero(weights)
        if len(seen) == 0:
            continue
        plain = bool(np.all(weights[seen] == 1))
        ends = np.flatnonzero(np.diff(seen) > (1 if plain else _GAP))
        firsts, lasts = seen[np.append(0, ends + 1)], seen[np.append(ends, len(seen) - 1)]
        own = np.empty((len(firsts), 4), np.int64)
        own[:, 0], own[:, 1], own[:, 2], own[:, 3] = number, firsts, lasts + 1, plain
        runs.append(own)
    return np.concatenate([np.empty((0, 4), np.int64), *runs])


# 25 GB/s of uint16 in cache for a disk and an annulus, 192 x 192, one thread; 14 if weighted.
@kernel()
def detector_sums(patterns: np.ndarray, detectors: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Intensity of every pattern on several detectors at once.

    Parameters
    ----------
    patterns : (N, P)
        Flattened patterns, any real dtype.
    detectors : (M, P) float64
        Weight of each pixel on each detector.
    runs : (R, 4) int64
        ``detector_runs`` of the detectors.

    Returns
    -------
    (N, M) float64
        Exact for counts and weights 0 and 1 as long as it is below 2^53.
    """
    sums = np.zeros((len(patterns), len(detectors)))
    for i in range(len(patterns)):
        for r in range(len(runs)):
            m, start, stop, plain = runs[r]
            if plain:
                sums[i, m] += _sum(patterns[i, start:stop])
            else:
                sums[i, m] += _dot(patterns[i, start:stop], detectors[m, start:stop])
    return sums


@kernel(inline="always")
def _sum(values: np.ndarray) -> float:
    # integers are added as such, which takes half the time; floats in float64
    total = 0
    for p in range(len(values)):
        total += values[p]
    return np.float64(total)


@kernel()
def _dot(values: np.ndarray, weights: np.ndarray) -> float:
    total = 0.0
    for p in range(len(values)):
        total += np.float64(values[p]) * weights[p]
    return total
