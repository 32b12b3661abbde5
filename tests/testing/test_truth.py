import numpy as np
import pytest
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.variables import require
from daskstem.testing import SimulatedSeries, simulated_series, truth_of
from daskstem.testing.crystal import pattern_angle
from daskstem.testing.scene import orientations_at, owners


@pytest.fixture(scope="module")
def series() -> SimulatedSeries:
    return simulated_series((3, 70, 66, 24, 24), seed=4)


@pytest.fixture(scope="module")
def truth(series: SimulatedSeries) -> xr.Dataset:
    return truth_of(series)


def test_it_keeps_its_specs(truth: xr.Dataset) -> None:
    for spec in (
        variables.truth_label,
        variables.truth_purity,
        variables.truth_orientation,
        variables.truth_strain,
        variables.descan_y,
        variables.descan_x,
        variables.bad_pixel,
    ):
        require(truth, spec)
    assert truth["label"].dtype == np.int32


def test_label_and_purity_are_those_of_the_largest_share(
    series: SimulatedSeries, truth: xr.Dataset
) -> None:
    present, share, _ = series.shares(1, range(60, 70), range(50, 66))
    assert np.allclose(share.sum(axis=-1), 1)
    purity = truth["purity"].values[1, 60:, 50:]
    assert purity == pytest.approx(share.max(axis=-1), abs=1e-6)
    np.testing.assert_array_equal(
        truth["label"].values[1, 60:, 50:], present[share.argmax(axis=-1)]
    )


def test_purity_is_a_share(truth: xr.Dataset) -> None:
    assert float(truth["purity"].min()) > 0
    assert float(truth["purity"].max()) <= 1


def test_orientations_are_rotations_and_strains_small(truth: xr.Dataset) -> None:
    rotation = truth["orientation"].values
    assert np.allclose(rotation @ np.swapaxes(rotation, -1, -2), np.eye(3), atol=1e-12)
    strain = truth["strain"].values
    assert np.array_equal(strain, np.swapaxes(strain, 1, 2))
    assert 0 < np.abs(strain).max() <= 0.01


def test_grains_of_a_particle_turn_together_and_stay_distinct(
    series: SimulatedSeries, truth: xr.Dataset
) -> None:
    rotation = truth["orientation"].values
    turned = rotation[-1] @ np.swapaxes(rotation[0], -1, -2)
    ends = series.scene.first_grain
    for first, last in zip(ends[:-1], ends[1:], strict=True):
        assert np.allclose(turned[first:last], turned[first])
        for a in range(first, last):
            for b in range(a):
                if b >= first:
                    angle = pattern_angle(rotation[-1, a], rotation[-1, b])
                    assert np.degrees(angle) > 10 - 1e-6


def test_cells_turn_in_the_image_as_their_patterns_do(series: SimulatedSeries) -> None:
    scene, progress = series.scene, 0.5
    earlier, last = (orientations_at(scene, at) for at in (progress, 1.0))
    checked = 0
    for p, grains in enumerate(map(range, scene.first_grain[:-1], scene.first_grain[1:])):
        turned = earlier[grains[0]] @ last[grains[0]].T
        angle = np.arctan2(turned[1, 0], turned[0, 0])
        assert angle == pytest.approx(-0.5 * scene.turn[p], abs=np.radians(0.5))
        center = scene.centers[p] - 0.5 * scene.drift[p]
        for grain in grains:
            y, x = scene.sites[grain]
            row = center[0] + np.sin(angle) * x + np.cos(angle) * y
            column = center[1] + np.cos(angle) * x - np.sin(angle) * y
            owner, _ = owners(scene, progress, np.array([row]), np.array([column]))
            checked += owner[0, 0] == grain
            in_particle = scene.first_grain[p] <= owner[0, 0] < scene.first_grain[p + 1]
            assert owner[0, 0] == grain or not in_particle
    assert checked > scene.n_grains // 2


def test_a_still_series_has_one_frame() -> None:
    truth = truth_of(simulated_series((1, 20, 20, 16, 16)))
    assert (truth["label"].values >= 0).any()
