import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskstem.kernels.homogeneity import homogeneity, pairs_inside
from daskstem.kernels.similarity import NEIGHBORS

LABELS = hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
                    elements=st.integers(-1, 3))  # fmt: skip


def symmetric(shape, seed):
    """Return similarities (Y, X, 8) that are equal seen from both ends; NaN outside."""
    rng = np.random.default_rng(seed)
    out = np.full((*shape, 8), np.nan, np.float32)
    for y in range(shape[0]):
        for x in range(shape[1]):
            for number, (dy, dx) in enumerate(NEIGHBORS):
                inside = 0 <= y + dy < shape[0] and 0 <= x + dx < shape[1]
                if inside and number >= 4:
                    out[y, x, number] = rng.random()
                    out[y + dy, x + dx, 7 - number] = out[y, x, number]
    return out


@given(label=LABELS, seed=st.integers(0, 9), threshold=st.floats(0.1, 0.9))
@settings(max_examples=60, deadline=None)
def test_equals_a_loop_over_positions_and_all_their_neighbors(label, seed, threshold):
    similarity = symmetric(label.shape, seed)
    count = int(label.max(initial=-1)) + 1
    found = [[] for _ in range(count)]
    for y, x in np.ndindex(label.shape):
        for number, (dy, dx) in enumerate(NEIGHBORS):
            value = similarity[y, x, number]
            if label[y, x] >= 0 and np.isfinite(value) and label[y + dy, x + dx] == label[y, x]:
                found[label[y, x]].append(value)
    mean, below = homogeneity(*pairs_inside(similarity, label, NEIGHBORS), count, threshold)
    # each pair is met from both of its ends: means and shares are the same
    for number, values in enumerate(found):
        if values:
            assert mean[number] == pytest.approx(np.mean(values, dtype=np.float64), rel=1e-5)
            assert below[number] == pytest.approx(np.mean(np.array(values) < threshold))
        else:
            assert np.isnan([mean[number], below[number]]).all()


def test_without_a_threshold_no_pair_is_below_it():
    clusters, similarities = np.array([0, 0]), np.array([0.5, 0.7])
    mean, below = homogeneity(clusters, similarities, 1, np.nan)
    assert mean.tolist() == pytest.approx([0.6])
    assert np.isnan(below).all()
