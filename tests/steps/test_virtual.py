import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.schema.errors import InputError

DIMS = ("frame", "scan_y", "scan_x", "q_y", "q_x")
COUNTS = np.random.default_rng(0).poisson(900, (2, 3, 5, 16, 20)).astype(np.uint16)
Y, X = np.indices((16, 20))


def series(chunks=(1, 2, 2, 16, 20)):
    return xr.Dataset({"patterns": (DIMS, da.from_array(COUNTS, chunks=chunks))})


@settings(max_examples=6, deadline=None)
@given(st.tuples(*(st.integers(1 + n // 4, n) for n in COUNTS.shape)))
def test_does_not_depend_on_chunks(chunks):
    made = daskstem.virtual(
        series(chunks), bright_radius_px=3, dark_inner_px=4, dark_outer_px=7, center=(7.0, 9.0)
    )
    radius = np.hypot(Y - 7, X - 9)
    np.testing.assert_array_equal(made["bright_field"], COUNTS[..., radius <= 3].sum(axis=-1))
    ring = (radius >= 4) & (radius <= 7)
    np.testing.assert_array_equal(made["dark_field"], COUNTS[..., ring].sum(axis=-1))


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    assert set(daskstem.virtual(series())) == {"bright_field", "dark_field"}


def test_defaults_follow_the_shorter_side():
    made = daskstem.virtual(series().isel(frame=0))
    radius = np.hypot(Y - 7.5, X - 9.5)
    np.testing.assert_array_equal(made["bright_field"], COUNTS[0][..., radius <= 1].sum(axis=-1))
    ring = (radius >= 2) & (radius <= 8)
    np.testing.assert_array_equal(made["dark_field"], COUNTS[0][..., ring].sum(axis=-1))
    assert made["bright_field"].dtype == np.float32


def test_a_mask_makes_one_image_more(tmp_path):
    weights = np.random.default_rng(1).normal(size=(16, 20))
    np.save(tmp_path / "mask.npy", weights)
    made = daskstem.virtual(series(), mask=str(tmp_path / "mask.npy"))
    expected = (COUNTS * weights).sum(axis=(3, 4))
    # sums of some 10^4 counts, rounded to float32 at the end
    np.testing.assert_allclose(made["masked"], expected, rtol=1e-6, atol=1e-2)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((20, 16)), r"holds \(20, 16\) of float64, expected weights of shape \(16, 20\)"),
        (np.full((16, 20), np.nan), "NaN or infinite"),
        (np.full((16, 20), "x"), "expected weights"),
    ],
)
def test_masks_that_do_not_fit_are_refused(tmp_path, mask, message):
    np.save(tmp_path / "mask.npy", mask)
    with pytest.raises(InputError, match=message):
        daskstem.virtual(series(), mask=str(tmp_path / "mask.npy"))


def test_files_that_are_no_masks_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        daskstem.virtual(series(), mask=str(tmp_path / "none.npy"))
    for content in (b"", b"text"):
        (tmp_path / "text.npy").write_bytes(content)
        with pytest.raises(InputError, match="is not a .npy file"):
            daskstem.virtual(series(), mask=str(tmp_path / "text.npy"))
    np.savez(tmp_path / "several.npz", a=np.ones(2))
    with pytest.raises(InputError, match="archive"):
        daskstem.virtual(series(), mask=str(tmp_path / "several.npz"))


@pytest.mark.parametrize(
    "radii", [{"dark_inner_px": 9}, {"bright_radius_px": 0}, {"center": (99.0, 9.0)}]
)
def test_detectors_without_a_pixel_are_refused(radii):
    with pytest.raises(InputError, match="no pixel of a detector of 16 x 20"):
        daskstem.virtual(series(), **radii)
