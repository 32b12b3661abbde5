import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.colors import to_rgb

import daskstem
from daskstem.schema.errors import InputError
from daskstem.view import palette
from daskstem.view.events import event_table, lineage
from daskstem.view.tracks import (
    MOST_LINES,
    growth_curves,
    track_colors,
    track_labels,
    track_map,
)
from tests import following
from tests.following import box
from tests.steps.test_tracks import growing, series

MAPS = hnp.arrays(np.int32, (3, 6, 7), elements=st.integers(-1, 8))


@pytest.fixture(scope="module")
def followed():
    """Return a series with a gap, its tracks, and the map of tracks."""
    ds = growing(without=[(1, 2), (1, 3)])
    tracks = daskstem.tracks(ds, drift="none", patterns=False)
    return ds, tracks, track_labels(ds["label"], tracks)


def test_every_cluster_is_painted_with_its_track(followed):
    ds, tracks, painted = followed
    label, row = ds["label"].values, 0
    for frame in range(len(label)):
        for number in range(label[frame].max() + 1):
            where = label[frame] == number
            assert (painted.values[frame][where] == tracks["track"].values[row]).all()
            row += 1
    assert ((painted.values < 0) == (label < 0)).all()


def test_labels_of_other_clusters_are_refused(followed):
    ds, tracks, _ = followed
    with pytest.raises(InputError, match="the labels hold 12 clusters, 'track' 14; run 'tracks'"):
        track_labels(ds["label"].where(ds["label"] != 2, -1).isel(frame=slice(0, 6)), tracks)


@settings(max_examples=40, deadline=None)
@given(maps=MAPS)
def test_tracks_that_ever_touch_never_share_a_color(maps):
    colors = track_colors(xr.DataArray(maps, dims=("frame", "scan_y", "scan_x")), 9)
    assert colors.shape == (9, 3)
    for one in maps:
        for dy, dx in ((0, 1), (1, 0), (1, 1)):
            a, b = one[: 6 - dy, : 7 - dx], one[dy:, dx:]
            differ = (a != b) & (a >= 0) & (b >= 0)
            assert (colors[a[differ]] != colors[b[differ]]).any(axis=1).all()


def test_no_tracks_have_no_colors():
    assert palette.colors_through([], 0).shape == (0, 3)


def test_a_track_is_drawn_in_its_color_in_every_frame(followed):
    _, tracks, painted = followed
    colors = track_colors(painted, tracks["area"].shape[0])
    for frame in range(6):
        one = painted.isel(frame=frame)
        drawn = track_map(one, colors=colors).get_images()[0].get_array()
        for number in np.unique(one.values[one.values >= 0]):
            assert (drawn[one.values == number] == colors[number]).all()
        assert (drawn[one.values < 0] == palette.BACKGROUND).all()


def test_a_map_bears_the_numbers_of_its_tracks(followed):
    _, _, painted = followed
    axes = track_map(painted.isel(frame=5))
    assert {"0", "1", "2"} <= {text.get_text() for text in axes.texts}
    assert "0" not in {
        t.get_text() for t in track_map(painted.isel(frame=5), numbered=False).texts
    }


def test_a_map_of_several_frames_is_refused(followed):
    with pytest.raises(InputError, match="select one frame or cluster first"):
        track_map(followed[2])


def test_curves_are_the_tracks_values_broken_where_they_are_missing(followed):
    _, tracks, _ = followed
    axes = growth_curves(tracks)
    assert axes.get_ylabel() == "area (nm²)"
    assert len(axes.lines) == 3
    for number, line in enumerate(axes.lines):
        np.testing.assert_array_equal(line.get_ydata(), tracks["area"].values[number])
        assert line.get_label() == str(number)
    assert np.isnan(axes.lines[1].get_ydata()[2:4]).all()


def test_curves_run_along_time_where_it_is_known(followed):
    _, tracks, _ = followed
    timed = tracks.assign_coords(time=("frame", 13.0 * np.arange(6), {"units": "s"}))
    axes = growth_curves(timed, of="rotation", only=[2])
    assert axes.get_xlabel() == "time (s)"
    assert axes.get_ylabel() == "rotation (°)"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), 13.0 * np.arange(6))
    assert growth_curves(tracks).get_xlabel() == "frame"


def test_a_scan_that_is_not_calibrated_has_curves_in_positions():
    ds = growing().drop_vars(["scan_y", "scan_x"])
    axes = growth_curves(daskstem.tracks(ds, patterns=False))
    assert axes.get_ylabel() == "positions"


def test_an_unknown_curve_is_refused(followed):
    with pytest.raises(InputError, match="no curve 'mass'; there are n_positions, area"):
        growth_curves(followed[1], of="mass")


def test_a_lineage_has_a_bar_for_every_run_and_dots_for_gaps(followed):
    _, tracks, _ = followed
    axes = lineage(tracks, colors=np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8))
    bars = [c for c in axes.collections if c.get_linewidths()[0] == 4.0]
    runs = [[tuple(p[:, 0]) for p in bar.get_segments()] for bar in bars]
    assert runs == [[(-0.4, 5.4)], [(-0.4, 1.4), (3.6, 5.4)], [(1.6, 5.4)]]
    dotted = [c for c in axes.collections if c.get_linewidths()[0] == 1.0]
    assert [len(c.get_segments()) for c in dotted] == [0, 1, 0]
    assert to_rgb(bars[1].get_color()[0]) == (0, 1, 0)
    # born after the first frame: track 2 only
    births = next(line for line in axes.lines if line.get_label() == "birth")
    assert (births.get_xdata()[0], births.get_ydata()[0], len(births.get_xdata())) == (2, 2, 1)


def test_splits_and_merges_are_joined_to_the_other_track():
    a, b = following.pattern(0), following.pattern(1)
    whole, pair = {box(2, 2, 4, 8): a}, {box(2, 2, 4, 5): a, box(2, 7, 4, 3): b}
    tracks = daskstem.tracks(series(whole, pair, whole, whole), drift="none", max_gap=1)
    assert [event[0] for event in event_table(tracks)] == ["birth", "split", "merge"]
    axes = lineage(tracks)
    joined = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert [sorted(line.get_ydata()) for line in joined] == [[0, 1], [0, 1]]
    assert [line.get_xdata()[0] for line in joined] == [1, 2]


def test_of_many_tracks_those_seen_longest_are_drawn():
    n = MOST_LINES + 5
    seen = np.ones((n, 3), np.int32)
    seen[:5, 1:] = 0
    none = np.empty(0, np.int32)
    flags = {"flag_values": [0], "flag_meanings": "birth"}
    tracks = xr.Dataset(
        {
            "n_positions": (("track", "frame"), seen),
            "area": (("track", "frame"), np.where(seen > 0, 1.0, np.nan)),
            "event_kind": ("event", none, flags),
            **{k: ("event", none) for k in ("event_frame", "event_track", "other_track")},
        }
    )
    assert len(growth_curves(tracks).lines) == MOST_LINES
    assert {line.get_label() for line in growth_curves(tracks).lines}.isdisjoint(
        map(str, range(5))
    )
    assert lineage(tracks).get_ylim()[0] == MOST_LINES


def test_a_series_without_tracks_can_be_drawn():
    ds = growing(3).isel(cluster=slice(0, 0))
    tracks = daskstem.tracks(ds.assign(label=ds["label"] * 0 - 1), patterns=False)
    assert len(growth_curves(tracks).lines) == 0
    assert len(lineage(tracks).lines) == 0
