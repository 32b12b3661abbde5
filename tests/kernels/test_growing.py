import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels.growing import grow_clusters, grow_published, joined_pairs
from daskstem.kernels.similarity import NEIGHBORS
from tests import literal, scenes

scans = st.tuples(st.integers(1, 9), st.integers(1, 9))
levels = st.sampled_from([None, 2, 8])
thresholds = st.floats(-1, 1, width=32)


def random_mask(scan, seed, share=0.15):
    return np.random.default_rng(seed).random(scan) >= share


def ours(similarity, mask, threshold, min_size=1):
    mean = literal.mean_of_available(similarity).astype(np.float32)
    found = grow_clusters(
        similarity, mean, mask, NEIGHBORS, threshold=threshold, min_size=min_size
    )
    return found, literal.grown(similarity, mean, mask, threshold, min_size)


def published(similarity, mask, threshold, min_size=1):
    found = grow_published(similarity, mask, NEIGHBORS, threshold=threshold, min_size=min_size)
    return found, literal.grown_as_published(similarity, mask, threshold, min_size)


@pytest.mark.parametrize("convention", [ours, published])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("smooth", [0.7, 2.0])
def test_equals_the_literal_growth_at_every_threshold(convention, seed, smooth):
    # an even seed rounds to 16 levels, so that seeds tie; sums of eight are then exact
    scan = (13, 15)
    similarity = scenes.smooth_similarity(
        scan, seed, levels=None if seed % 2 else 16, smooth=smooth
    )
    mask = random_mask(scan, seed, share=0.0 if seed < 2 else 0.15)
    for threshold in (-1.0, -0.6, -0.2, 0.0, 0.1, 0.25, 0.5, 0.75, 1.0):
        found, expected = convention(similarity, mask, threshold, min_size=1 + seed % 4)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("convention", [ours, published])
@settings(max_examples=150, deadline=None)
@given(scan=scans, seed=st.integers(0, 10**6), levels=levels, threshold=thresholds,
       min_size=st.integers(1, 5), share=st.sampled_from([0.0, 0.2, 0.9, 1.0]))  # fmt: skip
def test_equals_the_literal_growth_on_any_scan(
    convention, scan, seed, levels, threshold, min_size, share
):
    similarity = scenes.smooth_similarity(scan, seed, levels=levels)
    found, expected = convention(similarity, random_mask(scan, seed, share), threshold, min_size)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("convention", [ours, published])
@pytest.mark.parametrize("scan", [(1, 1), (1, 12), (12, 1), (3, 3), (4, 5), (5, 5), (5, 6)])
def test_equals_the_literal_growth_on_tiny_scans(convention, scan):
    for seed in range(5):
        similarity = scenes.smooth_similarity(scan, seed)
        for threshold in (-1.0, -0.2, 0.2, 0.9):
            found, expected = convention(similarity, np.ones(scan, bool), threshold)
            np.testing.assert_array_equal(found, expected)


def test_frame_seeds_of_the_published_program_join_regions():
    # two interior regions, apart at 0.5, both next to one position of the frame
    scan = (7, 9)
    similarity = np.full((*scan, 8), np.nan, np.float32)
    for number in range(4, 8):
        dy, dx = NEIGHBORS[number]
        for y in range(7 - dy):
            for x in range(max(0, -dx), 9 - max(0, dx)):
                n = (y + dy, x + dx)
                value = 0.9 if (x < 4) == (n[1] < 4) else 0.1
                value = 0.95 if {(y, x), n} & {(1, 4)} else value
                similarity[y, x, number] = similarity[n][7 - number] = value
    mask = np.ones(scan, bool)
    joined, expected = published(similarity, mask, 0.5)
    apart, _ = ours(similarity, mask, 0.96)
    np.testing.assert_array_equal(joined, expected)
    assert joined[3, 3] == joined[3, 5] == joined[1, 4] == 0
    assert apart[3, 3] != apart[3, 5]


def test_growth_of_the_published_program_stays_off_the_frame():
    scan = (8, 9)
    similarity = np.where(np.isnan(scenes.smooth_similarity(scan, 0)), np.nan, np.float32(0.9))
    label = grow_published(similarity, np.ones(scan, bool), NEIGHBORS, threshold=0.5, min_size=1)
    interior = label[2:-2, 2:-2]
    assert (interior == interior[0, 0]).all()
    # every position of the frame is a cluster of its own, but for the seed of the interior
    frame = np.ones(scan, bool)
    frame[2:-2, 2:-2] = False
    assert len(np.unique(label[frame])) == frame.sum()


def test_a_mean_of_minus_one_is_never_a_seed_in_the_published_program():
    scan = (6, 6)
    similarity = np.full((*scan, 8), -1, np.float32)
    found, expected = published(similarity, np.ones(scan, bool), -1.0)
    np.testing.assert_array_equal(found, expected)
    assert (found == -1).all()


def test_numbers_follow_the_best_mean_similarity_and_then_the_scan():
    similarity = np.full((1, 6, 8), np.nan, np.float32)
    similarity[0, :5, 4] = similarity[0, 1:, 3] = [0.9, 0.1, 0.9, 0.1, 0.9]
    mean = np.array([[0.5, 0.6, 0.9, 0.2, 0.9, 0.3]], np.float32)
    label = grow_clusters(
        similarity, mean, np.ones((1, 6), bool), NEIGHBORS, threshold=0.5, min_size=1
    )
    assert label.tolist() == [[2, 2, 0, 0, 1, 1]]


def test_a_similarity_equal_to_the_threshold_joins():
    similarity = np.full((1, 2, 8), np.nan, np.float32)
    similarity[0, 0, 4] = similarity[0, 1, 3] = 0.75
    label = grow_clusters(
        similarity, np.ones((1, 2), np.float32), np.ones((1, 2), bool), NEIGHBORS,
        threshold=0.75, min_size=1,
    )  # fmt: skip
    assert label.tolist() == [[0, 0]]


def test_each_pair_counts_once():
    scan = (4, 5)
    first, second = joined_pairs(
        np.ones((*scan, 8), np.float32), np.ones(scan, bool), 0.5, NEIGHBORS
    )
    pairs = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    rows, columns = scan
    straight = rows * (columns - 1) + columns * (rows - 1)
    assert len(first) == len(pairs) == straight + 2 * (rows - 1) * (columns - 1)
