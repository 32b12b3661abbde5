"""Numbers as shades: one byte for each pixel, and what the darkest and brightest mean."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Tone = Literal["linear", "log", "power"]

DECADES: Final = 4.0
"""A logarithmic scale spans at most so many powers of ten, as in the report."""


@dataclass(frozen=True, eq=False)
class Shades:
    """An image of one byte a pixel.

    Attributes
    ----------
    image : (Y, X) uint8
        0 is missing (NaN), 1 the darkest and 255 the brightest shade.
    low, high : float
        Values of these two.
    """

    image: np.ndarray
    low: float
    high: float


def shades(
    values: np.ndarray,
    tone: Tone = "linear",
    *,
    clip: tuple[float, float] = (0.5, 99.5),
    exponent: float = 0.5,
) -> Shades:
    """Scale an image between two percentiles of its values.

    Parameters
    ----------
    values : (Y, X)
        Numbers or booleans; NaN is missing.
    tone
        ``log`` begins at half the low percentile of the positive values, so that a single
        count stands out from none, and spans at most ``DECADES``.
    clip
        Percentiles of the finite values; what is beyond has the last shade.
    exponent
        For ``power``.
    """
    found = np.asarray(values, np.float32)
    missing = ~np.isfinite(found)
    finite = found[~missing]
    if values.dtype == bool or finite.size == 0:
        low, high = 0.0, 1.0
    elif tone == "log":
        low, high = _log_limits(finite, clip)
    else:
        low, high = (float(v) for v in np.percentile(finite, clip))
        low, high = (low, high) if high > low else _around(finite)
    if tone == "log" and values.dtype != bool:
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.log(np.maximum(found, low) / low) / np.log(high / low)
    else:
        scaled = (found - low) / (high - low)
    scaled = np.clip(scaled, 0.0, 1.0)
    if tone == "power":
        scaled = scaled**exponent
    scaled[missing] = 0.0
    image = (1.5 + 254 * scaled).astype(np.uint8)
    image[missing] = 0
    return Shades(image, low, high)


def _log_limits(finite: np.ndarray, clip: tuple[float, float]) -> tuple[float, float]:
    positive = finite[finite > 0]
    if positive.size == 0:
        return 0.5, 1.0
    low, high = (float(v) for v in np.percentile(positive, clip, method="nearest"))
    low = max(low / 2, high * 10.0**-DECADES)
    return low, max(high, 2 * low)


def _around(finite: np.ndarray) -> tuple[float, float]:
    # most values are the same: the percentiles would hide the few that are not
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)
