import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels import linkage
from daskstem.kernels.pairs import neighbor_pairs
from daskstem.kernels.similarity import NEIGHBORS
from tests import scenes

scans = st.tuples(st.integers(1, 7), st.integers(1, 7))
STEPS = 2.0**24
LOWEST = np.float32(-1)


def pairs_of(scan, seed, levels=None, share=0.0):
    """Similarity and mask of a small scan, and its neighboring pairs."""
    similarity = scenes.smooth_similarity(scan, seed, levels=levels)
    mask = np.random.default_rng(seed).random(scan) >= share
    return mask, neighbor_pairs(similarity, mask, NEIGHBORS)


def plain_merges(first, second, similar):
    """Mean linkage as it is defined: always the border of the highest mean, by brute force."""
    cluster = {int(p): {int(p)} for p in (*first, *second)}
    total = np.rint(similar.astype(np.float64) * STEPS).astype(np.int64)
    found = {}
    while True:
        borders = {}
        for e, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            names = frozenset({min(cluster[a]), min(cluster[b])})
            if len(names) == 2:
                borders.setdefault(names, []).append(e)
        if not borders:
            return found
        mean = {n: total[e].sum() / (STEPS * len(e)) for n, e in borders.items()}
        best = min(borders, key=lambda names: (-mean[names], min(borders[names])))
        found[min(borders[best])] = np.float32(mean[best])
        one, other = best
        joined = cluster[one] | cluster[other]
        for position in joined:
            cluster[position] = joined


@settings(max_examples=80, deadline=None)
@given(scan=scans, seed=st.integers(0, 10**6), levels=st.sampled_from([None, 2, 8]),
       share=st.sampled_from([0.0, 0.2]))  # fmt: skip
def test_mean_merges_are_those_of_the_definition(scan, seed, levels, share):
    mask, pairs = pairs_of(scan, seed, levels, share)
    found = linkage.mean_merges(*pairs, mask.size, LOWEST)
    expected = plain_merges(*pairs)
    assert np.flatnonzero(~np.isnan(found)).tolist() == sorted(expected)
    for pair, mean in expected.items():
        assert found[pair] == mean


def test_clusters_of_many_neighbors_join_as_those_of_few():
    # wide enough that clusters outgrow what the chains look through
    scan = (40, 40)
    mask, pairs = pairs_of(scan, 3)
    found = linkage.mean_merges(*pairs, mask.size, LOWEST)
    assert (~np.isnan(found)).sum() == mask.size - 1
    np.testing.assert_array_equal(found, one_by_one(*pairs, mask.size))


def one_by_one(first, second, similar, n_positions):
    """Mean linkage by the best border of all after every merge, borders in dicts."""
    total = np.rint(similar.astype(np.float64) * STEPS).astype(np.int64)
    beside = {p: {} for p in range(n_positions)}
    for e, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        beside[a][b] = beside[b][a] = (int(total[e]), 1, e)
    best = {p: highest(borders) for p, borders in beside.items() if borders}
    found = np.full(len(first), np.nan, np.float32)
    while best:
        a = min(best, key=lambda p: best[p][:2])
        value, e, b = best[a]
        found[e] = -value
        for c, (t, n, number) in beside.pop(b).items():
            del beside[c][b]
            if c != a:
                t0, n0, e0 = beside[a].get(c, (0, 0, number))
                beside[a][c] = beside[c][a] = (t + t0, n + n0, min(number, e0))
        best = {p: highest(borders) for p, borders in beside.items() if borders}
    return found


def highest(borders):
    return min((-t / (STEPS * n), e, c) for c, (t, n, e) in borders.items())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([None, 4]),
       least=st.floats(-1, 1, width=32))  # fmt: skip
def test_stopping_early_leaves_out_the_lower_merges_only(seed, levels, least):
    mask, pairs = pairs_of((9, 8), seed, levels)
    every = linkage.mean_merges(*pairs, mask.size, LOWEST)
    found = linkage.mean_merges(*pairs, mask.size, np.float32(least))
    np.testing.assert_array_equal(found, np.where(every >= np.float32(least), every, np.nan))


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_pairs_are_all_neighbors_inside_the_mask(share):
    similarity = scenes.smooth_similarity((6, 7), 1)
    mask = np.random.default_rng(0).random((6, 7)) >= share
    first, second, similar = neighbor_pairs(similarity, mask, NEIGHBORS)
    inside = np.argwhere(mask)
    apart = np.abs(inside[:, np.newaxis] - inside).max(axis=2)
    every = {
        tuple(np.ravel_multi_index(inside[[a, b]].T, mask.shape).tolist())
        for a, b in np.argwhere(apart == 1)
        if a < b
    }
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == every
    for a, b, s in zip(first, second, similar, strict=True):
        step = np.array(np.unravel_index(b, (6, 7))) - np.unravel_index(a, (6, 7))
        number = int(np.flatnonzero((step == NEIGHBORS).all(axis=1))[0])
        assert similarity.reshape(-1, 8)[a, number] == s


def test_a_noisy_bridge_does_not_join_two_domains():
    # two halves, alike inside, joined by one perfect pair and otherwise unlike
    similarity = np.full((6, 8, 8), np.nan, np.float32)
    for number, (dy, dx) in enumerate(NEIGHBORS):
        for y in range(6):
            for x in range(8):
                if 0 <= y + dy < 6 and 0 <= x + dx < 8:
                    similarity[y, x, number] = 0.9 if (x < 4) == (x + dx < 4) else 0.1
    similarity[2, 3, 4] = similarity[2, 4, 3] = 1.0
    mask = np.ones((6, 8), bool)
    pairs = neighbor_pairs(similarity, mask, NEIGHBORS)
    joined = linkage.mean_merges(*pairs, mask.size, LOWEST)
    # the two ends of the bridge join first, but one of them then leaves its own half
    assert (joined >= 0.5).sum() == mask.size - 2
    single = linkage.spanning_pairs(*(a[np.argsort(-pairs[2])] for a in pairs[:2]), mask.size)
    assert (np.sort(pairs[2])[::-1][single] >= 0.5).sum() == mask.size - 1
