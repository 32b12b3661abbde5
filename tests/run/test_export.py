"""Extracted particles in files, read again by the libraries that others use."""

import re
import sys

import fabio
import mrcfile
import numpy as np
import pytest
import tifffile

import daskstem
from daskstem.cli import main as cli
from daskstem.io import exporting
from daskstem.schema.errors import InputError
from daskstem.testing import simulated_series, truth_of

TILTS = (12.0, -12.0)
SHAPE = (4, 24, 24, 32, 34)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return a store with particles extracted by true masks, its tilts falling."""
    folder = tmp_path_factory.mktemp("export")
    scene = {"seed": 1, "tilt_deg": TILTS}
    store = daskstem.simulate(folder / "tilt.zarr", shape=SHAPE, **scene)
    labels = truth_of(simulated_series(SHAPE, **scene))["label"].values
    np.save(folder / "labels.npy", (labels + 1).astype("u2"))
    recipe = folder / "recipe.toml"
    recipe.write_text(f'[extract]\nmasks = "{folder}/labels.npy"\n')
    daskstem.run_recipe(recipe, store, quiet=True, workers=1)
    return store


@pytest.fixture(scope="module")
def patterns(stored):
    return daskstem.open_series(stored)["extract"].dataset["particle_pattern"].values


def test_smv_opens_in_fabio_with_the_right_angles(stored, patterns, tmp_path):
    folder = daskstem.export(stored, tmp_path, to="smv")[0]
    files = sorted(folder.glob("*.img"))
    assert len(files) == 4
    for number, path in enumerate(files):
        image = fabio.open(str(path))
        header = image.header
        assert float(header["PHI"]) == float(header["OSC_START"]) == -12.0 + 8.0 * number
        assert float(header["OSC_RANGE"]) == 8.0
        assert (int(header["SIZE1"]), int(header["SIZE2"])) == (34, 32)
        # CODATA: 300 kV
        assert float(header["WAVELENGTH"]) == pytest.approx(0.019687, abs=1e-6)
        q = float(header["PIXEL_SIZE"]) / float(header["DISTANCE"]) / float(header["WAVELENGTH"])
        assert q == pytest.approx(2 / 32, rel=1e-4)
        # the middle, from the first pixel's corner, X along the slow axis
        centers = [float(header[f"BEAM_CENTER_{axis}"]) for axis in "XY"]
        np.testing.assert_allclose(centers, [0.05 * 16, 0.05 * 17], atol=1e-4)
        values = image.data.astype(float) - int(header["IMAGE_PEDESTAL"])
        expected = patterns[0, 3 - number] * float(header["SCALE"])
        row, column = np.indices(values.shape)
        # the direct beam, which the crystal weakens, may leave the 16 bits
        beyond = np.hypot(row - 15.5, column - 16.5) > 2.0
        # rounded to whole numbers; the scale has six digits
        np.testing.assert_allclose(values[beyond], expected[beyond], atol=0.6)


def test_tiff_and_mrc_hold_the_patterns_as_they_are(stored, patterns, tmp_path):
    tiff = daskstem.export(stored, tmp_path / "tiff", to="tiff")[0]
    for number, path in enumerate(sorted(tiff.glob("*.tiff"))):
        np.testing.assert_array_equal(tifffile.imread(path), patterns[0, 3 - number])
    mrc = daskstem.export(stored, tmp_path / "mrc", to="mrc")[0]
    with mrcfile.open(next(mrc.glob("*.mrc"))) as file:
        np.testing.assert_array_equal(file.data, patterns[0, ::-1])
    assert mrcfile.validate(next(mrc.glob("*.mrc")))
    tilts = next(mrc.glob("*.rawtlt")).read_text().split()
    assert [float(tilt) for tilt in tilts] == [-12.0, -4.0, 4.0, 12.0]


def test_pets_input_lists_images_that_are_there(stored, tmp_path):
    folder = daskstem.export(stored, tmp_path, to="pets", axis_deg=-30.0)[0]
    text = next(folder.glob("*.pts")).read_text()
    values = dict(re.findall(r"^(lambda|Aperpixel|omega) (\S+)$", text, re.MULTILINE))
    assert float(values["lambda"]) == pytest.approx(0.019687, abs=1e-6)
    assert float(values["Aperpixel"]) == pytest.approx(2 / 32)
    assert float(values["omega"]) == 330.0
    listed = text.split("imagelist\n")[1].removesuffix("end").splitlines()
    assert [float(line.split()[1]) for line in listed] == [-12.0, -4.0, 4.0, 12.0]
    for line in listed:
        assert tifffile.imread(folder / line.split()[0]).dtype == np.uint16


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["daskstem", *map(str, words)])
    cli.entry()


def test_the_command_says_what_it_wrote_and_refuses_to_write_over_it(
    stored, tmp_path, monkeypatch, capsys
):
    number = daskstem.open_series(stored)["extract"].dataset["particle_number"].values[0]
    words = ["export", stored, tmp_path, "--to", "mrc", "--particles", number]
    command(monkeypatch, *words)
    assert f"particle_{number:04d}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        command(monkeypatch, *words)
    assert "is there already" in capsys.readouterr().err


def test_a_missing_library_is_told_with_the_line_that_installs_it(stored, tmp_path, monkeypatch):
    monkeypatch.setitem(exporting.NEEDED, "smv", "not_installed")
    with pytest.raises(InputError, match=r"pip install 'daskstem\[export\]'"):
        daskstem.export(stored, tmp_path, to="smv")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_voltage_must_be_given():
    from daskstem.run.export import _voltage

    with pytest.raises(InputError, match="--voltage-kv"):
        _voltage({}, None)
    assert _voltage({}, 200.0) == 200.0


def test_a_store_without_particles_is_refused(tmp_path):
    store = daskstem.simulate(tmp_path / "s.zarr", shape=(1, 12, 12, 16, 16))
    with pytest.raises(InputError, match="no extracted particles"):
        daskstem.export(store, tmp_path / "out", to="tiff")
