"""What patterns are compared by: blurred, weighted, without their mean.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.vectors import (
    LANES,
    LINE_PX,
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
)

ROWS_AT_ONCE: Final = 4
"""Rows of a pattern that are blurred at once."""


def radial_weight(
    shape: tuple[int, int], edge_px: int, center: tuple[float, float] | None = None
) -> np.ndarray:
    """Weight r^2 / (Qy Qx) of every detector pixel, zero in a frame of ``edge_px``.

    Parameters
    ----------
    shape
        Detector rows and columns.
    edge_px
        Width of the frame that counts for nothing.
    center
        Row and column that r is measured from; the detector's middle by default.

    Returns
    -------
    (Qy, Qx) float32
    """
    rows, columns = shape
    y0, x0 = center or ((rows - 1) / 2, (columns - 1) / 2)
    y = (np.arange(rows) - y0)[:, np.newaxis]
    x = (np.arange(columns) - x0)[np.newaxis]
    weight = (y**2 + x**2) / (rows * columns)
    inner = np.zeros(shape, dtype=bool)
    inner[edge_px : rows - edge_px, edge_px : columns - edge_px] = True
    return np.where(inner, weight, 0.0).astype(np.float32)


def gaussian_taps(sigma_px: float) -> np.ndarray:
    """Half of a normalised Gaussian, centre first, cut off at 4 sigma as SciPy does.

    Returns
    -------
    (T,) float32
        Taps 0, 1, ... T - 1; ``taps[0] + 2 * taps[1:].sum()`` is 1.
    """
    reach = int(4.0 * sigma_px + 0.5)
    taps = np.exp(-0.5 * (np.arange(reach + 1) / max(sigma_px, 1e-9)) ** 2)
    return (taps / (taps[0] + 2 * taps[1:].sum())).astype(np.float32)


def count_responses(weight: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return what one count at each pixel adds to a pattern's weighted mean and energy.

    The compared pattern is linear in the counts, v = L I with
    L(q, j) = w(q) (g(q, j) - m(j)), where g is the blur and m(j) = sum_q w(q) g(q, j) / sum w
    the part of a count at j in the weighted mean. Counting noise of one count at j adds
    sum_q L(q, j)^2 to the expectation of |v|^2, beyond the signal's own.

    Parameters
    ----------
    weight : (Qy, Qx) float32
        As from ``radial_weight``.
    taps : (T,) float32
        As from ``gaussian_taps``.

    Returns
    -------
    (2, Qy, Qx) float32
        m, and the energy from noise.
    """
    w = weight.astype(np.float64)
    by, bx = (_blur_matrix(n, taps) for n in w.shape)
    mean = by @ w @ bx / max(w.sum(), np.finfo(np.float32).tiny)
    squared = (by**2).T @ w**2 @ bx**2
    mixed = by.T @ w**2 @ bx
    energy = squared - 2 * mean * mixed + mean**2 * (w**2).sum()
    return np.stack([mean, energy]).astype(np.float32)


def _blur_matrix(size: int, taps: np.ndarray) -> np.ndarray:
    """Blur with reflecting edges as a symmetric matrix."""
    matrix = np.zeros((size, size))
    period = 2 * size
    for tap in range(-len(taps) + 1, len(taps)):
        target = (np.arange(size) + tap) % period
        target = np.where(target < size, target, period - 1 - target)
        np.add.at(matrix, (np.arange(size), target), float(taps[abs(tap)]))
    return matrix


