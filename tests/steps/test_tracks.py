import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.schema.errors import InputError
from daskstem.testing import identity_scores
from daskstem.view.tracks import track_labels
from tests import following, scenes, spots
from tests.following import box, label_of

SCAN = (20, 24)
MAPS = ("frame", "scan_y", "scan_x")
CURVES = ("n_positions", "area", "intensity", "centroid_y", "centroid_x", "rotation")
EVENTS = ("event_kind", "event_frame", "event_track", "other_track", "event_cluster")


def series(*frames, scan=SCAN, step_nm=2.0):
    """Return a series of rectangles {box: pattern}, as the steps before leave it."""
    label = np.stack([label_of(boxes, scan) for boxes in frames])
    patterns = [pattern for boxes in frames for pattern in boxes.values()]
    image = (label >= 0).astype(np.float32)
    return xr.Dataset(
        {
            "label": (MAPS, label),
            "mean_similarity": (MAPS, image),
            "pattern": (("cluster", "q_y", "q_x"), np.stack(patterns)),
        },
        {
            dim: (dim, step_nm * np.arange(n), {"units": "nm"})
            for dim, n in zip(MAPS[1:], scan, strict=True)
        },
    )


def growing(n_frames=6, *, without=()):
    """Return three particles that grow, one that nucleates, one that moves and turns."""
    frames = []
    for n in range(n_frames):
        boxes = {
            box(2, 2, 4 + n // 2, 4): following.pattern(0),
            box(12, 2 + n, 4, 5): following.pattern(1),
        }
        if n >= 2:
            boxes[box(3, 14, 3 + n // 3, 4)] = following.pattern(2)
        kept = [key for number, key in enumerate(boxes) if (number, n) not in without]
        frames.append({key: boxes[key] for key in kept})
    return series(*frames)


def test_particles_keep_their_numbers():
    made = daskstem.tracks(growing(), drift="none")
    assert made["track"].values.tolist() == [0, 1, 0, 1, *[0, 1, 2] * 4]
    assert made["track"].dims == ("cluster",)
    assert np.isnan(made["link_score"].values[[0, 1, 6]]).all()
    assert (np.delete(made["link_score"].values, [0, 1, 6]) > 0.4).all()


def test_a_particle_missing_for_two_frames_keeps_its_track():
    made = daskstem.tracks(growing(without=[(1, 2), (1, 3)]), drift="none")
    assert made["n_positions"].values[1].tolist() == [20, 20, 0, 0, 20, 20]
    gap = made["event_kind"].values == 4
    assert made["event_kind"].attrs["flag_meanings"].split()[4] == "gap"
    assert made["event_frame"].values[gap].tolist() == [4]
    assert made["event_track"].values[gap].tolist() == [1]
    assert daskstem.tracks(growing(without=[(1, 2), (1, 3)]), drift="none", max_gap=1)[
        "n_positions"
    ].values[1].tolist() == [20, 20, 0, 0, 0, 0]


@pytest.mark.parametrize("first", [1, 3, 5])
@pytest.mark.parametrize("without", [(), [(1, 2), (1, 3)], [(0, 2)]])
def test_appended_frames_change_no_earlier_number(first, without):
    ds = growing(without=without)
    whole = daskstem.tracks(ds, patterns=False)
    count = int((ds["label"].values[:first].reshape(first, -1).max(axis=1) + 1).sum())
    part = ds.isel(frame=slice(0, first), cluster=slice(0, count))
    earlier = daskstem.tracks(part, patterns=False)
    np.testing.assert_array_equal(whole["track"][:count], earlier["track"])
    n_tracks = earlier["area"].shape[0]
    for name in CURVES:
        np.testing.assert_array_equal(whole[name][:n_tracks, :first], earlier[name])


def test_curves_are_those_of_the_clusters():
    ds = growing()
    made = daskstem.tracks(ds, drift="none")
    label, pattern = ds["label"].values, ds["pattern"].values
    track = made["track"].values
    row = 0
    for frame in range(len(label)):
        for number in range(label[frame].max() + 1):
            y, x = np.nonzero(label[frame] == number)
            at = int(track[row]), frame
            assert made["n_positions"].values[at] == len(y)
            assert made["area"].values[at] == 4.0 * len(y)
            assert made["centroid_y"].values[at] == pytest.approx(y.mean())
            assert made["centroid_x"].values[at] == pytest.approx(x.mean())
            assert made["intensity"].values[at] == pytest.approx(pattern[row].sum(dtype=float))
            np.testing.assert_array_equal(made["track_pattern"].values[at], pattern[row])
            row += 1
    absent = made["n_positions"].values == 0
    assert absent.sum() == 2
    for name in CURVES[1:]:
        assert (np.isnan(made[name].values) == absent).all()
    assert (np.isnan(made["track_pattern"].values).all(axis=(2, 3)) == absent).all()


def test_drift_is_told_in_positions_and_in_nm():
    patterns = [following.pattern(kind) for kind in range(4)]
    places = [(4, 5), (9, 14), (20, 6), (22, 22)]
    frames = [
        {box(y + n, x + 2 * n, 5, 6): p for (y, x), p in zip(places, patterns, strict=True)}
        for n in range(4)
    ]
    made = daskstem.tracks(series(*frames, scan=(40, 44)))
    # a drift of whole positions, found in steps of 1/50
    np.testing.assert_allclose(made["drift_y"], [0, 1, 2, 3], atol=0.1)
    np.testing.assert_allclose(made["drift_x"], [0, 2, 4, 6], atol=0.1)
    np.testing.assert_allclose(made["drift_x_nm"], 2.0 * made["drift_x"])
    assert made["drift_y"].attrs["units"] == "position"
    assert made["drift_y_nm"].attrs["units"] == "nm"
    assert made["track"].values.tolist() == [0, 1, 2, 3] * 4


def test_a_scan_that_is_not_calibrated_has_no_nm():
    made = daskstem.tracks(growing().drop_vars(["scan_y", "scan_x"]))
    for name in ("drift_y_nm", "drift_x_nm", "area"):
        assert np.isnan(made[name]).all()
    assert made["n_positions"].values.sum() > 0


def test_rotation_is_measured_against_the_first_frame():
    turns = np.linspace(0, 40, 9)
    frames = [{box(4, 4): spots.spots(turn)} for turn in turns]
    made = daskstem.tracks(series(*frames), turn_deg=8.0)
    # rings' points lie 1.8 degrees apart
    np.testing.assert_allclose(made["rotation"].values[0], turns, atol=0.2)


def test_means_of_clusters_of_one_track_are_the_mean_over_all_of_them():
    """The oracle averages raw patterns over the tracks' positions."""
    frames = [scenes.counts(SCAN, (16, 18), n_domains=3, dose=4.0, seed=3) for _ in range(2)]
    pieces = np.full((2, *SCAN), -1, np.int32)
    pieces[:, 2:6, 2:5], pieces[:, 2:6, 6:12] = 0, 1
    pieces[1] = np.where((pieces[0] >= 0) | (np.arange(24) == 5)[None], 0, -1)
    pieces[1, :2], pieces[1, 6:] = -1, -1
    raw = xr.Dataset(
        {
            "patterns": ((*MAPS, "q_y", "q_x"), np.stack(frames)),
            "label": (MAPS, pieces),
            "mean_similarity": (MAPS, np.ones((2, *SCAN), np.float32)),
        }
    )
    clusters = daskstem.average(raw)
    ds = raw.drop_vars("patterns").assign(pattern=clusters["pattern"].variable)
    made = daskstem.tracks(ds, connectivity="series", least_similarity=-1.0, drift="none")
    assert made["track"].values.tolist() == [0, 0, 0]
    together = daskstem.average(raw.assign(label=(MAPS, np.where(pieces >= 0, 0, -1))))
    # two roundings to single precision
    np.testing.assert_allclose(
        made["track_pattern"].values[0], together["pattern"].values, rtol=3e-7
    )
    np.testing.assert_array_equal(made["n_positions"].values[0], together["n_positions"])
    np.testing.assert_allclose(made["centroid_x"].values[0], together["centroid_x"])


def test_connected_series_have_clusters_that_meet_in_one_track():
    apart = {box(2, 2): following.pattern(0), box(2, 8): following.pattern(0)}
    joined = {box(2, 2, 4, 10): following.pattern(0)}
    ds = series(apart, joined)
    assert daskstem.tracks(ds, drift="none")["track"].values.tolist() == [0, 1, 0]
    made = daskstem.tracks(ds, drift="none", connectivity="series")
    assert made["track"].values.tolist() == [0, 0, 0]
    assert made["n_positions"].values.tolist() == [[32, 40]]


def parts(size):
    borders = st.sets(st.integers(1, size - 1), max_size=3)
    return borders.map(lambda cuts: tuple(np.diff([0, *sorted(cuts), size]).tolist()))


@settings(max_examples=8, deadline=None)
@given(frames=parts(6), rows=parts(SCAN[0]), columns=parts(SCAN[1]), clusters=parts(16),
       detector=st.sampled_from([5, 16]))  # fmt: skip
@pytest.mark.parametrize("connectivity", ["frame", "series"])
def test_any_chunking_gives_the_same(frames, rows, columns, clusters, detector, connectivity):
    ds = growing()
    expected = daskstem.tracks(ds, connectivity=connectivity).compute()
    cut = ds.chunk(frame=frames, scan_y=rows, scan_x=columns, cluster=clusters, q_y=detector)
    found = daskstem.tracks(cut, connectivity=connectivity)
    assert found["track_pattern"].chunks is not None
    for name, values in expected.variables.items():
        if name == "intensity":
            # summed in another order, in float64
            np.testing.assert_allclose(found[name], values, rtol=1e-12)
        else:
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_patterns_of_tracks_stay_lazy_and_can_be_left_out():
    ds = growing().chunk(cluster=3)
    assert daskstem.tracks(ds)["track_pattern"].chunks is not None
    assert "track_pattern" not in daskstem.tracks(ds, patterns=False)


def test_the_input_is_left_as_it_was():
    ds = growing()
    before = ds.copy(deep=True)
    daskstem.tracks(ds).compute()
    xr.testing.assert_identical(ds, before)


def test_a_single_frame_has_a_track_for_each_cluster():
    ds = growing(1)
    made = daskstem.tracks(ds.isel(frame=0))
    assert made["track"].values.tolist() == [0, 1]
    assert made["n_positions"].dims == ("track",)
    assert made["track_pattern"].shape == (2, 16, 16)
    assert "frame" not in made.dims


def test_a_series_without_clusters_has_no_tracks():
    ds = growing(3).isel(cluster=slice(0, 0))
    made = daskstem.tracks(ds.assign(label=ds["label"] * 0 - 1)).compute()
    assert made["track"].size == 0
    assert made["area"].shape == (0, 3)
    assert made["track_pattern"].shape == (0, 3, 16, 16)
    assert made["event_kind"].size == 0


@pytest.mark.parametrize(
    ("missing", "step"),
    [("label", "grow"), ("pattern", "average"), ("mean_similarity", "similarity")],
)
def test_a_missing_variable_names_its_step(missing, step):
    with pytest.raises(InputError, match=f"no variable '{missing}'.*run '{step}' first"):
        daskstem.tracks(growing().drop_vars(missing))


@pytest.mark.parametrize("rows", [slice(0, 15), [*range(16), 0]])
def test_a_table_of_other_clusters_is_refused(rows):
    with pytest.raises(InputError, match="clusters, the label maps hold others; run 'average'"):
        daskstem.tracks(growing().isel(cluster=rows))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_gap": -1}, "max_gap = -1"),
        ({"weights": (0.0, 0.0, 0.0, 0.0)}, "weights = .* not all of them 0"),
        ({"weights": (1.0, -1.0, 1.0, 1.0)}, "weights = .* >= 0"),
        ({"least_similarity": 2.0}, "least_similarity"),
        ({"connectivity": "time"}, "connectivity"),
        ({"drift": "label"}, "drift"),
        ({"q_inner_px": 30.0}, "no ring beyond q_inner_px = 30"),
        ({"center": (0.0, 0.0)}, "lies on a detector of 16 x 16 pixels"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(given, message):
    with pytest.raises(InputError, match=message) as caught:
        daskstem.tracks(growing(), **given)
    assert "\n" not in str(caught.value)


def test_data_variables_say_their_units():
    made = daskstem.tracks(growing())
    assert all(variable.attrs.get("units") for variable in made.data_vars.values())
    assert set(EVENTS) | set(CURVES) <= set(made.data_vars)


def test_grains_of_a_simulated_polycrystal_are_followed_through_a_drifting_window(shared_data):
    # simulated by others: 6 grains, 300 electrons per pattern
    with np.load(shared_data / "scan_32.npz") as file:
        patterns, grain = file["data"], file["grain_id"]
    starts = [(0, 4), (1, 3), (3, 1), (4, 0)]
    windows = [(slice(y, y + 28), slice(x, x + 28)) for y, x in starts]
    dims = (*MAPS, "q_y", "q_x")
    ds = xr.Dataset({"patterns": (dims, np.stack([patterns[w] for w in windows]))})
    ds = ds.assign(daskstem.prefilter(ds).compute())
    ds = ds.assign(daskstem.similarity(ds).compute())
    ds = ds.assign(mask=(MAPS, np.ones(ds.sizes["frame"] * 784, bool).reshape(-1, 28, 28)))
    ds = ds.assign(daskstem.grow(ds, threshold=0.9).compute())
    ds = ds.assign(pattern=daskstem.average(ds)["pattern"].compute().variable)
    made = daskstem.tracks(ds, patterns=False)
    # the window moves up the specimen, the specimen down the window
    np.testing.assert_allclose(made["drift_y"], [-y for y, _ in starts], atol=0.25)
    np.testing.assert_allclose(made["drift_x"], [4 - x for _, x in starts], atol=0.25)
    truth = np.stack([grain[w] for w in windows])
    found = track_labels(ds["label"], made).values
    scores = identity_scores(truth, found)
    assert scores.f1 > 0.9
    assert scores.f1 == scores.detection_f1
