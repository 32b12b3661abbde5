"""Files that other people's instruments and programs wrote, pixel by pixel."""

import pickle
import warnings
from importlib import import_module
from itertools import product
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the detectors' filters
import numpy as np
import pytest

from daskstem.io.readers import open_source
from daskstem.schema.errors import InputError

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
FORMATS = DATA / "formats"
pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason="the folder shared/data beside the repository is absent"
)

ARINA = FORMATS / "arina/test_arina_master.h5"
TVIPS = FORMATS / "tvips/test_tvips_2345_split_000.tvips"
MERLIN = FORMATS / "mib/001_4x2_6bit.mib"
EMPAD = FORMATS / "empad/map4x4.xml"
BLOCKFILE = FORMATS / "blo/test1.blo"
TOPSPIN = FORMATS / "topspin/topspin_test_B.app5"
MRC = FORMATS / "mrc/20241021_00405_movie.mrc"
EMI = FORMATS / "tia/128x128x5-diffraction_preview.emi"
PRISMATIC = FORMATS / "emd/Si100_4D.emd"
PY4DSTEM = FORMATS / "emd/py4DSTEM_size2x3x4x5.h5"


def eager(path, plugin, index=0, **keywords):
    with warnings.catch_warnings():
        # rosettasciio's mrc reader leaves its file to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        reader = import_module(f"rsciio.{plugin}").file_reader
        return np.asarray(reader(str(path), **keywords)[index]["data"])


