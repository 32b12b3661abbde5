"""Patterns on rings around the beam: how alike two are, and by what angle one is turned."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter

_AT_ONCE: Final = 256
"""Pairs correlated together: tens of MB, whatever their number."""


@dataclass(frozen=True, eq=False)
class Rings:
    """Where patterns are sampled.

    Attributes
    ----------
    center
        Row and column of the beam, in pixels.
    radii : (R,) float64
        Of the rings, in pixels, evenly spaced, all on the detector.
    n_angles
        Points on each ring, from the columns' direction towards the rows'.
    """

    center: tuple[float, float]
    radii: np.ndarray
    n_angles: int

    @property
    def spectrum_shape(self) -> tuple[int, int]:
        """Shape of one pattern's spectrum."""
        return len(self.radii), self.n_angles // 2 + 1


def rings(
    detector: tuple[int, int],
    center: tuple[float, float] | None,
    inner_px: float,
    *,
    most_rings: int = 32,
    most_angles: int = 256,
) -> Rings:
    """Choose rings from ``inner_px`` to the largest that lies on the detector.

    At most one for a pixel; as many angles as the outermost ring has pixels, both up to
    what tells orientations apart without outweighing the patterns themselves.
    """
    middle = tuple((size - 1) / 2 for size in detector)
    row, column = center or (middle[0], middle[1])
    edges = (row, column, detector[0] - 1 - row, detector[1] - 1 - column)
    outer = max(min(edges), 0.0)
    count = int(np.clip(np.floor(outer - inner_px) + 1, 1, most_rings))
    around = int(np.ceil(2 * np.pi * max(outer, 1.0) / 2)) * 2
    inner = min(inner_px, outer)
    return Rings((row, column), np.linspace(inner, outer, count), min(max(around, 8), most_angles))


def azimuthal_spectra(patterns: np.ndarray, on: Rings) -> np.ndarray:
    """Fourier series along the rings, without the rings' means.

    What all clusters share, such as the halo of a film, lies in the means. Rings count by
    the square root of their radius, so that products of two spectra are sums over pixels.

    Parameters
    ----------
    patterns : (K, Qy, Qx) float32
        Mean patterns; not finite counts as 0.
    on : Rings
        The rings.

    Returns
    -------
    (K, R, A // 2 + 1) complex64
        Linear in the patterns.
    """
    values = np.nan_to_num(patterns, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
    # points further apart than pixels would miss what lies between them
    spacing = on.radii[1] - on.radii[0] if len(on.radii) > 1 else 1.0
    values = gaussian_filter(values, (0, spacing / 2, spacing / 2), mode="nearest")
    angle = 2 * np.pi * np.arange(on.n_angles) / on.n_angles
    y = on.center[0] + on.radii[:, np.newaxis] * np.sin(angle)
    x = on.center[1] + on.radii[:, np.newaxis] * np.cos(angle)
    sampled = _interpolated(values, y, x) * np.sqrt(on.radii / max(on.radii[-1], 1.0))[:, None]
    spectra = np.fft.rfft(sampled, axis=-1)
    spectra[..., 0] = 0
    return spectra.astype(np.complex64)


def turned(
    first: np.ndarray,
    second: np.ndarray,
    n_angles: int,
    *,
    around_deg: np.ndarray | float = 0.0,
    within_deg: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Angle by which patterns are turned against others, and their likeness once turned back.

    Parameters
    ----------
    first, second : (N, R, A // 2 + 1) complex64
        Spectra of N pairs.
    n_angles
        Points on a ring, A.
    around_deg : (N,) float or float
        Where the angle is looked for.
    within_deg
        How far from there.

    Returns
    -------
    (N,) float64
        Cosine similarity at the best angle, ring means left out; 0 where a pattern has
        nothing but ring means.
    (N,) float64
        That angle in degrees: second is first turned from the columns towards the rows.
        The maximum of the circular cross-correlation, interpolated by a parabola.
    """
    likeness, angle = np.zeros(len(first)), np.zeros(len(first))
    around = np.broadcast_to(np.asarray(around_deg, np.float64), len(first))
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        likeness[part], angle[part] = _turned(
            first[part], second[part], n_angles, around[part], within_deg
        )
    return likeness, angle


def _turned(
    first: np.ndarray, second: np.ndarray, n_angles: int, around: np.ndarray, within: float
) -> tuple[np.ndarray, np.ndarray]:
    product = np.einsum("nra,nra->na", np.conj(first), second).astype(np.complex128)
    correlation = np.fft.irfft(product, n_angles, axis=-1)
    norm = np.sqrt(_energy(first, n_angles) * _energy(second, n_angles))
    step = 360.0 / n_angles
    reach = max(int(np.ceil(within / step)), 1)
    middle = np.round(around / step).astype(np.int64)
    lags = middle[:, np.newaxis] + np.arange(-reach, reach + 1)
    near = np.take_along_axis(correlation, lags % n_angles, axis=1)
    best = near.argmax(axis=1)
    at = np.arange(len(near))
    lag = lags[at, best]
    low, peak, high = (correlation[at, (lag + shift) % n_angles] for shift in (-1, 0, 1))
    curvature = low - 2 * peak + high
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(curvature < 0, (low - high) / (2 * curvature), 0.0).clip(-0.5, 0.5)
        likeness = np.where(norm > 0, peak / norm, 0.0)
    return likeness, step * (lag + np.where(norm > 0, part, 0.0))


def _energy(spectra: np.ndarray, n_angles: int) -> np.ndarray:
    """Sum of squares along the rings, from one half of a spectrum."""
    twice = np.full(spectra.shape[-1], 2.0)
    twice[0] = 1.0
    if n_angles % 2 == 0:
        twice[-1] = 1.0
    squared = spectra.real.astype(np.float64) ** 2 + spectra.imag.astype(np.float64) ** 2
    return np.asarray((squared @ twice).sum(axis=-1) / n_angles)


def _interpolated(values: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear values (K, R, A) at points of the detector."""
    rows, columns = values.shape[1:]
    top = np.clip(np.floor(y), 0, max(rows - 2, 0)).astype(np.int64)
    left = np.clip(np.floor(x), 0, max(columns - 2, 0)).astype(np.int64)
    bottom, right = np.minimum(top + 1, rows - 1), np.minimum(left + 1, columns - 1)
    down, along = (y - top).clip(0, 1), (x - left).clip(0, 1)
    upper = values[:, top, left] * (1 - along) + values[:, top, right] * along
    lower = values[:, bottom, left] * (1 - along) + values[:, bottom, right] * along
    return np.asarray(upper * (1 - down) + lower * down)
