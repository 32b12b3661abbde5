"""What patterns are compared by: blurred, weighted, without their mean.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.sampling import Sampling, whole_sampling
from daskstem.kernels.vectors import (
    LANES,
    Vector,
    aligned,
    apart,
    load,
    multiply_add,
    plus,
    splat,
    store,
    times,
    total,
    transpose,
)

LINES_AT_ONCE: Final = 4
"""Lines of a pattern that are blurred at once."""


@kernel()
def compared_pattern(
    pattern: np.ndarray, sampling: Sampling, out: np.ndarray, sums: np.ndarray
) -> float:
    """Blur a pattern, take out its weighted mean, weight it, at the pixels that are compared.

    v = (G - sum(G w) / sum(w)) k with G the Gaussian blur with reflecting edges, w the weight
    of all pixels and k that of those that are kept.

    Parameters
    ----------
    pattern : (Qy, Qx)
        Any real dtype, contiguous.
    sampling
        The kept pixels: R rows, C columns.
    out : (C * R,) float32
        Receives v, column by column.
    sums : (1 + M,) float64
        Receives the sum of the pattern, and of its products with the images of ``sampling``.

    Returns
    -------
    |v|^2, float64.
    """
    (rows, columns), size = pattern.shape, len(sampling.rows)
    step, line = apart(columns), apart(size)
    held = aligned(rows * step)
    _convert(pattern, sampling.images, held, step, sums)
    down = _blurred_lines(held, rows, columns, step, sampling.taps, sampling.rows)
    turned = _turned(down, step, columns, size, line)
    both = _blurred_lines(turned, columns, size, line, sampling.taps, sampling.columns)
    weights = sampling.weight.reshape(-1)
    energy, mean = 0.0, np.float32(sums[1])
    for x in range(len(sampling.columns)):
        energy += _weighted(both, x * line, mean, weights, out, x * size, size)
    return energy


def blurred(patterns: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Blur every pattern, with reflecting edges.

    Parameters
    ----------
    patterns : (H, W, Qy, Qx)
        Any real dtype, contiguous.
    taps : (T,) float32
        Half of the Gaussian, as from ``gaussian_taps``.

    Returns
    -------
    (H, W, Qy * Qx) float32
    """
    height, width, rows, columns = patterns.shape
    return _each_blurred(patterns, whole_sampling((rows, columns), taps))


@kernel()
def _each_blurred(patterns: np.ndarray, sampling: Sampling) -> np.ndarray:
    height, width, rows, columns = patterns.shape
    out = np.empty((height, width, rows, columns), np.float32)
    by_column, sums = np.empty(rows * columns, np.float32), np.empty(2)
    for y in range(height):
        for x in range(width):
            compared_pattern(patterns[y, x], sampling, by_column, sums)
            out[y, x] = by_column.reshape(columns, rows).T
    return out.reshape(height, width, rows * columns)


