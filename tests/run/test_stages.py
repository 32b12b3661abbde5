import shutil

import numpy as np
import pytest

import daskstem
from daskstem.io.store import OpenedStore, open_root
from daskstem.run.recipe import read_recipe
from daskstem.run.stages import frame_dataset, furthest_recipe, histories, remove_stale, stages
from tests import stores

SHAPE = (2, 9, 10, 16, 18)


@pytest.fixture
def series(tmp_path):
    return stores.converted(tmp_path, SHAPE)


def keys(tmp_path, *settings):
    recipe = read_recipe(stores.recipe(tmp_path), settings)
    return {made["step"]: made["key"] for made in histories(recipe, "raw")}


def test_steps_that_can_share_a_reading_do(series, tmp_path):
    found = stages(read_recipe(stores.recipe(tmp_path)), open_root(series))
    assert "prefilter + similarity + background + grow" in [stage.name for stage in found]


def test_maps_are_made_where_patterns_were_read_unless_these_are_there(series, tmp_path):
    daskstem.run_recipe(stores.recipe(tmp_path), series, quiet=True, workers=1)
    recipe = read_recipe(tmp_path / "small.toml", ["background.min_object=3"])
    root = open_root(series)
    left = [stage for stage in stages(recipe, root) if not stage.is_done(root)]
    assert [stage.name for stage in left] == ["background + grow", "average"]
    assert [stage.reads_patterns for stage in left] == [False, True]


def test_what_is_there_already_is_not_made_again_for_its_neighbor(series, tmp_path):
    daskstem.run_recipe(stores.recipe(tmp_path), series, quiet=True, workers=1)
    recipe = read_recipe(tmp_path / "small.toml", ["similarity.blur_px=1.0"])
    root = open_root(series)
    found = {stage.name: stage.is_done(root) for stage in stages(recipe, root)}
    assert found["prefilter"]
    assert not found["similarity + background + grow"]


def test_a_key_depends_on_what_was_used_and_on_nothing_else(tmp_path):
    before = keys(tmp_path)
    radius = keys(tmp_path, "virtual.bright_radius_px=2.0")
    assert {name for name in before if radius[name] != before[name]} == {"virtual"}
    inner = keys(tmp_path, "similarity.q_inner_px=2.0")
    changed = {name for name in before if inner[name] != before[name]}
    assert changed == {"similarity", "background", "grow", "average"}


def test_a_key_depends_on_what_a_mask_file_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ("background.method=mask", "background.mask=mask.npy")
    np.save("mask.npy", np.ones((9, 10), bool))
    before = keys(tmp_path, *settings)
    assert keys(tmp_path, *settings) == before
    np.save("mask.npy", np.zeros((9, 10), bool))
    after = keys(tmp_path, *settings)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"background", "grow", "average"}


def test_products_of_what_is_gone_are_removed(series, tmp_path):
    daskstem.run_recipe(stores.recipe(tmp_path), series, quiet=True, workers=1)
    shutil.rmtree(series / "similarity")
    root = open_root(series, mode="r+")
    said = []
    remove_stale(root, said.append)
    assert said == ["background, clusters, segments: removed, made from what is now replaced"]
    remove_stale(root, said.append)
    assert len(said) == 1
    assert not {"background", "clusters", "segments"} & set(root.group_keys())
    assert (series / "prefilter").exists()


def test_the_furthest_product_tells_the_recipe(series, tmp_path):
    assert furthest_recipe(open_root(series)) == []
    daskstem.run_recipe(stores.recipe(tmp_path), series, quiet=True, workers=1)
    assert [entry["step"] for entry in furthest_recipe(open_root(series))][-1] == "average"


def test_a_step_sees_views_and_only_products_that_fit_them(series, tmp_path):
    steps = {"crop": {"scan_y": [2, 9]}}
    path = tmp_path / "cropped.toml"
    path.write_text(stores.toml(steps))
    calls = read_recipe(path).calls
    ds = frame_dataset(OpenedStore(open_root(series)), calls, 1)
    assert ds["patterns"].shape == (1, 7, 10, 16, 18)
    expected = np.load(tmp_path / "series.npy")[1:2, 2:9]
    np.testing.assert_array_equal(ds["patterns"], expected)
