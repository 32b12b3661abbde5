"""What patterns are compared by: blurred, weighted, without their mean.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

import numpy as np

from daskstem.kernels.compiled import kernel


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


def noise_response(weight: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Energy that one count at each detector pixel adds to a compared pattern.

    The compared pattern is linear in the counts, v = L I with
    L(q, j) = w(q) (g(q, j) - m(j)), m(j) = sum_q w(q) g(q, j) / sum_q w(q), so one count at
    j adds sum_q L(q, j)^2 to the expectation of |v|^2 beyond the signal's own.

    Parameters
    ----------
    weight : (Qy, Qx) float32
        As from ``radial_weight``.
    taps : (T,) float32
        As from ``gaussian_taps``.

    Returns
    -------
    (Qy, Qx) float32
    """
    w = weight.astype(np.float64)
    by, bx = (_blur_matrix(n, taps) for n in w.shape)
    mean = by @ w @ bx / w.sum()
    squared = (by**2).T @ w**2 @ bx**2
    mixed = by.T @ w**2 @ bx
    return (squared - 2 * mean * mixed + mean**2 * (w**2).sum()).astype(np.float32)


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
    pattern: np.ndarray, taps: np.ndarray, weight: np.ndarray, edge: int, out: np.ndarray
) -> float:
    """Blur a pattern, take out its weighted mean, weight it; keep what the edge leaves.

    v = (G - sum(G w) / sum(w)) w with G the Gaussian blur with reflecting edges.

    Parameters
    ----------
    pattern : (Qy, Qx)
        Any real dtype.
    taps : (T,) float32
        Half of the Gaussian.
    weight : (Qy, Qx) float32
        Zero in a frame of ``edge`` pixels.
    edge : int
        Width of that frame.
    out : ((Qy - 2 edge) * (Qx - 2 edge),) float32
        Receives v.

    Returns
    -------
    |v|^2, float64.
    """
    rows, columns = pattern.shape
    width = columns - 2 * edge
    reach = len(taps) - 1
    along_x = np.empty((rows, width), np.float32)
    padded = np.empty(columns + 2 * reach, np.float32)
    for y in range(rows):
        middle = padded[reach : reach + columns]
        for x in range(columns):
            middle[x] = pattern[y, x]
        for t in range(1, reach + 1):
            padded[reach - t] = middle[_reflected(-t, columns)]
            padded[reach + columns - 1 + t] = middle[_reflected(columns - 1 + t, columns)]
        start = reach + edge
        _scale(padded[start : start + width], taps[0], along_x[y])
        for t in range(1, reach + 1):
            before = padded[start - t : start - t + width]
            after = padded[start + t : start + t + width]
            _add_pair(before, after, taps[t], along_x[y])
    total = 0.0
    weight_sum = 0.0
    for y in range(edge, rows - edge):
        row = out[(y - edge) * width : (y - edge + 1) * width]
        row_weight = weight[y, edge : edge + width]
        _scale(along_x[y], taps[0], row)
        for t in range(1, reach + 1):
            above = along_x[_reflected(y - t, rows)]
            below = along_x[_reflected(y + t, rows)]
            _add_pair(above, below, taps[t], row)
        for x in range(width):
            total += np.float64(row[x]) * row_weight[x]
            weight_sum += np.float64(row_weight[x])
    mean = np.float32(total / weight_sum)
    energy = 0.0
    for y in range(edge, rows - edge):
        row = out[(y - edge) * width : (y - edge + 1) * width]
        row_weight = weight[y, edge : edge + width]
        for x in range(width):
            value = (row[x] - mean) * row_weight[x]
            row[x] = value
            energy += np.float64(value) * np.float64(value)
    return energy


# Loops over whole slices: an index such as start + x - t may be negative for all the
# compiler knows, and that keeps it from vector code (490 us a pattern instead of 60).
@kernel(inline="always")
def _scale(source: np.ndarray, factor: np.float32, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] = factor * source[i]


@kernel(inline="always")
def _add_pair(a: np.ndarray, b: np.ndarray, factor: np.float32, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] += factor * (a[i] + b[i])


@kernel()
def _reflected(index: int, size: int) -> int:
    """Position in [0, size) of pixel ``index`` of a row mirrored over and over."""
    index = index % (2 * size)
    return index if index < size else 2 * size - 1 - index
