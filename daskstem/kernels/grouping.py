"""Sums of the patterns of each group of positions, within one block."""

import numpy as np

from daskstem.kernels.compiled import kernel


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


@kernel()
def group_sums(patterns: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Weighted sums of patterns.

    Parameters
    ----------
    patterns : (N, P)
        Raw patterns, flattened, any real dtype.
    coefficients : (N, G) float64
        What each pattern counts for in each group; zeros are skipped.

    Returns
    -------
    (G, P) float64
        Exact for integer patterns and coefficients up to 2^53.
    """
    n_patterns, size = patterns.shape
    n_groups = coefficients.shape[1]
    sums = np.zeros((n_groups, size))
    for start in range(0, size, 2048):
        stop = min(size, start + 2048)
        for n in range(n_patterns):
            for g in range(n_groups):
                c = coefficients[n, g]
                if c != 0.0:
                    total = sums[g, start:stop]
                    pattern = patterns[n, start:stop]
                    for i in range(stop - start):
                        total[i] += c * np.float64(pattern[i])
    return sums


@kernel()
def squared_sums(patterns: np.ndarray) -> np.ndarray:
    """Sum of squares of every pattern.

    Parameters
    ----------
    patterns : (N, P)
        Any real dtype.

    Returns
    -------
    (N,) float64
    """
    squares = np.empty(len(patterns))
    for n in range(len(patterns)):
        total = 0.0
        for i in range(patterns.shape[1]):
            value = np.float64(patterns[n, i])
            total += value * value
        squares[n] = total
    return squares
