import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskstem.kernels.agreement import (
    FIRST_ONLY,
    MOVED,
    NEITHER,
    SAME,
    SECOND_ONLY,
    matched_labels,
    what_moved,
)

SHAPE = (5, 6)
LABELS = hnp.arrays(np.int32, SHAPE, elements=st.integers(-1, 4))


@given(first=LABELS, second=LABELS)
@settings(max_examples=100, deadline=None)
def test_clusters_match_whose_intersection_is_over_half_of_their_union(first, second):
    expected = []
    for a in np.unique(first[first >= 0]):
        for b in np.unique(second[second >= 0]):
            shared = ((first == a) & (second == b)).sum()
            either = ((first == a) | (second == b)).sum()
            if shared / either > 0.5:
                expected.append([a, b])
    found = matched_labels(first, second)
    assert found.tolist() == expected
    assert len(set(found[:, 0])) == len(set(found[:, 1])) == len(found)


@given(first=LABELS, second=LABELS)
@settings(max_examples=100, deadline=None)
def test_every_position_has_one_of_five_fates(first, second):
    moved = what_moved(first, second)
    pairs = {tuple(pair) for pair in matched_labels(first, second).tolist()}
    for a, b, code in zip(first.ravel(), second.ravel(), moved.ravel(), strict=True):
        if a < 0 and b < 0:
            assert code == NEITHER
        elif b < 0:
            assert code == FIRST_ONLY
        elif a < 0:
            assert code == SECOND_ONLY
        else:
            assert code == (SAME if (a, b) in pairs else MOVED)


@given(label=LABELS, order=st.permutations(range(5)))
@settings(max_examples=50, deadline=None)
def test_other_numbers_of_the_same_clusters_move_nothing(label, order):
    renumbered = np.where(label >= 0, np.array(order)[label], -1)
    moved = what_moved(label, renumbered)
    np.testing.assert_array_equal(moved, np.where(label >= 0, SAME, NEITHER))


@given(first=LABELS, second=LABELS)
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_two_only_swaps_their_names(first, second):
    swapped = {NEITHER: NEITHER, SAME: SAME, MOVED: MOVED,
               FIRST_ONLY: SECOND_ONLY, SECOND_ONLY: FIRST_ONLY}  # fmt: skip
    there, back = what_moved(first, second), what_moved(second, first)
    np.testing.assert_array_equal(np.vectorize(swapped.get)(there), back)


def test_maps_without_clusters_are_compared():
    nothing = np.full(SHAPE, -1)
    assert matched_labels(nothing, nothing).shape == (0, 2)
    assert (what_moved(nothing, nothing) == NEITHER).all()
