import json
import warnings

import numpy as np
import pytest
import xarray as xr
import zarr

import daskstem
from daskstem.io.layout import ArraySpec
from daskstem.io.store import (
    begin_group,
    create_root,
    ensure_gathered,
    finish_frames,
    finish_group,
    finished_frames,
    group_names,
    is_finished,
    open_group,
    open_root,
    remove_group,
)
from daskstem.io.writing import sole_writer
from daskstem.schema.errors import InputError
from tests import stores

COORDINATES = {
    "frame": xr.Variable(("frame",), np.arange(2)),
    "name": xr.Variable(("frame",), np.array(["a", "longer"]), {"units": "text"}),
}


@pytest.fixture
def root(tmp_path):
    return create_root(tmp_path / "s.zarr")


def begun(root, name="made", **attrs):
    spec = ArraySpec(("frame", "scan_x"), (2, 5), np.dtype("f4"), chunks=(1, 5))
    return begin_group(root, name, {"x": spec}, COORDINATES, attrs)


def test_a_group_is_finished_when_it_says_so(root):
    group = begun(root, key="k")
    assert not is_finished(root, "made")
    finish_frames(group, [1])
    finish_frames(group, [0])
    assert finished_frames(root["made"]) == [0, 1]
    finish_group(group)
    assert is_finished(root, "made")
    assert not is_finished(root, "other")


def test_texts_and_units_come_back_as_they_were(root):
    finish_group(begun(root))
    found = open_group(root, "made")
    assert found["name"].values.tolist() == ["a", "longer"]
    assert found["name"].dtype.kind == "U"
    assert found["name"].attrs == {"units": "text"}


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.1, np.nan, -np.inf]), np.float32([[1 / 3, 2], [3, 4]]), np.uint8([1, 255]),
        np.array([True, False]), np.int64(2**62), np.zeros(0), np.array(["\u03b8", "longer"]),
        np.array(["a", "bc"], dtype=object),
    ],
    ids=lambda values: f"{values.dtype}{np.shape(values)}",
)  # fmt: skip
def test_a_coordinate_is_read_by_zarr_as_it_was_given(root, values):
    dims = ("scan_y", "scan_x")[: values.ndim]
    given = xr.Variable(dims, values, {"units": "px", "long_name": "\u03b8"})
    for name in ("first", "second"):
        found = begin_group(root, name, {}, {"place": given}, {})["place"]
        np.testing.assert_array_equal(found[...], values)
        assert found.dtype == values.dtype or values.dtype.kind in "UO"
        assert dict(found.attrs) == given.attrs
        assert (found.metadata.dimension_names or ()) == dims


def test_coordinates_that_differ_in_one_thing_alone_are_not_taken_for_each_other(root):
    same = {"data": np.arange(2), "dims": ("frame",), "attrs": {"units": "s"}}
    others = [{"data": np.arange(2.0)}, {"data": np.array([0, 2])}, {"dims": ("scan_x",)},
              {"attrs": {"units": "min"}}]  # fmt: skip
    for number, other in enumerate([{}, *others]):
        given = xr.Variable(**{**same, **other})
        begin_group(root, f"made{number}", {}, {"place": given}, {})
        found = root[f"made{number}/place"]
        assert found[...].tolist() == given.values.tolist()
        described = (found.dtype, found.metadata.dimension_names, dict(found.attrs))
        assert described == (given.dtype, given.dims, given.attrs)


