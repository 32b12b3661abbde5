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
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] >= 0]
    _add_to_groups(patterns, order, rows[order], sums, np.empty(_TILE, sum_dtype(patterns.dtype)))


# Patterns of a group are added up in cache before its sum, twice to eight times as large, is
# touched: 10 GB/s of uint16 for pieces of 16 positions in two groups, one thread.
@kernel()
def _add_to_groups(
    patterns: np.ndarray, order: np.ndarray, rows: np.ndarray, sums: np.ndarray, tile: np.ndarray
) -> None:
    size = patterns.shape[1]
    for start in range(0, size, len(tile)):
        stop = min(size, start + len(tile))
        partial = tile[: stop - start]
        first = 0
        while first < len(order):
            row, k = rows[first], first
            partial[:] = 0
            while k < len(order) and rows[k] == row and k - first < ROWS_AT_ONCE:
                pattern = patterns[order[k], start:stop]
                for i in range(len(partial)):
                    partial[i] += pattern[i]
                k += 1
            for i in range(len(partial)):
                sums[row, start + i] += np.float64(partial[i])
            first = k


@kernel()
def add_weighted(patterns: np.ndarray, coefficients: np.ndarray, sums: np.ndarray) -> None:
    """Add patterns to several sums, each with a coefficient of its own.

    Parameters
    ----------
    patterns : (N, P)
        Raw patterns, flattened, any real dtype.
    coefficients : (N, G) float64
        What each pattern counts for in each group; zeros are skipped.
    sums : (G, P) float64
        Changed in place.
    """
    n_patterns, size = patterns.shape
    tile = np.empty(_TILE)
    for g in range(coefficients.shape[1]):
        if not np.any(coefficients[:, g] != 0.0):
            continue
        for start in range(0, size, _TILE):
            stop = min(size, start + _TILE)
            partial = tile[: stop - start]
            partial[:] = 0.0
            for n in range(n_patterns):
                c = coefficients[n, g]
                if c != 0.0:
                    pattern = patterns[n, start:stop]
                    for i in range(len(partial)):
                        partial[i] += c * np.float64(pattern[i])
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
