import numpy as np
import pytest

import daskstem
from daskstem.run.convert import scan_tiling
from daskstem.schema.errors import InputError
from tests import stores

SHAPE = (3, 20, 18, 16, 18)


def test_several_files_make_a_series_with_its_coordinates(tmp_path):
    whole = np.load(stores.scan_file(tmp_path, SHAPE))
    for number, frame in zip((2, 10, 1), whole, strict=True):
        np.save(tmp_path / f"frame_{number}.npy", frame)
    store = daskstem.convert(
        tmp_path / "frame_*.npy", tmp_path / "s.zarr", frame_dim="tilt",
        frame_values=[-1.0, 0.0, 2.5], quiet=True, workers=1,
    )  # fmt: skip
    raw = daskstem.open_series(store)["raw"].dataset
    np.testing.assert_array_equal(raw["patterns"], whole[[2, 0, 1]])
    assert raw["tilt"].values.tolist() == [-1.0, 0.0, 2.5]
    assert raw["tilt"].attrs["units"] == "deg"
    assert raw["source_file"].values.tolist() == ["frame_1.npy", "frame_2.npy", "frame_10.npy"]
    assert raw.attrs["series_type"] == "tilt"


def test_converting_again_changes_nothing(tmp_path):
    store = stores.converted(tmp_path, SHAPE)
    before = stores.stamps(store)
    assert stores.converted(tmp_path, SHAPE) == store
    assert stores.stamps(store) == before


def test_lost_files_and_no_others_are_written_again(tmp_path):
    store = stores.converted(tmp_path, SHAPE)
    expected, before = stores.files(store), stores.stamps(store)
    lost = store / "raw" / "patterns" / "c" / "1" / "0" / "0" / "0" / "0"
    lost.unlink()
    stores.converted(tmp_path, SHAPE)
    after = stores.stamps(store)
    assert stores.files(store) == expected
    assert {path for path in before if before[path] != after[path]} == {str(lost)}


def test_a_file_that_breaks_off_in_the_middle_is_named(tmp_path, monkeypatch):
    path = stores.scan_file(tmp_path, SHAPE)

    def shortened(*_args, **_keywords):
        raise OSError("unexpected end of file")

    monkeypatch.setattr("daskstem.io.readers.source.fill_regrouped", shortened)
    with pytest.raises(InputError, match=r"series.npy: unexpected end of file; check"):
        daskstem.convert(path, tmp_path / "s.zarr", quiet=True, workers=1)
    monkeypatch.undo()
    stores.converted(tmp_path, SHAPE, "s.zarr")


def test_patterns_of_zeros_are_written_too(tmp_path):
    np.save(tmp_path / "zeros.npy", np.zeros((4, 5, 8, 8), "u2"))
    store = daskstem.convert(tmp_path / "zeros.npy", tmp_path / "s.zarr", quiet=True, workers=1)
    assert not daskstem.open_series(store)["raw"].dataset["patterns"].any()


def test_a_shard_is_a_whole_number_of_chunks():
    for scan in ((1, 1), (5, 300), (512, 512)):
        tiles = scan_tiling((1, *scan, 16, 18), np.dtype("u2"))
        assert all(side % inner == 0 for side, inner in zip(tiles.side, tiles.inner, strict=True))