def arina_by_hand():
    with h5py.File(ARINA.with_name("test_arina_data_000001.h5")) as file:
        patterns = file["entry/data/data"][:]
    # The mean of 8 x 8 pixels of which one is dead; the largest living value is 966.
    return np.where(patterns >= (2**32 - 1) // 64, 0, patterns).reshape(4, 4, 24, 24)


TRUTHS = {
    "blockfile": (BLOCKFILE, {}, lambda: eager(BLOCKFILE, "blockfile")),
    "merlin": (MERLIN, {}, lambda: eager(MERLIN, "quantumdetector")),
    "arina": (ARINA, {}, arina_by_hand),
    "tvips": (
        TVIPS,
        {"scan_shape": (2, 3)},
        lambda: eager(TVIPS, "tvips", scan_shape=(2, 3)),
    ),
    "empad": (EMPAD, {}, lambda: eager(EMPAD, "empad")),
    "prismatic": (PRISMATIC, {}, lambda: eager(PRISMATIC, "emd")),
    "py4dstem": (PY4DSTEM, {}, lambda: eager(PY4DSTEM, "emd")),
    "emi": (EMI, {}, lambda: eager(EMI, "tia")[np.newaxis]),
    "ser": (EMI.with_name(f"{EMI.stem}_1.ser"), {}, lambda: eager(EMI, "tia")[np.newaxis]),
    "topspin": (TOPSPIN, {}, lambda: eager(TOPSPIN, "topspin", show_progressbar=False)),
    "mrc": (MRC, {"scan_shape": (4, 8)}, lambda: eager(MRC, "mrc").reshape(4, 8, 4, 8)),
    "npz": (
        DATA / "scan_32.npz",
        {},
        lambda: np.load(DATA / "scan_32.npz", allow_pickle=False)["data"],
    ),
}
SHAPES = {
    "blockfile": (1, 3, 2, 144, 144),
    "merlin": (1, 2, 4, 256, 256),
    "arina": (1, 4, 4, 24, 24),
    "tvips": (1, 2, 3, 4, 5),
    "empad": (1, 4, 4, 128, 128),
    "prismatic": (2, 11, 11, 8, 8),
    "py4dstem": (1, 2, 3, 4, 5),
    "emi": (1, 1, 5, 128, 128),
    "ser": (1, 1, 5, 128, 128),
    "topspin": (1, 3, 7, 31, 26),
    "mrc": (1, 4, 8, 4, 8),
    "npz": (1, 32, 32, 64, 64),
}


def tiles(size, parts=3):
    """Cut an axis into uneven pieces that cover it."""
    edges = sorted({0, size, *(size * i // parts for i in range(1, parts))})
    return [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]


@pytest.mark.parametrize("name", TRUTHS)
def test_every_pixel_is_what_the_vendor_library_reads(name):
    path, options, truth = TRUTHS[name]
    source = open_source(path, **options)
    expected = truth()
    expected = expected if expected.ndim == 5 else expected[np.newaxis]
    assert source.shape == expected.shape == SHAPES[name]
    assert source.dtype == expected.dtype.newbyteorder("=")
    for region in product(
        *(tiles(size) for size in source.shape[:4]), [slice(0, expected.shape[4])]
    ):
        patterns = source.read(region)
        assert patterns.flags.c_contiguous
        assert patterns.dtype == source.dtype
        np.testing.assert_array_equal(patterns, expected[region])


def test_bitshuffled_patterns_are_what_h5py_reads():
    source = open_source(DATA / "measured_cryo_64x64x256x256.h5")
    assert source.shape == (1, 64, 64, 256, 256)
    assert source.dtype == np.uint8
    with h5py.File(DATA / "measured_cryo_64x64x256x256.h5") as file:
        for row in range(0, 64, 16):
            rows = slice(row, row + 16)
            region = (slice(0, 1), rows, *(slice(0, size) for size in source.shape[2:]))
            np.testing.assert_array_equal(source.read(region)[0], file["entry/data/data"][rows])


@pytest.mark.parametrize("name", TRUTHS)
def test_survives_pickling_and_is_small(name):
    path, options, _ = TRUTHS[name]
    source = open_source(path, **options)
    packed = pickle.dumps(source)
    assert len(packed) < 5000
    again = pickle.loads(packed)
    region = (slice(0, 1), slice(0, 1), slice(1, 2), *(slice(1, s) for s in source.shape[3:]))
    np.testing.assert_array_equal(again.read(region), source.read(region))
    assert again.fingerprint == source.fingerprint


def test_blockfile_step_is_that_of_its_header_and_centimetres_become_pixels():
    axes = open_source(BLOCKFILE).axes
    assert (axes["scan_y"].step, axes["scan_x"].units) == (12.8, "nm")
    assert (axes["q_y"].step, axes["q_y"].units) == (1.0, "px")


def test_empad_calibration_is_that_of_its_xml():
    source = open_source(EMPAD)
    # 4.5663426505682195e-06 m over 4 positions; calibrated_pixelsize 1.826537060227288e-10,
    # in 1/pm by its size; the centre is pixel 64.
    assert source.axes["scan_y"].step == pytest.approx(4.5663426505682195e3 / 4)
    assert source.axes["q_x"].step == pytest.approx(0.1826537060227288 / 10)
    assert source.axes["q_x"].origin == pytest.approx(-64 * 0.1826537060227288 / 10)
    assert source.axes["q_x"].units == "1/angstrom"
    assert source.metadata["beam_energy_kev"] == 300.0
    assert source.metadata["exposure_time_s"] == pytest.approx(1e-3)


def test_tia_calibration_is_that_of_its_elements():
    source = open_source(EMI)
    # CalibrationDeltaX 42464134.61 and CalibrationOffsetX -2717704615.2, both in 1/m.
    assert source.axes["q_x"].step == pytest.approx(42464134.61271668 * 1e-10)
    assert source.axes["q_x"].origin == pytest.approx(-2717704615.2139454 * 1e-10)
    assert source.axes["q_x"].units == "1/angstrom"
    assert source.metadata["beam_energy_kev"] == 200.0
    assert source.metadata["exposure_time_s"] == 0.0125


def test_py4dstem_calibration_follows_the_order_of_the_array():
    axes = open_source(PY4DSTEM).axes
    assert axes["scan_y"].step == axes["scan_x"].step == pytest.approx(0.126796875)
    assert axes["q_y"].step == pytest.approx(0.044251566616087125)
    assert {dim: axis.units for dim, axis in axes.items()} == {
        "scan_y": "nm", "scan_x": "nm", "q_y": "1/angstrom", "q_x": "1/angstrom"
    }  # fmt: skip


def test_topspin_calibration_is_that_of_its_beam_positions():
    source = open_source(TOPSPIN)
    assert source.axes["scan_x"].step == pytest.approx(5.0)
    assert source.axes["scan_y"].origin == pytest.approx(-639.95245825603)
    assert source.axes["q_y"].step == pytest.approx(0.000109869358753687 * 1e3)
    assert source.axes["q_y"].units == "mrad"
    assert source.metadata["beam_energy_kev"] == 300.0


def test_prismatic_exit_depths_become_frames():
    source = open_source(PRISMATIC)
    depths, units = source.frame_coords["depth"]
    # Two slices of 1.3575 angstrom between outputs, the first output behind them.
    assert depths == pytest.approx([0.2715, 0.543])
    assert units == "nm"
    assert source.axes["q_y"].step == pytest.approx(0.018416205)


def test_arina_tells_energy_exposure_and_dead_pixels():
    metadata = open_source(ARINA).metadata
    assert metadata["beam_energy_kev"] == 200.0
    assert metadata["exposure_time_s"] == pytest.approx(0.0002495, rel=1e-4)
    assert metadata["n_dead_pixels"] == 4
    assert metadata["dead_value"] == (2**32 - 1) // 64


def test_merlin_header_file_may_be_named_instead():
    assert open_source(MERLIN.with_suffix(".hdr")).shape == SHAPES["merlin"]


def test_tvips_needs_the_scan_shape():
    with pytest.raises(InputError, match=r"stack of 6 patterns.*scan_shape.*2 x 3"):
        open_source(TVIPS)


def test_tvips_later_part_names_the_first():
    with pytest.raises(InputError, match="open test_tvips_2345_split_000.tvips"):
        open_source(FORMATS / "tvips/test_tvips_2345_split_001.tvips")


def test_tvips_names_the_missing_part(tmp_path):
    for number in (0, 2):
        part = FORMATS / f"tvips/test_tvips_2345_split_00{number}.tvips"
        (tmp_path / part.name).write_bytes(part.read_bytes())
    with pytest.raises(InputError, match="lacks test_tvips_2345_split_001.tvips"):
        open_source(tmp_path / TVIPS.name, scan_shape=(2, 3))


def test_wrong_scan_shape_says_both_numbers():
    with pytest.raises(InputError, match=r"3 x 5 needs 15 patterns.*holds 32"):
        open_source(MRC, scan_shape=(3, 5))


def test_scan_shape_given_overrules_the_file():
    reshaped = open_source(MERLIN, scan_shape=(4, 2))
    whole = tuple(slice(0, size) for size in reshaped.shape)
    truth = eager(MERLIN, "quantumdetector").reshape(reshaped.shape)
    np.testing.assert_array_equal(reshaped.read(whole), truth)


@pytest.mark.parametrize(
    ("path", "removed"),
    [(MERLIN, 1000), (BLOCKFILE, 1000), (MRC, 1), (TVIPS, 7), (PY4DSTEM, 4000), (EMI, 70000)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_truncated_file_is_refused_by_name(tmp_path, path, removed):
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[:-removed])
    with pytest.raises(InputError, match=cut.name.split(".")[0]):
        open_source(cut, scan_shape=None if path != MRC else (4, 8))


def test_truncated_merlin_says_found_and_expected_bytes(tmp_path):
    cut = tmp_path / "cut.mib"
    cut.write_bytes(MERLIN.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"found 526360 bytes, expected 527360.*7 whole"):
        open_source(cut)
    assert open_source(cut, scan_shape=(1, 4)).shape == (1, 1, 4, 256, 256)


def test_merlin_of_16_bit_is_big_endian_and_keeps_its_aspect(tmp_path):
    header = MERLIN.read_bytes()[:384].replace(b"0256,0256,U08", b"0004,0006,U16")
    patterns = (np.arange(6 * 6 * 4) * 99).astype(">u2").reshape(2, 3, 6, 4)
    (tmp_path / "wide.mib").write_bytes(
        b"".join(header + pattern.tobytes() for pattern in patterns.reshape(6, 6, 4))
    )
    source = open_source(tmp_path / "wide.mib", scan_shape=(2, 3))
    assert source.dtype == np.dtype("u2")
    region = (slice(0, 1), slice(0, 2), slice(1, 3), slice(1, 4), slice(0, 3))
    np.testing.assert_array_equal(source.read(region)[0], patterns[:, :, ::-1][region[1:]])


def direct_electron(folder, scan):
    """Copy the movie and put an info file beside it, as the camera does."""
    (folder / MRC.name).write_bytes(MRC.read_bytes())
    lines = {
        "Image Size X (pixels)": 8, "Image Size Y (pixels)": 4, "Scan - Size X": 8,
        "Scan - Size Y": 4, "Scan - Enable": "Enable", "Scan - Type": scan,
        "Diffraction Pixel Size X": 0.02, "Specimen Pixel Size Y (nanometers)": -1,
    }  # fmt: skip
    name = MRC.name.replace("movie.mrc", "info.txt")
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    (folder / name).write_text(text)
    positions = "".join(f"{x},{y}\n" for y in range(4) for x in range(8))
    (folder / MRC.name.replace("movie.mrc", "coordinates.csv")).write_text(positions)
    return folder / MRC.name


def test_direct_electron_info_file_gives_scan_and_calibration(tmp_path):
    source = open_source(direct_electron(tmp_path, "Raster"))
    assert source.shape == SHAPES["mrc"]
    assert source.axes["q_x"].step == pytest.approx(0.002)
    assert "scan_y" not in source.axes
    region = tuple(slice(0, size) for size in source.shape)
    np.testing.assert_array_equal(source.read(region)[0], TRUTHS["mrc"][2]())


def test_direct_electron_scan_in_another_order_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"movie\.mrc"):
        open_source(direct_electron(tmp_path, "XY Array"))


def test_truncated_series_says_found_and_expected_bytes(tmp_path):
    series = EMI.with_name(f"{EMI.stem}_1.ser")
    cut = tmp_path / series.name
    cut.write_bytes(series.read_bytes()[:200000])
    with pytest.raises(InputError, match=r"truncated: found 200000 bytes, expected 32\d{4}"):
        open_source(cut)


def test_empad_without_its_raw_file_names_it(tmp_path):
    (tmp_path / EMPAD.name).write_bytes(EMPAD.read_bytes())
    with pytest.raises(InputError, match=r"scan_x4_y4.raw, which is missing"):
        open_source(tmp_path / EMPAD.name)


def test_file_removed_after_opening_is_an_input_error(tmp_path):
    copy = tmp_path / "copy.blo"
    copy.write_bytes(BLOCKFILE.read_bytes())
    source = open_source(copy)
    copy.unlink()
    with pytest.raises(InputError, match=r"copy\.blo"):
        source.read(tuple(slice(0, 1) for _ in range(5)))
