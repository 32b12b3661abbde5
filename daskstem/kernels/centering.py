"""Where the direct beam meets the detector."""

import numpy as np
from scipy.ndimage import gaussian_filter, label

from daskstem.kernels.compiled import kernel

_SMOOTHING_PX = 1.0
_SETTLED_PX = 1e-3
_MOST_MOVES = 50
_ROUNDS = 5
_OUTLIER = 3 * 1.4826
"""Three standard deviations of normally distributed residuals, in median absolute ones."""


def direct_beam(
    mean: np.ndarray, bad: np.ndarray | None = None, *, guess: tuple[float, float] | None = None
) -> np.ndarray:
    """Centre and radius of the brightest disk in a mean pattern.

    The disk is where the smoothed mean exceeds half its maximum, around that maximum.

    Parameters
    ----------
    mean : (Qy, Qx) float32
        Mean pattern. A pixel brighter than all its neighbors but one counts as that one's
        value, so that a hot pixel is no beam.
    bad : (Qy, Qx) bool, optional
        Pixels that count for nothing.
    guess : (row, column), optional
        Where the beam is, if it is not the brightest.

    Returns
    -------
    (3,) float64
        Row, column and radius in pixels.
    """
    bad = ~np.isfinite(mean) if bad is None else bad | ~np.isfinite(mean)
    values = np.where(bad, 0.0, mean).astype(np.float64)
    padded = np.pad(values, 1)
    rows, columns = values.shape
    neighbors = np.stack(
        [
            padded[dy : dy + rows, dx : dx + columns]
            for dy in range(3)
            for dx in range(3)
            if (dy, dx) != (1, 1)
        ]
    )
    values = np.minimum(values, np.partition(neighbors, -2, axis=0)[-2])
    smooth = gaussian_filter(values, _SMOOTHING_PX, mode="nearest")
    if guess is None:
        peak = np.unravel_index(int(smooth.argmax()), smooth.shape)
    else:
        inside = (min(max(round(g), 0), n - 1) for g, n in zip(guess, smooth.shape, strict=True))
        peak = tuple(inside)
    disks, _ = label(smooth >= 0.5 * smooth[peak])
    y, x = np.nonzero(disks == disks[peak])
    return np.array([y.mean(), x.mean(), np.sqrt(len(y) / np.pi)])


# 40 us a pattern for a disk of 13 px: 1.8 GB/s of uint16 at 192 x 192, one thread.
@kernel()
def beam_centers(
    patterns: np.ndarray, bad: np.ndarray, start: tuple[float, float], radii: tuple[float, float]
) -> np.ndarray:
    """Centre of mass of every pattern in a disk that follows it.

    Parameters
    ----------
    patterns : (N, Qy, Qx)
        Any real dtype; negative values count as 0.
    bad : (Qy, Qx) bool
        Pixels that stand for the mean of their good neighbors.
    start : (row, column)
        Where the disk is put first.
    radii : (wide, last)
        Radius of the disk until it has settled for the first time, and after.

    Returns
    -------
    (N, 2) float64
        Row and column in pixels; NaN where the disk holds no counts.
    """
    centers = np.empty((len(patterns), 2))
    for i in range(len(patterns)):
        y, x = start
        for radius in radii:
            for _ in range(_MOST_MOVES):
                new_y, new_x = _center_of_mass(patterns[i], bad, y, x, radius)
                moved = np.hypot(new_y - y, new_x - x)
                y, x = new_y, new_x
                if not moved > _SETTLED_PX:
                    break
        centers[i, 0] = y
        centers[i, 1] = x
    return centers


@kernel()
def _center_of_mass(
    pattern: np.ndarray, bad: np.ndarray, y0: float, x0: float, radius: float
) -> tuple[float, float]:
    """Centre of mass in a disk; its rim is soft, or the disk would lock onto the pixels."""
    total, along_y, along_x = 0.0, 0.0, 0.0
    if np.isnan(y0):
        return y0, x0
    rows, columns = pattern.shape
    reach = radius + 1.0
    for y in range(max(0, int(y0 - reach)), min(rows, int(y0 + reach) + 2)):
        for x in range(max(0, int(x0 - reach)), min(columns, int(x0 + reach) + 2)):
            share = min(1.0, radius + 0.5 - np.hypot(y - y0, x - x0))
            if share <= 0.0:
                continue
            value = _mean_of_good(pattern, bad, y, x) if bad[y, x] else np.float64(pattern[y, x])
            value = max(value, 0.0) * share
            total += value
            along_y += value * y
            along_x += value * x
    if not total > 0.0:
        return np.nan, np.nan
    return along_y / total, along_x / total


@kernel()
def _mean_of_good(pattern: np.ndarray, bad: np.ndarray, y: int, x: int) -> float:
    total = 0.0
    n = 0
    for ny in range(max(0, y - 1), min(pattern.shape[0], y + 2)):
        for nx in range(max(0, x - 1), min(pattern.shape[1], x + 2)):
            if not bad[ny, nx]:
                total += np.float64(pattern[ny, nx])
                n += 1
    return total / n if n else 0.0


def fit_planes(centers: np.ndarray, *, otherwise: tuple[float, float]) -> np.ndarray:
    """Planes through measured beam centres that outliers do not tilt.

    Least squares, repeated without the points beyond three standard deviations, which are
    estimated from the median absolute residual.

    Parameters
    ----------
    centers : (Y, X, 2) float
        Row and column of the beam; NaN where it was not measured.
    otherwise : (row, column)
        The planes, level, of a frame without a measurement.

    Returns
    -------
    (Y, X, 2) float64
        The planes at every position; level across a scan that is one position wide.
    """
    rows, columns = centers.shape[:2]
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    terms = [np.ones(rows * columns)]
    terms += [along.ravel() for along, n in ((y, rows), (x, columns)) if n > 1]
    design = np.stack(terms, axis=1)
    measured = centers.reshape(-1, 2).astype(np.float64)
    planes = [_robust_fit(design, measured[:, axis], otherwise[axis]) for axis in range(2)]
    return np.stack(planes, axis=-1).reshape(rows, columns, 2)


def _robust_fit(design: np.ndarray, values: np.ndarray, otherwise: float) -> np.ndarray:
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(len(values), otherwise)
    kept = finite
    for _ in range(_ROUNDS):
        # the smallest coefficients that fit, where too few points are left to tell
        coefficients, *_ = np.linalg.lstsq(design[kept], values[kept], rcond=None)
        fitted = design @ coefficients
        residual = np.abs(values - fitted)
        limit = max(_OUTLIER * float(np.median(residual[kept])), _SETTLED_PX)
        again = finite & (residual <= limit)
        if not again.any() or (again == kept).all():
            break
        kept = again
    return np.asarray(fitted)
