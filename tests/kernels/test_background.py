import numpy as np
import pytest
from skimage.filters import threshold_otsu

from daskstem.kernels.background import clean_mask, threshold_of


def two_levels():
    rng = np.random.default_rng(0)
    image = rng.normal(0.2, 0.03, (20, 24))
    image[5:15, 6:18] = rng.normal(0.8, 0.03, (10, 12))
    return image.astype(np.float32)


@pytest.mark.parametrize("method", ["triangle", "otsu", "li"])
def test_threshold_lies_between_two_levels(method):
    image = two_levels()
    level = threshold_of(image, method=method, number=None)
    assert 0.2 < level < 0.8
    # the triangle cuts at the foot of the larger peak, the others between the two
    assert (image[5:15, 6:18] > level).all()


def test_otsu_is_that_of_scikit_image():
    image = two_levels()
    assert threshold_of(image, method="otsu", number=None) == pytest.approx(threshold_otsu(image))


@pytest.mark.parametrize("method", ["triangle", "otsu", "li"])
def test_constant_image_has_no_threshold(method):
    assert np.isnan(threshold_of(np.full((6, 7), 0.4, np.float32), method=method, number=None))


def test_number_is_the_threshold_also_of_a_constant_image():
    assert threshold_of(np.zeros((3, 3), np.float32), method="number", number=0.25) == 0.25


def test_none_has_no_threshold():
    assert np.isnan(threshold_of(two_levels(), method="none", number=None))


def test_islands_and_holes_of_fewer_positions_go():
    mask = np.zeros((12, 12), bool)
    mask[1:7, 1:7] = True
    mask[3, 3] = mask[4, 4] = False
    mask[9, 9] = mask[10, 10] = True
    kept = clean_mask(mask, min_object=3, min_hole=3)
    expected = np.zeros_like(mask)
    expected[1:7, 1:7] = True
    np.testing.assert_array_equal(kept, expected)


def test_islands_and_holes_of_just_that_many_positions_stay():
    mask = np.zeros((12, 12), bool)
    mask[1:7, 1:7] = True
    # diagonal neighbors belong together
    mask[3, 3] = mask[4, 4] = False
    mask[9, 9] = mask[10, 10] = True
    np.testing.assert_array_equal(clean_mask(mask, min_object=2, min_hole=2), mask)


@pytest.mark.parametrize("size", [0, 1])
def test_sizes_of_at_most_one_change_nothing(size):
    mask = np.random.default_rng(1).random((9, 9)) > 0.5
    np.testing.assert_array_equal(clean_mask(mask, min_object=size, min_hole=size), mask)


def test_input_mask_is_left_as_it_was():
    mask = np.random.default_rng(1).random((9, 9)) > 0.5
    before = mask.copy()
    clean_mask(mask, min_object=4, min_hole=4)
    np.testing.assert_array_equal(mask, before)
