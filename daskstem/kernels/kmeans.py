"""K-means on patterns: what one reading of a block has to find out.

Lloyd, IEEE Trans. Inf. Theory 28 (1982) 129, doi 10.1109/TIT.1982.1056489: every pattern
belongs to the class with the nearest centroid, every centroid is the mean of its class.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.features import Features, Recipe, empty_line, fill_features

# Patterns made ready together: in the second-level cache, with the centroids, when they are
# added to the sums, which are then read once for all of them.
_TILE: Final = 8
# Pixels taken through a tile before the next: their sums stay in the first-level cache.
_PIECE: Final = 1024
# Whole multiples of a power of two add up without rounding.
_GRID: Final = 2.0**30


@dataclass(frozen=True, eq=False)
class Centroids:
    """Centroids of one or several sets of classes, prepared for comparing.

    Attributes
    ----------
    rows : (1 + K, padded to a multiple of 4, P) float32
        The mean of all centroids, and every centroid's difference from it: rounding is then
        relative to the differences, which decide.
    halves : (K,) float64
        Half of each centroid's squared norm.
    bounds : (M + 1,) int64
        Set m is the centroids bounds[m] to bounds[m + 1].
    """

    rows: np.ndarray
    halves: np.ndarray
    bounds: np.ndarray


def prepared(sets: list[np.ndarray]) -> Centroids:
    """Prepare sets of centroids, each (k, P) float64, for one reading of the patterns."""
    every = np.concatenate(sets)
    middle = every.mean(axis=0)
    rows = np.zeros((-(-(1 + len(every)) // 4) * 4, every.shape[1]), np.float32)
    rows[0], rows[1 : 1 + len(every)] = middle, every - middle
    halves = 0.5 * np.einsum("kp,kp->k", every, every)
    return Centroids(rows, halves, np.cumsum([0, *map(len, sets)]).astype(np.int64))


@dataclass(frozen=True, eq=False)
class Assigned:
    """What one reading of N patterns found for M sets of in all K classes.

    Attributes
    ----------
    label : (N, M) int32
        Nearest centroid, counted within its set; the first of equal ones; -1 where the
        weight is 0 or a value is not finite.
    distance : (N, M) float64
        Squared distance to it; 0 where there is none.
    sums : (K, P) float64
        Weighted sums of the features of each class. Of counts they are the same to the last
        bit in whatever order patterns are added: float32 numbers of like size add up in
        float64 without rounding, and what is divided by a norm or scaled is first rounded to
        whole multiples of 2^-30.
    counts : (K,) float64
        Sums of the weights.
    """

    label: np.ndarray
    distance: np.ndarray
    sums: np.ndarray
    counts: np.ndarray


def nothing_assigned(features: Features, centroids: Centroids) -> Assigned:
    """Return what is found in no patterns at all: sums to be added to."""
    n_sets, n_classes = len(centroids.bounds) - 1, len(centroids.halves)
    return Assigned(
        np.empty((0, n_sets), np.int32),
        np.empty((0, n_sets)),
        np.zeros((n_classes, features.size)),
        np.zeros(n_classes),
    )


def assign(
    patterns: np.ndarray,
    weights: np.ndarray,
    features: Features,
    centroids: Centroids,
    *,
    summed: bool = True,
    after: Assigned | None = None,
) -> Assigned:
    """Find every pattern's class, and add the patterns up class by class.

    Parameters
    ----------
    patterns : (N, Qy, Qx)
        Any real dtype in native byte order.
    weights : (N,) float64
        What each pattern counts for; 0 leaves it out.
    features, centroids
        What is compared.
    summed
        Whether sums are wanted; otherwise nothing is added to them.
    after
        What was found in other patterns with the same features and centroids: these are
        added to its sums and counts, in place.
    """
    n_sets = len(centroids.bounds) - 1
    label = np.empty((len(patterns), n_sets), np.int32)
    distance = np.empty((len(patterns), n_sets))
    before = nothing_assigned(features, centroids) if after is None else after
    sums, counts = before.sums, before.counts
    _assign(
        np.ascontiguousarray(patterns), np.asarray(weights, np.float64), features.recipe,
        centroids.rows, centroids.halves, centroids.bounds, summed,
        label, distance, sums, counts,
    )  # fmt: skip
    return Assigned(label, distance, sums, counts)


# Square roots of 192 x 192 uint16, one thread: 2.7 GB/s with 3 classes, 1.4 with 16, 0.55 with 60.
@kernel()
def _assign(
    patterns: np.ndarray,
    weights: np.ndarray,
    recipe: Recipe,
    rows: np.ndarray,
    halves: np.ndarray,
    bounds: np.ndarray,
    summed: bool,
    label: np.ndarray,
    distance: np.ndarray,
    sums: np.ndarray,
    counts: np.ndarray,
) -> None:
    n_patterns, n_sets = label.shape
    tile = np.empty((_TILE, sums.shape[1]), np.float32)
    squares, factors = np.zeros(_TILE), np.zeros(_TILE)
    dots = np.empty((_TILE, len(rows)))
    line, unit = empty_line(patterns, recipe), recipe[3]
    uneven = unit or len(recipe[4]) > 0
    for first in range(0, n_patterns, _TILE):
        n_here = min(_TILE, n_patterns - first)
        label[first : first + n_here] = -1
        distance[first : first + n_here] = 0.0
        for t in range(n_here):
            n = first + t
            if weights[n] == 0.0:
                squares[t] = np.nan
                continue
            square = fill_features(patterns[n], recipe, line, tile[t])
            squares[t] = square
            factors[t] = 1.0 if not unit else 1.0 / np.sqrt(square) if square > 0.0 else 0.0
        _products(tile[:n_here], rows, dots)
        for t in range(n_here):
            if not np.isfinite(squares[t]):
                continue
            n = first + t
            _nearest(dots[t], factors[t], squares[t], halves, bounds, label[n], distance[n])
            for m in range(n_sets):
                counts[bounds[m] + label[n, m]] += weights[n]
            factors[t] *= weights[n]
        if summed:
            for m in range(n_sets):
                own = sums[bounds[m] : bounds[m + 1]]
                _add_tile(tile[:n_here], factors, label[first : first + n_here, m], uneven, own)


@kernel()
def _products(tile: np.ndarray, rows: np.ndarray, dots: np.ndarray) -> None:
    """Scalar products of a tile's patterns with all rows.

    Four rows at a time, so that a feature is loaded once for four; and all patterns before
    the next four, so that rows are read from the second-level cache once for all.
    """
    dots[:] = 0.0
    for start in range(0, tile.shape[1], _PIECE):
        stop = min(tile.shape[1], start + _PIECE)
        for k in range(0, len(rows), 4):
            a, b = rows[k, start:stop], rows[k + 1, start:stop]
            c, d = rows[k + 2, start:stop], rows[k + 3, start:stop]
            for t in range(len(tile)):
                x = tile[t, start:stop]
                xa = xb = xc = xd = np.float32(0.0)
                for i in range(len(x)):
                    xa += x[i] * a[i]
                    xb += x[i] * b[i]
                    xc += x[i] * c[i]
                    xd += x[i] * d[i]
                dots[t, k] += np.float64(xa)
                dots[t, k + 1] += np.float64(xb)
                dots[t, k + 2] += np.float64(xc)
                dots[t, k + 3] += np.float64(xd)


@kernel()
def _nearest(
    dots: np.ndarray,
    factor: float,
    square: float,
    halves: np.ndarray,
    bounds: np.ndarray,
    label: np.ndarray,
    distance: np.ndarray,
) -> None:
    common = 0.5 * factor * factor * square - factor * dots[0]
    for m in range(len(label)):
        best, lowest = 0, np.inf
        for k in range(bounds[m], bounds[m + 1]):
            half = halves[k] - factor * dots[1 + k]
            if half < lowest:
                best, lowest = k - bounds[m], half
        label[m] = best
        distance[m] = max(0.0, 2.0 * (common + lowest))


@kernel()
def _add_tile(
    tile: np.ndarray, factors: np.ndarray, label: np.ndarray, uneven: bool, sums: np.ndarray
) -> None:
    for start in range(0, tile.shape[1], _PIECE):
        stop = min(tile.shape[1], start + _PIECE)
        for t in range(len(tile)):
            if label[t] < 0:
                continue
            total, x, factor = sums[label[t], start:stop], tile[t, start:stop], factors[t]
            if uneven:
                factor *= _GRID
                for i in range(len(x)):
                    total[i] += np.rint(factor * np.float64(x[i])) * (1.0 / _GRID)
            else:
                for i in range(len(x)):
                    total[i] += factor * np.float64(x[i])
