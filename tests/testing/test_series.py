import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.schema.errors import InputError
from daskstem.schema.source import PatternSource, Region
from daskstem.testing import SimulatedSeries, simulated_series, truth_of
from daskstem.testing.scene import owners

SHAPE = (3, 40, 37, 24, 26)


@pytest.fixture(scope="module")
def series() -> SimulatedSeries:
    return simulated_series(SHAPE, seed=5, hot_pixels=3, descan_px=(3.0, -2.5))


@pytest.fixture(scope="module")
def whole(series: SimulatedSeries) -> np.ndarray:
    return series.read(_region(series))


def _region(series: SimulatedSeries) -> Region:
    return tuple(slice(0, size) for size in series.shape)


def _slices(size: int) -> st.SearchStrategy[slice]:
    ends = st.tuples(st.integers(0, size - 1), st.integers(1, size))
    return ends.map(lambda ends: slice(ends[0], max(ends[0] + 1, ends[1])))


@settings(max_examples=25, deadline=None)
@given(region=st.tuples(*map(_slices, SHAPE)))
def test_any_region_holds_the_bytes_of_the_whole(
    series: SimulatedSeries, whole: np.ndarray, region: Region
) -> None:
    part = series.read(region)
    assert part.flags.c_contiguous
    np.testing.assert_array_equal(part, whole[region])


def test_it_is_a_pattern_source(series: SimulatedSeries, whole: np.ndarray) -> None:
    source: PatternSource = series
    assert source.dtype == whole.dtype == np.uint16
    assert whole.shape == source.shape == SHAPE
    assert {axis.units for axis in source.axes.values()} == {"nm", "1/angstrom"}
    assert source.metadata["beam_energy_kev"] == 300.0


def test_the_detector_sees_the_innermost_gold_reflections(series: SimulatedSeries) -> None:
    for dim, size in zip(("q_y", "q_x"), SHAPE[3:], strict=True):
        q = series.axes[dim].coordinate(dim, size).values
        assert q[0] == pytest.approx(-q[-1])
        assert q[-1] > 0.813


def test_it_is_the_same_after_pickling_and_stays_small(
    series: SimulatedSeries, whole: np.ndarray
) -> None:
    sent = pickle.dumps(series)
    again = pickle.loads(sent)
    assert len(sent) < 2_000
    assert again == series
    assert again.fingerprint == series.fingerprint
    np.testing.assert_array_equal(again.read((slice(1, 2), *_region(series)[1:])), whole[1:2])


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"counts_per_pixel": 3.0},
        {"hot_pixels": 1},
        {"descan_px": (0, 1)},
        {"drift_steps": (2, 1)},
    ],
)
def test_fingerprint_and_bytes_change_with_every_parameter(change: dict[str, float]) -> None:
    usual = simulated_series((1, 6, 6, 16, 16), seed=5)
    other = simulated_series((1, 6, 6, 16, 16), **{"seed": 5, **change})
    assert usual.fingerprint != other.fingerprint
    assert not np.array_equal(usual.read(_region(usual)), other.read(_region(other)))


def test_dose_is_the_mean_count() -> None:
    series = simulated_series((1, 24, 24, 64, 64), counts_per_pixel=2.0)
    patterns = series.read(_region(series))[0]
    label = truth_of(series)["label"].values[0]
    # 3e5 electrons: 0.2 %; the crystal scatters a few percent beyond the detector
    assert patterns[label < 0].mean() == pytest.approx(2.0, rel=0.01)
    assert 1.8 < patterns.mean() <= 2.01
    assert patterns.max() > 100


def test_patterns_are_poisson_noise_around_the_expected_mixture() -> None:
    series = simulated_series((1, 24, 24, 32, 32), seed=1)
    present, _, amount = series.shares(0, range(24), range(24))
    expected = np.tensordot(amount, series.expected_patterns(0, present), axes=1)
    deviation = (series.read(_region(series))[0] - expected) / np.sqrt(expected)
    # 590 000 pixels: the mean of z^2 is 1 within 0.01 for Poisson counts of these means
    assert abs(deviation.mean()) < 0.01
    assert (deviation**2).mean() == pytest.approx(1.0, abs=0.02)


def test_the_beam_moves_by_the_descan() -> None:
    bright = simulated_series((1, 5, 9, 48, 48), counts_per_pixel=50.0, descan_px=(6.0, -4.0))
    patterns = bright.read(_region(bright))[0].astype(float)
    truth = truth_of(bright)
    rows, columns = np.indices((48, 48))
    for position in ((0, 0), (0, 8), (4, 0), (2, 4)):
        center = truth["descan_y"].values[0][position], truth["descan_x"].values[0][position]
        near = np.hypot(rows - center[0], columns - center[1]) < 4
        disk = patterns[position] * near
        found = (disk * rows).sum() / disk.sum(), (disk * columns).sum() / disk.sum()
        assert found == pytest.approx(center, abs=0.1)


