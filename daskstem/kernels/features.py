"""What of a pattern is compared: pixels that count, binned, their roots, divided by the norm."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from daskstem.kernels.binning import fold
from daskstem.kernels.compiled import kernel
from daskstem.kernels.vectors import LANES, load, plus, store

Normalization = Literal["none", "sqrt", "log", "l2", "sqrt_l2", "unit_variance"]
"""What becomes of a pixel's count before patterns are compared."""

Recipe = tuple[np.ndarray, int, int, bool, np.ndarray, np.ndarray]
"""``Features`` as kernels take them, and a table of logarithms."""

_LOGARITHMS: Final = np.log1p(np.arange(4096)).astype(np.float32)
_AS_IS, _ROOT, _LOGARITHM = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Features:
    """How a pattern becomes the P numbers that are compared.

    Attributes
    ----------
    runs : (R, 3) int64
        Row, first and last column (excluded) of the pixels that count, on the binned
        detector.
    binning
        Side of the boxes of pixels that are added first.
    function
        Number of the function of a count: itself, its square root, log(1 + count).
    unit
        Whether a pattern is then divided by its norm.
    scale : (P,) float32
        What every pixel is multiplied by; empty for nothing.
    """

    runs: np.ndarray
    binning: int
    function: int
    unit: bool
    scale: np.ndarray

    @property
    def size(self) -> int:
        """Number of features P."""
        return int((self.runs[:, 2] - self.runs[:, 1]).sum())

    @property
    def recipe(self) -> Recipe:
        """These as kernels take them."""
        return self.runs, self.binning, self.function, self.unit, self.scale, _LOGARITHMS


