import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels.polar import azimuthal_spectra, rings, turned
from tests.spots import DETECTOR, RINGS, spots


def spectra(*patterns):
    return azimuthal_spectra(np.stack(patterns), RINGS)


@settings(max_examples=30, deadline=None)
@given(turn=st.floats(-15, 15), seed=st.integers(0, 1000))
def test_a_known_turn_is_found(turn, seed):
    first, second = spectra(spots(0, seed=seed), spots(turn, seed=seed))
    likeness, angle = turned(first[None], second[None], RINGS.n_angles, within_deg=20)
    # a ring's points lie 1.7 deg apart; the interpolated maximum is far nearer
    assert angle[0] == pytest.approx(turn, abs=0.15)
    assert likeness[0] > 0.98


def test_patterns_of_other_spots_are_not_alike():
    pairs = [(spots(0, seed=s), spots(0, seed=s + 1)) for s in range(20)]
    first, second = (spectra(*side) for side in zip(*pairs, strict=True))
    likeness, _ = turned(first, second, RINGS.n_angles, within_deg=5)
    assert np.median(likeness) < 0.3
    assert likeness.max() < 0.8


def test_a_halo_around_the_beam_makes_no_patterns_alike():
    halos = spectra(spots(0, n_spots=0), spots(0, n_spots=0, halo=9.0))
    # what is left of the halo is the error of linear interpolation
    assert np.abs(halos).max() < 1e-2 * np.abs(spectra(spots(0))).max()
    bright = [spots(0, seed=s, halo=50.0) for s in (1, 2)]
    faint = [spots(0, seed=s, halo=0.0) for s in (1, 2)]
    likenesses = [
        turned(*(spectra(one) for one in pair), RINGS.n_angles, within_deg=5)[0][0]
        for pair in (bright, faint)
    ]
    assert likenesses[0] == pytest.approx(likenesses[1], abs=0.02)


def test_likeness_is_the_cosine_of_the_turned_rings():
    first, second = spectra(spots(0, seed=3), spots(7, seed=4))
    samples = np.fft.irfft(np.stack([first, second]), RINGS.n_angles, axis=-1)
    one, other = samples.astype(np.float64)
    step = 360 / RINGS.n_angles
    lags = range(-int(np.ceil(10 / step)), int(np.ceil(10 / step)) + 1)
    cosines = [
        np.vdot(np.roll(one, lag, axis=-1), other)
        / np.sqrt(np.vdot(one, one) * np.vdot(other, other))
        for lag in lags
    ]
    likeness, angle = turned(first[None], second[None], RINGS.n_angles, within_deg=10)
    # spectra are kept in single precision
    assert likeness[0] == pytest.approx(max(cosines), abs=1e-6)
    assert angle[0] == pytest.approx(step * lags[int(np.argmax(cosines))], abs=step / 2)


def test_the_turn_is_looked_for_around_where_it_is_expected():
    # four-fold: 60 and -30 degrees look the same
    square = sum(spots(turn, n_spots=1, halo=0) for turn in (0, 90, 180, 270))
    later = sum(spots(turn + 60, n_spots=1, halo=0) for turn in (0, 90, 180, 270))
    first, second = spectra(square, later)
    for expected in (60, -30, 150, 420):
        _, angle = turned(
            first[None], second[None], RINGS.n_angles, around_deg=expected, within_deg=3
        )
        assert angle[0] == pytest.approx(expected, abs=0.3)


def test_spectra_are_linear_in_the_patterns():
    parts = np.stack([spots(0, seed=s) for s in range(3)])
    weights = np.array([0.5, 0.2, 0.3], np.float32)
    mean = np.tensordot(weights, parts, axes=1)
    expected = np.tensordot(weights, spectra(*parts), axes=1)
    # single precision, values up to about 10^3
    np.testing.assert_allclose(spectra(mean)[0], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("detector", [(8, 8), (9, 30), (2, 2), (256, 256)])
def test_rings_lie_on_the_detector(detector):
    on = rings(detector, None, min(detector) / 16)
    assert on.radii.min() >= min(min(detector) / 16, (min(detector) - 1) / 2)
    assert on.radii.max() <= (min(detector) - 1) / 2
    assert len(on.radii) <= 32
    assert 8 <= on.n_angles <= 256
    made = azimuthal_spectra(np.ones((3, *detector), np.float32), on)
    assert made.shape == (3, *on.spectrum_shape)


def test_many_pairs_are_the_same_as_one_by_one():
    some = spectra(*(spots(0, seed=s) for s in range(8)))
    first, second = np.repeat(some, 40, axis=0), np.tile(some, (40, 1, 1))
    likeness, angle = turned(first, second, RINGS.n_angles, within_deg=5)
    for n in (0, 255, 256, 319):
        alone = turned(first[n : n + 1], second[n : n + 1], RINGS.n_angles, within_deg=5)
        assert (likeness[n], angle[n]) == pytest.approx((alone[0][0], alone[1][0]), abs=1e-9)


def test_an_empty_pattern_is_like_nothing():
    first, second = spectra(np.zeros(DETECTOR, np.float32), spots(0))
    likeness, angle = turned(first[None], second[None], RINGS.n_angles, within_deg=5)
    assert likeness.tolist() == [0.0]
    assert np.isfinite(angle).all()
    missing = np.full(DETECTOR, np.nan, np.float32)
    assert not spectra(missing).any()
