import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.blocks.pieces import source_of
from daskstem.schema.calibration import axes_of
from daskstem.schema.errors import InputError
from tests.stored import stored

DIMS = ("frame", "scan_y", "scan_x", "q_y", "q_x")
COUNTS = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 8, 9)).astype(np.uint8)
BOXES = COUNTS[:, :4, :6, :6].astype(int).reshape(2, 2, 2, 3, 2, 2, 3, 3, 3).sum(axis=(2, 4, 6, 8))


def series(array=COUNTS):
    coords = {
        "scan_x": ("scan_x", 3.0 + 0.5 * np.arange(7), {"units": "nm"}),
        "q_y": ("q_y", -0.2 + 0.05 * np.arange(8), {"units": "1/angstrom"}),
        "time": ("frame", [0.0, 13.0], {"units": "s"}),
    }
    return xr.Dataset({"patterns": (DIMS, array)}, coords)


@settings(max_examples=6, deadline=None)
@given(st.tuples(*(st.integers(1 + n // 4, n) for n in COUNTS.shape)))
def test_does_not_depend_on_chunks(chunks):
    made = daskstem.rebin(series(da.from_array(COUNTS, chunks=chunks)), scan=2, q=3)["patterns"]
    np.testing.assert_array_equal(made, BOXES)
    assert made.dtype == np.uint16


def test_a_store_can_still_be_read_directly():
    lazy, _ = stored(COUNTS, (1, 2, 3, 8, 9))
    made = daskstem.rebin(series(lazy), scan=2, q=3)["patterns"]
    assert source_of(made.data) is not None
    np.testing.assert_array_equal(made, BOXES)


def test_coordinates_are_the_means_of_the_boxes():
    made = daskstem.rebin(series().isel(frame=0), scan=2, q=4)
    np.testing.assert_allclose(made["scan_x"], [3.25, 4.25, 5.25])
    np.testing.assert_allclose(made["q_y"], [-0.125, 0.075])
    assert made["scan_x"].attrs == {"units": "nm"}
    whole = daskstem.rebin(series(), q=8)
    assert axes_of(whole)["q_y"].step == pytest.approx(0.4)
    np.testing.assert_array_equal(whole["scan_x"], series()["scan_x"])
    assert list(whole["time"].values) == [0.0, 13.0]


def test_boxes_of_one_leave_patterns_as_they_are():
    made = daskstem.rebin(series())["patterns"]
    np.testing.assert_array_equal(made, COUNTS)
    assert made.dtype == np.uint8


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    daskstem.rebin(series(da.from_array(COUNTS, chunks=3)), scan=2)


@pytest.mark.parametrize(("box", "message"), [({"scan": 6}, "scan = 6 is more than the 5"),
                                              ({"q": 9}, "q = 9 is more than the 8"),
                                              ({"q": 0}, "must be >= 1")])  # fmt: skip
def test_boxes_that_do_not_fit_are_refused(box, message):
    with pytest.raises(InputError, match=message):
        daskstem.rebin(series(), **box)