def features_of(
    pixels: np.ndarray, *, binning: int, normalize: Normalization, scale: np.ndarray | None = None
) -> Features:
    """Describe the features of a detector.

    Parameters
    ----------
    pixels : (V, U) bool
        Pixels of the binned detector that count.
    binning
        Side of a box of pixels.
    normalize
        What becomes of the counts.
    scale : (P,)
        What every feature is multiplied by, for ``unit_variance``.
    """
    steps = np.diff(np.pad(pixels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, stops = np.nonzero(steps == -1)
    roots, logarithms = normalize in ("sqrt", "sqrt_l2"), normalize == "log"
    return Features(
        np.stack([rows, starts, stops], axis=1).astype(np.int64),
        binning,
        _ROOT if roots else _LOGARITHM if logarithms else _AS_IS,
        normalize in ("l2", "sqrt_l2"),
        np.empty(0, np.float32) if scale is None else np.asarray(scale, np.float32),
    )


def plain_features(size: int) -> Features:
    """Describe features that are ready: patterns (N, 1, size) that are taken as they are."""
    return features_of(np.ones((1, size), bool), binning=1, normalize="none")


def feature_rows(patterns: np.ndarray, features: Features) -> np.ndarray:
    """Return the features of patterns.

    Parameters
    ----------
    patterns : (N, Qy, Qx)
        Any real dtype in native byte order. Where a root or a logarithm is taken, negative
        values count as 0.
    features
        How they are made.

    Returns
    -------
    (N, P) float32
        All zero where a pattern of norm 0 is divided by its norm.
    """
    rows = np.empty((len(patterns), features.size), np.float32)
    _fill_rows(np.ascontiguousarray(patterns), features.recipe, rows)
    return rows


def moments(
    patterns: np.ndarray, weights: np.ndarray, features: Features
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weighted sum and sum of squares of every feature, and the sum of the weights.

    Parameters
    ----------
    patterns : (N, Qy, Qx)
        Any real dtype in native byte order.
    weights : (N,) float64
        What each counts for; patterns with a value that is not finite count for nothing.
    features
        How features are made.

    Returns
    -------
    (P,) float64, (P,) float64, float
    """
    sums, squares = np.zeros((2, features.size))
    weights = np.asarray(weights, np.float64)
    total = _moments(np.ascontiguousarray(patterns), weights, features.recipe, sums, squares)
    return sums, squares, float(total)


@kernel()
def empty_line(patterns: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return the room that ``fill_features`` wants for a row of pixels."""
    return np.empty(recipe[1] * patterns.shape[2], np.float32)


@kernel()
def fill_features(pattern: np.ndarray, recipe: Recipe, line: np.ndarray, out: np.ndarray) -> float:
    """Write a pattern's features, not divided by their norm, and return the squared norm.

    Parameters
    ----------
    pattern : (Qy, Qx)
        Any real dtype, contiguous.
    recipe
        Of ``Features``.
    line
        Room for a row of pixels.
    out : (P,) float32
        Receives the features.
    """
    runs, binning, function, _, scale, logarithms = recipe
    values, columns = pattern.reshape(-1), pattern.shape[1]
    at = 0
    total = 0.0
    for r in range(len(runs)):
        n = runs[r, 2] - runs[r, 1]
        first = binning * (runs[r, 0] * columns + runs[r, 1])
        piece = out[at : at + n]
        if binning == 1:
            _add_rows(values, first, columns, 1, n, piece)
        else:
            _add_rows(values, first, columns, binning, n * binning, line)
            fold(line, binning, piece)
        if function == _ROOT:
            for i in range(n):
                # not max(): what is not a number must stay so
                piece[i] = np.sqrt(np.float32(0.0) if piece[i] < 0 else piece[i])
        elif function == _LOGARITHM:
            for i in range(n):
                piece[i] = _log1p(piece[i], logarithms)
        if len(scale):
            own = scale[at : at + n]
            for i in range(n):
                piece[i] *= own[i]
        square = np.float32(0.0)
        for i in range(n):
            square += piece[i] * piece[i]
        total += np.float64(square)
        at += n
    return total


@kernel()
def _add_rows(
    values: np.ndarray, first: int, columns: int, n_rows: int, n: int, out: np.ndarray
) -> None:
    """Write the sums of n_rows pixels below each other, n of them from ``first`` on."""
    whole = n // LANES * LANES
    for i in range(0, whole, LANES):
        total = load(values, first + i)
        for row in range(1, n_rows):
            total = plus(total, load(values, first + row * columns + i))
        store(out, i, total)
    for i in range(whole, n):
        rest = np.float32(values[first + i])
        for row in range(1, n_rows):
            rest += np.float32(values[first + row * columns + i])
        out[i] = rest


@kernel(inline="always")
def _log1p(value: np.float32, logarithms: np.ndarray) -> np.float32:
    # counts are few and whole: looked up rather than computed
    if value <= 0:
        return np.float32(0.0)
    if value < len(logarithms) and np.float32(np.int32(value)) == value:
        return np.float32(logarithms[np.int32(value)])
    return np.float32(np.log1p(value))


@kernel()
def _fill_rows(patterns: np.ndarray, recipe: Recipe, out: np.ndarray) -> None:
    line = empty_line(patterns, recipe)
    for n in range(len(patterns)):
        square = fill_features(patterns[n], recipe, line, out[n])
        if recipe[3]:
            factor = np.float32(1.0 / np.sqrt(square)) if square > 0.0 else np.float32(0.0)
            for i in range(out.shape[1]):
                out[n, i] *= factor


@kernel()
def _moments(
    patterns: np.ndarray,
    weights: np.ndarray,
    recipe: Recipe,
    sums: np.ndarray,
    squares: np.ndarray,
) -> float:
    one = np.empty(len(sums), np.float32)
    line = empty_line(patterns, recipe)
    total = 0.0
    for n in range(len(patterns)):
        square = fill_features(patterns[n], recipe, line, one)
        if weights[n] == 0.0 or not np.isfinite(square):
            continue
        total += weights[n]
        for i in range(len(one)):
            value = np.float64(one[i])
            sums[i] += weights[n] * value
            squares[i] += weights[n] * value * value
    return total
