import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from daskstem.kernels.compared import blurred
from daskstem.kernels.sampling import gaussian_taps
from daskstem.kernels.similarity import (
    NEIGHBORS,
    annulus,
    cosine_to_neighbors,
    noise_response,
    shared_noise,
)
from tests import literal, scenes
from tests.kernels.test_filtering import dots_of, random_weights

DETECTOR = (16, 18)
ALONE = np.zeros((1, 2), np.int64)
EVERYWHERE = (slice(None), slice(None))


def raw_cosines(patterns, blur=0.0, ring=None):
    rows, columns = patterns.shape[:2]
    ring = np.ones(patterns.shape[2:], bool) if ring is None else ring
    alone = np.ones((rows, columns, 1), np.float32)
    smooth = blurred(patterns, gaussian_taps(blur)).reshape(patterns.shape)
    return cosine_to_neighbors(dots_of(smooth, alone, ALONE, ring), None, EVERYWHERE)


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


@pytest.mark.parametrize("blur", [0.0, 1.1])
def test_noise_response_is_the_energy_of_the_explicit_matrix(blur):
    ring = annulus((30, 31), 4.0, 9.0)
    found = noise_response(ring.ravel().astype(np.float32), gaussian_taps(blur), 1.7)
    centre = np.zeros((30, 31))
    centre[15, 21] = 1.0
    spread = gaussian_filter(centre, blur, mode="reflect") if blur else centre
    matrix = (spread - 1 / centre.size)[ring]
    # the blur's kernel is cut by the ring's border: 3 % of its energy is outside, 6 px away
    assert found.reshape(30, 31)[15, 21] == pytest.approx(1.7 * (matrix**2).sum(), rel=0.03)
    if not blur:
        exact = (np.eye(56) - 1 / 56)[annulus((7, 8), 1.5, 3.5).ravel()]
        ring = annulus((7, 8), 1.5, 3.5).ravel().astype(np.float32)
        expected = 1.7 * (exact**2).sum(axis=0)
        np.testing.assert_allclose(noise_response(ring, gaussian_taps(0), 1.7), expected, 1e-6)


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
    weights = np.ones((n, 2, 1), np.float32)
    dots = dots_of(counted, weights, ALONE, np.ones((24, 24), bool))
    response = noise_response(np.ones(24 * 24, np.float32), gaussian_taps(0.0), 1.0)
    noise = counted.reshape(n, 2, -1) @ response
    shared = shared_noise(weights, ALONE, noise, (0, 0))
    corrected = cosine_to_neighbors(dots, shared, EVERYWHERE)[:, 0, 4]
    biased = cosine_to_neighbors(dots, None, EVERYWHERE)[:, 0, 4]
    # products and energies are unbiased; their quotient is so to second order in 1 / counts
    # (2 % here), and the mean of n has a standard error on top
    tolerance = 0.02 * truth + 4 * corrected.std() / np.sqrt(n)
    assert abs(corrected.mean() - truth) < tolerance
    assert biased.mean() < truth - 5 * tolerance
