import numpy as np
import pytest

from daskstem.kernels.bad_pixels import find_bad_pixels

N = 400


def disks(shape=(64, 64), *, radius=5.0, centers=((32, 32), (32, 48), (12.4, 20.6), (60, 40))):
    """Sharp disks, 1000 counts in the first and fewer in the others, on a weak background."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    image = np.full(shape, 0.3)
    for n, (cy, cx) in enumerate(centers):
        image[np.hypot(y - cy, x - cx) <= radius] = 1000.0 / (1 + 5 * n)
    return image


def mean_of_counts(expected, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.poisson(expected * N) / N).astype(np.float32)


@pytest.mark.parametrize("radius", [1.5, 2.3, 5.0, 9.7])
@pytest.mark.parametrize("seed", range(3))
def test_sharp_disks_are_not_bad(radius, seed):
    centers = np.random.default_rng(seed).uniform(0, 64, (9, 2))
    mean = mean_of_counts(disks(radius=radius, centers=centers), seed)
    assert not find_bad_pixels(mean, N, 8.0, 7).any()


def test_narrow_peaks_are_not_bad():
    y, x = np.ogrid[:64, :64]
    image = np.full((64, 64), 0.3)
    for cy, cx in np.random.default_rng(0).uniform(4, 60, (12, 2)):
        image += 50 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 0.9**2))
    assert not find_bad_pixels(mean_of_counts(image), N, 8.0, 7).any()


@pytest.mark.parametrize("place", [(0, 0), (63, 5), (10, 40), (32, 32), (32, 36)])
def test_a_hot_pixel_is_found_wherever_it_is(place):
    image = disks()
    image[place] += 3000
    found = find_bad_pixels(mean_of_counts(image), N, 8.0, 7)
    assert np.argwhere(found).tolist() == [list(place)]


def test_pairs_and_unequal_clusters_are_found():
    image = disks()
    hot = [(5, 5), (5, 6), (50, 20), (51, 21), (20, 50), (20, 51), (21, 50)]
    for n, place in enumerate(hot):
        image[place] = 4000 * 2**n
    found = find_bad_pixels(mean_of_counts(image), N, 8.0, 7)
    assert sorted(map(tuple, np.argwhere(found))) == sorted(hot)


def test_dead_pixels_are_zero_amid_counts():
    image = disks()
    dead = [(32, 32), (33, 32), (3, 3), (63, 10)]
    for place in dead:
        image[place] = 0
    found = find_bad_pixels(mean_of_counts(image), N, 8.0, 7)
    assert sorted(map(tuple, np.argwhere(found))) == sorted(dead)


def test_zeros_around_sparse_counts_are_not_dead():
    mean = mean_of_counts(np.full((64, 64), 2.0 / N))
    assert (mean == 0).sum() > 100
    assert not find_bad_pixels(mean, N, 8.0, 7).any()


def test_patterns_that_are_no_counts_are_judged_by_their_spread():
    mean = np.random.default_rng(0).normal(1.0, 0.05, (32, 32)).astype(np.float32)
    mean[9, 9], mean[20, 7], mean[3, 30] = 5.0, 0.0, np.nan
    found = find_bad_pixels(mean, 0, 8.0, 7)
    assert np.argwhere(found).tolist() == [[3, 30], [9, 9], [20, 7]]
