import numpy as np
import pytest

import daskstem
from daskstem.schema.errors import InputError
from daskstem.testing import adjusted_rand_index
from tests import literal, scenes

SCAN = (14, 15)


def simulated(seed):
    """Similarity, mean and mask of a small scan of domains, as the steps before make them."""
    ds = scenes.dataset(scenes.counts(SCAN, n_domains=5, dose=0.6, seed=seed))
    ds = ds.assign(daskstem.similarity(ds, noise="poisson").compute())
    return ds.assign(mask=(scenes.MAPS, np.random.default_rng(seed).random(SCAN) > 0.1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("min_size", [1, 4])
def test_labels_of_a_scan_of_domains_are_those_of_the_literal_growth(seed, min_size):
    ds = simulated(seed)
    maps = [ds[name].values for name in ("similarity", "mean_similarity", "mask")]
    most = 0
    for threshold in np.linspace(0.1, 0.95, 12).tolist():
        made = daskstem.grow(ds, threshold=threshold, min_size=min_size, linkage="single")
        expected = literal.grown(*maps, threshold, min_size)
        np.testing.assert_array_equal(made["label"], expected)
        assert made["n_clusters"].values.item() == expected.max() + 1
        most = max(most, made["n_clusters"].values.item())
    assert most > 5


@pytest.mark.parametrize("seed", range(3))
def test_published_labels_are_those_of_the_published_growth(seed):
    ds = simulated(seed)
    for threshold in np.linspace(0.1, 0.95, 12).tolist():
        for min_size in (1, 3):
            made = daskstem.grow(
                ds, threshold=threshold, min_size=min_size, convention="published"
            )
            expected = literal.grown_as_published(
                ds["similarity"].values, ds["mask"].values, threshold, min_size
            )
            np.testing.assert_array_equal(made["label"], expected)


def test_domains_of_one_crystal_each_are_found():
    truth = scenes.domains(SCAN, 3, seed=1)
    ds = scenes.dataset(scenes.counts(SCAN, n_domains=3, dose=20.0, seed=1))
    ds = ds.assign(daskstem.similarity(ds, q_inner_px=0.0))
    ds = ds.assign(mask=(scenes.MAPS, np.ones(SCAN, bool)))
    label = daskstem.grow(ds, threshold=0.9)["label"].values
    assert len(np.unique(truth)) == label.max() + 1
    assert all(len(np.unique(truth[label == k])) == 1 for k in range(label.max() + 1))
    assert (label >= 0).all()


def test_numbers_are_whole_and_without_gaps():
    made = daskstem.grow(simulated(0), threshold=0.6, min_size=5)
    label = made["label"].values
    sizes = np.bincount(label[label >= 0])
    assert label.dtype == made["n_clusters"].dtype == np.int32
    assert sizes.min() >= 5


def test_an_empty_mask_leaves_no_cluster():
    ds = simulated(0).assign(mask=(scenes.MAPS, np.zeros(SCAN, bool)))
    for convention in ("daskstem", "published"):
        made = daskstem.grow(ds, convention=convention)
        assert (made["label"] == -1).all()
        assert made["n_clusters"].values.item() == 0


@pytest.mark.parametrize(
    ("missing", "step"),
    [("similarity", "similarity"), ("mean_similarity", "similarity"), ("mask", "background")],
)
def test_a_missing_map_names_its_step(missing, step):
    with pytest.raises(InputError, match=f"no variable '{missing}'.*run '{step}' first"):
        daskstem.grow(simulated(0).drop_vars(missing))


@pytest.mark.parametrize("given", [{"threshold": 1.5}, {"min_size": 0}, {"convention": "mine"}])
def test_what_cannot_be_is_refused(given):
    with pytest.raises(InputError, match=next(iter(given))):
        daskstem.grow(simulated(0), **given)


def test_grains_of_a_simulated_polycrystal_are_found(shared_data):
    # simulated by others: 6 grains, 300 electrons per pattern
    with np.load(shared_data / "scan_32.npz") as file:
        patterns, grain, purity = file["data"], file["grain_id"], file["purity"]
    ds = scenes.dataset(patterns)
    ds = ds.assign(daskstem.prefilter(ds).compute())
    ds = ds.assign(daskstem.similarity(ds).compute())
    ds = ds.assign(mask=(scenes.MAPS, np.ones(grain.shape, bool)))
    maps = [ds[name].values for name in ("similarity", "mean_similarity", "mask")]
    best = 0.0
    for threshold in np.linspace(0.5, 0.95, 10).tolist():
        label = daskstem.grow(ds, threshold=threshold, linkage="single")["label"].values
        np.testing.assert_array_equal(label, literal.grown(*maps, threshold, 8))
        published = daskstem.grow(ds, threshold=threshold, convention="published")
        expected = literal.grown_as_published(maps[0], maps[2], threshold, 8)
        np.testing.assert_array_equal(published["label"], expected)
        # positions within one grain; between two the pattern is a mixture of both
        best = max(best, adjusted_rand_index(grain, label, where=purity > 0.9))
    assert best > 0.9
