"""Simulated tilt series: geometry in closed form, and the same bytes for any region."""

import numpy as np
import pytest

from daskstem.schema.errors import InputError
from daskstem.testing import simulated_series, truth_of

SHAPE = (5, 40, 41, 32, 32)


@pytest.fixture(scope="module")
def series():
    return simulated_series(SHAPE, seed=1, tilt_deg=(-30.0, 30.0), drift_steps=(2.0, 0.0))


def test_tilts_count_the_frames(series):
    assert series.frame_coords == {"tilt": ([-30.0, -15.0, 0.0, 15.0, 30.0], "deg")}


def test_a_region_alone_is_the_same_as_in_the_whole(series):
    whole = series.read((slice(2, 3), *(slice(0, n) for n in SHAPE[1:])))
    part = series.read((slice(2, 3), slice(7, 38), slice(30, 41), slice(3, 9), slice(0, 32)))
    np.testing.assert_array_equal(part, whole[:, 7:38, 30:41, 3:9])


def test_crystals_turn_about_the_rows(series):
    # a crystal's distance from the axis is kept: seen length squared plus height squared
    middle = (SHAPE[1] - 1) / 2
    at_zero = series.scene.centers
    for frame, tilt in enumerate(np.radians(series.tilts)):
        seen = series.centers(frame)
        seen = seen - [(frame / 4 - 0.5) * 2.0, 0.0]
        y = (at_zero[:, 0] - middle) * np.cos(tilt) - series.heights * np.sin(tilt)
        np.testing.assert_allclose(seen[:, 0] - middle, y, atol=1e-12)
        np.testing.assert_allclose(seen[:, 1], at_zero[:, 1], atol=1e-12)


def test_orientations_turn_by_the_tilt(series):
    turn = series.orientations(4) @ np.swapaxes(series.orientations(0), 1, 2)
    angle = np.degrees(np.arccos((np.trace(turn, axis1=1, axis2=2) - 1) / 2))
    np.testing.assert_allclose(angle, 60.0, rtol=1e-9)


def test_reflections_fade_with_their_distance_from_the_ewald_sphere(series):
    # |k + g| - |k| is minus the distance, and t s = 0.5 halves sinc^2(t s) more than once
    beam = np.array([0, 0, 1 / series.wavelength_angstrom])
    intensities = truth_of(series)["reflection_intensity"].values
    near, far = [], []
    for frame in range(SHAPE[0]):
        for crystal, orientation in enumerate(series.orientations(frame)):
            vectors = series.reflection_vectors(crystal, orientation)
            distance = np.abs(np.linalg.norm(beam + vectors, axis=1) - beam[2])
            distance *= 10 * series.scene.thickness[crystal]
            low = np.linalg.norm(vectors, axis=1) < 0.6
            near += intensities[frame, crystal][low & (distance < 0.25)].tolist()
            far += intensities[frame, crystal][low & (distance > 2.0)].tolist()
    assert len(near) >= 8
    # reflections below 0.6 per angstrom, {111} and {200}, differ by less than 2 themselves
    assert np.median(near) > 10 * np.median(far)


def test_births_have_no_meaning():
    with pytest.raises(InputError, match="birth_share"):
        simulated_series(SHAPE, tilt_deg=(0.0, 1.0), birth_share=0.5)
