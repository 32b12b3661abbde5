"""How far the scan's content has moved from one frame to the next."""

from typing import Final

import numpy as np
from scipy.ndimage import shift
from skimage.registration import phase_cross_correlation

_LEAST_SIDE: Final = 4
_EDGE_SHARE: Final = 0.25
_ROUNDS: Final = 3
_PARTS: Final = 50
_LEAST_AGREEMENT: Final = 0.2
"""Correlation of two images below which they have nothing in common that could have moved."""


def drift_between(first: np.ndarray, second: np.ndarray, *, most: float) -> np.ndarray:
    """Displacement of an image against another, by the maximum of their correlation.

    Parameters
    ----------
    first, second : (Y, X) float
        Images of two frames; not finite counts as the mean.
    most
        Largest drift, in positions, along either axis; what exceeds it is no drift.

    Returns
    -------
    (2,) float64
        By how much ``second`` lies further down and to the right, in positions, to 1/50 of
        one. 0 where the images do not agree better displaced than as they are, or hardly at
        all, for a scan narrower than four positions, and for a constant image.

    Notes
    -----
    Guizar-Sicairos, Thurman, Fienup, Optics Letters 33 (2008) 156, as in scikit-image. The
    plain correlation, not the phase correlation: images of diffuse, growing shapes have
    nothing but noise at most frequencies, to which the latter gives equal weight.
    """
    filled = _filled(first), _filled(second)
    if min(first.shape) < _LEAST_SIDE:
        return np.zeros(2)
    whole = np.round(_displacement(*filled)).astype(int)
    if np.abs(whole).max() > most or min(first.shape - np.abs(whole)) < _LEAST_SIDE:
        return np.zeros(2)
    # the faded edges pull towards no drift: what is found is taken out, the rest looked for
    both = _common(*filled, whole)
    part = np.zeros(2)
    for _ in range(_ROUNDS):
        moved_back = shift(both[1], -part, order=3, mode="nearest")
        part = part + _displacement(both[0], moved_back).clip(-1, 1)
    drift = whole + part
    if np.abs(drift).max() > most:
        return np.zeros(2)
    least = max(_agreement(*filled), _LEAST_AGREEMENT)
    return drift if _agreement(*both) >= least else np.zeros(2)


def _displacement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    images = _faded(first), _faded(second)
    if not all(image.any() for image in images):
        return np.zeros(2)
    moved, _, _ = phase_cross_correlation(*images, upsample_factor=_PARTS, normalization=None)
    return -np.asarray(moved, np.float64)


def _common(
    first: np.ndarray, second: np.ndarray, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cut out what both images show, the second displaced by whole positions."""
    sides = [
        (slice(max(0, -d), n - max(0, d)), slice(max(0, d), n + min(0, d)))
        for d, n in zip(whole.tolist(), first.shape, strict=True)
    ]
    return first[sides[0][0], sides[1][0]], second[sides[0][1], sides[1][1]]


def _filled(image: np.ndarray) -> np.ndarray:
    values = np.asarray(image, np.float64)
    finite = np.isfinite(values)
    return np.where(finite, values, values[finite].mean() if finite.any() else 0.0)


def _faded(values: np.ndarray) -> np.ndarray:
    """Image about its mean, faded out at the edges, where the transform would wrap it."""
    # 0.4 s to import, and every run knows this module
    from scipy.signal.windows import tukey

    fading = np.outer(*(tukey(size, 2 * _EDGE_SHARE) for size in values.shape))
    return (values - values.mean()) * fading


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    first, second = (values.ravel() - values.mean() for values in (first, second))
    norm = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / norm) if norm > 0 else 0.0
