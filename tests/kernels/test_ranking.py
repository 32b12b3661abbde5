import numpy as np
import pytest

from daskstem.kernels.ranking import median_of_few, sort_few


@pytest.mark.parametrize("n", [1, 2, 3, 8, 48, 49])
def test_few_values_are_sorted_and_have_the_median_of_numpy(n):
    values = np.random.default_rng(n).integers(0, 20, n).astype(np.float32)
    ordered = values.copy()
    sort_few(ordered)
    np.testing.assert_array_equal(ordered, np.sort(values))
    assert median_of_few(values.copy()) == np.median(values)


def test_nothing_is_sorted_to_nothing():
    sort_few(np.empty(0))