@kernel()
def pattern_sums(patterns: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Add up every pattern, and its products with images.

    Parameters
    ----------
    patterns : (H, W, Qy, Qx)
        Any real dtype, contiguous.
    images : (M, Qy, Qx) float32

    Returns
    -------
    (H, W, 1 + M) float64
        The same to the last bit as from ``compared_pattern``.
    """
    height, width, rows, columns = patterns.shape
    step = apart(columns)
    held = aligned(rows * step)
    sums = np.empty((height, width, 1 + len(images)))
    for y in range(height):
        for x in range(width):
            _convert(patterns[y, x], images, held, step, sums[y, x])
    return sums


@kernel()
def _convert(
    pattern: np.ndarray, images: np.ndarray, out: np.ndarray, step: int, sums: np.ndarray
) -> None:
    """Copy a pattern as float32, its rows ``step`` apart, with zeros behind each; add it up."""
    rows, columns = pattern.shape
    whole = columns // LANES * LANES
    values, weights = pattern.reshape(-1), images.reshape(-1)
    sums[:] = 0
    for y in range(rows):
        here, to = y * columns, y * step
        totals = splat(np.float32(0))
        for x in range(0, whole, LANES):
            vector = load(values, here + x)
            store(out, to + x, vector)
            totals = plus(totals, vector)
        sums[0] += total(totals)
        for x in range(whole, columns):
            out[to + x] = np.float32(values[here + x])
            sums[0] += out[to + x]
        out[to + columns : to + step] = 0
        # the row is in the cache now
        for k in range(len(images)):
            sums[1 + k] += _product(out, to, weights, k * values.size + here, columns)


@kernel()
def _product(values: np.ndarray, start: int, weights: np.ndarray, at: int, n: int) -> float:
    """Sum of the products of n values and as many weights."""
    whole = n // LANES * LANES
    products = splat(np.float32(0))
    for x in range(0, whole, LANES):
        products = multiply_add(load(values, start + x), load(weights, at + x), products)
    found = total(products)
    for x in range(whole, n):
        found += values[start + x] * weights[at + x]
    return found


@kernel()
def _blurred_lines(
    values: np.ndarray, n_lines: int, length: int, step: int, taps: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Blur across ``n_lines`` lines of ``length`` values; return those that are kept.

    Lines lie ``step`` apart. As many lines of zeros follow as the last square that is
    transposed needs.
    """
    n, reach = len(kept), len(taps) // 2
    out = aligned(_whole(n, 2 * LANES) * step)
    # where the lines begin that the blur needs: past the ends they are mirrored
    top = kept[0] - reach
    starts = np.empty(kept[-1] + reach + 1 - top, np.int64)
    for i in range(len(starts)):
        starts[i] = _reflected(top + i, n_lines) * step
    # of lines that are blurred at once, some begin and end before others: zeros around the taps
    widest = 2 * LINES_AT_ONCE
    padded = np.zeros(len(taps) + 2 * widest, np.float32)
    padded[widest : widest + len(taps)] = taps
    for first in range(0, n, LINES_AT_ONCE):
        a, b, c, d = (
            kept[first], kept[min(first + 1, n - 1)], kept[min(first + 2, n - 1)],
            kept[min(first + 3, n - 1)],
        )  # fmt: skip
        needed = starts[a - reach - top : d + reach + 1 - top]
        further = (b - a, c - a, d - a)
        _blur_four(values, needed, length, padded, widest, further, out, first * step, step)
    out[n * step :] = 0
    return out


# Four lines are blurred at once, two vectors of each, so that what is loaded is used four times:
# of a pattern of 192 x 192 pixels, sigma 3, the kept ones take 19 us, all of it 37; SciPy 520.
@kernel()
def _blur_four(
    values: np.ndarray, starts: np.ndarray, length: int, taps: np.ndarray, tap: int,
    further: tuple[int, int, int], out: np.ndarray, to: int, step: int,
) -> None:  # fmt: skip
    """Write the sums of the lines at ``starts``, for four lines of which three lie further on."""
    none = splat(np.float32(0))
    second, third, fourth = tap - further[0], tap - further[1], tap - further[2]
    for x in range(0, length, 2 * LANES):
        a = b = c = d = a2 = b2 = c2 = d2 = none
        for i in range(len(starts)):
            place = starts[i] + x
            one, two = load(values, place), load(values, place + LANES)
            weight = splat(taps[tap + i])
            a, a2 = multiply_add(one, weight, a), multiply_add(two, weight, a2)
            weight = splat(taps[second + i])
            b, b2 = multiply_add(one, weight, b), multiply_add(two, weight, b2)
            weight = splat(taps[third + i])
            c, c2 = multiply_add(one, weight, c), multiply_add(two, weight, c2)
            weight = splat(taps[fourth + i])
            d, d2 = multiply_add(one, weight, d), multiply_add(two, weight, d2)
        _store_two(out, to + x, a, a2)
        _store_two(out, to + x + step, b, b2)
        _store_two(out, to + x + 2 * step, c, c2)
        _store_two(out, to + x + 3 * step, d, d2)


@kernel(inline="always")
def _store_two(out: np.ndarray, to: int, first: Vector, second: Vector) -> None:
    store(out, to, first)
    store(out, to + LANES, second)


@kernel()
def _turned(lines: np.ndarray, step: int, columns: int, n_lines: int, line: int) -> np.ndarray:
    """Return the columns of lines that lie ``step`` apart as lines that lie ``line`` apart."""
    out = aligned(_whole(columns, LANES) * line)
    for y in range(0, _whole(n_lines, 2 * LANES), LANES):
        for x in range(0, columns, LANES):
            transpose(lines, y * step + x, step, out, x * line + y, line)
    return out


@kernel()
def _whole(size: int, unit: int) -> int:
    """Return the smallest multiple of ``unit`` that is not below ``size``."""
    return (size + unit - 1) // unit * unit


@kernel()
def _weighted(
    lines: np.ndarray, start: int, mean: np.float32, weights: np.ndarray,
    out: np.ndarray, to: int, size: int,
) -> float:  # fmt: skip
    """Write a line without the mean, weighted; return its energy."""
    energies, less = splat(np.float32(0)), splat(-mean)
    whole = size // LANES * LANES
    for x in range(0, whole, LANES):
        vector = times(plus(load(lines, start + x), less), load(weights, to + x))
        store(out, to + x, vector)
        energies = multiply_add(vector, vector, energies)
    energy = total(energies)
    for x in range(whole, size):
        value = (lines[start + x] - mean) * weights[to + x]
        out[to + x] = value
        energy += value * value
    return energy


@kernel()
def _reflected(index: int, size: int) -> int:
    """Position in [0, size) of pixel ``index`` of a row mirrored over and over."""
    index = index % (2 * size)
    return index if index < size else 2 * size - 1 - index
