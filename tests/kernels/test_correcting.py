import numpy as np
import pytest
from scipy.ndimage import shift as scipy_shift

from daskstem.kernels.correcting import (
    good_neighbors,
    replace_pixels,
    shift_linear,
    shift_whole,
)


def replaced_plainly(pattern, bad):
    out = pattern.astype(np.float64)
    for y, x in np.argwhere(bad):
        for reach in range(1, max(bad.shape)):
            box = np.s_[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            if not bad[box].all():
                out[y, x] = np.median(pattern[box][~bad[box]])
                break
        else:
            out[y, x] = 0
    return out


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 1.0])
def test_bad_pixels_become_the_median_of_the_nearest_good_ones(share):
    rng = np.random.default_rng(3)
    bad = rng.random((9, 11)) < share
    pattern = rng.integers(0, 1000, (4, 9, 11)).astype(np.uint16)
    flat = pattern.reshape(4, -1).copy()
    replace_pixels(flat, *good_neighbors(bad), True, flat)
    expected = [np.rint(replaced_plainly(p, bad)) for p in pattern]
    np.testing.assert_array_equal(flat.reshape(pattern.shape), expected)


def test_medians_of_floats_are_not_rounded():
    pattern = np.array([[1.0, 0.0, 2.0]], np.float32)
    bad = np.array([[False, True, False]])
    replace_pixels(pattern, *good_neighbors(bad), False, pattern)
    assert pattern.tolist() == [[1.0, 1.5, 2.0]]


def test_whole_shifts_move_counts_and_fill_zeros():
    pattern = np.random.default_rng(0).integers(1, 99, (6, 7)).astype(np.uint16)
    shifts = np.array([[0, 0], [1, -2], [-3, 3], [9, 0], [0, -9], [5, 6]])
    out = np.full((len(shifts), 6, 7), 7, np.uint16)
    shift_whole(np.stack([pattern] * len(shifts)), shifts, out)
    wide = np.pad(pattern, 10)
    expected = [wide[10 + dy : 16 + dy, 10 + dx : 17 + dx] for dy, dx in shifts]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    "by", [(0.0, 0.0), (0.25, -1.5), (-2.75, 0.5), (5.5, 6.5), (8.0, 0.2), (-7.0, -0.1)]
)
def test_linear_shifts_interpolate_with_zeros_outside(by):
    pattern = np.random.default_rng(0).integers(1, 99, (1, 6, 7)).astype(np.uint16)
    out = np.full((1, 6, 7), 7, np.float32)
    shift_linear(pattern, np.array([by]), out)
    wide = np.pad(pattern[0].astype(float), 10)
    expected = scipy_shift(wide, (-by[0], -by[1]), order=1)[10:16, 10:17]
    np.testing.assert_allclose(out[0], expected, atol=1e-4)
