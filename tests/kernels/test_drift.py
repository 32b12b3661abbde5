import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels.drift import drift_between


def image(size, moved, *, seed=0, noise=0.0, grown=1.0):
    """Return Gaussian particles (closed form) that lie ``moved`` further down and right."""
    rng = np.random.default_rng(seed)
    y, x = (np.arange(n) for n in size)
    values = np.zeros(size)
    for place in rng.uniform(-0.2, 1.2, (40, 2)) * size + np.asarray(moved):
        squares = (y[:, None] - place[0]) ** 2 + (x - place[1]) ** 2
        values += np.exp(-squares / (2 * (3.0 * grown) ** 2))
    return values + noise * rng.normal(size=size)


@settings(max_examples=30, deadline=None)
@given(y=st.floats(-9, 9), x=st.floats(-9, 9), seed=st.integers(0, 100))
def test_a_known_drift_is_found_to_a_fraction_of_a_position(y, x, seed):
    found = drift_between(
        image((64, 60), (0, 0), seed=seed), image((64, 60), (y, x), seed=seed), most=15
    )
    # steps of 1/50 in each of three rounds
    np.testing.assert_allclose(found, (y, x), atol=0.06)


def test_growth_is_no_drift():
    first, second = (image((64, 60), (0, 0), grown=g) for g in (1.0, 1.05))
    assert np.abs(drift_between(first, second, most=15)).max() <= 0.1


def test_noise_hardly_matters():
    found = drift_between(
        image((64, 64), (0, 0), noise=0.1), image((64, 64), (4.3, -2.6), noise=0.1), most=15
    )
    np.testing.assert_allclose(found, (4.3, -2.6), atol=0.2)


@pytest.mark.parametrize("size", [(1, 40), (40, 3), (1, 1)])
def test_a_narrow_scan_does_not_drift(size):
    rng = np.random.default_rng(0)
    assert drift_between(rng.random(size), rng.random(size), most=10).tolist() == [0, 0]


def test_constant_and_missing_images_do_not_drift():
    flat, gone = np.ones((20, 20)), np.full((20, 20), np.nan)
    some = image((20, 20), (0, 0))
    for pair in ((flat, flat), (flat, some), (some, gone), (gone, gone)):
        assert drift_between(*pair, most=5).tolist() == [0, 0]


def test_positions_that_are_missing_do_not_matter():
    first, second = image((64, 64), (0, 0)), image((64, 64), (3, 2))
    second[10, 20] = np.nan
    np.testing.assert_allclose(drift_between(first, second, most=15), (3, 2), atol=0.2)


def test_more_than_what_is_allowed_is_no_drift():
    first, second = image((64, 64), (0, 0)), image((64, 64), (12, 0))
    assert drift_between(first, second, most=5).tolist() == [0, 0]


def test_images_of_nothing_in_common_do_not_drift():
    rng = np.random.default_rng(1)
    for _ in range(10):
        first, second = rng.normal(size=(2, 48, 48))
        assert drift_between(first, second, most=12).tolist() == [0, 0]
