"""HyperSpy's formats, and what rosettasciio reads or writes itself."""

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from daskstem.io.readers import open_source
from daskstem.io.readers.options import Options
from daskstem.io.readers.rosetta import axes_of_signal, rosetta_reader
from daskstem.schema.errors import InputError

PATTERNS = np.random.default_rng(0).integers(0, 60000, (4, 5, 6, 7)).astype(np.uint16)


def whole(source):
    return tuple(slice(0, size) for size in source.shape)


AXES = (
    {"name": "t", "scale": 13.0, "offset": 2.0, "units": "s", "size": 2, "navigate": True},
    {"name": "y", "scale": 2.0, "offset": 1.0, "units": "nm", "size": 2, "navigate": True},
    {"name": "x", "scale": 0.5, "offset": 0.0, "units": "µm", "size": 5, "navigate": True},
    {"name": "ky", "scale": 0.1, "offset": -0.3, "units": "1/nm", "size": 6, "navigate": False},
    {"name": "kx", "scale": 0.2, "offset": 0.0, "units": "_None_", "size": 7, "navigate": False},
)


def described(signal):
    for i, axis in enumerate(AXES):
        signal.create_group(f"axis-{i}").attrs.update(axis)


@pytest.mark.parametrize("kind", ["hspy", "zspy", "zspy-zip"])
def test_hyperspy_files_keep_their_axes(tmp_path, kind):
    patterns = PATTERNS.reshape(2, 2, 5, 6, 7)
    path = tmp_path / f"scan.{kind[:4]}"
    if kind == "hspy":
        with h5py.File(path, "w") as file:
            signal = file.create_group("Experiments/grains")
            signal["data"] = patterns
            described(signal)
    else:
        signal = zarr.open_group(path, mode="w", zarr_format=2).create_group("Experiments/grains")
        signal.create_array("data", data=patterns)
        described(signal)
    if kind == "zspy-zip":
        path = path.rename(tmp_path / "folder")
        packed = shutil.make_archive(str(tmp_path / "packed"), "zip", path)
        path = Path(packed).rename(tmp_path / "scan.zspy")
    source = pickle.loads(pickle.dumps(open_source(path)))
    np.testing.assert_array_equal(source.read(whole(source)), patterns)
    assert source.frame_coords["time"] == ([2.0, 15.0], "s")
    assert (source.axes["scan_y"].step, source.axes["scan_y"].origin) == (2.0, 1.0)
    assert source.axes["scan_x"].step == 500.0
    assert source.axes["q_y"].step == pytest.approx(0.01)
    assert source.axes["q_y"].origin == pytest.approx(-0.03)
    assert source.axes["q_x"].units == "px"


def test_a_file_of_several_signals_lists_them(tmp_path):
    with h5py.File(tmp_path / "two.hspy", "w") as file:
        for name in ("a", "b"):
            file[f"Experiments/{name}/data"] = PATTERNS if name == "a" else PATTERNS[:2]
    with pytest.raises(InputError, match=r"2 signals .* a \(4, 5, 6, 7\), b \(2, 5, 6, 7\)"):
        open_source(tmp_path / "two.hspy")
    source = open_source(tmp_path / "two.hspy", dataset="b")
    np.testing.assert_array_equal(source.read(whole(source))[0], PATTERNS[:2])


def test_any_lazy_plugin_of_rosettasciio_reads_region_by_region(tmp_path):
    path = tmp_path / "scan.hspy"
    with h5py.File(path, "w") as file:
        signal = file.create_group("Experiments/grains")
        file.attrs["file_format_version"] = "3.1"
        signal.create_dataset("data", data=PATTERNS.reshape(2, 2, 5, 6, 7), chunks=True)
        described(signal)
        for i in range(len(AXES)):
            signal[f"axis-{i}"].attrs["_type"] = "UniformDataAxis"
            signal[f"axis-{i}"].attrs["index_in_array"] = i
        for name in ("metadata/General", "metadata/Signal", "original_metadata"):
            signal.create_group(name)
    found = rosetta_reader("hspy")(path, Options())
    stored = pickle.loads(pickle.dumps(found.stored))
    region = (slice(1, 2), slice(0, 2), slice(2, 4), slice(1, 6), slice(0, 7))
    out = np.empty((1, 2, 2, 5, 7), np.uint16)
    stored.fill(region, out)
    np.testing.assert_array_equal(out, PATTERNS.reshape(2, 2, 5, 6, 7)[region])
    assert found.frame_coords["time"] == ([2.0, 15.0], "s")
    assert found.axes == axes_of_signal(AXES)


def test_files_written_by_rosettasciio_come_back(tmp_path):
    rsciio_emd = pytest.importorskip("rsciio.emd")
    signal = {
        "data": PATTERNS,
        "axes": [dict(axis, index_in_array=i) for i, axis in enumerate(AXES[1:])],
        "metadata": {"General": {"title": "grains"}, "Signal": {"signal_type": ""}},
        "original_metadata": {},
    }
    rsciio_emd.file_writer(str(tmp_path / "scan.emd"), signal)
    source = open_source(tmp_path / "scan.emd")
    np.testing.assert_array_equal(source.read(whole(source))[0], PATTERNS)
    assert source.axes["scan_y"].step == pytest.approx(2.0)
    assert source.axes["q_y"].step == pytest.approx(0.01)
