import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from daskstem.kernels.compared import compared_pattern
from daskstem.kernels.sampling import (
    SPARSE_FROM_PX,
    band_limited,
    gaussian_taps,
    kept_pixels,
    radial_sampling,
    radial_weight,
    whole_sampling,
)
from tests import literal, scenes

DETECTOR = (16, 18)


def compared(pattern, sampling):
    out = np.empty(sampling.weight.size, np.float32)
    compared_pattern(pattern, sampling, out, np.empty(1 + len(sampling.images)))
    return out.astype(float)


@pytest.mark.parametrize("center", [None, (5.5, 9.0)])
@pytest.mark.parametrize("edge", [0, 3])
def test_radial_weight_is_literal(center, edge):
    found = radial_weight(DETECTOR, edge, center)
    expected = literal.radial_weight(DETECTOR, edge, center)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 0.4, 1.0, 3.0])
def test_taps_are_the_kernel_of_scipy(sigma):
    line = np.zeros(41)
    line[20] = 1
    taps = gaussian_taps(sigma)
    expected = gaussian_filter1d(line, sigma, truncate=4.0) if sigma else line
    np.testing.assert_allclose(taps, expected[20 : 20 + len(taps)], rtol=1e-6)
    assert taps[0] + 2 * taps[1:].sum() == pytest.approx(1)
    assert expected[20 + len(taps)] == 0


def test_a_narrow_blur_and_a_small_detector_keep_all_pixels():
    for shape, sigma in (((64, 70), 2.4), ((50, 90), 3.0)):
        sampling = radial_sampling(shape, sigma, 3)
        np.testing.assert_array_equal(sampling.rows, np.arange(3, shape[0] - 3))
        np.testing.assert_array_equal(sampling.columns, np.arange(3, shape[1] - 3))
        weight = radial_weight(shape, 3)[3:-3, 3:-3]
        np.testing.assert_array_equal(sampling.weight.T, weight)
        assert len(sampling.taps) == 2 * len(gaussian_taps(sigma)) - 1


def test_a_wide_blur_keeps_a_third_of_the_pixels():
    sampling = radial_sampling((192, 192), 3.0, 12)
    assert sampling.weight.shape == (92, 92)
    assert sampling.weight.size < 0.31 * 168**2
    assert (sampling.weight > 0).all()


# both ends of the range that is sampled, odd and even lines
@pytest.mark.parametrize("sigma", [SPARSE_FROM_PX, 3.0, 6.0])
@pytest.mark.parametrize("size", [150, 151])
def test_kept_pixels_sum_every_product_of_two_points_as_all_pixels_do(size, sigma):
    kept, shares = kept_pixels(size, 5, sigma)
    assert np.isin(np.diff(kept), (1, 2)).all()
    assert (kept[0], kept[-1]) == (5, size - 6)
    assert (shares > 0).all()
    points = np.random.default_rng(0).uniform(-5, size + 5, (1000, 2))
    points[:, 1] = points[:, 0] + np.random.default_rng(1).normal(0, sigma, 1000)

    def product(pixels):
        gaussians = np.exp(-0.5 * ((pixels - points[..., np.newaxis]) / sigma) ** 2)
        return gaussians.prod(axis=1)

    found = product(kept) @ shares
    expected = product(np.arange(5, size - 5)).sum(axis=1)
    # of a whole point's own product
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.sqrt(np.pi) * sigma)


@pytest.mark.parametrize("sigma", [SPARSE_FROM_PX, 3.0, 6.0])
def test_band_limited_taps_pass_only_what_every_second_pixel_holds(sigma):
    def passed(taps, periods):
        number = np.arange(len(taps))
        return np.cos(2 * np.pi * np.outer(periods, number)) @ (np.where(number, 2, 1) * taps)

    taps = gaussian_taps(sigma).astype(float)
    low, high = np.linspace(0, 0.28, 100), np.linspace(0.38, 0.5, 100)
    np.testing.assert_allclose(passed(band_limited(taps), low), passed(taps, low), atol=3e-6)
    assert np.abs(passed(band_limited(taps), high)).max() < 3e-6
    assert np.abs(passed(taps, high)).max() > 1e-5


@settings(max_examples=40, deadline=None)
@given(
    sigma=st.floats(SPARSE_FROM_PX, 5.0),
    shape=st.tuples(st.integers(110, 131), st.integers(110, 131)),
    edge=st.integers(2, 12),
    counts=st.sampled_from([0.05, 2.0, 300.0]),
    hot=st.booleans(),
    seed=st.integers(0, 99),
)
def test_correlations_over_kept_pixels_are_those_over_all(sigma, shape, edge, counts, hot, seed):
    rng = np.random.default_rng(seed)
    mean = counts * gaussian_filter(rng.exponential(1.0, shape), 1.5)
    patterns = rng.poisson(mean, (2, *shape)).astype(np.uint32)
    if hot:
        # the worst there is: single pixels, where the weighted sum ends
        patterns[:, edge, shape[1] // 3] += np.uint32(100 * counts + 10)
        patterns[0, shape[0] // 2, shape[1] - 1 - edge] += np.uint32(100 * counts + 10)
    sampling = radial_sampling(shape, sigma, edge)
    assert sampling.weight.size < 0.5 * (shape[0] - 2 * edge) * (shape[1] - 2 * edge)
    v = np.stack([compared(pattern, sampling) for pattern in patterns])
    weight = literal.radial_weight(shape, edge)
    u = np.stack([literal.compared(pattern, sigma, weight).ravel() for pattern in patterns])

    def correlation(rows):
        return rows[0] @ rows[1] / np.sqrt((rows[0] @ rows[0]) * (rows[1] @ rows[1]))

    # lone pixels where the sum ends also show that their blur is cut off at 4 sigma
    tolerance = 1e-4 if hot or counts < 1 else 1e-5
    assert correlation(v) == pytest.approx(correlation(u), abs=tolerance)
    np.testing.assert_allclose((v**2).sum(axis=1), (u**2).sum(axis=1), rtol=tolerance)


@pytest.mark.parametrize(("shape", "sigma", "edge"), [((9, 11), 1.3, 1), ((56, 59), 2.75, 3)])
def test_count_responses_are_those_of_the_explicit_matrix(shape, sigma, edge):
    mean, noise = radial_sampling(shape, sigma, edge).images
    exact = literal.radial_weight(shape, edge)
    matrix = literal.linear_map(shape, lambda one: literal.compared(one, sigma, exact))
    # float32, and what sampling changes for lone pixels where the sum ends
    energy = (matrix**2).sum(axis=0)
    np.testing.assert_allclose(noise.ravel(), energy, rtol=1e-5, atol=1e-4 * energy.max())
    blur = literal.linear_map(shape, lambda one: gaussian_filter(one, sigma, mode="reflect"))
    expected = exact.ravel() @ blur / exact.sum()
    np.testing.assert_allclose(mean.ravel(), expected, rtol=1e-5, atol=1e-5 * expected.max())


def test_a_whole_sampling_only_blurs():
    pattern = scenes.counts((1, 1), DETECTOR)[0, 0]
    found = compared(pattern, whole_sampling(DETECTOR, gaussian_taps(1.5)))
    expected = gaussian_filter(pattern.astype(float), 1.5, mode="reflect", truncate=4.0)
    np.testing.assert_allclose(
        found.reshape(DETECTOR[::-1]).T, expected, atol=1e-6 * pattern.max()
    )
