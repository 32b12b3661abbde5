"""Plain arrays and containers: any region equals slicing, whatever the layout."""

import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daskstem.io.readers import open_source
from daskstem.io.readers.source import fill_regrouped
from daskstem.schema.errors import InputError

SHAPE = (4, 5, 6, 7)
PATTERNS = np.random.default_rng(0).integers(0, 60000, SHAPE).astype(np.uint16)


def whole(source):
    return tuple(slice(0, size) for size in source.shape)


def written(tmp_path, kind, patterns):
    path = tmp_path / f"scan.{kind.split('-')[0]}"
    if kind == "npy":
        np.save(path, patterns)
    elif kind == "npy-fortran":
        np.save(path, np.asfortranarray(patterns))
    elif kind == "npz":
        np.savez(path, patterns=patterns, other=np.zeros(3))
    elif kind == "npz-packed":
        np.savez_compressed(path, patterns=patterns, other=np.zeros(3))
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("a/b", data=patterns, chunks=True)
    elif kind == "zarr":
        zarr.open_group(path, mode="w").create_array("a/b", data=patterns)
    elif kind == "raw":
        path.write_bytes(b"12345" + patterns.tobytes())
    return path


KINDS = ("npy", "npy-fortran", "npz", "npz-packed", "h5", "zarr", "raw")


def opened(tmp_path, kind, patterns, **options):
    if kind == "raw":
        options |= {"shape": patterns.shape, "dtype": patterns.dtype.str, "offset_bytes": 5}
    return open_source(written(tmp_path, kind, patterns), **options)


@pytest.fixture(autouse=True)
def _temporary_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [">u2", "<f4", ">i4", "u1"])
def test_all_patterns_come_back_in_native_byte_order(tmp_path, kind, dtype):
    patterns = PATTERNS.astype(dtype)
    source = opened(tmp_path, kind, patterns)
    assert source.shape == (1, *SHAPE)
    assert source.dtype == np.dtype(dtype).newbyteorder("=")
    read = source.read(whole(source))
    assert type(read) is np.ndarray
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read[0], patterns)


@st.composite
def regions(draw, shape):
    parts = []
    for size in shape:
        start = draw(st.integers(0, size))
        parts.append(slice(start, draw(st.integers(start, size))))
    return tuple(parts)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_region_is_the_slice(tmp_path, kind, data):
    source = opened(tmp_path, kind, PATTERNS)
    region = data.draw(regions(source.shape))
    np.testing.assert_array_equal(source.read(region), PATTERNS[np.newaxis][region])


@given(data=st.data(), scan=st.sampled_from([(4, 5), (5, 4), (2, 10), (20, 1), (1, 20)]))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_region_of_a_regrouped_scan_is_the_slice_of_the_reshaped(tmp_path, data, scan):
    source = opened(tmp_path, "npy", PATTERNS, scan_shape=scan)
    region = data.draw(regions(source.shape))
    np.testing.assert_array_equal(source.read(region), PATTERNS.reshape(source.shape)[region])


