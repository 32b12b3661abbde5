import numpy as np
import pytest
from scipy import stats

from daskstem.kernels.bragg import add_disks, count_electrons, probe_shares, random_streams


def _counts(pattern: np.ndarray, positions: int, seed: int = 0) -> np.ndarray:
    counts = np.empty((positions, *pattern.shape), np.uint16)
    count_electrons(
        np.ones((positions, 1)),
        pattern[None],
        np.zeros((positions, 2)),
        random_streams(np.arange(positions)[:, None], seed),
        np.zeros(pattern.shape, np.uint16),
        counts,
    )
    return counts


def test_a_disk_has_its_intensity_and_lies_where_it_should() -> None:
    pattern = np.zeros((40, 50))
    add_disks(pattern, np.array([[17.3, 22.8]]), np.array([5.0]), 4.2)
    rows, columns = np.indices(pattern.shape)
    assert pattern.sum() == pytest.approx(5.0)
    # an antialiased edge moves the centre of mass by a few hundredths of a pixel at most
    assert (pattern * rows).sum() / 5 == pytest.approx(17.3, abs=0.03)
    assert (pattern * columns).sum() / 5 == pytest.approx(22.8, abs=0.03)


def test_a_disk_is_flat_inside_and_empty_outside() -> None:
    pattern = np.zeros((31, 31))
    add_disks(pattern, np.array([[15.0, 15.0]]), np.array([1.0]), 6.0)
    distance = np.hypot(*(np.indices(pattern.shape) - 15.0))
    inside = pattern[distance <= 5.5]
    assert np.ptp(inside) < 1e-15
    assert inside[0] == pytest.approx(1 / (np.pi * 6.0**2), rel=0.01)
    assert not pattern[distance >= 6.5].any()


def test_a_disk_over_the_edge_keeps_only_its_part_on_the_detector() -> None:
    pattern = np.zeros((20, 20))
    add_disks(pattern, np.array([[-0.5, 10.0], [50.0, 50.0]]), np.array([2.0, 3.0]), 5.0)
    assert pattern.sum() == pytest.approx(1.0)


def test_a_disk_smaller_than_a_pixel_is_not_lost_between_pixels() -> None:
    pattern = np.zeros((10, 10))
    add_disks(pattern, np.array([[4.5, 4.5]]), np.array([1.0]), 0.5)
    assert pattern.sum() == pytest.approx(1.0)


def test_probe_shares_are_the_convolution_of_the_owners_with_the_probe() -> None:
    rng = np.random.default_rng(0)
    probe = np.array([0.2, 0.5, 0.3])
    owner = rng.integers(0, 4, (2 * 4 + 3, 2 * 6 + 3))
    thickness = rng.random(owner.shape)
    shares, weighted = probe_shares(owner, thickness, probe, 2, 4)
    assert shares.shape == (5, 7, 4)
    window = np.outer(probe, probe)
    for y, x, k in np.ndindex(shares.shape):
        seen = np.s_[2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        mine = owner[seen] == k
        assert shares[y, x, k] == pytest.approx((window * mine).sum())
        assert weighted[y, x, k] == pytest.approx((window * mine * thickness[seen]).sum())


@pytest.mark.parametrize("mean", [0.03, 0.8, 5.0, 9.99, 10.0, 40.0, 600.0])
def test_counts_are_poisson_distributed(mean: float) -> None:
    counts = _counts(np.full((100, 100), mean), 6).ravel()
    edges = np.unique(stats.poisson.ppf(np.linspace(0, 1, 22)[1:-1], mean))
    probability = np.diff(np.concatenate([[0], stats.poisson.cdf(edges, mean), [1]]))
    observed = np.bincount(np.searchsorted(edges, counts), minlength=len(probability))
    # a fixed seed: the bound is only there to be far from anything but a wrong distribution
    assert stats.chisquare(observed, probability * counts.size).pvalue > 1e-3


def test_counts_of_neighboring_pixels_and_positions_are_independent() -> None:
    counts = _counts(np.full((64, 64), 1.5), 60).astype(float)
    counts -= counts.mean()
    bound = 5 * counts.var() / np.sqrt(counts.size)
    for a, b in ((counts[1:], counts[:-1]), (counts[:, 1:], counts[:, :-1])):
        assert abs((a * b).mean()) < bound
    assert abs((counts[..., 1:] * counts[..., :-1]).mean()) < bound


def test_streams_depend_on_every_index_and_on_the_seed() -> None:
    indices = np.indices((5, 6, 7)).reshape(3, -1).T
    streams = np.concatenate([random_streams(indices, seed) for seed in (0, 1, 2**62)])
    assert len(np.unique(streams[:, 0])) == len(streams)
    assert len(np.unique(streams[:, 1])) == len(streams)
    assert (streams[:, 1] % np.uint64(2) == 1).all()


def test_a_pattern_without_electrons_is_empty() -> None:
    assert not _counts(np.zeros((5, 5)), 3).any()


def test_counts_saturate_instead_of_wrapping() -> None:
    counts = np.empty((1, 1, 1), np.uint16)
    streams = random_streams(np.zeros((1, 1), np.int64), 0)
    hot = np.full((1, 1), 60_000, np.uint16)
    mean = np.full((1, 1, 1), 20_000.0)
    count_electrons(np.ones((1, 1)), mean, np.zeros((1, 2)), streams, hot, counts)
    assert counts[0, 0, 0] == 65535


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.25, -0.5), (-2.0, 2.0), (0.0, 0.75)])
def test_a_shift_moves_the_centre_of_mass(shift: tuple[float, float]) -> None:
    margin = 3
    pattern = np.zeros((1, 26, 26))
    add_disks(pattern[0], np.array([[12.5, 12.5]]), np.array([4e5]), 4.0)
    counts = np.empty((1, 20, 20), np.uint16)
    streams = random_streams(np.zeros((1, 1), np.int64), 0)
    no_hot = np.zeros((20, 20), np.uint16)
    count_electrons(np.ones((1, 1)), pattern, np.array([shift]), streams, no_hot, counts)
    rows, columns = np.indices((20, 20))
    total = counts[0].sum(dtype=float)
    center = (counts[0] * rows).sum() / total, (counts[0] * columns).sum() / total
    # shot noise: radius / 2 / sqrt(4e5) = 0.003 px
    assert center == pytest.approx((9.5 + shift[0], 9.5 + shift[1]), abs=0.015)
    assert margin == (26 - 20) // 2