def test_metadata_are_gathered_as_zarr_gathers_them(tmp_path):
    store = daskstem.simulate(tmp_path / "s.zarr", shape=(2, 16, 16, 32, 32), quiet=True)
    daskstem.run_recipe("default", store, quiet=True)
    (store / "raw/.DS_Store").touch()
    ours = json.loads((store / "zarr.json").read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(store)
    assert ours == json.loads((store / "zarr.json").read_text())


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_metadata_that_cannot_be_gathered_are_named(root, content):
    finish_group(begun(root))
    place = root.store.root / "made/x/zarr.json"
    place.write_text(content)
    with pytest.raises(InputError, match=r"below .*made/x is damaged .*; restore it"):
        ensure_gathered(root)


def test_a_group_is_built_aside_and_replaces_the_one_before(root, monkeypatch):
    begun(root, key="old")
    monkeypatch.setattr(ArraySpec, "create", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        begun(root, key="new")
    assert "made" not in group_names(root)
    monkeypatch.undo()
    assert begun(root, key="new").attrs["key"] == "new"
    assert group_names(root) == ["made"]


def test_what_a_killed_writer_left_is_neither_opened_nor_kept(root, tmp_path):
    begun(root)
    place = tmp_path / "s.zarr"
    empty = json.dumps({"zarr_format": 3, "node_type": "group"})
    for left in (".made.building", ".gone.removed"):
        (place / left).mkdir()
        (place / left / "zarr.json").write_text(empty)
    (place / "zarr.x.partial").write_text("half")
    assert group_names(root) == ["made"]
    with sole_writer(root):
        assert {path.name for path in place.iterdir()} == {"zarr.json", "made"}


def test_a_folder_that_a_killed_writer_had_just_begun_can_be_used(tmp_path):
    (tmp_path / "s.zarr").mkdir()
    (tmp_path / "s.zarr" / "zarr.1f.partial").write_text("{")
    assert group_names(create_root(tmp_path / "s.zarr")) == []


def test_one_writer_at_a_time(root):
    refused = pytest.raises(InputError, match="another process is writing")
    with sole_writer(root), refused, sole_writer(root):
        pass
    with sole_writer(root):
        pass


def test_files_of_the_desktop_do_not_matter(tmp_path):
    store = stores.converted(tmp_path, (1, 5, 6, 8, 8))
    for place in (store, store / "raw"):
        (place / ".DS_Store").write_bytes(b"1")
        (place / "Thumbs.db").write_bytes(b"1")
    assert set(daskstem.open_series(store).children) == {"raw"}


def test_a_range_of_frames_is_cut_out_of_everything_along_frame(tmp_path):
    root = open_root(stores.converted(tmp_path, (3, 5, 6, 8, 8)))
    one = open_group(root, "raw", frames=slice(1, 2))
    assert one["frame"].values.tolist() == [1]
    expected = np.load(tmp_path / "series.npy")[1:2]
    np.testing.assert_array_equal(one["patterns"], expected)


def test_opening_reads_no_patterns(tmp_path):
    store = stores.converted(tmp_path, (2, 5, 6, 8, 8))
    for path in (store / "raw" / "patterns" / "c").rglob("*"):
        if path.is_file():
            path.write_bytes(b"rotten")
    assert daskstem.open_series(store)["raw"].dataset["patterns"].shape == (2, 5, 6, 8, 8)


def test_unfinished_groups_are_named_and_not_opened(tmp_path):
    store = stores.converted(tmp_path, (2, 5, 6, 8, 8))
    begun(open_root(store, mode="r+"))
    tree = daskstem.open_series(store)
    assert tree.attrs["unfinished"] == ["made"]
    assert set(tree.children) == {"raw"}


def test_a_removed_group_is_gone_from_the_gathered_metadata(root):
    finish_group(begun(root))
    finish_group(begun(root, "kept"))
    remove_group(root, "made")
    remove_group(root, "made")
    assert set(zarr.open_group(root.store_path).group_keys()) == {"kept"}


def test_a_store_of_the_first_version_is_opened(tmp_path):
    store = stores.converted(tmp_path, (1, 5, 6, 8, 8))
    document = store / "zarr.json"
    content = json.loads(document.read_text())
    assert content["attributes"]["daskstem_schema"] == 1
    del content["attributes"]["daskstem_version"]
    document.write_text(json.dumps(content))
    assert "raw" in daskstem.open_series(store).children


def test_an_opened_series_reads_in_order(tmp_path):
    store = stores.converted(tmp_path, (2, 16, 16, 16, 16))
    daskstem.run_recipe("default", store, quiet=True)
    tree = daskstem.open_series(store)
    made = ["summary", "virtual", "prefilter", "similarity", "background", "hierarchy"]
    assert list(tree.children) == ["raw", *made, "segments", "clusters"]
    assert list(tree["raw"].sizes) == ["frame", "scan_y", "scan_x", "q_y", "q_x"]
    table = list(tree["clusters"].to_dataset().coords)
    assert table[0] == "frame"
    assert table.index("centroid_y") + 1 == table.index("centroid_x")
    for child in tree.children.values():
        assert "finished_frames" not in child.attrs
        for name, array in child.variables.items():
            assert {"units", "long_name"} & set(array.attrs), (child.name, name)
            assert not str(name).startswith("_")
    assert "place on the detector" in tree["raw/q_y"].attrs["long_name"]
    # what is shown is all there is: plain xarray finds the same
    plain = xr.open_zarr(store, group="clusters")
    assert set(plain.variables) == set(tree["clusters"].variables)