def test_hot_pixels_stand_out_everywhere_at_the_same_places(
    series: SimulatedSeries, whole: np.ndarray
) -> None:
    hot = truth_of(series)["bad_pixel"].values
    assert hot.sum(axis=(1, 2)).tolist() == [3, 3, 3]
    assert whole[:, :, :, hot[0]].min() >= 1_000
    assert whole[:, :, :, ~hot[0]].max() < 1_000


def test_a_series_far_beyond_memory_gives_single_patterns() -> None:
    series = simulated_series((1000, 512, 512, 192, 192), seed=2)
    corner = tuple(slice(size - 1, size) for size in series.shape[:3])
    pattern = series.read((*corner, slice(0, 192), slice(0, 192)))
    assert pattern.shape == (1, 1, 1, 192, 192)
    assert pattern.mean() == pytest.approx(2.0, rel=0.2)


def test_particles_grow_and_keep_their_grains() -> None:
    series = simulated_series((3, 64, 64, 96, 96), seed=1)
    label = truth_of(series)["label"].values
    covered = (label >= 0).mean(axis=(1, 2))
    assert covered[0] < covered[1] < covered[2]
    assert 0.3 < covered[2] < 0.7
    assert 5 <= len(series.scene.centers) <= 12
    sizes = np.bincount(label[2][label[2] >= 0])
    assert 30 < np.median(sizes[sizes > 0]) < 150
    assert set(np.unique(label[0])) <= set(np.unique(label[2]))
    for p in range(len(series.scene.centers)):
        grains = range(*series.scene.first_grain[p : p + 2])
        assert 2 <= len(grains) <= 5


def test_a_drifting_series_looks_at_a_larger_scene_through_a_moving_window() -> None:
    still = simulated_series((3, 46, 41, 24, 24), seed=1, particle_radius=7.0)
    moving = simulated_series(
        (3, 40, 37, 24, 24), seed=1, particle_radius=7.0, drift_steps=(6.0, -4.0)
    )
    scene, window = truth_of(still)["label"].values, truth_of(moving)["label"].values
    # what lies in row 6 of the scene at first is in row 0, and in row 6 at the end
    for frame, (row, column) in enumerate([(6, 0), (3, 2), (0, 4)]):
        assert moving.scan_origin(frame) == (row, column)
        inside = scene[frame, row : row + 40, column : column + 37]
        np.testing.assert_array_equal(window[frame], inside)


def test_a_share_of_the_particles_is_born_during_the_series() -> None:
    usual = simulated_series((9, 64, 64, 24, 24), seed=1)
    later = simulated_series((9, 64, 64, 24, 24), seed=1, birth_share=0.5)
    born = later.scene.born > 0
    assert born.sum() == round(0.5 * len(born))
    particle = np.repeat(np.arange(len(born)), np.diff(later.scene.first_grain))
    label, all_of_them = (truth_of(one)["label"].values for one in (later, usual))
    for frame in range(9):
        present = particle[np.setdiff1d(label[frame], [-1])]
        assert (later.scene.born[present] <= frame / 8).all()
    # all else is as without births
    np.testing.assert_array_equal(label[-1], all_of_them[-1])
    assert set(np.unique(label[0])) < set(np.unique(all_of_them[0]))


def test_owners_do_not_depend_on_the_grid_they_are_asked_on(series: SimulatedSeries) -> None:
    rows, columns = np.arange(-6, 120) / 3, np.arange(-6, 117) / 3
    whole = owners(series.scene, 0.5, rows, columns)
    part = owners(series.scene, 0.5, rows[17:63], columns[40:41])
    for all_of_it, some in zip(whole, part, strict=True):
        np.testing.assert_array_equal(all_of_it[17:63, 40:41], some)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (3, 64, 64, 96)}, "does not describe a series"),
        ({"shape": (1, 8, 8, 4, 24)}, "at least 8"),
        ({"shape": (1, 0, 8, 24, 24)}, "does not describe a series"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 1.5}, "whole number"),
        ({"coverage": 0.95}, "coverage = 0.95 is not a number between 0.01 and 0.8"),
        ({"counts_per_pixel": float("nan")}, "counts_per_pixel"),
        ({"counts_per_pixel": 5e4}, "use at most"),
        ({"descan_px": (0.0, 100.0)}, "descan_px"),
        ({"descan_px": (0.0,)}, "two numbers"),
        ({"hot_pixels": 10_000}, "hot_pixels"),
        ({"birth_share": 1.5}, "birth_share"),
        ({"drift_steps": (0.0, 9.0)}, "drift_steps"),
        ({"drift_steps": (0.0,)}, "two numbers"),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(change: dict[str, float], message: str) -> None:
    arguments = {"shape": (1, 8, 8, 24, 24), **change}
    with pytest.raises(InputError, match=message) as caught:
        simulated_series(**arguments)
    assert "\n" not in str(caught.value)
