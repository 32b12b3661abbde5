from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskstem.kernels.linking import LinkRules, assigned, candidates, overlaps, regions_of
from tests.following import RULES, box, regions, spectrum

LABELS = hnp.arrays(np.int32, (7, 8), elements=st.integers(-1, 4))


def plain(label, drift=(0.0, 0.0)):
    """Return regions whose patterns do not matter."""
    numbers = np.unique(label[label >= 0])
    return regions_of(label, np.zeros((len(numbers), 1, 5), np.complex64), np.asarray(drift))


@settings(max_examples=60, deadline=None)
@given(first=LABELS, second=LABELS, drift=st.tuples(st.floats(-4, 4), st.floats(-4, 4)))
def test_overlaps_are_those_counted_position_by_position(first, second, drift):
    moved = np.round(drift).astype(int)
    expected = {}
    names = [np.unique(label[label >= 0]).tolist() for label in (first, second)]
    for y, x in np.argwhere(first >= 0):
        ty, tx = y + moved[0], x + moved[1]
        if 0 <= ty < 7 and 0 <= tx < 8 and second[ty, tx] >= 0:
            pair = names[0].index(first[y, x]), names[1].index(second[ty, tx])
            expected[pair] = expected.get(pair, 0) + 1
    a, b, shared = overlaps(plain(first), plain(second, drift))
    assert dict(zip(zip(a.tolist(), b.tolist(), strict=True), shared.tolist(), strict=True)) == (
        expected
    )


@settings(max_examples=60, deadline=None)
@given(
    gain=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)),
        elements=st.floats(-1, 1).map(lambda v: round(v, 2)),
    ),
    known=st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_chosen_links_gain_the_most(gain, known):
    i, j = np.nonzero(gain + [[known.random() < 0.3 for _ in row] for row in gain])
    kept = np.array([known.random() < 0.8 for _ in i], bool)
    i, j = i[kept], j[kept]
    chosen = assigned(i, j, gain[i, j])
    worth = np.zeros(gain.shape)
    worth[i, j] = np.maximum(gain[i, j], 0)
    wide = worth if worth.shape[0] <= worth.shape[1] else worth.T
    best = max(
        sum(wide[row, column] for row, column in enumerate(order))
        for order in permutations(range(wide.shape[1]), wide.shape[0])
    )
    assert gain[i, j][chosen].sum() == pytest.approx(best)
    assert (gain[i, j][chosen] > 0).all()
    assert len(set(i[chosen])) == len(set(j[chosen])) == len(chosen)
    assert (np.diff(chosen) > 0).all()


def test_without_pairs_nothing_is_chosen():
    none = np.empty(0, np.int64)
    assert assigned(none, none, none.astype(float)).size == 0


def test_the_score_is_the_weighted_mean_of_its_terms():
    first = regions({box(2, 2): spectrum(0)})
    second = regions({box(2, 3, 4, 6): spectrum(0)}, drift=(0.0, 1.0))
    for which in range(4):
        weights = [0.0] * 4
        weights[which] = 2.0
        rules = LinkRules(**{**RULES.__dict__, "weights": tuple(weights)})
        pairs = candidates(first, second, rules)
        # after the drift columns 2..5 meet 2..7: 16 of 24 positions, centroids 1 apart
        radius = np.sqrt(16 / np.pi)
        expected = (16 / 24, 1 - 1 / (RULES.reach + radius), 16 / 24, 1.0)[which]
        assert pairs.overlap.tolist() == [16]
        assert pairs.score[0] == pytest.approx(expected, abs=1e-6)


def test_clusters_out_of_reach_are_no_candidates():
    first = regions({box(0, 0, 3, 3): spectrum(0)}, shape=(30, 30))
    radius = np.sqrt(9 / np.pi)
    for distance in range(3, 12):
        second = regions({box(0, distance, 3, 3): spectrum(0)}, shape=(30, 30))
        near = distance <= RULES.reach + radius
        assert len(candidates(first, second, RULES).first) == int(near)


def test_frames_without_clusters_have_no_candidates():
    some, none = regions({box(0, 0, 3, 3): spectrum(0)}), regions({})
    for pair in ((some, none), (none, some), (none, none)):
        assert len(candidates(*pair, RULES).first) == 0


def test_labels_with_gaps_are_counted_as_rows():
    label = np.array([[-1, 7, 7], [3, 3, 7]])
    found = plain(label)
    assert found.label.tolist() == [[-1, 1, 1], [0, 0, 1]]
    assert found.n_positions.tolist() == [2, 3]
    np.testing.assert_allclose(found.centroid, [[1, 0.5], [1 / 3, 5 / 3]])
