import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.spatial.transform import Rotation

from daskstem.schema.errors import InputError
from daskstem.view.orientation import angle_map, direction_colors, direction_map
from daskstem.view.palette import BACKGROUND

GROUPS = {"m-3m": "O", "6/mmm": "D6", "4/mmm": "D4", "mmm": "D2"}
components = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3)


def new_axes():
    return Figure().add_subplot()


def operations(symmetry):
    """Return all matrices of a Laue group: rotations from SciPy, and the inversion."""
    turns = Rotation.create_group(GROUPS[symmetry]).as_matrix()
    return np.concatenate([turns, -turns])


@pytest.mark.parametrize("symmetry", GROUPS)
@settings(max_examples=60, deadline=None)
@given(direction=components)
def test_equivalent_directions_have_one_color(symmetry, direction):
    equal = operations(symmetry) @ np.array(direction)
    colors = direction_colors(equal, symmetry).astype(int)
    # a last digit of the direction may round a color to the next of 256
    assert np.ptp(colors, axis=0).max() <= 1


@pytest.mark.parametrize(
    ("symmetry", "corners"),
    [
        ("m-3m", [(0, 0, 1), (1, 0, 1), (1, 1, 1)]),
        ("6/mmm", [(0, 0, 1), (1, 0, 0), (3**0.5, 1, 0)]),
        ("4/mmm", [(0, 0, 1), (1, 0, 0), (1, 1, 0)]),
        ("mmm", [(0, 0, 1), (1, 0, 0), (0, 1, 0)]),
    ],
)
def test_the_corners_are_red_green_and_blue(symmetry, corners):
    # a share of 1e-16 has a root of 1e-8: below half a color
    expected = 255 * np.eye(3, dtype=np.uint8)
    np.testing.assert_array_equal(direction_colors(np.array(corners), symmetry), expected)


@pytest.mark.parametrize("symmetry", GROUPS)
def test_directions_apart_in_the_triangle_differ_in_color(symmetry):
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(60, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    colors = direction_colors(directions, symmetry).astype(int)
    turned = np.einsum("oij,nj->noi", operations(symmetry), directions)
    for a, b in itertools.combinations(range(60), 2):
        nearest = np.degrees(np.arccos(np.clip((turned[a] @ directions[b]).max(), -1, 1)))
        if nearest > 12:
            assert np.abs(colors[a] - colors[b]).max() > 12


def test_what_is_no_direction_is_dark():
    odd = np.array([[np.nan, 0, 1], [0, 0, 0]])
    assert (direction_colors(odd, "m-3m") == BACKGROUND).all()


def test_a_length_does_not_matter():
    one = np.array([0.2, 0.4, 0.7])
    np.testing.assert_array_equal(
        direction_colors(one, "4/mmm"), direction_colors(50 * one, "4/mmm")
    )


def test_the_map_of_directions_bears_its_key():
    beam = np.random.default_rng(0).normal(size=(5, 6, 3))
    ax = direction_map(xr.DataArray(beam, dims=("scan_y", "scan_x", "axis")))
    np.testing.assert_array_equal(ax.images[0].get_array(), direction_colors(beam, "m-3m"))
    assert [t.get_text() for t in ax.child_axes[0].texts] == ["[001]", "[101]", "[111]"]


def test_unknown_symmetry_and_wrong_dimensions_are_refused():
    beam = xr.DataArray(np.ones((4, 4, 3)), dims=("scan_y", "scan_x", "axis"))
    with pytest.raises(InputError, match="symmetry = '23'; known are m-3m"):
        direction_map(beam, symmetry="23")
    with pytest.raises(InputError, match="one dimension of 3"):
        direction_map(beam.isel(axis=0))


@given(turns=st.integers(-3, 3), angle=st.floats(0, 90, exclude_max=True))
@settings(max_examples=40, deadline=None)
def test_an_angle_has_the_color_of_the_same_angle_a_period_on(turns, angle):
    values = np.array([[angle, angle + 90.0 * turns]])
    ax = angle_map(xr.DataArray(values, dims=("scan_y", "scan_x")), period=90, ax=new_axes())
    first, second = np.asarray(ax.images[0].get_array())[0].astype(int)
    # a rounded sum may fall into the next of the map's 510 colors, at either end of it
    assert np.abs(first - second).max() <= 3


def test_angles_half_a_period_apart_differ_and_missing_ones_are_dark():
    values = np.array([[0.0, 90.0, np.nan]])
    drawn = angle_map(xr.DataArray(values, dims=("scan_y", "scan_x")), period=180).images[0]
    first, second, none = np.asarray(drawn.get_array())[0].astype(int)
    assert np.abs(first - second).sum() > 200
    assert none.tolist() == list(BACKGROUND)