def test_frames_are_regrouped_one_by_one(tmp_path):
    patterns = PATTERNS.reshape(2, 2, 5, 6, 7)
    source = opened(tmp_path, "npy", patterns, scan_shape=(5, 2))
    region = (slice(0, 2), slice(1, 4), slice(1, 2), slice(0, 6), slice(2, 7))
    expected = patterns.reshape(2, 5, 2, 6, 7)[region]
    np.testing.assert_array_equal(source.read(region), expected)
    out = np.empty_like(expected)
    fill_regrouped(source.stored, source.shape, region, out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_needs_and_takes_the_scan_shape(tmp_path, kind):
    stack = PATTERNS.reshape(20, 6, 7)
    source = opened(tmp_path, kind, stack, scan_shape=(2, 10))
    np.testing.assert_array_equal(source.read(whole(source))[0], stack.reshape(2, 10, 6, 7))
    with pytest.raises(InputError, match="scan_shape"):
        opened(tmp_path, kind, stack)
    with pytest.raises(InputError, match=r"3 x 3 needs 9 patterns.*holds 20"):
        opened(tmp_path, kind, stack, scan_shape=(3, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_threads_read_at_the_same_time(tmp_path, kind):
    source = pickle.loads(pickle.dumps(opened(tmp_path, kind, PATTERNS)))
    rows = [(slice(0, 1), slice(y, y + 1), *whole(source)[2:]) for y in range(4)] * 4
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(source.read, rows))
    np.testing.assert_array_equal(np.concatenate(read[:4], axis=1)[0], PATTERNS)
    np.testing.assert_array_equal(np.concatenate(read[12:], axis=1)[0], PATTERNS)


@pytest.mark.parametrize(("stored", "handed_on"), [("?", "u1"), ("f2", "f4"), (">f2", "f4")])
@pytest.mark.parametrize("kind", ["npy", "h5", "npz-packed"])
def test_odd_dtypes_become_ordinary_ones(tmp_path, kind, stored, handed_on):
    patterns = (PATTERNS % 2).astype(stored)
    source = opened(tmp_path, kind, patterns)
    assert source.dtype == np.dtype(handed_on)
    np.testing.assert_array_equal(source.read(whole(source))[0], patterns.astype(handed_on))


@pytest.mark.parametrize("dtype", ["c8", "U3", "S2"])
def test_values_that_are_no_intensities_are_refused(tmp_path, dtype):
    np.save(tmp_path / "odd.npy", np.zeros((2, 2, 2, 2), dtype))
    with pytest.raises(InputError, match=r"odd\.npy holds .* not intensities"):
        open_source(tmp_path / "odd.npy")


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "odd.npy", np.full((2, 2, 2, 2), None), allow_pickle=True)
    with pytest.raises(InputError, match="odd.npy"):
        open_source(tmp_path / "odd.npy")


@pytest.mark.parametrize("shape", [(6, 7), (7,), (0, 5, 6, 7), (1, 1, 1, 1, 6, 7)])
@pytest.mark.parametrize("kind", ["npy", "npz", "h5", "zarr"])
def test_what_is_no_diffraction_series_is_refused(tmp_path, kind, shape):
    with pytest.raises(InputError, match="diffraction series"):
        opened(tmp_path, kind, np.zeros(shape, np.uint8))


def test_several_arrays_are_listed_until_one_is_named(tmp_path):
    np.savez(tmp_path / "two.npz", a=PATTERNS, b=PATTERNS[:2])
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"], file["b"], file["map"] = PATTERNS, PATTERNS[:2], PATTERNS[0, 0]
    group = zarr.open_group(tmp_path / "two.zarr", mode="w")
    group.create_array("a", data=PATTERNS)
    group.create_array("b", data=PATTERNS[:2])
    for name in ("two.npz", "two.h5", "two.zarr"):
        with pytest.raises(InputError, match=r"2 .* name one.*a \(4, 5, 6, 7\).*b \(2, 5, 6, 7\)"):
            open_source(tmp_path / name)
        with pytest.raises(InputError, match="has no .*'c'"):
            open_source(tmp_path / name, dataset="c")
        source = open_source(tmp_path / name, dataset="b")
        np.testing.assert_array_equal(source.read(whole(source))[0], PATTERNS[:2])


def test_packed_member_is_unpacked_again_where_the_temporary_file_is_missing(tmp_path):
    source = opened(tmp_path, "npz-packed", PATTERNS)
    unpacked = list(tmp_path.glob("daskstem-*/*"))
    assert [path.suffix for path in unpacked] == [".npy"]
    unpacked[0].unlink()
    np.testing.assert_array_equal(source.read(whole(source))[0], PATTERNS)


def test_damaged_archive_leaves_no_temporary_file(tmp_path):
    noise = np.random.default_rng(3).integers(0, 60000, (8, 8, 32, 32)).astype(np.uint16)
    path = written(tmp_path, "npz-packed", noise)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("patterns.npy").header_offset
    content = bytearray(path.read_bytes())
    content[start + 90000 : start + 90100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot unpack patterns.npy"):
        open_source(path)
    assert not list(tmp_path.glob("daskstem-*/*"))


@pytest.mark.parametrize("kind", KINDS[:-2])
def test_truncated_file_is_refused_by_name(tmp_path, kind):
    path = written(tmp_path, kind, PATTERNS)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=path.name):
        open_source(path)


def test_truncated_npy_and_raw_say_found_and_expected_bytes(tmp_path):
    path = written(tmp_path, "npy", PATTERNS)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"found {size - 100} bytes, expected {size}"):
        open_source(path)
    raw = written(tmp_path, "raw", PATTERNS)
    with pytest.raises(InputError, match=r"has 1685 bytes, expected 1680"):
        open_source(raw, shape=SHAPE, dtype="u2")


