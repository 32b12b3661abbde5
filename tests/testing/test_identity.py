from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskstem.schema.errors import InputError
from daskstem.testing import identity_scores

LABELS = hnp.arrays(np.int64, (4, 3, 3), elements=st.integers(-1, 3))


def strip(*frames):
    """Return label maps of one row."""
    return np.array([[frame] for frame in frames])


def test_a_small_case_by_hand():
    # two true identities over five frames, 0 in all of them, 1 in the first three: 8
    truth = strip([0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, -1, -1], [0, 0, -1, -1])
    # 0 is called 7, then 8 from the third frame on; 1 is 9, missed once; 5 is nobody: 8
    found = strip([7, 7, 9, 9], [7, 7, 9, 9], [8, 8, -1, -1], [8, 8, -1, -1], [8, 8, 5, 5])
    scores = identity_scores(truth, found)
    # best: 0 is 8 (3 frames), 1 is 9 (2): IDTP 5, IDFN 3, IDFP 3
    assert (scores.matched, scores.n_truth, scores.n_found) == (5, 8, 8)
    assert scores.f1 == pytest.approx(2 * 5 / (2 * 5 + 3 + 3))
    assert scores.precision == pytest.approx(5 / 8)
    assert scores.recall == pytest.approx(5 / 8)
    # agreeing detections: 5 of identity 0 and 2 of 1
    assert scores.detected == 7
    assert scores.detection_f1 == pytest.approx(14 / 16)


def test_the_best_pairing_counts_not_the_first():
    # identity 0 is called 1 most of the time, and identity 1 is called 1 even more often
    truth = strip(*([0, -1], [0, -1], [0, 1], [-1, 1], [-1, 1], [-1, 1]))
    found = strip(*([1, -1], [1, -1], [2, 1], [-1, 1], [-1, 1], [-1, 1]))
    scores = identity_scores(truth, found)
    assert scores.matched == 4 + 1


def test_half_of_the_union_is_enough_and_less_is_not():
    truth = strip([0, 0, 0, 0])
    assert identity_scores(truth, strip([0, 0, -1, -1])).matched == 1
    assert identity_scores(truth, strip([0, -1, -1, -1])).matched == 0
    assert identity_scores(truth, strip([0, -1, -1, -1]), least_overlap=0.25).matched == 1


def test_numbers_do_not_matter():
    truth = np.random.default_rng(0).integers(-1, 4, (5, 6, 6))
    found = np.where(truth >= 0, 100 - 7 * truth, -1)
    assert identity_scores(truth, found).f1 == 1.0


def test_nothing_found_and_nothing_there():
    some, none = strip([0, 0]), strip([-1, -1])
    assert identity_scores(some, none).f1 == 0.0
    assert identity_scores(none, some).f1 == 0.0
    assert identity_scores(none, none).f1 == 1.0
    assert identity_scores(some, none).precision == 0.0
    assert identity_scores(none, none).recall == 1.0


@settings(max_examples=40, deadline=None)
@given(truth=LABELS, found=LABELS)
def test_every_pairing_tried_gives_the_same(truth, found):
    def agreeing(identity, track):
        count = 0
        for one, other in zip(truth == identity, found == track, strict=True):
            shared, union = (one & other).sum(), (one | other).sum()
            count += bool(shared and shared >= 0.5 * union)
        return count

    most = max(
        sum(agreeing(identity, track) for identity, track in enumerate(order))
        for order in permutations(range(4))
    )
    scores = identity_scores(truth, found)
    assert scores.matched == most
    assert scores.detected == sum(agreeing(i, t) for i in range(4) for t in range(4))
    assert scores.n_truth == sum(len(np.unique(f[f >= 0])) for f in truth)


def test_maps_of_other_shapes_are_refused():
    with pytest.raises(InputError, match="cannot be compared"):
        identity_scores(np.zeros((2, 3, 3)), np.zeros((2, 3, 4)))
