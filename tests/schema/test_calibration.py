import numpy as np
import pytest
import xarray as xr

from daskstem.schema.calibration import Axis, axes_of, calibrated
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
