import numpy as np
import pytest

from daskstem.kernels.grouping import add_squares, add_to_groups, add_weighted, group_coefficients
from daskstem.kernels.prefilter import footprint


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "u4", "f4"])
def test_every_pattern_is_added_to_its_group(dtype):
    rng = np.random.default_rng(0)
    # 2500 pixels: more than one tile of the loop
    patterns = rng.integers(0, 100, (9, 2500)).astype(dtype)
    rows = np.array([2, 0, -1, 0, 1, 2, 2, -1, 0])
    sums = np.ones((4, 2500))
    add_to_groups(patterns, rows, sums)
    for group in range(4):
        expected = 1 + patterns[rows == group].sum(axis=0, dtype=np.float64)
        np.testing.assert_array_equal(sums[group], expected)


@pytest.mark.parametrize(("dtype", "value"), [("u2", 2**16 - 1), ("i2", -(2**15))])
def test_no_number_of_patterns_overflows_the_sum(dtype, value):
    patterns = np.full((2 * 2**16 + 3, 1), value, dtype)
    sums = np.zeros((1, 1))
    add_to_groups(patterns, np.zeros(len(patterns), np.int64), sums)
    assert sums[0, 0] == len(patterns) * value


def test_weighted_sums_are_products_with_the_coefficients():
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 2**16, (7, 2500)).astype(np.uint16)
    coefficients = rng.integers(0, 3, (7, 4)).astype(np.float64)
    coefficients[:, 1] = 0
    sums = np.ones((4, 2500))
    add_weighted(patterns, coefficients, sums)
    np.testing.assert_array_equal(sums, 1 + coefficients.T @ patterns.astype(np.float64))


def test_sums_of_squares_of_integers_are_exact():
    patterns = np.random.default_rng(0).integers(0, 2**16, (5, 2500)).astype(np.uint16)
    expected = (patterns.astype(np.int64) ** 2).sum(axis=1)
    squares = np.zeros(2)
    add_squares(patterns, np.array([1, 0, -1, 1, -1]), squares)
    assert squares.tolist() == [expected[1], expected[0] + expected[3]]


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
