import pickle

import numpy as np
import pytest
import zarr

from daskstem.blocks.pieces import source_of
from daskstem.io.layout import ArraySpec, writable
from daskstem.io.stored import StoredArray, missing_chunks
from daskstem.schema.errors import InputError

VALUES = np.arange(3 * 9 * 10 * 4, dtype="u2").reshape(3, 9, 10, 4)


@pytest.fixture
def array(tmp_path):
    spec = ArraySpec(
        ("frame", "scan_y", "scan_x", "q_x"), VALUES.shape, VALUES.dtype,
        chunks=(1, 4, 4, 4), shards=(1, 8, 8, 4),
    )  # fmt: skip
    made = spec.create(zarr.open_group(tmp_path / "s.zarr", mode="a").create_group("made"), "x")
    writable(made)[...] = VALUES
    return made


@pytest.mark.parametrize(
    "key",
    [
        0, -1, (1, 2), (slice(None), 3), (slice(0, 2), slice(1, 8, 3)), (2, slice(None, None, -1)),
        (slice(0, 2), [5, 1, -1], slice(2, 4)), (slice(None), slice(None), np.array([3, 3])),
        (slice(None), []), (1, slice(8, 2, -2), 4), (slice(1, 1),), (0, 0, 0, 0),
        (np.int64(1), slice(2, 3)),
    ],
    ids=str,
)  # fmt: skip
def test_indexing_is_that_of_numpy(array, key):
    np.testing.assert_array_equal(StoredArray(array, 0, 3)[key], VALUES[key])
    np.testing.assert_array_equal(StoredArray(array, 1, 3)[:1], VALUES[1:2])


@pytest.mark.parametrize(("small", "scan_chunks"), [(720, ((9,), (10,))), (719, ((8, 1), (8, 2)))])
def test_a_lazy_array_has_a_block_per_small_map_or_per_file(
    array, monkeypatch, small, scan_chunks
):
    monkeypatch.setattr("daskstem.io.stored._SMALL_MAP", small)
    lazy = StoredArray(array, 1, 3).lazy()
    assert lazy.chunks == ((1, 1), *scan_chunks, (4,))
    assert isinstance(source_of(lazy), StoredArray)
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), VALUES[1:3])


def test_it_travels_in_a_few_kilobytes(array):
    sent = pickle.dumps(StoredArray(array, 0, 3))
    assert len(sent) < 8000
    np.testing.assert_array_equal(pickle.loads(sent)[2], VALUES[2])


def test_windows_of_other_frames_have_other_names(array):
    names = [StoredArray(array, n, n + 1).lazy().name for n in range(3)]
    assert len(set(names)) == 3
    assert StoredArray(array, 0, 1).lazy().name == names[0]


@pytest.mark.parametrize("damage", ["cut", "empty", "first", "middle", "index", "lost"])
def test_damage_names_the_file_and_spares_the_others(array, tmp_path, damage):
    path = tmp_path / "s.zarr" / "made" / "x" / "c" / "1" / "0" / "1" / "0"
    content = bytearray(path.read_bytes())
    at = {"first": 3, "middle": len(content) // 3, "index": len(content) - 6}
    if damage in at:
        content[at[damage]] ^= 0x55
    path.write_bytes(content[: {"cut": len(content) // 2, "empty": 0}.get(damage, len(content))])
    if damage == "lost":
        path.unlink()
    stored = StoredArray(array, 0, 3)
    said = r"chunk c/1/0/1/0 of .*made/x is (damaged|missing).*delete the folder made"
    with pytest.raises(InputError, match=said):
        stored[1]
    np.testing.assert_array_equal(stored[0], VALUES[0])
    np.testing.assert_array_equal(stored[1, :8, :8], VALUES[1, :8, :8])
    assert [missing_chunks(array, frame) for frame in range(3)] == [False, damage == "lost", False]


@pytest.mark.parametrize("key", [(1, 7, 9), (0, slice(2, 4)), (2, -1)], ids=str)
def test_dask_reads_no_more_than_is_asked_for(array, key, monkeypatch):
    regions = []
    read = StoredArray.read
    monkeypatch.setattr(StoredArray, "read", lambda s, r: regions.append(r) or read(s, r))
    lazy = StoredArray(array, 0, 3).lazy()
    np.testing.assert_array_equal(lazy[key].compute(scheduler="sync"), VALUES[key])
    assert regions
    for frame, rows, *_ in regions:
        assert frame.stop - frame.start == 1
        assert rows.stop - rows.start <= 2


@pytest.mark.parametrize("shards", [(1, 8, 8, 4), None], ids=["ours", "another layout"])
def test_pieces_together_are_what_is_read(array, tmp_path, shards):
    if shards is None:
        array = zarr.create_array(tmp_path / "x.zarr", shape=VALUES.shape, dtype="u2")
        array[...] = VALUES
    window = StoredArray(array, 1, 3)
    region = (slice(1, 2), slice(3, 9), slice(0, 10), slice(0, 4))
    found = np.zeros(window.shape, "u2")
    for where, piece in window.pieces(region):
        found[where] = piece
    np.testing.assert_array_equal(found[region], VALUES[1:][region])
    np.testing.assert_array_equal(window.read(region), VALUES[1:][region])
