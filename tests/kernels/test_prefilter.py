import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from daskstem.kernels.compared import blurred, compared_pattern, pattern_sums
from daskstem.kernels.prefilter import (
    SMALLEST_SIGNAL,
    footprint,
    neighbor_products,
    neighbor_weights,
    signal_energy,
)
from daskstem.kernels.sampling import gaussian_taps, radial_sampling
from tests import literal, scenes

DETECTOR = (16, 18)
EDGE = 2


def compared(pattern, sigma):
    sampling = radial_sampling(pattern.shape, sigma, EDGE)
    out = np.empty(sampling.weight.size, np.float32)
    energy = compared_pattern(pattern, sampling, out, np.empty(3))
    return out.reshape(sampling.weight.shape).T, energy


def products_of(patterns, sigma, radius):
    offsets = footprint(radius)
    half = offsets[len(offsets) // 2 + 1 :]
    return neighbor_products(patterns, radial_sampling(patterns.shape[2:], sigma, EDGE), half)


@pytest.mark.parametrize(("radius", "count"), [(0, 1), (1, 9), (2, 21), (4, 69), (5, 97)])
def test_footprint_is_the_literal_disk_in_scan_order(radius, count):
    found = footprint(radius)
    assert len(found) == count
    assert [tuple(offset) for offset in found.tolist()] == literal.footprint(radius)
    np.testing.assert_array_equal(found, -found[::-1])
    assert found[count // 2].tolist() == [0, 0]


# 20 px is wider than the detector: its edges reflect more than once; rows shorter than a vector
# and longer than two
@pytest.mark.parametrize("detector", [DETECTOR, (9, 53)])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.5, 20.0])
def test_compared_pattern_is_literal(sigma, detector):
    pattern = scenes.counts((1, 1), detector, dose=20.0)[0, 0]
    found, energy = compared(pattern, sigma)
    expected = literal.compared(pattern, sigma, literal.radial_weight(detector, EDGE))
    inner = expected[EDGE:-EDGE, EDGE:-EDGE]
    # float32 sums of counts of this size
    np.testing.assert_allclose(found, inner, atol=1e-6 * pattern.max())
    assert energy == pytest.approx((found.astype(float) ** 2).sum(), rel=1e-6)


def test_flat_pattern_has_no_energy_to_speak_of():
    _, energy = compared(np.full(DETECTOR, 7, np.uint16), 1.0)
    assert energy < 1e-9


@pytest.mark.parametrize("sigma", [0.0, 1.5])
def test_blurred_patterns_are_those_of_scipy(sigma):
    patterns = scenes.counts((2, 3), DETECTOR)
    found = blurred(patterns, gaussian_taps(sigma)).reshape(patterns.shape)
    expected = gaussian_filter(patterns.astype(float), sigma, mode="reflect", axes=(2, 3))
    np.testing.assert_allclose(found, expected, atol=1e-6 * patterns.max())


def test_noise_is_the_excess_energy_of_poisson_counts():
    rng = np.random.default_rng(0)
    clean = 2 + gaussian_filter(rng.exponential(6, DETECTOR), 1.0)
    n = 2000
    counts = rng.poisson(clean, (1, n, *DETECTOR)).astype(np.uint16)
    _, energy, sums = products_of(counts, 1.0, 1)
    noise = sums[..., 2]
    weight = literal.radial_weight(DETECTOR, EDGE)
    signal = (literal.compared(clean, 1.0, weight) ** 2).sum()
    left = energy - noise
    # the mean of n patterns lies within 4 standard errors of the signal's own energy
    assert abs(left.mean() - signal) < 4 * left.std() / np.sqrt(n)
    assert noise.mean() > 20 * left.std() / np.sqrt(n)


