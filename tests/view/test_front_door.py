import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import daskstem
from daskstem import view
from daskstem.schema.errors import InputError


def test_every_public_name_is_there_and_documented():
    assert view.__all__ == sorted(view.__all__)
    for name in view.__all__:
        function = getattr(view, name)
        assert function.__name__ == name
        assert "Returns" in function.__doc__


def test_every_drawing_function_takes_axes_by_keyword():
    drawing = [n for n in view.__all__ if n.rsplit("_", 1)[-1] in ("map", "montage", "curve")]
    assert len(drawing) >= 10
    for name in drawing:
        assert getattr(view, name).__kwdefaults__["ax"] is None


def test_the_front_door_knows_the_views():
    assert daskstem.view is view
    assert "view" in dir(daskstem)
    with pytest.raises(AttributeError, match="no attribute 'no_such_picture'"):
        view.no_such_picture  # noqa: B018


def test_matplotlib_is_imported_with_the_first_picture_only():
    code = (
        "import sys, daskstem; from daskstem import view; "
        "before = 'matplotlib' in sys.modules; view.scan_map; "
        "sys.exit(before or 'matplotlib' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_dimension_of_one_element_needs_no_selecting():
    image = xr.DataArray(np.ones((1, 3, 4)), dims=("frame", "scan_y", "scan_x"))
    ax = Figure().add_subplot()
    assert isinstance(view.scan_map(image, ax=ax), Axes)
    with pytest.raises(InputError, match="isel"):
        view.label_map(xr.concat([image, image], "frame").astype(int), ax=ax)


def test_counts_are_drawn_in_the_colors_of_intensities():
    image = xr.DataArray(np.eye(4), dims=("scan_y", "scan_x"), attrs={"units": "counts"})
    assert view.scan_map(image).images[0].cmap.name == "inferno"
    assert view.scan_map(image.assign_attrs(units="1")).images[0].cmap.name == "cividis"


def test_a_curve_of_several_frames_or_of_nothing_is_refused():
    found = xr.Dataset({"cover": (("frame", "threshold"), np.ones((2, 3)))})
    with pytest.raises(InputError, match="select one frame first"):
        view.threshold_curve(found, of="cover")
    with pytest.raises(InputError, match="run 'hierarchy' first"):
        view.threshold_curve(found)
    with pytest.raises(InputError, match="no curve 'size'"):
        view.threshold_curve(found, of="size")


def test_the_thresholds_used_and_suggested_are_marked():
    found = xr.Dataset(
        {"cover": (("frame", "threshold"), [[1.0, 0.5, 0.2]]),
         "suggested_threshold": ("frame", [0.9])},
        {"threshold": [0.5, 0.9, 1.0]},
    )  # fmt: skip
    ax = view.threshold_curve(found, of="cover", used=0.8)
    curve, used, suggested = ax.lines
    np.testing.assert_allclose(curve.get_xdata(), [0.5, 0.1])
    np.testing.assert_allclose(curve.get_ydata(), [100, 50])
    assert (used.get_label(), suggested.get_label()) == ("used: 0.800", "suggested: 0.900")
    np.testing.assert_allclose([used.get_xdata()[0], suggested.get_xdata()[0]], [0.2, 0.1])


def test_a_threshold_just_below_zero_bears_no_sign():
    found = xr.Dataset({"cover": ("threshold", [1.0, 0.5])}, {"threshold": [-0.5, 0.9]})
    ax = view.threshold_curve(found, of="cover", used=-1e-4)
    assert ax.lines[1].get_label() == "used: 0.000"
