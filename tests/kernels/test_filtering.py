import numpy as np
import pytest

from daskstem.kernels.filtering import neighbor_dots
from daskstem.kernels.prefilter import footprint
from daskstem.kernels.similarity import annulus
from tests import literal, scenes

DETECTOR = (16, 18)


def dots_of(patterns, weights, offsets, ring, margin=(0, 0)):
    flat = np.ascontiguousarray(patterns).reshape(*patterns.shape[:2], -1)
    selected = ring.ravel().astype(np.float32)
    means = flat.mean(axis=2, dtype=np.float64)
    return neighbor_dots(flat, means, weights, offsets, margin, selected)


def random_weights(scan, radius, seed=0):
    offsets = footprint(radius)
    rng = np.random.default_rng(seed)
    weights = rng.random((*scan, len(offsets))).astype(np.float32)
    weights[rng.random(weights.shape) < 0.3] = 0
    for y, x in np.ndindex(scan):
        n = offsets + (y, x)
        weights[y, x, ((n < 0) | (n >= scan)).any(axis=1)] = 0
    weights[..., len(offsets) // 2] += 1
    return offsets, weights / weights.sum(axis=2, keepdims=True)


# detectors of one piece of pixels and of several; footprints of one group of columns and two
@pytest.mark.parametrize(("detector", "radius"), [((16, 18), 1), ((50, 47), 2), ((9, 60), 5)])
def test_products_of_filtered_patterns_are_literal(detector, radius):
    scan = (7, 12)
    patterns = scenes.counts(scan, detector)
    offsets, weights = random_weights(scan, radius)
    ring = annulus(detector, 1.0, 0.6 * detector[0])
    found = dots_of(patterns, weights, offsets, ring)
    filtered = literal.filtered(patterns, weights, offsets)
    centred = filtered - filtered.mean(axis=(2, 3), keepdims=True)
    steps = [(0, 0), *literal.NEIGHBORS[4:]]
    scale = (centred[..., ring] ** 2).sum(axis=2).max()
    for y, x in np.ndindex(scan):
        for d, (dy, dx) in enumerate(steps):
            inside = 0 <= y + dy < scan[0] and 0 <= x + dx < scan[1]
            other = centred[y + dy, x + dx][ring] if inside else 0.0
            expected = (centred[y, x][ring] * other).sum()
            # float32 within pieces of pixels
            assert found[y, x, d] == pytest.approx(expected, abs=1e-6 * scale)


def test_products_are_the_same_to_the_last_bit_wherever_the_block_begins():
    patterns = scenes.counts((9, 12), (40, 40))
    offsets, weights = random_weights((9, 12), 2)
    ring = np.ones((40, 40), bool)
    whole = dots_of(patterns, weights, offsets, ring)
    for top, left in ((3, 2), (2, 3)):
        part = dots_of(
            patterns[top - 2 :, left - 2 :], weights[top:, left:], offsets, ring, (2, 2)
        )
        np.testing.assert_array_equal(part[..., :2], whole[top:, left:, :2])


def test_a_pattern_that_is_no_number_stays_out_of_its_neighbors():
    patterns = scenes.counts((5, 6), DETECTOR).astype(np.float32)
    offsets, weights = random_weights((5, 6), 1)
    ring = np.ones(DETECTOR, bool)
    weights[:2, :, :] = [0, 0, 0, 0, 1, 0, 0, 0, 0]
    clean = dots_of(patterns, weights, offsets, ring)
    patterns[0, 0, 3, 3] = np.nan
    found = dots_of(patterns, weights, offsets, ring)
    np.testing.assert_array_equal(found[1:, 2:], clean[1:, 2:])
    assert found[0, 0, 0] == 0