@kernel()
def compared_pattern(
    pattern: np.ndarray,
    taps: np.ndarray,
    weight: np.ndarray,
    responses: np.ndarray,
    edge: int,
    out: np.ndarray,
) -> tuple[float, float]:
    """Blur a pattern, take out its weighted mean, weight it; keep what the edge leaves.

    v = (G - sum(G w) / sum(w)) w with G the Gaussian blur with reflecting edges.

    Parameters
    ----------
    pattern : (Qy, Qx)
        Any real dtype, contiguous.
    taps : (T,) float32
        Half of the Gaussian, as from ``gaussian_taps``.
    weight : (Qy, Qx) float32
        Zero in a frame of ``edge`` pixels.
    responses : (2, Qy, Qx) float32
        As from ``count_responses``.
    edge : int
        Width of that frame.
    out : ((Qy - 2 edge) * (Qx - 2 edge),) float32
        Receives v.

    Returns
    -------
    |v|^2 and its expected part from counting noise, float64.
    """
    rows, columns = pattern.shape
    height, width = rows - 2 * edge, columns - 2 * edge
    reach = len(taps) - 1
    # how far the blur looks past the detector, where the pattern is mirrored
    beyond = max(0, reach - edge)
    step = apart(columns)
    held = aligned((rows + 2 * beyond + ROWS_AT_ONCE) * step)
    mean, noise = _converted(pattern, responses, held, beyond * step, step)
    for t in range(beyond):
        for y in (-1 - t, rows + t):
            to, source = (y + beyond) * step, (_reflected(y, rows) + beyond) * step
            held[to : to + step] = held[source : source + step]
    # vectors reach past the last row and column: what lies there may be too small for a normal
    # number, which takes the processor a hundred times as long
    held[(rows + 2 * beyond) * step :] = 0
    lead = (beyond + LINE_PX - 1) // LINE_PX * LINE_PX
    line = apart(lead + columns + beyond)
    down, along = aligned(ROWS_AT_ONCE * line), aligned(ROWS_AT_ONCE * line)
    down[:] = 0
    both_sides = _both_sides(taps)
    energy = 0.0
    for y in range(0, height, ROWS_AT_ONCE):
        above = (y + edge - reach + beyond) * step
        _blur_down(held, above, step, both_sides, columns, down, lead, line)
        for row in range(ROWS_AT_ONCE):
            _mirror(down, row * line + lead, columns, beyond)
        _blur_along(down, lead + edge - reach, line, both_sides, width, along)
        for row in range(min(ROWS_AT_ONCE, height - y)):
            at = (edge + y + row) * columns + edge
            energy += _weighted(
                along, row * line, width, np.float32(mean), weight, at, out, (y + row) * width
            )
    return energy, noise


@kernel()
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
    ones = np.ones((rows, columns), np.float32)
    nothing = np.zeros((2, rows, columns), np.float32)
    out = np.empty((height, width, rows * columns), np.float32)
    for y in range(height):
        for x in range(width):
            compared_pattern(patterns[y, x], taps, ones, nothing, 0, out[y, x])
    return out


# Four rows are blurred at once, two vectors of each, so that what is loaded is used more than
# once: a pattern of 192 x 192 pixels takes 54 us with sigma 3, row by row 72, SciPy 520.


@kernel()
def _both_sides(taps: np.ndarray) -> np.ndarray:
    """Return the whole Gaussian, with zeros where some of the rows blurred at once end."""
    reach, more = len(taps) - 1, ROWS_AT_ONCE - 1
    whole = np.zeros(2 * (reach + more) + 1, np.float32)
    for t in range(-reach, reach + 1):
        whole[more + reach + t] = taps[abs(t)]
    return whole


@kernel()
def _blur_down(
    held: np.ndarray, start: int, step: int, taps: np.ndarray, columns: int,
    out: np.ndarray, to: int, line: int,
) -> None:  # fmt: skip
    """Blur four rows along y; ``start`` is where the first row that they need begins."""
    for x in range(0, columns, 2 * LANES):
        a = b = c = d = a2 = b2 = c2 = d2 = splat(np.float32(0))
        tap_a = tap_b = tap_c = a
        for t in range(len(taps) - ROWS_AT_ONCE + 1):
            # what is a row's tap now was that of the row above it before
            tap_d, tap_c, tap_b = tap_c, tap_b, tap_a
            tap_a = splat(taps[t + ROWS_AT_ONCE - 1])
            place = start + t * step + x
            values, more = load(held, place), load(held, place + LANES)
            a, a2 = multiply_add(values, tap_a, a), multiply_add(more, tap_a, a2)
            b, b2 = multiply_add(values, tap_b, b), multiply_add(more, tap_b, b2)
            c, c2 = multiply_add(values, tap_c, c), multiply_add(more, tap_c, c2)
            d, d2 = multiply_add(values, tap_d, d), multiply_add(more, tap_d, d2)
        _store_two(out, to + x, a, a2)
        _store_two(out, to + x + line, b, b2)
        _store_two(out, to + x + 2 * line, c, c2)
        _store_two(out, to + x + 3 * line, d, d2)


