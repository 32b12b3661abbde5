import dask.array as da
import numpy as np
import pytest
import xarray as xr

import daskstem
from daskstem.schema.errors import InputError
from daskstem.testing import simulated_series, truth_of

DIMS = ("frame", "scan_y", "scan_x", "q_y", "q_x")


def counted(counts):
    ds = xr.Dataset({"patterns": (DIMS, da.from_array(counts, chunks=(1, 4, 4, -1, -1)))})
    return ds.merge(daskstem.summary(ds))


def noise(shape=(2, 6, 5, 24, 28)):
    return np.random.default_rng(0).poisson(3, shape).astype(np.uint16)


def test_each_frame_has_its_own():
    counts = noise()
    counts[0, ..., 3, 4] = 200
    counts[1, ..., 9, 9] = 0
    bad = daskstem.bad_pixels(counted(counts))["bad_pixel"]
    assert np.argwhere(bad.values).tolist() == [[0, 3, 4], [1, 9, 9]]
    assert bad.dtype == bool


def test_finds_the_hot_pixels_of_a_simulation_and_no_other():
    simulated = simulated_series((1, 10, 10, 64, 64), seed=1, hot_pixels=30, convergence_mrad=2.0)
    counts = simulated.read(tuple(slice(0, n) for n in simulated.shape))
    bad = daskstem.bad_pixels(counted(counts))["bad_pixel"]
    np.testing.assert_array_equal(bad, truth_of(simulated)["bad_pixel"])


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    daskstem.bad_pixels(counted(noise()))


def test_takes_floats_and_a_single_frame():
    counts = noise().astype(np.float32) / 3
    counts[..., 3, 4] = 70
    bad = daskstem.bad_pixels(counted(counts).isel(frame=0))["bad_pixel"]
    assert np.argwhere(bad.values).tolist() == [[3, 4]]


def test_a_mean_that_is_missing_names_its_step():
    with pytest.raises(InputError, match="run 'summary' first"):
        daskstem.bad_pixels(counted(noise()).drop_vars("mean_pattern"))


def test_an_even_window_is_refused():
    with pytest.raises(InputError, match="window = 6 has no middle"):
        daskstem.bad_pixels(counted(noise()), window=6)


@pytest.mark.parametrize("shape", [(24, 28), (2, 24, 28)])
def test_a_mask_file_is_taken_as_it_is(tmp_path, shape):
    mask = np.random.default_rng(0).random(shape) < 0.1
    np.save(tmp_path / "mask.npy", mask)
    ds = counted(noise())[["patterns"]]
    bad = daskstem.bad_pixels(ds, mask=str(tmp_path / "mask.npy"))["bad_pixel"]
    np.testing.assert_array_equal(bad, np.broadcast_to(mask, (2, 24, 28)))


@pytest.mark.parametrize("mask", [np.zeros((28, 24), bool), np.zeros((24, 28))])
def test_a_mask_file_that_does_not_fit_is_refused(tmp_path, mask):
    np.save(tmp_path / "mask.npy", mask)
    with pytest.raises(InputError, match=r"expected booleans of shape \(24, 28\) or one such"):
        daskstem.bad_pixels(counted(noise()), mask=str(tmp_path / "mask.npy"))
