"""Frames of rectangular clusters whose patterns are told apart by a number."""

import numpy as np

from daskstem.kernels.linking import LinkRules, regions_of
from daskstem.kernels.polar import Rings, azimuthal_spectra

N_ANGLES = 16
RULES = LinkRules(
    reach=3.0,
    turn_deg=5.0,
    least_similarity=0.5,
    weights=(0.3, 0.1, 0.1, 0.5),
    least_score=0.4,
    max_gap=2,
    n_angles=N_ANGLES,
)
RINGS = Rings((7.5, 7.5), np.linspace(1, 7, 6), N_ANGLES)


def pattern(kind):
    """Return a random pattern (16, 16); those of two numbers have little in common."""
    return np.random.default_rng(kind).random((16, 16)).astype(np.float32) ** 4


def spectrum(kind):
    """Return the spectrum of such a pattern."""
    return azimuthal_spectra(pattern(kind)[None], RINGS)[0]


def label_of(boxes, shape=(16, 20)):
    """Paint rectangles with 0, 1, ... in their order; later ones over earlier ones."""
    label = np.full(shape, -1, np.int32)
    for number, (y, x, height, width) in enumerate(boxes):
        label[y : y + height, x : x + width] = number
    return label


def regions(boxes, *, shape=(16, 20), drift=(0.0, 0.0)):
    """Return a frame's clusters: spectra by the rectangle that they lie in."""
    spectra = np.array(list(boxes.values())).reshape(-1, len(RINGS.radii), N_ANGLES // 2 + 1)
    return regions_of(label_of(boxes, shape), spectra, np.asarray(drift))


def box(y, x, height=4, width=4):
    """Return a rectangle of positions: first row and column, height and width."""
    return y, x, height, width
