import dask.array as da
import numpy as np
import pytest
import xarray as xr

import daskstem
from daskstem.blocks.pieces import source_of
from daskstem.schema.calibration import axes_of
from daskstem.schema.errors import InputError
from tests.stored import stored

DIMS = ("frame", "scan_y", "scan_x", "q_y", "q_x")
COUNTS = np.random.default_rng(0).integers(0, 99, (2, 5, 7, 8, 9)).astype(np.uint16)


def series(array=COUNTS):
    coords = {
        "time": ("frame", [0.0, 13.0], {"units": "s"}),
        "scan_x": ("scan_x", 3.0 + 0.5 * np.arange(7), {"units": "nm"}),
        "q_y": ("q_y", -0.2 + 0.05 * np.arange(8), {"units": "1/angstrom"}),
    }
    ds = xr.Dataset({"patterns": (DIMS, array)}, coords)
    return ds.assign(mean_similarity=(DIMS[:3], np.ones((2, 5, 7), "f4")))


@pytest.mark.parametrize("chunks", [(1, 2, 3, 8, 9), (2, 5, 2, 3, 4)])
def test_patterns_and_coordinates_are_cut_together(chunks):
    ds = series(da.from_array(COUNTS, chunks=chunks))
    made = daskstem.crop(ds, scan_y=(1, 4), scan_x=(2, 7), q_y=(3, 8), q_x=(0, 2))
    expected = series().isel(
        scan_y=slice(1, 4), scan_x=slice(2, 7), q_y=slice(3, 8), q_x=slice(0, 2)
    )
    np.testing.assert_array_equal(made["patterns"], expected["patterns"])
    assert list(made) == ["patterns"]
    assert set(made.coords) == {"time", "scan_x", "q_y"}
    for name, coordinate in made.coords.items():
        xr.testing.assert_identical(coordinate.variable, expected[name].variable)


def test_a_store_can_still_be_read_directly():
    lazy, _ = stored(COUNTS, (1, 2, 3, 8, 9))
    made = daskstem.crop(series(lazy), scan_x=(2, 7), q_y=(3, 8))["patterns"]
    assert source_of(made.data) is not None
    np.testing.assert_array_equal(made, COUNTS[:, :, 2:7, 3:8])


def test_a_single_position_keeps_its_calibration():
    ds = series()
    made = daskstem.crop(ds.isel(frame=0), scan_x=(4, 5))
    axis = axes_of(made)["scan_x"]
    assert (axis.step, axis.origin, axis.units) == (0.5, 5.0, "nm")
    assert "step" not in ds["scan_x"].attrs


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    daskstem.crop(series(da.from_array(COUNTS, chunks=3)), scan_y=(0, 2))


@pytest.mark.parametrize("bounds", [(2, 2), (3, 1), (-1, 3), (0, 6)])
def test_parts_that_are_not_there_are_refused(bounds):
    with pytest.raises(InputError, match="scan_y"):
        daskstem.crop(series(), scan_y=bounds)
