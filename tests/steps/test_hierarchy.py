import numpy as np
import pytest
import xarray as xr

import daskstem
from daskstem.schema.errors import InputError
from daskstem.steps.hierarchy import CURVE
from tests import scenes

SCAN = (14, 15)


@pytest.fixture(scope="module")
def maps():
    ds = scenes.dataset(scenes.counts(SCAN, n_domains=5, dose=0.6, seed=0))
    ds = ds.assign(daskstem.similarity(ds, noise="poisson").compute())
    return ds.assign(mask=(scenes.MAPS, np.random.default_rng(0).random(SCAN) > 0.1))


@pytest.mark.parametrize("linkage", ["mean", "single"])
@pytest.mark.parametrize("min_size", [1, 4])
def test_a_cut_is_what_grow_makes_at_that_threshold(maps, linkage, min_size):
    tree = daskstem.hierarchy(maps, linkage=linkage)
    most = 0
    for threshold in np.linspace(0.1, 0.95, 12).tolist():
        label = daskstem.cut(tree, threshold=threshold, min_size=min_size)["label"]
        grown = daskstem.grow(maps, threshold=threshold, min_size=min_size, linkage=linkage)
        np.testing.assert_array_equal(label, grown["label"])
        assert grown["used_threshold"].values.item() == threshold
        most = max(most, int(label.max()) + 1)
    assert most > 5


@pytest.mark.parametrize("linkage", ["mean", "single"])
def test_auto_and_branches_are_what_the_hierarchy_suggests(maps, linkage):
    tree = daskstem.hierarchy(maps, linkage=linkage, min_size=4).compute()
    auto = daskstem.grow(maps, threshold="auto", linkage=linkage, min_size=4)
    assert auto["used_threshold"].values.item() == tree["suggested_threshold"].values.item()
    at = daskstem.cut(tree, threshold=tree["suggested_threshold"].values.item(), min_size=4)
    np.testing.assert_array_equal(auto["label"], at["label"])
    branches = daskstem.grow(maps, threshold="branches", linkage=linkage, min_size=4)
    np.testing.assert_array_equal(branches["label"], tree["branch_label"])
    assert np.isnan(branches["used_threshold"].values.item())


def test_curves_and_nested_labels_are_those_of_cuts(maps):
    tree = daskstem.hierarchy(maps, min_size=3, levels=(0.3, 0.6)).compute()
    np.testing.assert_array_equal(tree["threshold"], CURVE)
    for level in (0.3, 0.6):
        label = daskstem.cut(tree, threshold=level, min_size=3)["label"]
        np.testing.assert_array_equal(tree["nested_label"].sel(level=level), label)
        at = tree.sel(threshold=level)
        assert at["cluster_count"] == label.max() + 1
        np.testing.assert_allclose(at["cover"], (label >= 0).sum() / maps["mask"].sum(), rtol=1e-6)
    # every position of the mask is in a cluster of some size
    assert (tree["size_count"] * tree["size"]).sum("size").max() <= maps["mask"].sum()


def test_every_frame_of_a_series_has_a_threshold_of_its_own(maps):
    other = maps.assign(similarity=maps["similarity"] ** 3)
    both = xr.concat([maps, other], "frame")
    used = daskstem.grow(both, threshold="auto")["used_threshold"].values
    alone = [
        daskstem.grow(ds, threshold="auto")["used_threshold"].values.item() for ds in (maps, other)
    ]
    np.testing.assert_array_equal(used, alone)
    assert used[0] != used[1]


def test_an_empty_mask_has_no_threshold_and_no_cluster(maps):
    empty = maps.assign(mask=(scenes.MAPS, np.zeros(SCAN, bool)))
    for threshold in ("auto", "branches"):
        made = daskstem.grow(empty, threshold=threshold)
        assert np.isnan(made["used_threshold"].values.item())
        assert (made["label"] == -1).all()


@pytest.mark.parametrize("given", [{"threshold": "auto"}, {"linkage": "mean"}])
def test_the_published_growth_takes_a_number_and_single_linkage(maps, given):
    with pytest.raises(InputError, match="grows by single linkage at a number"):
        daskstem.grow(maps, convention="published", **given)


@pytest.mark.parametrize(
    "given", [{"levels": (0.5, 0.4)}, {"levels": (0.5, 1.5)}, {"min_size": 0}, {"linkage": "all"}]
)
def test_what_cannot_be_is_refused(maps, given):
    with pytest.raises(InputError, match=next(iter(given))):
        daskstem.hierarchy(maps, **given)


def test_a_missing_tree_names_its_step(maps):
    with pytest.raises(InputError, match="no variable 'merge_first'.*run 'hierarchy' first"):
        daskstem.cut(maps, threshold=0.5)


def test_another_word_for_a_threshold_is_refused(maps):
    with pytest.raises(InputError, match="threshold = 'best' is not a number or one of 'auto'"):
        daskstem.grow(maps, threshold="best")
