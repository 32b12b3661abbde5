from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskstem.schema.errors import InputError
from daskstem.testing import adjusted_rand_index, partition_equal

labels = arrays(np.int32, 12, elements=st.integers(-1, 3))


def _by_counting_pairs(truth: np.ndarray, found: np.ndarray) -> float:
    pairs = [(truth[i] == truth[j], found[i] == found[j]) for i, j in combinations(range(12), 2)]
    together, in_truth, in_found = (
        sum(a and b for a, b in pairs), sum(a for a, _ in pairs), sum(b for _, b in pairs),
    )  # fmt: skip
    expected = in_truth * in_found / len(pairs)
    highest = (in_truth + in_found) / 2
    return 1.0 if highest == expected else (together - expected) / (highest - expected)


@given(labels, labels)
def test_index_is_the_one_found_by_counting_pairs(truth: np.ndarray, found: np.ndarray) -> None:
    assert adjusted_rand_index(truth, found) == pytest.approx(_by_counting_pairs(truth, found))


@given(labels, st.permutations(range(-1, 4)))
def test_new_numbers_change_nothing(truth: np.ndarray, numbers: list[int]) -> None:
    renamed = np.array(numbers)[truth + 1]
    assert adjusted_rand_index(truth, renamed) == pytest.approx(1.0)


def test_index_of_a_case_worked_by_hand() -> None:
    # 15 pairs; together in truth 6, in found 3, in both 2; expected 6 * 3 / 15 = 1.2
    truth = np.array([0, 0, 0, 1, 1, 1])
    found = np.array([0, 0, 1, 1, 2, 2])
    assert adjusted_rand_index(truth, found) == pytest.approx((2 - 1.2) / (4.5 - 1.2))


def test_only_chosen_positions_count() -> None:
    truth = np.array([[0, 0, 1, 1], [-1, -1, -1, -1]])
    found = np.array([[4, 4, 2, 2], [4, 2, 0, 1]])
    assert adjusted_rand_index(truth, found) < 0.9
    assert adjusted_rand_index(truth, found, where=truth >= 0) == 1.0


def test_independent_labels_have_an_index_near_zero() -> None:
    rng = np.random.default_rng(0)
    index = adjusted_rand_index(rng.integers(0, 5, 20_000), rng.integers(0, 5, 20_000))
    assert abs(index) < 0.01


@pytest.mark.parametrize("size", [0, 1])
def test_nothing_to_compare_is_agreement(size: int) -> None:
    assert adjusted_rand_index(np.zeros(size, int), np.zeros(size, int)) == 1.0


def test_partitions_are_equal_up_to_numbers_but_not_background() -> None:
    label = np.array([[-1, 0, 0], [1, 1, 2]])
    assert partition_equal(label, np.array([[-1, 9, 9], [0, 0, 4]]))
    assert not partition_equal(label, np.array([[3, 9, 9], [0, 0, 4]]))
    assert not partition_equal(label, np.array([[-1, 9, 9], [9, 9, 4]]))
    assert not partition_equal(label, np.array([[-1, 9, 8], [0, 0, 4]]))


def test_maps_of_different_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(2,\) and \(3,\)"):
        adjusted_rand_index(np.zeros(2, int), np.zeros(3, int))
    with pytest.raises(InputError, match="cannot be compared"):
        partition_equal(np.zeros(2, int), np.zeros((2, 1), int))