def test_raw_binary_needs_shape_and_dtype(tmp_path):
    raw = written(tmp_path, "raw", PATTERNS)
    with pytest.raises(InputError, match="give shape and dtype"):
        open_source(raw)
    with pytest.raises(InputError, match=r"'u17' is unknown"):
        open_source(raw, shape=SHAPE, dtype="u17")
    source = open_source(raw, shape=(6, 7), scan_shape=(4, 5), dtype="u2", offset_bytes=5)
    np.testing.assert_array_equal(source.read(whole(source))[0], PATTERNS)


def test_options_of_raw_binary_are_refused_for_other_formats(tmp_path):
    path = written(tmp_path, "npy", PATTERNS)
    with pytest.raises(InputError, match="for raw binary"):
        open_source(path, dtype="u2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scan_shape": (2, 0)}, "above zero"),
        ({"scan_shape": (2, 2, 5)}, "expected 2"),
        ({"offset_bytes": -1}, "must not be negative"),
        ({"reader": "magic"}, "no reader 'magic'"),
        ({"dataset": "x"}, "holds one array only"),
    ],
)
def test_impossible_options_are_refused(tmp_path, options, message):
    path = written(tmp_path, "npy", PATTERNS)
    with pytest.raises(InputError, match=message):
        open_source(path, **options)


def test_missing_empty_and_unknown_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is no .*nothing\.npy"):
        open_source(tmp_path / "nothing.npy")
    (tmp_path / "empty.h5").touch()
    with pytest.raises(InputError, match=r"empty\.h5 is empty"):
        open_source(tmp_path / "empty.h5")
    (tmp_path / "x.docx").write_bytes(b"1")
    with pytest.raises(InputError, match=r"format of .*x\.docx is unknown"):
        open_source(tmp_path / "x.docx")


@pytest.mark.parametrize(
    "suffix",
    [
        *("npy", "npz", "h5", "zarr", "blo", "mib", "xml", "mrc"),
        *("tvips", "emi", "ser", "dm4", "app5", "hspy", "zspy", "emd"),
    ],
)
def test_nonsense_under_any_name_is_an_input_error(tmp_path, suffix):
    path = tmp_path / f"nonsense_000.{suffix}"
    path.write_bytes(b"this is no diffraction pattern\n" * 40)
    with pytest.raises(InputError):
        open_source(path, scan_shape=(1, 1))


def test_fingerprint_follows_content_and_options_not_the_time(tmp_path):
    path = written(tmp_path, "npy", PATTERNS)
    before = open_source(path).fingerprint
    content = bytearray(path.read_bytes())
    path.write_bytes(content)
    assert open_source(path).fingerprint == before
    assert open_source(path, scan_shape=(5, 4)).fingerprint != before
    content[-1] ^= 1
    path.write_bytes(content)
    assert open_source(path).fingerprint != before


def test_damaged_chunk_is_an_input_error(tmp_path):
    path = written(tmp_path, "zarr", PATTERNS)
    source = open_source(path)
    for chunk in (path / "a/b/c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"cannot read patterns from .*scan\.zarr"):
        source.read(whole(source))


def test_fingerprint_of_a_store_follows_its_chunks(tmp_path):
    path = written(tmp_path, "zarr", PATTERNS)
    before = open_source(path).fingerprint
    zarr.open_group(path)["a/b"][-1, -1, -1, -1] = 7
    assert open_source(path).fingerprint != before


def test_region_outside_the_patterns_is_refused(tmp_path):
    source = opened(tmp_path, "npy", PATTERNS)
    with pytest.raises(ValueError, match="does not lie in"):
        source.read((slice(0, 2), *whole(source)[1:]))
