import numpy as np
import pytest

from daskstem.kernels.compared import gaussian_taps
from daskstem.kernels.prefilter import footprint
from daskstem.kernels.similarity import (
    NEIGHBORS,
    annulus,
    cosine_to_neighbors,
    filter_row,
    neighbor_dots,
    pattern_noise,
    shared_noise,
)
from tests import literal, scenes

DETECTOR = (16, 18)
ALONE = np.zeros((1, 2), np.int64)


def raw_cosines(patterns, blur=0.0, ring=None):
    rows, columns = patterns.shape[:2]
    ring = np.ones(patterns.shape[2:], bool) if ring is None else ring
    dots = neighbor_dots(
        patterns, np.ones((rows, columns, 1), np.float32), ALONE, (0, 0),
        gaussian_taps(blur), np.flatnonzero(ring),
    )  # fmt: skip
    return cosine_to_neighbors(dots, None, (slice(None), slice(None)))


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


def test_neighbors_are_in_scan_order_and_mirror_each_other():
    assert [tuple(n) for n in NEIGHBORS.tolist()] == literal.NEIGHBORS
    np.testing.assert_array_equal(NEIGHBORS, -NEIGHBORS[::-1])


@pytest.mark.parametrize("scan", [(5, 6), (1, 5), (5, 1), (1, 1), (2, 2)])
def test_cosines_are_literal(scan):
    patterns = scenes.counts(scan, DETECTOR)
    found = raw_cosines(patterns)
    # products are summed in float32 over pieces of 1024 pixels
    np.testing.assert_allclose(found, literal.cosines(patterns), atol=1e-6)


@pytest.mark.parametrize("blur", [0.0, 1.2])
def test_blurred_cosines_in_an_annulus_are_literal(blur):
    patterns = scenes.counts((4, 5), DETECTOR)
    ring = annulus(DETECTOR, 2.0, 6.5)
    found = raw_cosines(patterns, blur, ring)
    np.testing.assert_allclose(found, literal.cosines(patterns, ring, blur), atol=1e-6)


def test_similarity_is_the_same_in_both_directions_to_the_last_bit():
    found = raw_cosines(scenes.counts((5, 6), DETECTOR))
    for number, (dy, dx) in enumerate(NEIGHBORS):
        for y, x in np.ndindex(5, 6):
            if 0 <= y + dy < 5 and 0 <= x + dx < 6:
                assert found[y, x, number] == found[y + dy, x + dx, 7 - number]


def test_equal_patterns_have_similarity_one_and_flat_ones_zero():
    patterns = np.broadcast_to(scenes.counts((1, 1), DETECTOR), (1, 3, *DETECTOR)).copy()
    patterns[0, 2] = 5
    found = raw_cosines(patterns)
    assert found[0, 0, 4] == pytest.approx(1, abs=1e-6)
    assert found[0, 1, 4] == 0
    assert np.isnan(found[0, 2, 4])


def test_annulus_is_literal():
    for inner, outer, center in ((0, None, None), (2, 6.5, None), (1.5, 5, (4.0, 9.5))):
        np.testing.assert_array_equal(
            annulus(DETECTOR, inner, outer, center),
            literal.annulus(DETECTOR, inner, outer, center),
        )


def test_filtered_row_is_literal_beyond_one_piece_of_pixels():
    patterns = scenes.counts((5, 6), (50, 47))
    offsets, weights = random_weights((5, 6), 2)
    expected = literal.filtered(patterns, weights, offsets)
    out = np.empty((6, 50 * 47), np.float32)
    flat = patterns.reshape(5, 6, -1)
    for row in range(5):
        filter_row(flat, weights[row], offsets, row, 0, out)
        np.testing.assert_allclose(out.reshape(expected[row].shape), expected[row], rtol=1e-5)


def test_pattern_noise_is_the_energy_of_the_explicit_matrix():
    patterns = scenes.counts((2, 3), (7, 8))
    ring = annulus((7, 8), 1.5, 3.5)
    matrix = (np.eye(56) - 1 / 56)[ring.ravel()]
    expected = 1.7 * patterns.reshape(2, 3, -1) @ (matrix**2).sum(axis=0)
    found = pattern_noise(patterns.reshape(2, 3, -1), np.flatnonzero(ring), 1.7)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_shared_noise_is_the_sum_over_common_patterns(radius):
    scan = (5, 6)
    offsets, weights = random_weights(scan, radius)
    noise = np.random.default_rng(1).random(scan)
    found = shared_noise(weights, offsets, noise, (0, 0))
    spread = np.zeros((*scan, *scan))
    for y, x in np.ndindex(scan):
        for k, (dy, dx) in enumerate(offsets):
            if weights[y, x, k]:
                spread[y, x, y + dy, x + dx] = weights[y, x, k]
    steps = [(0, 0), *literal.NEIGHBORS[4:]]
    for y, x in np.ndindex(scan):
        for d, (dy, dx) in enumerate(steps):
            inside = 0 <= y + dy < scan[0] and 0 <= x + dx < scan[1]
            other = spread[y + dy, x + dx] if inside else np.zeros(scan)
            expected = (spread[y, x] * other * noise).sum()
            assert found[y, x, d] == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_cosine_without_noise_is_unbiased_at_any_dose():
    # two noiseless patterns of known cosine, counted 600 times at 0.5 electrons per pixel
    clean = scenes.expected_counts((1, 2), (24, 24), n_domains=2, dose=0.5, seed=5)
    clean[0, 1] = 0.5 * clean[0, 0] + 0.5 * clean[0, 1][::-1]
    truth = literal.cosines(clean)[0, 0, 4]
    n = 600
    counted = np.random.default_rng(2).poisson(clean, (n, 2, 24, 24)).astype(np.uint16)
    pixels = np.arange(24 * 24)
    weights = np.ones((n, 2, 1), np.float32)
    dots = neighbor_dots(counted, weights, ALONE, (0, 0), gaussian_taps(0.0), pixels)
    noise = pattern_noise(counted.reshape(n, 2, -1), pixels, 1.0)
    shared = shared_noise(weights, ALONE, noise, (0, 0))
    everywhere = (slice(None), slice(None))
    corrected = cosine_to_neighbors(dots, shared, everywhere)[:, 0, 4]
    biased = cosine_to_neighbors(dots, None, everywhere)[:, 0, 4]
    # products and energies are unbiased; their quotient is so to second order in 1 / counts
    # (2 % here), and the mean of n has a standard error on top
    tolerance = 0.02 * truth + 4 * corrected.std() / np.sqrt(n)
    assert abs(corrected.mean() - truth) < tolerance
    assert biased.mean() < truth - 5 * tolerance
