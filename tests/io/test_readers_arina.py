"""Dectris masters: linked chunk files, scan shape, dead pixels."""

import h5py
import hdf5plugin
import numpy as np
import pytest

from daskstem.io.readers import open_source
from daskstem.schema.errors import InputError

SPECIFIC = "entry/instrument/detector/detectorSpecific"
COUNTS = (7, 7, 4)
DETECTOR = (8, 12)
DEAD = (3, 5)


def written(folder, *, triggers=18, images=1, mask=True, dtype="u2", counts=COUNTS):
    """Write a master with linked files; one dead pixel; return the patterns as they are."""
    patterns = np.random.default_rng(1).integers(0, 900, (sum(counts), *DETECTOR)).astype(dtype)
    patterns[:, DEAD[0], DEAD[1]] = np.iinfo(dtype).max
    patterns[2, 0, 0] = np.iinfo(dtype).max
    start = 0
    master = folder / "a_master.h5"
    with h5py.File(master, "w") as file:
        links = file.create_group("entry/data")
        for number, count in enumerate(counts, start=1):
            name = f"a_data_{number:06d}.h5"
            with h5py.File(folder / name, "w") as part:
                part.create_dataset(
                    "entry/data/data",
                    data=patterns[start : start + count],
                    chunks=(1, *DETECTOR),
                    **hdf5plugin.Bitshuffle(cname="lz4"),
                )
            links[f"data_{number:06d}"] = h5py.ExternalLink(name, "entry/data/data")
            start += count
        file[f"{SPECIFIC}/ntrigger"] = triggers
        file[f"{SPECIFIC}/nimages"] = images
        file[f"{SPECIFIC}/photon_energy"] = 80e3
        file["entry/instrument/detector/count_time"] = 1e-4
        flags = np.zeros(DETECTOR if mask else (3, 3), "u4")
        if mask:
            flags[DEAD] = 16
        file[f"{SPECIFIC}/pixel_mask"] = flags
    return master, patterns


def silenced(patterns):
    living = patterns.copy()
    living[:, DEAD[0], DEAD[1]] = 0
    return living


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("scan_shape", [(3, 6), (6, 3), (2, 9)])
def test_linked_files_are_one_scan(tmp_path, mask, scan_shape):
    master, patterns = written(tmp_path, mask=mask)
    source = open_source(master, scan_shape=scan_shape)
    expected = silenced(patterns).reshape(1, *scan_shape, *DETECTOR)
    assert source.shape == expected.shape
    assert source.dtype == np.uint16
    for row in range(scan_shape[0]):
        for columns in (slice(0, 1), slice(1, 3), slice(0, scan_shape[1])):
            region = (slice(0, 1), slice(row, row + 1), columns, slice(2, 7), slice(4, 12))
            np.testing.assert_array_equal(source.read(region), expected[region])
    region = tuple(slice(0, size) for size in source.shape)
    np.testing.assert_array_equal(source.read(region), expected)


def test_a_living_pixel_may_reach_the_largest_value(tmp_path):
    master, patterns = written(tmp_path)
    source = open_source(master, scan_shape=(3, 6))
    one = (slice(0, 1), slice(0, 1), slice(2, 3), slice(0, 1), slice(0, 1))
    assert source.read(one).item() == patterns[2, 0, 0] == 65535


def test_metadata_are_those_of_the_master(tmp_path):
    master, _ = written(tmp_path)
    metadata = open_source(master, scan_shape=(3, 6)).metadata
    assert metadata["beam_energy_kev"] == 80.0
    assert metadata["exposure_time_s"] == 1e-4
    assert (metadata["dead_value"], metadata["n_dead_pixels"]) == (65535, 1)
    assert metadata["dead_pixels_from"] == "pixel_mask"


def test_only_the_files_a_region_touches_are_opened(tmp_path):
    master, patterns = written(tmp_path)
    source = open_source(master, scan_shape=(3, 6))
    (tmp_path / "a_data_000001.h5").unlink()
    last = (slice(0, 1), slice(2, 3), slice(2, 6), slice(0, 8), slice(0, 12))
    np.testing.assert_array_equal(source.read(last)[0, 0], silenced(patterns)[14:])
    first = (slice(0, 1), slice(0, 1), slice(0, 1), slice(0, 8), slice(0, 12))
    with pytest.raises(InputError, match="a_data_000001.h5"):
        source.read(first)


def test_square_scan_needs_no_shape(tmp_path):
    master, _ = written(tmp_path, triggers=16, counts=(7, 9))
    assert open_source(master).shape == (1, 4, 4, *DETECTOR)


def test_one_trigger_for_each_row_needs_no_shape(tmp_path):
    master, _ = written(tmp_path, triggers=3, images=6)
    assert open_source(master).shape == (1, 3, 6, *DETECTOR)


def test_ambiguous_scan_lists_the_possible_shapes(tmp_path):
    master, _ = written(tmp_path)
    with pytest.raises(InputError, match=r"18 patterns.*3 x 6, 6 x 3"):
        open_source(master)


def test_square_that_was_triggered_by_rows_is_ambiguous(tmp_path):
    master, _ = written(tmp_path, triggers=2, images=8, counts=(7, 9))
    with pytest.raises(InputError, match=r"16 patterns and does not say without doubt"):
        open_source(master)


def test_stopped_acquisition_says_both_numbers(tmp_path):
    master, _ = written(tmp_path, triggers=25)
    with pytest.raises(InputError, match=r"announces 25 x 1 patterns.*hold 18"):
        open_source(master)
    assert open_source(master, scan_shape=(3, 6)).shape[1:3] == (3, 6)


def test_missing_linked_file_is_named(tmp_path):
    master, _ = written(tmp_path)
    (tmp_path / "a_data_000002.h5").unlink()
    with pytest.raises(InputError, match=r"a_data_000002\.h5, which is missing"):
        open_source(master, scan_shape=(3, 6))


def test_truncated_linked_file_is_named(tmp_path):
    master, _ = written(tmp_path)
    part = tmp_path / "a_data_000003.h5"
    part.write_bytes(part.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"cannot read .*a_data_000003\.h5"):
        open_source(master, scan_shape=(3, 6))


def test_fingerprint_follows_the_linked_files(tmp_path):
    master, _ = written(tmp_path)
    before = open_source(master, scan_shape=(3, 6)).fingerprint
    with h5py.File(tmp_path / "a_data_000003.h5", "r+") as file:
        file["entry/data/data"][0] = 1
    assert open_source(master, scan_shape=(3, 6)).fingerprint != before
