import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from daskstem.schema.calibration import Axis
from daskstem.schema.dims import Q_X, Q_Y, SCAN_X, SCAN_Y
from daskstem.schema.errors import InputError
from daskstem.view import curves, pictures
from daskstem.view.drawing import log_norm, size_bins
from daskstem.view.figures import png
from daskstem.view.palette import BACKGROUND, label_colors
from daskstem.view.scale import length_text, round_length, scan_grid

LABELS = hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
                    elements=st.integers(-1, 12))  # fmt: skip


def scan(values: np.ndarray, step_y: float = 2.0, step_x: float = 2.0) -> xr.DataArray:
    coords = {
        SCAN_Y: Axis(step_y, units="nm").coordinate(SCAN_Y, values.shape[0]),
        SCAN_X: Axis(step_x, units="nm").coordinate(SCAN_X, values.shape[1]),
    }
    return xr.DataArray(values, dims=(SCAN_Y, SCAN_X), coords=coords)


def figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@given(label=LABELS)
@settings(max_examples=60, deadline=None)
def test_touching_clusters_never_share_a_color(label: np.ndarray) -> None:
    painted = label_colors(label)
    rows, columns = label.shape
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for y in range(rows - dy):
            for x in range(max(-dx, 0), columns - max(dx, 0)):
                a, b = label[y, x], label[y + dy, x + dx]
                same_color = (painted[y, x] == painted[y + dy, x + dx]).all()
                assert same_color == (a == b or (a < 0 and b < 0))


def test_clusters_one_unassigned_position_apart_differ_in_color() -> None:
    label = np.array([[0, -1, 1, -1, 2]])
    painted = label_colors(label)
    assert (painted[0, 0] != painted[0, 2]).any()
    assert (painted[0, 1] == BACKGROUND).all()


@given(label=LABELS)
@settings(max_examples=60, deadline=None)
def test_outlines_are_closed_and_enclose_each_cluster(label: np.ndarray) -> None:
    lines = pictures.closed_outlines(label)
    assert all((line[0] == line[-1]).all() for line in lines)
    assert len(lines) >= np.unique(label[label >= 0]).size
    # The shoelace area of a contour at 0.5 is that of its positions less the cut corners.
    if (label == label[0, 0]).all() and label[0, 0] >= 0:
        y, x = lines[0].T
        area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
        assert area == pytest.approx(label.size - 0.5)


def test_a_map_has_the_proportions_of_its_steps() -> None:
    axes = pictures.scan_map(scan(np.random.default_rng(0).random((10, 20)), 4.0, 1.0))
    left, right, bottom, top = axes.images[0].get_extent()
    assert (right - left, bottom - top) == pytest.approx((20.0, 40.0))
    assert axes.get_aspect() == 1.0
    assert texts(axes) == ["5 nm"]


def test_an_uncalibrated_map_counts_positions() -> None:
    axes = pictures.scan_map(xr.DataArray(np.ones((8, 30)), dims=(SCAN_Y, SCAN_X)))
    assert texts(axes) == ["5 positions"]


def test_axes_in_different_units_are_counted_in_positions() -> None:
    array = scan(np.ones((4, 4)))
    array = array.assign_coords({SCAN_Y: Axis().coordinate(SCAN_Y, 4)})
    assert not scan_grid(array).calibrated


def test_a_map_of_nothing_but_nan_is_drawn() -> None:
    axes = pictures.scan_map(scan(np.full((4, 4), np.nan)))
    assert png(figure_of(axes), dpi=40).startswith(b"\x89PNG")


def test_a_series_of_maps_is_refused_with_the_remedy() -> None:
    array = xr.DataArray(np.ones((2, 3, 4)), dims=("frame", SCAN_Y, SCAN_X), name="mask")
    with pytest.raises(InputError, match="isel"):
        pictures.scan_map(array)


def test_a_single_count_is_brighter_than_none() -> None:
    values = np.zeros((8, 8))
    values[2, 2], values[4, 4] = 1, 1000
    norm = log_norm(values)
    assert norm.vmin is not None
    assert norm(1.0) > norm(norm.vmin)
    axes = pictures.pattern(xr.DataArray(values, dims=(Q_Y, Q_X)))
    drawn = np.asarray(axes.images[0].get_array())
    assert np.isfinite(drawn).all()
    assert drawn[0, 0] == norm.vmin


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_a_constant_pattern_is_drawn(value: float) -> None:
    axes = pictures.pattern(xr.DataArray(np.full((6, 6), value), dims=(Q_Y, Q_X)))
    assert png(figure_of(axes), dpi=40).startswith(b"\x89PNG")


@given(sizes=st.lists(st.integers(1, 300_000), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_cluster_falls_into_one_bin(sizes: list[int]) -> None:
    edges = size_bins(np.array(sizes))
    assert (np.diff(edges) >= 1).all()
    assert np.histogram(sizes, edges)[0].sum() == len(sizes)


def test_the_histogram_of_no_clusters_is_empty() -> None:
    axes = curves.size_histogram(np.empty(0, int), position_area_nm2=4.0)
    assert png(figure_of(axes), dpi=40).startswith(b"\x89PNG")


@given(length=st.floats(1e-6, 1e6))
def test_a_round_length_fits_and_is_not_much_shorter(length: float) -> None:
    found = round_length(length)
    assert 0.39 * length <= found <= length * 1.0001


def test_lengths_are_written_in_the_readers_units() -> None:
    assert length_text(1, "px", pixel_name="positions") == "1 position"
    assert length_text(20, "mrad") == "20 mrad"


def test_what_is_drawn_into_given_axes_leaves_no_global_state() -> None:
    code = (
        "import sys, numpy as np; from daskstem.view import pictures; "
        "import xarray as xr; from matplotlib.figure import Figure; "
        "array = xr.DataArray(np.ones((3, 3)), dims=('scan_y', 'scan_x')); "
        "pictures.scan_map(array, ax=Figure().add_subplot()); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_new_figure_is_one_that_pyplot_shows() -> None:
    axes = pictures.scan_map(scan(np.ones((3, 3))))
    assert pyplot.figure(axes.get_figure(root=True).number) is axes.get_figure(root=True)


def test_a_given_axes_is_drawn_into() -> None:
    axes = Figure().add_subplot()
    assert pictures.label_map(scan(np.array([[0, 1], [-1, 1]])), ax=axes, title="t") is axes
    assert axes.get_title() == "t"
