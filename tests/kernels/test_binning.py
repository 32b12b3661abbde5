import numpy as np
import pytest

from daskstem.kernels.binning import bin_boxes, binned_dtype


@pytest.mark.parametrize(("scan", "q"), [(1, 1), (2, 1), (1, 2), (3, 3), (2, 4)])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_boxes_are_summed_and_the_rest_left_out(scan, q, dtype):
    patterns = np.random.default_rng(0).integers(0, 65535, (2, 5, 6, 9, 8)).astype(dtype)
    rows, columns, v, u = (n // s for n, s in zip((5, 6, 9, 8), (scan, scan, q, q), strict=True))
    whole = patterns[:, : rows * scan, : columns * scan, : v * q, : u * q].astype(np.float64)
    boxes = whole.reshape(2, rows, scan, columns, scan, v, q, u, q).sum(axis=(2, 4, 6, 8))
    np.testing.assert_array_equal(bin_boxes(patterns, scan=scan, q=q), boxes)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i1", "i2", "u4"])
@pytest.mark.parametrize("values", [4, 16, 256, 257])
def test_the_largest_sum_fits_its_dtype(dtype, values):
    dtype = np.dtype(dtype)
    wide = binned_dtype(dtype, values)
    assert np.iinfo(wide).max >= values * int(np.iinfo(dtype).max)
    assert wide.kind == dtype.kind


def test_other_byte_orders_are_read():
    patterns = np.arange(64, dtype=">u2").reshape(1, 2, 2, 4, 4)
    found = bin_boxes(patterns, scan=2, q=4)
    assert found.dtype.isnative
    assert found.sum() == patterns.sum()
