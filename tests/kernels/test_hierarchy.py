import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels import hierarchy
from daskstem.kernels.growing import grow_clusters
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.testing import partition_equal
from tests import literal, scenes

scans = st.tuples(st.integers(1, 9), st.integers(1, 9))
linkages = pytest.mark.parametrize("linkage", ["mean", "single"])
LEVELS = np.array([-1.0, -0.5, 0.0, 0.25, 0.5, 0.9])


def maps_of(scan, seed, levels=None, share=0.1):
    similarity = scenes.smooth_similarity(scan, seed, levels=levels)
    mean = literal.mean_of_available(similarity).astype(np.float32)
    return similarity, mean, np.random.default_rng(seed).random(scan) >= share


def tree_of(maps, linkage):
    return hierarchy.similarity_tree(*maps, NEIGHBORS, linkage=linkage)


@settings(max_examples=150, deadline=None)
@given(scan=scans, seed=st.integers(0, 10**6), levels=st.sampled_from([None, 2, 8]),
       threshold=st.floats(-1, 1, width=32), min_size=st.integers(1, 5),
       share=st.sampled_from([0.0, 0.2, 1.0]))  # fmt: skip
def test_cutting_the_single_tree_gives_the_grown_clusters(
    scan, seed, levels, threshold, min_size, share
):
    maps = maps_of(scan, seed, levels, share)
    expected = grow_clusters(*maps, NEIGHBORS, threshold=threshold, min_size=min_size)
    found = hierarchy.cut(tree_of(maps, "single"), threshold, min_size)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_a_similarity_equal_to_the_threshold_joins():
    similarity = np.full((1, 2, 8), np.nan, np.float32)
    similarity[0, 0, 4] = similarity[0, 1, 3] = 0.7
    tree = tree_of((similarity, np.ones((1, 2), "f4"), np.ones((1, 2), bool)), "single")
    assert hierarchy.cut(tree, 0.7, 1).tolist() == [[0, 0]]


@linkages
def test_numbers_follow_the_best_mean_similarity(linkage):
    similarity, mean, mask = maps_of((12, 13), 4)
    label = hierarchy.cut(tree_of((similarity, mean, mask), linkage), 0.1, 3)
    best = [mean[label == k].max() for k in range(label.max() + 1)]
    assert len(best) > 2
    assert best == sorted(best, reverse=True)
    assert np.bincount(label[label >= 0]).min() >= 3
    assert (label[~mask] == -1).all()


@linkages
def test_clusters_of_a_higher_threshold_lie_in_those_of_a_lower_one(linkage):
    tree = tree_of(maps_of((15, 16), 2), linkage)
    labels = hierarchy.nested(tree, LEVELS, min_size=1)
    for low, high in zip(labels[:-1], labels[1:], strict=True):
        inside = [np.unique(low[high == k]) for k in range(high.max() + 1)]
        assert all(len(names) == 1 for names in inside)
    np.testing.assert_array_equal(labels[3], hierarchy.cut(tree, 0.25, 1))


@linkages
@pytest.mark.parametrize("min_size", [1, 4])
def test_curves_count_what_cutting_finds(linkage, min_size):
    maps = maps_of((14, 11), 5)
    tree = tree_of(maps, linkage)
    count, cover, sizes = hierarchy.curves(tree, LEVELS, min_size)
    for level, threshold in enumerate(LEVELS):
        label = hierarchy.cut(tree, threshold, min_size)
        every = hierarchy.cut(tree, threshold, 1)
        assert count[level] == label.max() + 1
        np.testing.assert_allclose(cover[level], (label >= 0).sum() / maps[2].sum(), rtol=1e-6)
        classes = np.log2(np.bincount(every[every >= 0])).astype(int)
        np.testing.assert_array_equal(
            sizes[level], np.bincount(classes, minlength=hierarchy.size_bins(14 * 11))
        )


def test_mean_linkage_needs_the_whole_border_and_single_linkage_one_pair():
    # two halves: alike inside, unlike across but for one perfect pair
    truth = np.repeat([[0] * 4 + [1] * 4], 6, axis=0)
    similarity = np.full((6, 8, 8), np.nan, np.float32)
    for number, (dy, dx) in enumerate(NEIGHBORS):
        for y in range(6):
            for x in range(8):
                if 0 <= y + dy < 6 and 0 <= x + dx < 8:
                    alike = truth[y, x] == truth[y + dy, x + dx]
                    similarity[y, x, number] = 0.99 if alike else 0.1
    similarity[2, 3, 4] = similarity[2, 4, 3] = 0.98
    maps = similarity, np.nanmean(similarity, axis=2), np.ones((6, 8), bool)
    assert hierarchy.cut(tree_of(maps, "single"), 0.9).max() == 0
    assert partition_equal(hierarchy.cut(tree_of(maps, "mean"), 0.9), truth)


@linkages
@pytest.mark.parametrize("scan", [(1, 1), (1, 2), (3, 3)])
def test_an_empty_mask_and_a_tiny_scan_have_trees_too(linkage, scan):
    similarity, mean, _ = maps_of(scan, 0)
    for mask in (np.zeros(scan, bool), np.ones(scan, bool)):
        tree = tree_of((similarity, mean, mask), linkage)
        assert tree.first.shape == (max(mask.size - 1, 1),)
        assert tree.n_merges == max(mask.sum() - 1, 0)
        label = hierarchy.cut(tree, -1.0, 1)
        np.testing.assert_array_equal(label, np.where(mask, 0, -1))
        assert hierarchy.curves(tree, LEVELS)[1].max() == float(mask.any())
