import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.schema.errors import InputError
from daskstem.testing import simulated_series, truth_of

DIMS = ("frame", "scan_y", "scan_x", "q_y", "q_x")


def beams(scan=(5, 6), frames=2):
    """Disks of 3 px that move by a plane, with a weaker disk beside, and where they are."""
    y, x, frame = np.indices((*scan, frames)).transpose(0, 3, 1, 2)
    places = np.stack([14 + 0.5 * y - 0.25 * x + frame, 17 - 0.5 * x], axis=-1)
    rows, columns = np.indices((32, 32))
    counts = np.zeros((frames, *scan, 32, 32))
    for offset, height in ((0, 500), (9, 400)):
        at = places[..., None, None, :] + np.array([0, offset])
        distance = np.hypot(rows - at[..., 0], columns - at[..., 1])
        counts += height * np.clip(3.5 - distance, 0, 1)
    return counts.round().astype(np.uint16), places


def with_mean(counts, chunks=(1, 3, 3, 32, 32)):
    ds = xr.Dataset({"patterns": (DIMS, da.from_array(counts, chunks=chunks))})
    return ds.merge(daskstem.summary(ds))


COUNTS, PLACES = beams()


@settings(max_examples=5, deadline=None)
@given(st.tuples(*(st.integers(n // 2, n) for n in COUNTS.shape)))
def test_finds_the_beam_for_any_chunks(chunks):
    made = daskstem.center(with_mean(COUNTS, chunks)).compute()
    for n, axis in enumerate("yx"):
        # the rim of a disk on pixels moves its centre of mass by some hundredths
        np.testing.assert_allclose(made[f"beam_{axis}"], PLACES[..., n], atol=0.05)
        np.testing.assert_allclose(made[f"descan_{axis}"], PLACES[..., n], atol=0.03)
        assert made[f"beam_{axis}"].dtype == made[f"descan_{axis}"].dtype == np.float32


@pytest.mark.parametrize("scan", [(1, 1), (1, 6), (5, 1)])
def test_narrow_scans(scan):
    counts, places = beams(scan, frames=1)
    made = daskstem.center(with_mean(counts).isel(frame=0))
    np.testing.assert_allclose(made["descan_y"], places[0, ..., 0], atol=0.06)
    np.testing.assert_allclose(made["descan_x"], places[0, ..., 1], atol=0.06)


def test_hot_pixels_are_left_out_where_they_are_known():
    counts = COUNTS.copy()
    counts[..., 16, 18] = 60000
    bad = np.zeros((2, 32, 32), bool)
    bad[:, 16, 18] = True
    ds = with_mean(counts).assign(bad_pixel=(("frame", "q_y", "q_x"), bad))
    made = daskstem.center(ds)
    np.testing.assert_allclose(made["descan_y"], PLACES[..., 0], atol=0.1)
    np.testing.assert_allclose(made["descan_x"], PLACES[..., 1], atol=0.1)


def test_a_radius_and_a_guess_choose_the_disk():
    made = daskstem.center(with_mean(COUNTS), radius_px=4.5, guess=(15.0, 26.0))
    np.testing.assert_allclose(made["beam_x"], PLACES[..., 1] + 9, atol=0.05)


def test_empty_patterns_are_not_measured_but_have_a_plane():
    counts = COUNTS.copy()
    counts[0, 2, 2] = 0
    counts[1] = 0
    made = daskstem.center(with_mean(counts)).compute()
    assert np.isnan(made["beam_y"].values[0]).sum() == 1
    np.testing.assert_allclose(made["descan_y"][0], PLACES[0, ..., 0], atol=0.03)
    assert (made["descan_y"][1] == 15.5).all()


def test_follows_the_descan_of_a_simulation():
    simulated = simulated_series((1, 12, 12, 64, 64), seed=4, descan_px=(5.0, -3.0))
    truth = truth_of(simulated)
    counts = simulated.read(tuple(slice(0, n) for n in simulated.shape))
    made = daskstem.center(with_mean(counts, (1, 8, 8, 64, 64)))
    for name in ("descan_y", "descan_x"):
        np.testing.assert_allclose(made[name], truth[name], atol=0.05)


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    daskstem.center(with_mean(COUNTS))


def test_what_is_missing_names_its_step():
    with pytest.raises(InputError, match="run 'summary' first"):
        daskstem.center(with_mean(COUNTS)[["patterns"]])
    with pytest.raises(InputError, match="lies off a detector of 32 x 32"):
        daskstem.center(with_mean(COUNTS), guess=(3.0, 32.0))
