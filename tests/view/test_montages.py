import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from daskstem.schema.calibration import Axis
from daskstem.schema.dims import CLUSTER, FRAME, Q_X, Q_Y
from daskstem.schema.errors import InputError
from daskstem.view.drawing import log_norm
from daskstem.view.montages import montage, montage_size


def patterns(count=3, dim=CLUSTER, shape=(16, 16), **along):
    q = {
        d: Axis(0.05, -0.4, "1/angstrom").coordinate(d, n)
        for d, n in zip((Q_Y, Q_X), shape, strict=True)
    }
    values = np.random.default_rng(1).random((count, *shape))
    return xr.DataArray(
        values, dims=(dim, Q_Y, Q_X), coords={**q, **{k: (dim, v) for k, v in along.items()}}
    )


def test_clusters_are_shown_largest_first_with_their_numbers_and_sizes():
    means = patterns(label=[4, 0, 2], n_positions=[30, 1200, 1])
    shown = montage(means).child_axes
    titles = ["#0: mean of 1,200", "#4: mean of 30", "#2: mean of 1"]
    assert [one.get_title() for one in shown] == titles
    for one, at in zip(shown, (1, 0, 2), strict=True):
        np.testing.assert_array_equal(
            one.images[0].get_array(), np.maximum(means[at], one.images[0].norm.vmin)
        )
    assert shown[0].texts[0].get_text() == "0.2 Å⁻¹"


def test_clusters_of_several_frames_are_told_apart():
    means = patterns(label=[0, 1, 0], n_positions=[9, 8, 7], frame=[0, 0, 4])
    titles = [one.get_title() for one in montage(means).child_axes]
    assert titles == ["frame 0, #0: mean of 9", "frame 0, #1: mean of 8", "frame 4, #0: mean of 7"]


def test_what_is_below_a_pattern_has_its_scale():
    shown = montage(patterns(4), below=patterns(4) * 3).child_axes
    assert len(shown) == 8
    for above, below in zip(shown[:4], shown[4:], strict=True):
        assert below.images[0].norm is above.images[0].norm
        assert not below.get_title()
    assert len({id(one.images[0].norm) for one in shown}) == 4


def test_one_scale_is_shared_when_it_is_given():
    norm = log_norm(np.arange(10.0))
    assert {id(one.images[0].norm) for one in montage(patterns(3), norm=norm).child_axes} == {
        id(norm)
    }


def test_of_many_frames_some_are_chosen_evenly_with_both_ends_and_their_coordinate():
    tilted = patterns(41, FRAME, tilt=np.linspace(-10, 10, 41))
    tilted.coords["tilt"].attrs["units"] = "deg"
    titles = [one.get_title() for one in montage(tilted, most=5).child_axes]
    assert titles == ["tilt -10°", "tilt -5°", "tilt 0°", "tilt 5°", "tilt 10°"]


def test_patterns_keep_their_shape_and_do_not_overlap():
    ax = montage(patterns(8, shape=(16, 32)), columns=3)
    ax.figure.canvas.draw()
    boxes = [one.get_window_extent() for one in ax.child_axes]
    for box in boxes:
        assert box.width / box.height == pytest.approx(2, rel=0.02)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_given_area_is_shared():
    left, right = Figure(figsize=montage_size(patterns(3))).subplots(1, 2)
    assert montage(patterns(3), ax=right) is right
    assert not left.child_axes


def test_fewer_or_more_dimensions_are_refused():
    with pytest.raises(InputError, match="needs .* and one more"):
        montage(patterns(3)[0])
    with pytest.raises(InputError, match="select along the others first"):
        montage(patterns(3).expand_dims(track=2))
