"""Data to other programs and back, by the code of the README.

The other programs live in environments of their own: make them once with
``python tests/benchmarks/peers.py install --into DIR`` and name the folder in the environment
variable DASKSTEM_PEERS. Without it, what needs them is skipped.
"""

import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from rsciio import hspy

import daskstem
from tests.benchmarks.peers import VARIABLE, folder_of_peers, python_of

TEXT = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
CODE = {
    title: code
    for title, code in re.findall(r"^```py\n# (\w+)\n(.*?)^```", TEXT, re.DOTALL | re.M)
}
HOMES = {"py4DSTEM": "py4dstem", "pyxem": "hyperspy", "LiberTEM": "libertem"}
SHAPE = (12, 10, 48, 48)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with what the README writes for other programs."""
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "frame.h5", "w") as file:
        file["data"] = rng.poisson(2.0, SHAPE).astype(np.uint16)
    np.save(tmp_path / "cluster_patterns.npy", rng.random((5, *SHAPE[2:]), np.float32))
    return tmp_path


def in_peer(program, folder, more):
    python = python_of(HOMES[program], folder_of_peers(None))
    if python is None:
        pytest.skip(f"{program} is not installed: {VARIABLE} names no folder that has it")
    (folder / "exchange.py").write_text(CODE[program] + more)
    ended = subprocess.run(
        [python, "exchange.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def patterns_of(path):
    with h5py.File(path / "frame.h5") as file:
        return file["data"][:]


def converted(source):
    store = daskstem.convert(source, source.parent / "back.zarr", quiet=True, workers=1)
    return daskstem.open_series(store)["raw/patterns"].isel(frame=0)


def test_every_program_has_its_code():
    assert set(CODE) == set(HOMES)


def test_py4dstem_takes_a_frame_and_gives_it_back_with_its_calibration(folder):
    in_peer("py4DSTEM", folder, """
cube.calibration.set_R_pixel_size(2.0), cube.calibration.set_R_pixel_units("nm")
cube.calibration.set_Q_pixel_size(0.02), cube.calibration.set_Q_pixel_units("A^-1")
assert means.shape == (5, 1, 48, 48)
py4DSTEM.save("cube.h5", cube)
""")  # fmt: skip
    back = converted(folder / "cube.h5")
    np.testing.assert_array_equal(back.values, patterns_of(folder))
    assert back["scan_y"].values[:3].tolist() == [0.0, 2.0, 4.0]
    assert back["scan_x"].attrs["units"] == "nm"
    assert np.diff(back["q_x"].values) == pytest.approx(0.02)
    assert back["q_x"].attrs["units"] == "1/angstrom"


@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_pyxem_takes_a_frame_lazily_and_gives_it_back_with_its_calibration(folder, suffix):
    in_peer("pyxem", folder, f"""
assert type(signal).__name__ == "LazyElectronDiffraction2D", type(signal)
assert type(means).__name__ == "ElectronDiffraction2D", type(means)
for axis, scale, units in zip(
    signal.axes_manager._axes, (2.0, 3.0, 0.02, 0.02), ("nm", "nm", "$A^{{-1}}$", "$A^{{-1}}$")
):
    axis.scale, axis.units = scale, units
signal.save("signal.{suffix}")
""")  # fmt: skip
    back = converted(folder / f"signal.{suffix}")
    np.testing.assert_array_equal(back.values, patterns_of(folder))
    assert back["scan_x"].values[:3].tolist() == [0.0, 3.0, 6.0]
    assert back["q_x"].attrs["units"] == "1/angstrom"


def test_libertem_takes_a_frame_and_its_mask_serves_as_background(folder):
    in_peer("LiberTEM", folder, """
import numpy as np
np.save("image.npy", image)
np.save("mask.npy", image > np.median(image))
""")  # fmt: skip
    patterns = patterns_of(folder)
    y, x = np.ogrid[:48, :48]
    # LiberTEM softens the disk's edge over the pixels that it cuts
    inner = (y - 24) ** 2 + (x - 24) ** 2 < 4
    outer = (y - 24) ** 2 + (x - 24) ** 2 < 16
    image = np.load(folder / "image.npy")
    assert (image >= patterns[..., inner].sum(-1)).all()
    assert (image <= patterns[..., outer].sum(-1)).all()

    store = daskstem.convert(folder / "frame.h5", folder / "scan.zarr", quiet=True, workers=1)
    frame = daskstem.open_series(store)["raw"].to_dataset().isel(frame=0)
    ds = frame.merge(daskstem.prefilter(frame, radius_px=1))
    ds = ds.merge(daskstem.similarity(ds))
    found = daskstem.background(ds, method="mask", mask=str(folder / "mask.npy"), min_object=0,
                                min_hole=0)["mask"]  # fmt: skip
    np.testing.assert_array_equal(found.values, np.load(folder / "mask.npy"))


def test_a_file_as_pyxem_saves_it_keeps_its_calibration(folder):
    sizes = zip(SHAPE, (2.0, 2.0, 0.02, 0.02), ("nm", "nm", "$A^{-1}$", "$A^{-1}$"), strict=True)
    axes = [
        {"size": size, "scale": scale, "units": units, "offset": 0.0, "name": f"axis {number}",
         "navigate": number < 2, "index_in_array": number, "is_binned": False}
        for number, (size, scale, units) in enumerate(sizes)
    ]  # fmt: skip
    signal = {
        "data": patterns_of(folder), "axes": axes, "original_metadata": {},
        "metadata": {
            "General": {"title": "scan"}, "Signal": {"signal_type": "electron_diffraction"},
        },
        "package_info": {"package": "hyperspy", "package_version": "2.5.0"},
        "attributes": {"ragged": False, "_lazy": False}, "learning_results": {},
        "models": {}, "tmp_parameters": {},
    }  # fmt: skip
    hspy.file_writer(folder / "signal.hspy", signal)
    back = converted(folder / "signal.hspy")
    np.testing.assert_array_equal(back.values, patterns_of(folder))
    assert back["q_y"].attrs["units"] == "1/angstrom"
    assert back["scan_y"].attrs["units"] == "nm"
