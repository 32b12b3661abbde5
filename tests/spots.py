"""Patterns of Gaussian spots in closed form, turned by any angle."""

import numpy as np

from daskstem.kernels.polar import rings

DETECTOR = (64, 72)
RINGS = rings(DETECTOR, None, 4.0)


def spots(turn_deg, *, seed=0, n_spots=9, halo=5.0):
    """Return Gaussian spots turned about the middle from columns towards rows, on a halo."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n_spots) + np.radians(turn_deg)
    radius, height = rng.uniform(8, 26, n_spots), rng.uniform(1, 10, n_spots)
    y, x = (np.arange(n) - (n - 1) / 2 for n in DETECTOR)
    pattern = halo * np.exp(-np.hypot(y[:, None], x) / 10)
    for a, r, h in zip(angle, radius, height, strict=True):
        squares = (y[:, None] - r * np.sin(a)) ** 2 + (x - r * np.cos(a)) ** 2
        pattern += h * np.exp(-squares / (2 * 2.0**2))
    return pattern.astype(np.float32)
