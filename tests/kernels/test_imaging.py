import numpy as np
import pytest

from daskstem.kernels.imaging import add_patterns, detector_runs, detector_sums


def sum_and_largest(patterns):
    total, largest = np.zeros(patterns.shape[1]), patterns[0].copy()
    add_patterns(patterns, total, largest)
    return total, largest


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
def test_sum_and_largest_are_those_of_numpy(dtype):
    patterns = np.random.default_rng(0).integers(0, 200, (7, 2100)).astype(dtype)
    total, largest = sum_and_largest(patterns)
    np.testing.assert_array_equal(total, patterns.sum(axis=0, dtype=np.float64))
    np.testing.assert_array_equal(largest, patterns.max(axis=0))
    assert largest.dtype == dtype


def test_sums_of_counts_are_exact_beyond_float32():
    total, _ = sum_and_largest(np.full((300, 4), 65535, np.uint16))
    assert total.tolist() == [300 * 65535] * 4


def test_detectors_see_weighted_sums():
    rng = np.random.default_rng(1)
    patterns = rng.integers(0, 9, (5, 4500)).astype(np.uint16)
    detectors = rng.integers(0, 2, (3, 4500)).astype(float)
    detectors[0, 100:] = 0
    found = detector_sums(patterns, detectors, detector_runs(detectors))
    np.testing.assert_array_equal(found, patterns @ detectors.T)


@pytest.mark.parametrize(("dtype", "value"), [("u2", 2**16 - 1), ("i2", -(2**15))])
def test_no_number_of_patterns_overflows_the_sum(dtype, value):
    total, _ = sum_and_largest(np.full((2 * 2**16 + 3, 2), value, dtype))
    assert total.tolist() == [(2 * 2**16 + 3) * value] * 2


def test_runs_of_weights_hold_every_pixel_that_counts_and_skip_wide_gaps():
    detectors = np.zeros((3, 500))
    detectors[0, [3, 20, 490]] = 2
    detectors[2, 499] = 0.5
    found = detector_runs(detectors).tolist()
    assert found == [[0, 3, 21, 0], [0, 490, 491, 0], [2, 499, 500, 0]]
    assert detector_runs(detectors[1:2]).shape == (0, 4)


def test_runs_of_ones_hold_no_other_pixel():
    detectors = np.zeros((2, 500))
    detectors[0, [3, 4, 6, 490]] = 1
    detectors[1, 7:9] = 1, 0.5
    found = detector_runs(detectors).tolist()
    assert found == [[0, 3, 5, 1], [0, 6, 7, 1], [0, 490, 491, 1], [1, 7, 9, 0]]


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "f4"])
def test_sums_on_masks_do_not_overflow(dtype):
    dtype = np.dtype(dtype)
    largest = np.iinfo(dtype).max if dtype.kind in "iu" else 2**20
    patterns = np.full((2, 300 * 300), largest, dtype)
    masks = np.ones((2, 300 * 300))
    masks[1, 5::7] = 0
    found = detector_sums(patterns, masks, detector_runs(masks))
    np.testing.assert_array_equal(found, int(largest) * np.broadcast_to(masks.sum(axis=1), (2, 2)))
