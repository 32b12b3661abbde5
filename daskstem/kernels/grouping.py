"""Sums of the patterns of each group of positions, within one block."""

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.summing import ROWS_AT_ONCE, sum_dtype

_TILE = 2048


@kernel()
def group_coefficients(
    label: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    box: tuple[int, int, int, int],
    groups: np.ndarray,
) -> np.ndarray:
    """How much of each raw pattern enters the sum of each group's filtered patterns.

    By linearity the sum over the positions p of a group of sum_n a(p, n) I(n) is
    sum_n A(n) I(n) with A(n) the sum of a(p, n) over the p of the group.

    Parameters
    ----------
    label : (H, W) int32
        Groups of a block's positions and of those whose footprint reaches into it.
    weights : (H, W, K) float32
        Their footprint weights.
    offsets : (K, 2) int64
        The footprint.
    box : (top, bottom, left, right)
        The block within H x W.
    groups : (G,) int32
        Groups to sum, in increasing order.

    Returns
    -------
    ((bottom - top) * (right - left), G) float64
    """
    top, bottom, left, right = box
    width = right - left
    coefficients = np.zeros(((bottom - top) * width, len(groups)))
    for y in range(label.shape[0]):
        for x in range(label.shape[1]):
            group = np.searchsorted(groups, label[y, x])
            if group == len(groups) or groups[group] != label[y, x]:
                continue
            for k in range(len(offsets)):
                ny, nx = y + offsets[k, 0], x + offsets[k, 1]
                if top <= ny < bottom and left <= nx < right and weights[y, x, k] != 0.0:
                    row = (ny - top) * width + nx - left
                    coefficients[row, group] += np.float64(weights[y, x, k])
    return coefficients


def add_to_groups(patterns: np.ndarray, rows: np.ndarray, sums: np.ndarray) -> None:
    """Add every pattern to the sum of its group.

    Parameters
    ----------
    patterns : (N, P)
        Flattened patterns, any real dtype.
    rows : (N,) int64
        Row of ``sums`` that each pattern belongs to; -1 for none.
    sums : (G, P) float64
        Changed in place; exact for counts as long as it is below 2^53.
    """
    _add_to_groups(patterns, rows, sums, np.empty(_TILE, sum_dtype(patterns.dtype)))


# Patterns of a group are added up in cache before its sum, twice to eight times as large, is
# touched: 10 GB/s of uint16 for pieces of 16 positions in two groups, one thread.
@kernel()
def _add_to_groups(
    patterns: np.ndarray, rows: np.ndarray, sums: np.ndarray, tile: np.ndarray
) -> None:
    size = patterns.shape[1]
    order = np.argsort(rows, kind="mergesort")
    none = np.count_nonzero(rows < 0)
    for start in range(0, size, len(tile)):
        stop = min(size, start + len(tile))
        partial = tile[: stop - start]
        first = none
        while first < len(order):
            row, k = rows[order[first]], first
            partial[:] = 0
            while k < len(order) and rows[order[k]] == row and k - first < ROWS_AT_ONCE:
                pattern = patterns[order[k], start:stop]
                for i in range(len(partial)):
                    partial[i] += pattern[i]
                k += 1
            for i in range(len(partial)):
                sums[row, start + i] += np.float64(partial[i])
            first = k


# Four patterns at once, so that the tile is read and written a fourth as often.
@kernel()
def add_weighted(patterns: np.ndarray, coefficients: np.ndarray, sums: np.ndarray) -> None:
    """Add patterns to several sums, each with a coefficient of its own.

    Parameters
    ----------
    patterns : (N, P)
        Flattened patterns, any real dtype.
    coefficients : (N, G) float64
        What each pattern counts for in each group; zeros are skipped.
    sums : (G, P) float64
        Changed in place.
    """
    size, tile = patterns.shape[1], np.empty(_TILE)
    for g in range(coefficients.shape[1]):
        found = np.flatnonzero(coefficients[:, g])
        if len(found) == 0:
            continue
        # up to a multiple of four, with one that counts nothing
        rows = np.full((len(found) + 3) // 4 * 4, found[0])
        counts = np.zeros(len(rows))
        for k in range(len(found)):
            rows[k], counts[k] = found[k], coefficients[found[k], g]
        for start in range(0, size, len(tile)):
            stop = min(size, start + len(tile))
            partial = tile[: stop - start]
            partial[:] = 0
            for k in range(0, len(rows), 4):
                of_a, of_b, of_c, of_d = counts[k], counts[k + 1], counts[k + 2], counts[k + 3]
                a, b = patterns[rows[k], start:stop], patterns[rows[k + 1], start:stop]
                c, d = patterns[rows[k + 2], start:stop], patterns[rows[k + 3], start:stop]
                for i in range(len(partial)):
                    partial[i] += of_a * a[i] + of_b * b[i]
                    partial[i] += of_c * c[i] + of_d * d[i]
            for i in range(len(partial)):
                sums[g, start + i] += partial[i]


@kernel()
def add_squares(patterns: np.ndarray, rows: np.ndarray, squares: np.ndarray) -> None:
    """Add every pattern's sum of squares to that of its group.

    Parameters
    ----------
    patterns : (N, P)
        Any real dtype.
    rows : (N,) int64
        Element of ``squares`` that each pattern belongs to; -1 for none.
    squares : (G,) float64
        Changed in place; exact for counts as long as it is below 2^53.
    """
    for n in range(len(patterns)):
        if rows[n] < 0:
            continue
        total = 0.0
        for i in range(patterns.shape[1]):
            value = np.float64(patterns[n, i])
            total += value * value
        squares[rows[n]] += total


@kernel()
def divide_sums(sums: np.ndarray, raw: np.ndarray, size: int, mean: np.ndarray) -> float:
    """Write a group's mean pattern; return what is left of the squares of its n patterns.

    sum |I - m|^2 = sum |I|^2 - 2 m . sum I + n |m|^2

    Parameters
    ----------
    sums : (Qy, Qx) float64
        Of what is averaged.
    raw : (Qy, Qx) float64
        Sum of the raw patterns I.
    size : int
        n.
    mean : (Qy, Qx) float32
        Receives m.

    Returns
    -------
    The sum without its first term.
    """
    added, own, out = sums.reshape(-1), raw.reshape(-1), mean.reshape(-1)
    spread = 0.0
    for i in range(len(added)):
        value = added[i] / size
        spread += (size * value - 2 * own[i]) * value
        out[i] = value
    return spread
