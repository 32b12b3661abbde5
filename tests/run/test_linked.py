"""Tracks of a series in a store."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import daskstem
from daskstem.run import track_content
from daskstem.run.execute import plan_recipe, run_step
from daskstem.run.report_content import gather
from daskstem.schema.errors import InputError
from daskstem.view.tracks import track_labels
from tests import scenes, stores

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (20, 18, 16, 18)
TRACKS = {"tracks": {"least_similarity": 0.3, "drift": "none"}}


def frames(count):
    """Return frames of the same few domains, each with noise of its own."""
    expected = scenes.expected_counts(SHAPE[:2], SHAPE[2:], n_domains=6, dose=4.0, seed=2)
    rng = np.random.default_rng(5)
    return np.stack([rng.poisson(expected) for _ in range(5)]).astype(np.uint16)[:count]


def converted(folder, count, name):
    path = Path(folder) / "series.npy"
    np.save(path, frames(count))
    return daskstem.convert(path, Path(folder) / name, quiet=True, workers=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a folder with a recipe and a store of five frames, all of it made."""
    folder = tmp_path_factory.mktemp("linked")
    store = converted(folder, 5, "five.zarr")
    daskstem.run_recipe(stores.recipe(folder, **TRACKS), store, quiet=True, workers=1)
    return folder


def test_the_store_holds_what_the_step_makes(finished):
    tree = daskstem.open_series(finished / "five.zarr")
    maps = tree["segments"].to_dataset()[["label"]].load()
    pattern = tree["clusters"].dataset["pattern"].variable.load()
    expected = daskstem.tracks(maps.assign(pattern=pattern), **TRACKS["tracks"]).compute()
    found = tree["tracks"].to_dataset()
    assert set(expected.data_vars) <= set(found.data_vars)
    for name, values in expected.data_vars.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    np.testing.assert_array_equal(found["track"], expected["track"])
    assert expected["area"].shape[0] < len(expected["track"]) / 3


def test_the_report_shows_every_frame_colored_by_track(finished, tmp_path):
    tree = daskstem.open_series(finished / "five.zarr")
    content = gather(tree, store="five.zarr")
    tracks = tree["tracks"].to_dataset()
    painted = track_labels(tree["segments"].to_dataset()["label"], tracks)
    np.testing.assert_array_equal(content.track_maps, painted)
    for frame in content.frames:
        np.testing.assert_array_equal(frame.maps["track"], painted[frame.number])
    text = daskstem.write_report(finished / "five.zarr", tmp_path / "page.html").read_text()
    assert f"{tracks['area'].shape[0]} tracks through 5 frames" in text
    for title in ("Frames 0 to 4.", "Growth, rotation and drift.", "Lineage."):
        assert f"<b>{title}</b>" in text
    assert text.count("<b>Tracks.</b>") == 5


def test_small_maps_of_a_large_scan_are_thinned(finished, monkeypatch):
    monkeypatch.setattr(track_content, "MOST_ROWS", 10)
    tree = daskstem.open_series(finished / "five.zarr")
    painted = track_labels(tree["segments"].to_dataset()["label"], tree["tracks"].to_dataset())
    found = gather(tree, store="five.zarr").track_maps
    np.testing.assert_array_equal(found, painted[:, ::2, ::2])


def test_frames_appended_to_the_source_change_no_number_of_a_track(finished, tmp_path):
    store = converted(tmp_path, 3, "three.zarr")
    daskstem.run_recipe(finished / "small.toml", store, quiet=True, workers=1)
    part, whole = (
        daskstem.open_series(path)["tracks"].to_dataset()
        for path in (store, finished / "five.zarr")
    )
    count, n_tracks = len(part["track"]), part["area"].shape[0]
    np.testing.assert_array_equal(part["track"], whole["track"][:count])
    for name in ("n_positions", "rotation", "centroid_y", "track_pattern"):
        np.testing.assert_array_equal(part[name], whole[name][:n_tracks, :3], err_msg=name)


def test_a_killed_run_is_continued_to_the_same_bytes(finished, tmp_path):
    store = shutil.copytree(finished / "five.zarr", tmp_path / "five.zarr")
    shutil.rmtree(store / "tracks")
    metadata = json.loads((store / "zarr.json").read_text())
    del metadata["consolidated_metadata"]
    (store / "zarr.json").write_text(json.dumps(metadata))
    arguments = ["run", str(finished / "small.toml"), str(store), "--workers", "1"]
    # early ones fall into the new group, later ones into its numbers and patterns
    command = [sys.executable, "-m", "tests.killing", str(store), "[3, 40, 90, 150]", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]).count("killed") >= 3
    stores.assert_same_store(store, finished / "five.zarr")


def test_other_clusters_make_other_tracks(finished, tmp_path):
    store = shutil.copytree(finished / "five.zarr", tmp_path / "five.zarr")
    before = daskstem.open_series(store)["tracks"].attrs["key"]
    daskstem.run_recipe(
        finished / "small.toml", store, settings=["grow.min_size=6"], quiet=True, workers=1
    )
    tree = daskstem.open_series(store)
    assert tree["tracks"].attrs["key"] != before
    assert tree["tracks"]["track"].size == tree["clusters"].sizes["cluster"]


def test_without_a_table_of_clusters_the_run_is_refused_before_it_starts(tmp_path):
    store = converted(tmp_path, 2, "two.zarr")
    recipe = stores.recipe(tmp_path, average=None, **TRACKS)
    before = stores.files(store)
    with pytest.raises(InputError, match="no variable 'pattern'.*run 'average' first"):
        daskstem.run_recipe(recipe, store, quiet=True, workers=1)
    assert stores.files(store) == before


def test_without_the_image_for_the_drift_the_run_is_refused_before_it_starts(tmp_path):
    store = converted(tmp_path, 2, "two.zarr")
    recipe = stores.recipe(tmp_path, virtual=None, tracks={"drift": "dark_field"})
    with pytest.raises(InputError, match="no variable 'dark_field'.*run 'virtual' first"):
        daskstem.run_recipe(recipe, store, quiet=True, workers=1)


def test_wrong_parameters_are_refused_before_the_run_starts(tmp_path):
    store = converted(tmp_path, 2, "two.zarr")
    recipe = stores.recipe(tmp_path, tracks={"weights": [0, 0, 0, 0]})
    before = stores.files(store)
    with pytest.raises(InputError, match="weights"):
        daskstem.run_recipe(recipe, store, quiet=True, workers=1)
    assert stores.files(store) == before


def test_the_step_alone_is_added_to_what_is_there(tmp_path):
    store = converted(tmp_path, 2, "two.zarr")
    daskstem.run_recipe(stores.recipe(tmp_path), store, quiet=True, workers=1)
    run_step("tracks", store, parameters={"patterns": False}, quiet=True, workers=1)
    found = daskstem.open_series(store)["tracks"].to_dataset()
    assert "track_pattern" not in found
    assert found["track"].size == len(daskstem.open_series(store)["clusters"]["label"])


def test_the_plan_knows_what_is_there(finished):
    plan = plan_recipe(finished / "small.toml", finished / "five.zarr")
    assert plan.stages[-1].name == "tracks"
    assert plan.stages[-1].done
    plan = plan_recipe(
        finished / "small.toml", finished / "five.zarr", settings=["tracks.max_gap=1"]
    )
    assert [stage.name for stage in plan.stages if not stage.done] == ["tracks"]
    assert plan.stages[-1].disk_bytes > 0