@kernel()
def _blur_along(
    rows: np.ndarray, start: int, line: int, taps: np.ndarray, width: int, out: np.ndarray
) -> None:
    """Blur four rows along x; ``start`` is where the first value that they need lies."""
    for x in range(0, width, 2 * LANES):
        a = b = c = d = a2 = b2 = c2 = d2 = splat(np.float32(0))
        for t in range(len(taps) - 2 * (ROWS_AT_ONCE - 1)):
            tap = splat(taps[t + ROWS_AT_ONCE - 1])
            place = start + x + t
            a = multiply_add(load(rows, place), tap, a)
            a2 = multiply_add(load(rows, place + LANES), tap, a2)
            b = multiply_add(load(rows, place + line), tap, b)
            b2 = multiply_add(load(rows, place + line + LANES), tap, b2)
            c = multiply_add(load(rows, place + 2 * line), tap, c)
            c2 = multiply_add(load(rows, place + 2 * line + LANES), tap, c2)
            d = multiply_add(load(rows, place + 3 * line), tap, d)
            d2 = multiply_add(load(rows, place + 3 * line + LANES), tap, d2)
        _store_two(out, x, a, a2)
        _store_two(out, x + line, b, b2)
        _store_two(out, x + 2 * line, c, c2)
        _store_two(out, x + 3 * line, d, d2)


@kernel(inline="always")
def _store_two(out: np.ndarray, to: int, first: Vector, second: Vector) -> None:
    store(out, to, first)
    store(out, to + LANES, second)


@kernel()
def _mirror(rows: np.ndarray, start: int, columns: int, beyond: int) -> None:
    """Continue the row that begins at ``start`` past both its ends."""
    for t in range(beyond):
        rows[start - 1 - t] = rows[start + _reflected(-1 - t, columns)]
        rows[start + columns + t] = rows[start + _reflected(columns + t, columns)]


@kernel()
def _converted(
    pattern: np.ndarray, responses: np.ndarray, out: np.ndarray, start: int, step: int
) -> tuple[float, float]:
    """Copy a pattern as float32, from ``start`` on, and zeros behind each of its rows.

    Returns
    -------
    Its weighted mean and noise.
    """
    rows, columns = pattern.shape
    whole = columns // LANES * LANES
    values, response = pattern.reshape(-1), responses.reshape(-1)
    mean = noise = 0.0
    for y in range(rows):
        here, to = y * columns, start + y * step
        means = noises = splat(np.float32(0))
        for x in range(0, whole, LANES):
            vector = load(values, here + x)
            store(out, to + x, vector)
            means = multiply_add(vector, load(response, here + x), means)
            noises = multiply_add(vector, load(response, values.size + here + x), noises)
        for x in range(whole, columns):
            value = np.float32(values[here + x])
            out[to + x] = value
            mean += value * response[here + x]
            noise += value * response[values.size + here + x]
        out[to + columns : to + step] = 0
        mean += total(means)
        noise += total(noises)
    return mean, noise


@kernel()
def _weighted(
    rows: np.ndarray, start: int, width: int, mean: np.float32,
    weight: np.ndarray, at: int, out: np.ndarray, to: int,
) -> float:  # fmt: skip
    """Write the row that begins at ``start`` without the mean, weighted; return its energy."""
    weights = weight.reshape(-1)
    energies, less = splat(np.float32(0)), splat(-mean)
    whole = width // LANES * LANES
    for x in range(0, whole, LANES):
        vector = times(plus(load(rows, start + x), less), load(weights, at + x))
        store(out, to + x, vector)
        energies = multiply_add(vector, vector, energies)
    energy = total(energies)
    for x in range(whole, width):
        value = (rows[start + x] - mean) * weights[at + x]
        out[to + x] = value
        energy += value * value
    return np.float64(energy)


@kernel()
def _reflected(index: int, size: int) -> int:
    """Position in [0, size) of pixel ``index`` of a row mirrored over and over."""
    index = index % (2 * size)
    return index if index < size else 2 * size - 1 - index
