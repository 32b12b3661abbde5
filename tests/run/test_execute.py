import numpy as np
import pytest

import daskstem
from daskstem.io.store import open_root
from daskstem.run.execute import run_step
from daskstem.schema.errors import InputError
from tests import stores

SHAPE = (3, 20, 18, 16, 18)


@pytest.fixture
def series(tmp_path):
    return stores.converted(tmp_path, SHAPE)


def run(tmp_path, series, **given):
    return daskstem.run_recipe(stores.recipe(tmp_path), series, quiet=True, workers=1, **given)


def test_a_run_makes_what_the_steps_make_in_memory(series, tmp_path):
    run(tmp_path, series)
    tree = daskstem.open_series(series)
    ds = tree["raw"].to_dataset()
    steps = {
        "prefilter": {"sigma_px": 1.0, "edge_px": 1, "radius_px": 2, "corr_range": (0.3, 0.9)},
        "similarity": {"q_inner_px": 1.5},
        "background": {"method": "none"},
        "grow": {"threshold": 0.5, "min_size": 2},
    }
    for name, parameters in steps.items():
        ds = ds.merge(getattr(daskstem, name)(ds, **parameters).compute(), compat="override")
    np.testing.assert_array_equal(tree["segments"].dataset["label"], ds["label"])
    np.testing.assert_array_equal(tree["prefilter"].dataset["weights"], ds["weights"])
    expected = daskstem.average(ds).compute()
    found = tree["clusters"].dataset
    np.testing.assert_allclose(found["pattern"], expected["pattern"], rtol=2.4e-7)
    for name in ("frame", "label", "n_positions", "seed_y", "centroid_x", "min_similarity"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_the_summary_counts_positions_clusters_and_bytes(series, tmp_path):
    summary = run(tmp_path, series)
    clusters = daskstem.open_series(series)["clusters"].dataset
    assert summary.positions == 3 * 20 * 18
    assert summary.clusters == clusters.sizes["cluster"]
    assert summary.bytes_in == 3 * 20 * 18 * 16 * 18 * 2
    assert summary.reduction == summary.bytes_in / (clusters.sizes["cluster"] * 16 * 18 * 4)
    assert all(summary.seconds.values())


def test_a_second_run_has_nothing_to_do_and_starts_no_cluster(series, tmp_path, monkeypatch):
    run(tmp_path, series)
    before = stores.files(series)
    monkeypatch.setattr("daskstem.run.execute.connected", None)
    assert not any(run(tmp_path, series).seconds.values())
    assert stores.files(series) == before


def test_blocks_of_several_sizes_are_written_whole(series, tmp_path):
    # a cut through the first block leaves blocks of 11 and 4 rows, where files hold 11
    recipe = tmp_path / "crop.toml"
    recipe.write_text(stores.toml({"crop": {"scan_y": [5, 20]}, "virtual": {}}))
    daskstem.run_recipe(recipe, series, quiet=True, workers=1)
    tree = daskstem.open_series(series)
    found = tree["virtual"].dataset["bright_field"]
    whole = daskstem.virtual(tree["raw"].to_dataset())["bright_field"]
    np.testing.assert_array_equal(found, whole[:, 5:20])


def test_frames_without_clusters_and_series_without_any(series, tmp_path):
    summary = run(tmp_path, series, settings=["grow.min_size=100000"])
    assert summary.clusters == 0
    assert summary.reduction is None
    tree = daskstem.open_series(series)
    assert tree["clusters"].dataset["pattern"].shape == (0, 16, 18)
    assert (tree["segments"].dataset["label"] == -1).all()


def test_a_step_that_needs_another_says_which(series):
    with pytest.raises(InputError, match="no variable 'similarity' .* run 'similarity' first"):
        run_step("grow", series, parameters={}, quiet=True)
    assert set(open_root(series).group_keys()) == {"raw"}


def test_a_view_alone_is_refused(series):
    with pytest.raises(InputError, match="put it into a recipe"):
        run_step("crop", series, parameters={"scan_y": (0, 5)}, quiet=True)
