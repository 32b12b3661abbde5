import numpy as np
import pytest

from daskstem.kernels.grouping import group_coefficients, group_sums, squared_sums
from daskstem.kernels.prefilter import footprint


def test_sums_of_integers_are_exact():
    rng = np.random.default_rng(0)
    # 2500 pixels: more than one piece of the loop
    patterns = rng.integers(0, 2**16, (7, 2500)).astype(np.uint16)
    coefficients = rng.integers(0, 3, (7, 4)).astype(np.float64)
    expected = coefficients.T.astype(np.int64) @ patterns.astype(np.int64)
    np.testing.assert_array_equal(group_sums(patterns, coefficients), expected)


def test_squared_sums_of_integers_are_exact():
    patterns = np.random.default_rng(0).integers(0, 2**16, (5, 2500)).astype(np.uint16)
    expected = (patterns.astype(np.int64) ** 2).sum(axis=1)
    np.testing.assert_array_equal(squared_sums(patterns), expected)


@pytest.mark.parametrize("groups", [[0, 1, 2], [0, 2], [1]])
def test_coefficients_are_the_weights_gathered_at_the_neighbors(groups):
    rng = np.random.default_rng(2)
    offsets = footprint(1)
    label = rng.integers(-1, 3, (6, 7)).astype(np.int32)
    weights = rng.random((6, 7, len(offsets))).astype(np.float32)
    weights[rng.random(weights.shape) < 0.3] = 0
    top, bottom, left, right = box = (1, 5, 2, 6)
    expected = np.zeros((4, 4, len(groups)))
    for y, x in np.ndindex(label.shape):
        for k, (dy, dx) in enumerate(offsets):
            inside = top <= y + dy < bottom and left <= x + dx < right
            if label[y, x] in groups and inside:
                column = groups.index(label[y, x])
                expected[y + dy - top, x + dx - left, column] += weights[y, x, k]
    found = group_coefficients(label, weights, offsets, box, np.array(groups, np.int32))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-12)
