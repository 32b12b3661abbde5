import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.blocks.pieces import source_of
from daskstem.schema.errors import InputError
from daskstem.testing import simulated_series, truth_of
from tests.stored import stored

DIMS = ("frame", "scan_y", "scan_x", "q_y", "q_x")
RNG = np.random.default_rng(0)
SHAPE = (2, 5, 7, 8, 9)
COUNTS = RNG.integers(0, 99, SHAPE).astype(np.uint16)
BAD = RNG.random((2, 8, 9)) < 0.1
BEAM = np.array([3.5, 4.0]) + RNG.uniform(-3, 3, (*SHAPE[:3], 2)).astype(np.float32)
PLANE = np.array([3.5, 4.0]) + RNG.uniform(-3, 3, (*SHAPE[:3], 2)).astype(np.float32)
BEAM[0, 1, 2] = np.nan


def series(counts=COUNTS, chunks=(1, 2, 3, 8, 9)):
    maps = {"beam": BEAM.astype("f4"), "descan": PLANE.astype("f4")}
    return xr.Dataset(
        {
            "patterns": (DIMS, da.from_array(counts, chunks=chunks)),
            "bad_pixel": (("frame", "q_y", "q_x"), da.from_array(BAD, chunks=(2, 4, 9))),
            **{
                f"{name}_{axis}": (DIMS[:3], da.from_array(values[..., n], chunks=2))
                for name, values in maps.items()
                for n, axis in enumerate("yx")
            },
        }
    )


def corrected_plainly(beam, *, replace=True):
    out = np.zeros(SHAPE, np.uint16)
    for at in np.ndindex(SHAPE[:3]):
        pattern, bad = COUNTS[at].copy(), BAD[at[0]]
        for y, x in np.argwhere(bad) if replace else ():
            box = np.s_[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            pattern[y, x] = np.rint(np.median(COUNTS[at][box][~bad[box]]))
        dy, dx = np.floor(beam[at] - (3.5, 4.0) + 0.5).astype(int)
        out[at] = np.pad(pattern, 20)[20 + dy : 28 + dy, 20 + dx : 29 + dx]
    return out


@settings(max_examples=8, deadline=None)
@given(st.tuples(*(st.integers(1, n) for n in SHAPE)))
def test_does_not_depend_on_chunks(chunks):
    made = daskstem.correct(series(chunks=chunks))["patterns"]
    np.testing.assert_array_equal(made, corrected_plainly(PLANE.astype("f4")))
    assert made.dtype == np.uint16


def test_measured_centres_fall_back_on_the_plane():
    made = daskstem.correct(series(), descan="measured")["patterns"]
    beam = np.where(np.isnan(BEAM), PLANE, BEAM).astype("f4")
    np.testing.assert_array_equal(made, corrected_plainly(beam))


def test_a_series_in_a_store_can_still_be_read_directly():
    lazy, _ = stored(COUNTS, (1, 2, 3, 8, 9))
    bad, _ = stored(BAD, (1, 8, 9))
    ds = series().assign(patterns=(DIMS, lazy), bad_pixel=(("frame", "q_y", "q_x"), bad))
    for n, axis in enumerate("yx"):
        plane, _ = stored(PLANE[..., n].astype("f4"), (1, 5, 7))
        ds[f"descan_{axis}"] = (DIMS[:3], plane)
    made = daskstem.correct(ds)["patterns"].data
    expected = corrected_plainly(PLANE.astype("f4"))
    np.testing.assert_array_equal(made, expected)
    region = (slice(1, 2), slice(1, 4), slice(0, 5), slice(0, 8), slice(0, 9))
    np.testing.assert_array_equal(source_of(made).read(region), expected[region])


def test_parts_can_be_left_out():
    ds = series()
    only_moved = daskstem.correct(ds.drop_vars("bad_pixel"), replace_bad=False)["patterns"]
    np.testing.assert_array_equal(only_moved, corrected_plainly(PLANE.astype("f4"), replace=False))
    only_replaced = daskstem.correct(
        ds[["patterns", "bad_pixel"]], descan="none", interpolation="linear"
    )
    middle = np.broadcast_to([3.5, 4.0], (*SHAPE[:3], 2))
    np.testing.assert_array_equal(only_replaced["patterns"], corrected_plainly(middle))
    assert only_replaced["patterns"].dtype == np.uint16
    untouched = daskstem.correct(ds[["patterns"]], descan="none", replace_bad=False)
    np.testing.assert_array_equal(untouched["patterns"], COUNTS)


def test_whole_shifts_are_the_same_in_linear():
    ds = series().isel(frame=0)
    for axis in "yx":
        ds[f"descan_{axis}"] = ds[f"descan_{axis}"].round() + (0.5 if axis == "y" else 0.0)
    linear = daskstem.correct(ds, interpolation="linear", replace_bad=False)["patterns"]
    assert linear.dtype == np.float32
    np.testing.assert_array_equal(linear, daskstem.correct(ds, replace_bad=False)["patterns"])


def test_brings_the_beam_of_a_simulation_to_the_middle():
    simulated = simulated_series((1, 8, 8, 48, 48), seed=4, hot_pixels=9, descan_px=(6.0, -4.0))
    counts = simulated.read(tuple(slice(0, n) for n in simulated.shape))
    chunks = {"scan_y": 4, "scan_x": 4}
    ds = xr.Dataset({"patterns": (DIMS, counts)}).chunk(chunks)
    ds = ds.merge(daskstem.summary(ds))
    ds = ds.merge(daskstem.bad_pixels(ds))
    ds = ds.merge(daskstem.center(ds))
    made = daskstem.correct(ds, interpolation="linear")
    assert not made["patterns"].isnull().any()
    again = made.merge(daskstem.summary(made))
    centered = daskstem.center(again).compute()
    # bilinear mixing and counting noise leave hundredths of a pixel
    for name in ("descan_y", "descan_x"):
        np.testing.assert_allclose(centered[name], 23.5, atol=0.05)
    assert truth_of(simulated)["descan_y"].values.std() > 1


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy_and_leaves_its_input_alone():
    ds = series()
    names = list(ds)
    made = daskstem.correct(ds)
    assert list(ds) == names
    assert list(made) == ["patterns"]


@pytest.mark.parametrize(
    ("missing", "step"),
    [("bad_pixel", "bad_pixels"), ("descan_y", "center"), ("beam_x", "center")],
)
def test_what_is_missing_names_its_step(missing, step):
    with pytest.raises(InputError, match=f"run '{step}' first"):
        daskstem.correct(series().drop_vars(missing), descan="measured")
