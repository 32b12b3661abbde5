import numpy as np
import pytest

from daskstem.kernels.centering import beam_centers, direct_beam, fit_planes


def disk(shape, center, radius):
    y, x = np.indices(shape)
    return np.clip(radius + 0.5 - np.hypot(y - center[0], x - center[1]), 0, 1)


@pytest.mark.parametrize("radius", [1.0, 3.0, 6.5])
def test_the_brightest_disk_is_the_direct_beam(radius):
    mean = 100 * disk((48, 52), (20.3, 30.8), radius) + 40 * disk((48, 52), (20.3, 12), radius)
    mean[40, 40] = 1e6
    y, x, found = direct_beam(mean.astype(np.float32))
    # a threshold finds the disk to half a pixel; its radius grows by the smoothing
    assert np.hypot(y - 20.3, x - 30.8) < 0.5
    assert abs(found - radius) < 1.0


def test_a_guess_chooses_another_disk_and_bad_pixels_count_for_nothing():
    mean = (100 * disk((48, 48), (20, 36), 4) + 40 * disk((48, 48), (20, 12), 4)).astype("f4")
    bad = np.zeros(mean.shape, bool)
    y, x, _ = direct_beam(mean, bad, guess=(21.0, 11.0))
    assert np.hypot(y - 20, x - 12) < 0.5
    bad[:, 24:] = True
    _, x, _ = direct_beam(mean, bad)
    assert abs(x - 12) < 0.5


def test_the_disk_follows_the_beam_and_leaves_bragg_disks_out():
    places = np.array([[20.0, 24.0], [23.25, 21.5], [26.5, 27.75]])
    shape = (48, 48)
    patterns = np.stack([1000 * disk(shape, p, 4) for p in places])
    patterns += np.stack([900 * disk(shape, p + (0, 11), 4) for p in places])
    patterns = patterns.astype(np.uint16)
    bad = np.zeros(shape, bool)
    found = beam_centers(patterns, bad, (22.0, 23.0), (5.8, 5.8))
    np.testing.assert_allclose(found, places, atol=0.05)


def test_bad_pixels_stand_for_their_neighbors():
    pattern = (1000 * disk((32, 32), (15, 15), 5)).astype(np.uint16)
    pattern[13, 18], bad = 60000, np.zeros((32, 32), bool)
    bad[13, 18] = True
    found = beam_centers(pattern[None], bad, (15.0, 15.0), (7.0, 7.0))
    np.testing.assert_allclose(found, [[15, 15]], atol=0.01)


def test_no_counts_give_nan():
    patterns = np.zeros((2, 16, 16), np.float32)
    patterns[1] = -1
    found = beam_centers(patterns, np.zeros((16, 16), bool), (8.0, 8.0), (3.0, 3.0))
    assert np.isnan(found).all()


def test_outliers_do_not_tilt_the_planes():
    y, x = np.indices((20, 15))
    truth = np.stack([10 + 0.1 * y - 0.05 * x, 12 - 0.2 * x], axis=-1)
    rng = np.random.default_rng(0)
    measured = truth + rng.normal(0, 0.05, truth.shape)
    measured[:4, :8] += 9
    measured[10, 10] = np.nan
    found = fit_planes(measured, otherwise=(0.0, 0.0))
    # 250 points of 0.05 px each
    np.testing.assert_allclose(found, truth, atol=0.03)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2)])
def test_planes_through_small_scans(shape):
    y, x = np.indices(shape)
    truth = np.stack([3.0 + y, 4.0 - 0.5 * x], axis=-1)
    np.testing.assert_allclose(fit_planes(truth, otherwise=(0.0, 0.0)), truth, atol=1e-9)


def test_a_frame_without_measurements_has_level_planes():
    found = fit_planes(np.full((3, 2, 2), np.nan), otherwise=(7.5, 8.0))
    np.testing.assert_array_equal(found, np.broadcast_to([7.5, 8.0], (3, 2, 2)))
