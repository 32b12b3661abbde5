import shutil

import numpy as np
import pytest
import zarr

import daskstem
from daskstem.run import kept, series
from daskstem.schema.errors import InputError
from tests import stores

SHAPE = (3, 20, 18, 16, 18)
KMEANS = {"k": [3, 4], "seed": 2, "tolerance": 0.0, "normalize": "unit_variance"}


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    return stores.converted(tmp_path_factory.mktemp("series"), SHAPE)


def recipe(folder, **changes):
    path = folder / "classes.toml"
    path.write_text(stores.toml({"kmeans": {**KMEANS, **changes}}))
    return path


def copied(store, folder, name="s.zarr"):
    return shutil.copytree(store, folder / name)


def test_a_store_holds_what_the_function_returns(converted, tmp_path):
    store = copied(converted, tmp_path)
    daskstem.run_recipe(recipe(tmp_path), store, quiet=True, workers=1)
    tree = daskstem.open_series(store)
    found = tree["kmeans"].to_dataset()
    given = {**KMEANS, "k": tuple(KMEANS["k"])}
    expected = daskstem.kmeans(tree["raw"].to_dataset(), **given)
    # a sum in float64: the pieces of a stored block are added up one after the other
    np.testing.assert_allclose(found["inertia"], expected["inertia"], rtol=1e-12)
    for name, values in expected.drop_vars("inertia").data_vars.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    np.testing.assert_array_equal(found["n_classes"], [3, 4])


def test_a_run_stopped_anywhere_goes_on_and_ends_in_the_same_bytes(
    converted, tmp_path, monkeypatch
):
    expected = copied(converted, tmp_path, "expected.zarr")
    path = recipe(tmp_path)
    daskstem.run_recipe(path, expected, quiet=True, workers=1)
    store = copied(converted, tmp_path)
    write, taken = kept.KeptPasses.write, []

    def stopping(self, iteration, name="", progress=None):
        write(self, iteration, name, progress)
        taken.append((name, progress.frame if progress else None))
        # anywhere: after a frame, after a pass
        if len(taken) % 2 == 1:
            raise StoppedError

    monkeypatch.setattr(kept.KeptPasses, "write", stopping)
    stops = 0
    for _ in range(60):
        try:
            daskstem.run_recipe(path, store, quiet=True, workers=1)
            break
        except StoppedError:
            stops += 1
    assert stops >= 5
    # no frame of a pass is computed twice
    frames = [one for one in taken if one[0]]
    assert len(frames) == len(set(frames))
    assert {"variance", "iteration 1", "classes"} <= {name for name, _ in frames}
    stores.assert_same_store(store, expected)


def test_what_another_recipe_has_left_is_of_no_use(converted, tmp_path, monkeypatch):
    store = copied(converted, tmp_path)
    finish = series._finish

    def stopped(*_):
        raise StoppedError

    monkeypatch.setattr(series, "_finish", stopped)
    with pytest.raises(StoppedError):
        daskstem.run_recipe(recipe(tmp_path), store, quiet=True, workers=1)
    assert (store / ".kmeans.passes.npz").exists()
    monkeypatch.setattr(series, "_finish", finish)
    daskstem.run_recipe(recipe(tmp_path, seed=7), store, quiet=True, workers=1)
    other = copied(converted, tmp_path, "other.zarr")
    daskstem.run_recipe(recipe(tmp_path, seed=7), other, quiet=True, workers=1)
    stores.assert_same_store(store, other)


def test_a_damaged_file_of_passes_is_begun_anew(converted, tmp_path):
    store = copied(converted, tmp_path)
    (store / ".kmeans.passes.npz").write_bytes(b"PK no archive")
    daskstem.run_recipe(recipe(tmp_path), store, quiet=True, workers=1)
    assert not (store / ".kmeans.passes.npz").exists()


def test_what_is_left_of_a_finished_step_is_cleared_away(converted, tmp_path):
    store = copied(converted, tmp_path)
    daskstem.run_recipe(recipe(tmp_path), store, quiet=True, workers=1)
    (store / ".kmeans.passes.npz").write_bytes(b"killed before this was deleted")
    daskstem.run_recipe(recipe(tmp_path), store, quiet=True, workers=1)
    assert not (store / ".kmeans.passes.npz").exists()


def test_clusters_are_classified_after_they_are_averaged(converted, tmp_path):
    store = copied(converted, tmp_path)
    path = stores.recipe(tmp_path, kmeans={"of": "clusters", "k": 2})
    daskstem.run_recipe(path, store, quiet=True, workers=1)
    tree = daskstem.open_series(store)
    label, classes = tree["segments/label"].values, tree["kmeans/label"].values
    np.testing.assert_array_equal(classes >= 0, label >= 0)
    for frame in range(SHAPE[0]):
        for number in np.unique(label[frame][label[frame] >= 0]):
            assert len(np.unique(classes[frame][label[frame] == number])) == 1
    assert zarr.open_group(store, mode="r")["kmeans"].attrs["made_from"].keys() >= {"clusters"}


def test_a_plan_refuses_what_the_step_would(converted, tmp_path):
    with pytest.raises(InputError, match="no variable 'pattern'.*run 'average' first"):
        daskstem.run_recipe(recipe(tmp_path, of="clusters"), converted, quiet=True, workers=1)
    with pytest.raises(InputError, match="there is no frame 9"):
        daskstem.run_recipe(recipe(tmp_path, frames=[9]), converted, quiet=True, workers=1)
