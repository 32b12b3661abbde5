"""Detector pixels that stand out from their surroundings in a mean pattern."""

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.ranking import median_of_few, sort_few

_ROUNDS = 5
"""Clusters of bad pixels are found from their brightest pixel on; few are wider than this."""
_ALONE = 0.7
"""Share of a hot pixel's height that its neighbors lack. The peak of a sharp diffraction spot
exceeds its second neighbor by half its height at 2 px full width, and by 0.7 at 1.6 px."""
_GAUSSIAN = 1.4826
"""Standard deviation over median absolute deviation of normally distributed values."""


@kernel()
def find_bad_pixels(mean: np.ndarray, n_positions: int, n_sigma: float, window: int) -> np.ndarray:
    """Find hot and dead pixels.

    A pixel is hot if it exceeds the median of the good pixels in a window around it by
    ``n_sigma`` of their robust spread and counting noise, and stands alone: most of that
    excess, significantly, over all its good neighbors but one. The edge of a disk has as
    bright neighbors inside the disk, so it is not hot. A pixel is dead if it is zero where
    all its good neighbors but one have counts beyond doubt. So pairs are found too.

    Parameters
    ----------
    mean : (Qy, Qx) float32
        Mean of many patterns. NaN and infinities are bad.
    n_positions : int
        Number of patterns, if they are counts; 0 if counting noise is not known.
    n_sigma : float
        Significance, in standard deviations.
    window : int
        Side of the window, odd.

    Returns
    -------
    (Qy, Qx) bool
    """
    rows, columns = mean.shape
    bad = ~np.isfinite(mean)
    for _ in range(_ROUNDS):
        found = bad.copy()
        for y in range(rows):
            for x in range(columns):
                if not bad[y, x]:
                    found[y, x] = _stands_out(mean, bad, y, x, n_positions, n_sigma, window)
        if not (found != bad).any():
            break
        bad = found
    return bad


@kernel()
def _stands_out(
    mean: np.ndarray,
    bad: np.ndarray,
    y: int,
    x: int,
    n_positions: int,
    n_sigma: float,
    window: int,
) -> bool:
    nearest = _good_nearest(mean, bad, y, x)
    sort_few(nearest)
    if len(nearest) < 2:
        return False
    value, second, last_but_one = mean[y, x], nearest[-2], nearest[1]
    if value == 0.0 and last_but_one > 0.0:
        # zero counts of so many expected are as rare as n_sigma of a Gaussian
        if n_positions > 0:
            return n_positions * last_but_one > 0.5 * n_sigma**2
        return last_but_one > n_sigma * _spread(_good_around(mean, bad, y, x, window // 2))
    if value - second <= n_sigma * _counting_noise(second, n_positions):
        return False
    around = _good_around(mean, bad, y, x, window // 2)
    median = median_of_few(around)
    excess = value - median
    noise = np.hypot(_spread(around), _counting_noise(median, n_positions))
    return excess > n_sigma * noise and value - second > _ALONE * excess


@kernel()
def _good_nearest(mean: np.ndarray, bad: np.ndarray, y: int, x: int) -> np.ndarray:
    """Collect the good ones of the eight neighbors; beyond an edge the detector is mirrored.

    A disk that the edge cuts would else stand alone. The pixel's own image counts once, or
    a corner would be all images.
    """
    out = np.empty(8, mean.dtype)
    n = 0
    own_image = False
    for ny in range(y - 1, y + 2):
        for nx in range(x - 1, x + 2):
            iy = min(max(ny, 0), mean.shape[0] - 1)
            ix = min(max(nx, 0), mean.shape[1] - 1)
            own = iy == y and ix == x
            if bad[iy, ix] or (own and (own_image or (ny == y and nx == x))):
                continue
            own_image = own_image or own
            out[n] = mean[iy, ix]
            n += 1
    return out[:n]


@kernel()
def _good_around(mean: np.ndarray, bad: np.ndarray, y: int, x: int, reach: int) -> np.ndarray:
    """Collect the good pixels of the square around (y, x), itself left out."""
    out = np.empty((2 * reach + 1) ** 2, mean.dtype)
    n = 0
    for ny in range(max(0, y - reach), min(mean.shape[0], y + reach + 1)):
        for nx in range(max(0, x - reach), min(mean.shape[1], x + reach + 1)):
            if not (bad[ny, nx] or (ny == y and nx == x)):
                out[n] = mean[ny, nx]
                n += 1
    return out[:n]


@kernel()
def _spread(values: np.ndarray) -> float:
    median = median_of_few(values)
    for i in range(len(values)):
        values[i] = abs(values[i] - median)
    return _GAUSSIAN * median_of_few(values)


@kernel()
def _counting_noise(mean: float, n_positions: int) -> float:
    """Return the standard deviation of a mean of counts, where one count is nothing yet."""
    if n_positions == 0:
        return 0.0
    return np.sqrt(n_positions * max(mean, 0.0) + 1.0) / n_positions
