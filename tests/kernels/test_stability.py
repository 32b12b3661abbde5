import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels import hierarchy, stability
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.testing import partition_equal
from tests import literal, scenes

SCAN = (24, 24)


def tree_of(similarity, mask=None, linkage="mean"):
    mask = np.ones(similarity.shape[:2], bool) if mask is None else mask
    mean = literal.mean_of_available(similarity).astype(np.float32)
    return hierarchy.similarity_tree(similarity, mean, mask, NEIGHBORS, linkage=linkage)


def similarity_of(truth, between, *, within=0.99, noise=0.004, seed=0):
    """Return a symmetric similarity: ``within`` in a domain, ``between[a, b]`` across."""
    rng = np.random.default_rng(seed)
    rows, columns = truth.shape
    out = np.full((rows, columns, 8), np.nan, np.float32)
    for number, (dy, dx) in enumerate(NEIGHBORS[4:].tolist(), start=4):
        for y, x in itertools.product(range(rows - dy), range(max(0, -dx), columns - max(0, dx))):
            a, b = truth[y, x], truth[y + dy, x + dx]
            value = (within if a == b else between[a, b]) - abs(rng.normal(0, noise))
            out[y, x, number] = out[y + dy, x + dx, 7 - number] = value
    return out


def quarters():
    y, x = np.indices(SCAN)
    return 2 * (y >= 12) + (x >= 12)


def test_the_domains_of_a_frame_are_what_lasts():
    truth = quarters()
    tree = tree_of(similarity_of(truth, np.full((4, 4), 0.5)))
    threshold = stability.suggest_threshold(tree, 8)
    # far enough from both ends that neither noise nor another frame matters
    assert 0.55 < threshold < 0.97
    assert partition_equal(hierarchy.cut(tree, threshold, 8), truth)
    assert partition_equal(stability.cut_branches(tree, 8), truth)


def test_a_single_crystal_is_one_cluster():
    tree = tree_of(similarity_of(np.zeros(SCAN, int), np.ones((1, 1))))
    for label in (
        stability.cut_branches(tree, 8),
        hierarchy.cut(tree, stability.suggest_threshold(tree, 8), 8),
    ):
        assert label.max() == 0
        assert (label == 0).mean() > 0.95


def test_branches_are_cut_at_different_levels():
    # twins that differ little, and beside them a particle that their threshold dissolves
    truth = np.where(np.indices(SCAN)[1] < 12, np.indices(SCAN)[0] // 12, 2)
    between = np.full((3, 3), 0.2)
    between[0, 1] = between[1, 0] = 0.95
    similarity = similarity_of(truth, between)
    noisy = similarity_of(truth, between, within=0.85, noise=0.02, seed=1)
    right = np.indices(SCAN)[1] >= 12
    similarity[right] = noisy[right]
    # the pairs across stay symmetric: those of the left side win on the border
    for number, (dy, dx) in enumerate(NEIGHBORS.tolist()):
        for y in range(24):
            if 0 <= y + dy < 24 and dx == 1:
                similarity[y + dy, 12, 7 - number] = similarity[y, 11, number]
    tree = tree_of(similarity)
    assert partition_equal(stability.cut_branches(tree, 8), truth)
    levels = np.arange(0.2, 1, 0.005)
    assert not any(partition_equal(hierarchy.cut(tree, t, 8), truth) for t in levels)


def clusters_of_any_level(tree, min_size):
    """Return the clusters of every level that there is, with those levels."""
    n = tree.n_merges
    levels = np.unique(tree.similarity[:n])
    found = {}
    for level in levels[::-1]:
        label = hierarchy.cut(tree, level, min_size)
        for k in range(label.max() + 1):
            found.setdefault(frozenset(np.flatnonzero(label == k).tolist()), []).append(level)
    return found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.2]), min_size=st.integers(1, 6),
       linkage=st.sampled_from(["mean", "single"]))  # fmt: skip
def test_branches_are_clusters_of_some_threshold_and_do_not_overlap(
    seed, share, min_size, linkage
):
    similarity = scenes.smooth_similarity((9, 10), seed)
    mask = np.random.default_rng(seed).random((9, 10)) >= share
    tree = tree_of(similarity, mask, linkage)
    label = stability.cut_branches(tree, min_size)
    some = clusters_of_any_level(tree, min_size)
    for k in range(label.max() + 1):
        cluster = frozenset(np.flatnonzero(label == k).tolist())
        assert cluster in some or len(cluster) == 1
    assert (label[~mask] == -1).all()
    assert not label.size or label.max() + 1 == len(np.unique(label[label >= 0]))


@pytest.mark.parametrize("seed", range(5))
def test_the_suggested_threshold_has_most_positions_in_their_branch(seed):
    tree = tree_of(scenes.smooth_similarity((12, 12), seed))
    branch, appears, leaves = stability._stable(tree, 4)
    inside = branch >= 0

    def covered(t):
        return int(((appears < t) & (t <= leaves) & inside).sum())

    threshold = stability.suggest_threshold(tree, 4)
    every = np.unique(np.concatenate([appears, leaves]))
    assert covered(threshold) == max(covered(t) for t in every.tolist())


def test_without_clusters_there_is_no_threshold():
    similarity = scenes.smooth_similarity((6, 6), 0)
    empty = tree_of(similarity, np.zeros((6, 6), bool))
    assert np.isnan(stability.suggest_threshold(empty, 1))
    assert (stability.cut_branches(empty, 1) == -1).all()
    assert np.isnan(stability.suggest_threshold(tree_of(similarity), 37))
