import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.schema.errors import InputError

DIMS = ("frame", "scan_y", "scan_x", "q_y", "q_x")
COUNTS = np.random.default_rng(0).poisson(900, (2, 5, 7, 4, 6)).astype(np.uint16)


def series(chunks):
    return xr.Dataset({"patterns": (DIMS, da.from_array(COUNTS, chunks=chunks))})


@settings(max_examples=8, deadline=None)
@given(st.tuples(*(st.integers(1, n) for n in COUNTS.shape)))
def test_does_not_depend_on_chunks(chunks):
    made = daskstem.summary(series(chunks))
    mean = COUNTS.mean(axis=(1, 2)).astype(np.float32)
    np.testing.assert_array_equal(made["mean_pattern"], mean)
    np.testing.assert_array_equal(made["max_pattern"], COUNTS.max(axis=(1, 2)))
    assert made["max_pattern"].dtype == np.uint16


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    daskstem.summary(series((1, 2, 3, 4, 6)))


def test_both_come_from_one_reading():
    read = []

    def seen(block):
        read.append(block.shape)
        return block

    ds = series((1, 2, 3, 4, 6))
    ds["patterns"] = (DIMS, ds["patterns"].data.map_blocks(seen, meta=np.empty((0,) * 5, "u2")))
    daskstem.summary(ds).compute(scheduler="synchronous")
    assert len(read) == 2 * 3 * 3


def test_takes_a_single_frame_of_floats_in_any_byte_order():
    frame = xr.Dataset({"patterns": (DIMS[1:], COUNTS[0].astype(">f4") / 7)})
    made = daskstem.summary(frame)
    assert made["mean_pattern"].dims == ("q_y", "q_x")
    np.testing.assert_allclose(made["mean_pattern"], COUNTS[0].mean(axis=(0, 1)) / 7, rtol=1e-6)
    np.testing.assert_array_equal(made["max_pattern"], frame["patterns"].max(("scan_y", "scan_x")))


def test_missing_patterns_are_named():
    with pytest.raises(InputError, match="no variable 'patterns'"):
        daskstem.summary(xr.Dataset())
