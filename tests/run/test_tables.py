import numpy as np
import pytest
import zarr

import daskstem
from daskstem.run.tables import Rows
from tests import stores

SHAPE = (4, 20, 18, 16, 18)


def test_rows_follow_each_other():
    rows = Rows((0, 3, 3, 5), 9)
    assert [rows.of(n) for n in range(4)] == [slice(0, 3), slice(3, 3), slice(3, 5), slice(5, 9)]


@pytest.fixture
def store(tmp_path):
    made = stores.converted(tmp_path, SHAPE)
    daskstem.run_recipe(stores.recipe(tmp_path), made, quiet=True, workers=1)
    return made


def test_every_cluster_has_its_row_and_its_mean(store):
    tree = daskstem.open_series(store)
    label = tree["segments"].dataset["label"].values
    patterns = tree["raw"].dataset["patterns"].values
    clusters = tree["clusters"].dataset.load()
    assert clusters.sizes["cluster"] == tree["segments"].dataset["n_clusters"].sum()
    for row in range(clusters.sizes["cluster"]):
        one = clusters.isel(cluster=row)
        frame = int(one["frame"])
        inside = label[frame] == int(one["label"])
        assert inside.sum() == one["n_positions"]
        mean = patterns[frame][inside].mean(axis=0)
        np.testing.assert_allclose(one["pattern"], mean, rtol=1e-6)


def test_frames_in_any_state_share_files_and_end_in_the_same_bytes(store, tmp_path, monkeypatch):
    expected = stores.files(store, "clusters")
    path = store / "clusters" / "zarr.json"
    content = path.read_text().replace('"finished": true', '"finished": false')
    path.write_text(content)
    group = zarr.open_group(store / "clusters", mode="r+")
    group.attrs.update({"finished_frames": [0, 2]})
    for name in ("pattern", "n_positions"):
        group[name][3:] = 0
    first = int((group["frame"][:] == 0).sum())
    saved = group["pattern"][:first]
    for frame in (0, 2):
        rows = np.flatnonzero(group["frame"][:] == frame)
        group["pattern"][rows.min() : rows.max() + 1] = 7
    monkeypatch.setattr("daskstem.run.tasks.FRAMES_IN_FLIGHT", 1)
    daskstem.run_recipe(tmp_path / "small.toml", store, quiet=True, workers=1)
    found = zarr.open_group(store / "clusters", mode="r+")
    # frames that were finished are left as they are, the others are made again
    assert (found["pattern"][:first] == 7).all()
    for frame in (0, 2):
        rows = np.flatnonzero(found["frame"][:] == frame)
        assert (found["pattern"][rows.min() : rows.max() + 1] == 7).all()
    found["pattern"][:first] = saved
    assert stores.files(store, "clusters").keys() == expected.keys()


def test_a_few_clusters_at_a_time_make_the_same(store, tmp_path):
    expected = stores.arrays(store)
    one = ["average.batch_clusters=1"]
    daskstem.run_recipe(tmp_path / "small.toml", store, settings=one, quiet=True, workers=1)
    for name, values in stores.arrays(store).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