# a scan wider and higher than what is compared at once, a footprint with more columns
@pytest.mark.parametrize(("scan", "radius"), [((5, 6), 2), ((11, 9), 3), ((3, 17), 6)])
def test_products_are_those_of_the_compared_patterns(scan, radius):
    patterns = scenes.counts(scan, DETECTOR)
    products, energy, sums = products_of(patterns, 1.0, radius)
    offsets = literal.footprint(radius)
    half = offsets[len(offsets) // 2 + 1 :]
    weight = literal.radial_weight(DETECTOR, EDGE)
    v = {p: literal.compared(patterns[p], 1.0, weight) for p in np.ndindex(scan)}
    largest = max((f**2).sum() for f in v.values())
    for p in v:
        for k, (dy, dx) in enumerate(half):
            n = (p[0] + dy, p[1] + dx)
            expected = (v[p] * v[n]).sum() if n in v else 0.0
            assert products[p][k] == pytest.approx(expected, abs=1e-6 * largest)
        assert energy[p] == pytest.approx((v[p] ** 2).sum(), rel=1e-5)
    images = radial_sampling(DETECTOR, 1.0, EDGE).images
    expected = np.einsum("abyx,kyx->abk", patterns, np.stack([np.ones(DETECTOR), *images]))
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_products_of_a_lone_pattern_are_none():
    products, energy, _ = products_of(scenes.counts((1, 1), DETECTOR), 1.0, 0)
    assert products.shape == (1, 1, 0)
    assert energy[0, 0] > 0


def test_signal_is_pooled_energy_less_noise_with_a_floor():
    rng = np.random.default_rng(0)
    energy, noise = rng.random((4, 5)) + 1, 3 * rng.random((4, 5))
    for gain in (0.4, 1.0):
        found = signal_energy(energy, noise, gain)
        as_dicts = [dict(np.ndenumerate(values)) for values in (energy, gain * noise)]
        for p in np.ndindex(4, 5):
            expected = literal.pooled_signal(p, *as_dicts, SMALLEST_SIGNAL)
            assert found[p] == pytest.approx(expected, rel=1e-12)


def test_signal_without_correction_is_the_energy_itself():
    energy = np.random.default_rng(0).random((4, 5))
    np.testing.assert_array_equal(signal_energy(energy, energy / 2, 0.0), energy)


def weights_of(patterns, corr_range, self_weight=1.0, origin=(-1, -1), box=None):
    products, energy, _ = products_of(patterns, 1.0, 1)
    box = box or (0, patterns.shape[0], 0, patterns.shape[1])
    return neighbor_weights(products, energy, footprint(1), corr_range, self_weight, box, origin)


def test_equal_patterns_share_equal_weights():
    patterns = np.broadcast_to(scenes.counts((1, 1), DETECTOR), (3, 3, *DETECTOR)).copy()
    weights = weights_of(patterns, (0.5, 0.9))
    np.testing.assert_allclose(weights[1, 1], 1 / 9, rtol=1e-6)
    np.testing.assert_allclose(weights[0, 0].reshape(3, 3)[1:, 1:], 1 / 4, rtol=1e-6)
    assert weights[0, 0].reshape(3, 3)[0].tolist() == [0, 0, 0]


def test_zero_patterns_keep_to_themselves():
    weights = weights_of(np.zeros((3, 3, *DETECTOR), np.uint16), (0.5, 0.9))
    np.testing.assert_array_equal(weights[..., 4], 1)
    assert weights.sum() == 9


def test_self_weight_counts_before_normalisation():
    patterns = np.broadcast_to(scenes.counts((1, 1), DETECTOR), (3, 3, *DETECTOR)).copy()
    weights = weights_of(patterns, (0.5, 0.9), self_weight=2.0)
    assert weights[1, 1, 4] == pytest.approx(2 / 10)


def test_published_origin_bars_the_first_row_and_column_of_the_scan():
    patterns = np.broadcast_to(scenes.counts((1, 1), DETECTOR), (3, 3, *DETECTOR)).copy()
    barred = weights_of(patterns, (0.5, 0.9), 2.0, origin=(0, 0))[1, 1].reshape(3, 3)
    np.testing.assert_allclose(barred, np.array([[0, 0, 0], [0, 2, 1], [0, 1, 1]]) / 5, rtol=1e-6)
    inside = weights_of(patterns, (0.5, 0.9), 2.0, origin=(4, 4))[1, 1]
    np.testing.assert_allclose(inside[4], 2 / 10, rtol=1e-6)


def test_a_box_is_a_cut_of_the_whole():
    patterns = scenes.counts((5, 6), DETECTOR)
    whole = weights_of(patterns, (0.2, 0.9))
    np.testing.assert_array_equal(
        weights_of(patterns, (0.2, 0.9), box=(1, 4, 2, 6)), whole[1:4, 2:6]
    )


@pytest.mark.parametrize("detector", [DETECTOR, (9, 53), (20, 64)])
def test_patterns_are_added_up_alike_alone_and_while_they_are_compared(detector):
    patterns = scenes.counts((2, 3), detector, dose=20.0)
    sampling = radial_sampling(detector, 1.0, EDGE)
    sums = pattern_sums(patterns, sampling.images)
    # whole numbers: exact
    np.testing.assert_array_equal(sums[..., 0], patterns.sum(axis=(2, 3)))
    expected = np.einsum("abyx,kyx->abk", patterns, sampling.images.astype(float))
    np.testing.assert_allclose(sums[..., 1:], expected, rtol=1e-6)
    *_, compared_sums = products_of(patterns, 1.0, 1)
    np.testing.assert_array_equal(compared_sums, sums)


def test_the_mean_of_a_flat_pattern_is_its_value():
    flat = np.full((1, 1, 192, 192), 65535, np.uint16)
    sums = pattern_sums(flat, np.zeros((0, 192, 192), np.float32))
    assert sums[0, 0, 0] == flat.sum()
