import numpy as np
import pytest
import xarray as xr

import daskstem
from daskstem.schema.calibration import Axis, GivenCalibration, axes_of, calibrated
from daskstem.schema.errors import InputError
from daskstem.view import pattern


def test_axes_of_a_single_pattern_are_those_of_its_detector():
    counts = xr.DataArray(
        np.ones((2, 3, 8, 8)),
        dims=("scan_y", "scan_x", "q_y", "q_x"),
        coords={
            "scan_y": ("scan_y", [0.0, 5.0], {"units": "nm"}),
            "q_y": ("q_y", np.arange(8) * 0.1, {"units": "1/angstrom"}),
        },
    )
    one = counts.isel(scan_y=1, scan_x=2)
    found = axes_of(one.coords.to_dataset())
    assert found["scan_y"] == Axis(1.0, 5.0, "nm")
    assert found["q_y"] == Axis(0.1, 0.0, "1/angstrom")
    assert pattern(one).images


@pytest.mark.parametrize("units", ["$A^{-1}$", r"$\AA^{-1}$", "Å$^{-1}$", "1/Å"])
def test_inverse_angstrom_is_read_as_pyxem_and_others_spell_it(units):
    assert calibrated("q_x", step=0.02, origin=-1.0, units=units) == Axis(0.02, -1.0, "1/angstrom")


def test_what_a_user_says_stands_above_what_the_file_says(tmp_path):
    np.save(tmp_path / "scan.npy", np.ones((3, 4, 8, 6), "u2"))
    store = daskstem.convert(
        tmp_path / "scan.npy", tmp_path / "scan.zarr", scan_step_nm=(0.5, 0.4), q_step=0.2,
        q_units="1/nm", beam_energy_kev=200.0, quiet=True, workers=1,
    )  # fmt: skip
    raw = daskstem.open_series(store)["raw"].to_dataset()
    assert raw["scan_y"].values.tolist() == [0.0, 0.5, 1.0]
    assert raw["scan_x"].attrs["units"] == "nm"
    # 0.2 / nm is 0.02 / angstrom, and the middle of 8 and of 6 pixels lies between two of them
    np.testing.assert_allclose(raw["q_y"], 0.02 * (np.arange(8) - 3.5))
    np.testing.assert_allclose(raw["q_x"], 0.02 * (np.arange(6) - 2.5))
    assert raw["q_x"].attrs["units"] == "1/angstrom"
    assert raw.attrs["metadata"]["beam_energy_kev"] == 200.0


def test_a_step_that_is_given_leaves_the_other_axes_to_the_file():
    given = GivenCalibration(q_step=1.5, q_units="mrad")
    assert set(given.axes((1, 3, 4, 8, 6))) == {"q_y", "q_x"}
    assert given.metadata == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scan_step_nm": -1.0}, "scan_step_nm = -1.0"),
        ({"q_step": (0.1, 0.2, 0.3)}, "rows and columns"),
        ({"q_step": float("nan")}, "above zero"),
        ({"q_step": 1.0, "q_units": "cm"}, "q_units = 'cm'"),
        ({"beam_energy_kev": 0.0}, "such as 300"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        GivenCalibration(**given)
