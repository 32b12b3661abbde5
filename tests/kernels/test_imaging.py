import numpy as np
import pytest

from daskstem.kernels.imaging import detector_sums, sum_and_largest


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
    found = detector_sums(patterns, detectors)
    np.testing.assert_array_equal(found, patterns @ detectors.T)
