import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels.lineage import EVENT_KINDS
from daskstem.kernels.polar import azimuthal_spectra
from daskstem.kernels.tracking import Tracker
from tests import spots as polar
from tests.following import RULES, box, regions, spectrum

A, B, C = (spectrum(kind) for kind in range(3))


def followed(*frames, **changes):
    """Follow frames of clusters: tracks by frame, and events in words."""
    tracker = Tracker(dataclasses.replace(RULES, **changes))
    for boxes in frames:
        tracker.follow(boxes if hasattr(boxes, "spectra") else regions(boxes))
    lineage = tracker.lineage()
    tracks = np.split(lineage.track, np.cumsum(lineage.n_clusters)[:-1])
    events = [
        (EVENT_KINDS[kind], frame, track, other)
        for kind, frame, track, other, _ in lineage.events.tolist()
    ]
    return [part.tolist() for part in tracks], events, lineage


def test_a_moving_cluster_keeps_its_number():
    tracks, events, _ = followed(*({box(2, 2 + n): A} for n in range(6)))
    assert tracks == [[0]] * 6
    assert events == [("birth", 0, 0, -1)]


def test_clusters_that_change_their_order_keep_their_numbers():
    tracks, _, _ = followed({box(2, 2): A, box(8, 8): B}, {box(8, 9): B, box(2, 3): A})
    assert tracks == [[0, 1], [1, 0]]


def test_patterns_tell_apart_what_changes_places():
    tracks, _, _ = followed({box(2, 2): A, box(2, 6): B}, {box(2, 2): B, box(2, 6): A})
    assert tracks == [[0, 1], [1, 0]]


def test_a_cluster_in_the_place_of_another_is_a_new_track():
    tracks, events, _ = followed({box(2, 2): A}, {box(2, 2): B}, max_gap=0)
    assert tracks == [[0], [1]]
    assert ("birth", 1, 1, 0) in events
    assert ("death", 1, 0, 1) in events


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_cluster_is_found_again_if_it_is_missing_for_no_longer_than_allowed(missing):
    frames = [{box(2, 2): A}, *({} for _ in range(missing)), {box(2, 4): A}]
    tracks, events, _ = followed(*frames, max_gap=2)
    again = 0 if missing <= 2 else 1
    assert tracks[-1] == [again]
    kinds = [event[:3] for event in events]
    assert (("gap", missing + 1, 0) in kinds) == (missing <= 2)
    assert (("death", 1, 0) in kinds) == (missing > 2)


def test_a_missing_cluster_is_taken_up_where_the_drift_has_brought_it():
    there = regions({box(2, 12): A}, drift=(0.0, 10.0))
    assert followed({box(2, 2): A}, {}, there)[0][-1] == [0]
    # ten positions are too far without it
    assert followed({box(2, 2): A}, {}, {box(2, 12): A})[0][-1] == [1]


def test_a_part_that_comes_off_is_a_split():
    tracks, events, _ = followed({box(2, 2, 4, 8): A}, {box(2, 2, 4, 5): A, box(2, 7, 4, 3): B})
    assert tracks == [[0], [0, 1]]
    assert events[-1] == ("split", 1, 1, 0)


def test_what_appears_beside_another_is_a_birth():
    _, events, _ = followed({box(2, 2): A}, {box(2, 2): A, box(2, 6): B})
    assert events[-1] == ("birth", 1, 1, -1)


def test_what_is_swallowed_has_merged():
    both = {box(2, 2, 4, 5): A, box(2, 7, 4, 4): B}
    tracks, events, _ = followed(both, {box(2, 2, 4, 9): A}, {box(2, 2, 4, 9): A}, max_gap=1)
    assert tracks == [[0, 1], [0], [0]]
    assert events[-1] == ("merge", 1, 1, 0)


def test_clusters_that_touch_for_a_frame_are_told_apart_again():
    both = {box(2, 2, 4, 5): A, box(2, 7, 4, 4): B}
    tracks, events, _ = followed(both, {box(2, 2, 4, 9): A}, both)
    assert tracks == [[0, 1], [0], [0, 1]]
    assert events[-1] == ("gap", 2, 1, 0)


def test_the_end_of_the_series_ends_no_track():
    _, events, _ = followed({box(2, 2): A}, {}, {})
    assert [kind for kind, *_ in events] == ["birth"]
    _, events, _ = followed({box(2, 2): A}, {}, {}, {})
    assert events[-1] == ("death", 1, 0, -1)


def test_links_are_chosen_together():
    # alone, the cluster between would go to the nearer one and leave the other without
    near = {box(4, 2): A, box(4, 7): A}
    tracks, _, _ = followed(near, {box(4, 5): A, box(4, 10): A})
    assert tracks == [[0, 1], [0, 1]]


@st.composite
def series(draw):
    """Return some frames of a few clusters at random places with few kinds of patterns."""
    frames = []
    for _ in range(draw(st.integers(2, 7))):
        count = draw(st.integers(0, 4))
        places = [(draw(st.integers(0, 12)), draw(st.integers(0, 16))) for _ in range(count)]
        kinds = [draw(st.integers(0, 2)) for _ in range(count)]
        frames.append({box(y, x): (A, B, C)[k] for (y, x), k in zip(places, kinds, strict=True)})
    return [regions_without_hidden(frame) for frame in frames]


def regions_without_hidden(boxes):
    made = regions(boxes)
    kept = np.unique(made.label[made.label >= 0])
    return dataclasses.replace(made, spectra=made.spectra[: len(kept)])


@settings(max_examples=60, deadline=None)
@given(frames=series(), first=st.integers(1, 6), max_gap=st.integers(0, 3))
def test_appended_frames_change_nothing_before_them(frames, first, max_gap):
    whole, events, lineage = followed(*frames, max_gap=max_gap)
    part, earlier, of_part = followed(*frames[:first], max_gap=max_gap)
    assert whole[:first] == part
    count = len(of_part.track)
    np.testing.assert_array_equal(lineage.score[:count], of_part.score)
    np.testing.assert_array_equal(lineage.rotation_deg[:count], of_part.rotation_deg)
    # events that were told stay told
    assert set(earlier) <= set(events)


@settings(max_examples=60, deadline=None)
@given(frames=series(), max_gap=st.integers(0, 3))
def test_tracks_are_numbered_as_they_appear_and_never_twice_in_a_frame(frames, max_gap):
    tracks, events, lineage = followed(*frames, max_gap=max_gap)
    _, places = np.unique(lineage.track, return_index=True)
    assert (np.diff(places) > 0).all()
    assert all(len(set(part)) == len(part) for part in tracks)
    begun = [event[2] for event in events if event[0] in ("birth", "split")]
    assert sorted(begun) == list(range(lineage.n_tracks))
    for number in range(lineage.n_tracks):
        seen = [frame for frame, part in enumerate(tracks) if number in part]
        assert max(np.diff(seen), default=1) <= max_gap + 1


def test_a_turning_pattern_adds_up_to_its_rotation():
    on = polar.RINGS
    turns = np.linspace(0, 100, 26)
    made = azimuthal_spectra(np.stack([polar.spots(turn) for turn in turns]), on)
    frames = []
    for one in made:
        frame = regions({box(2, 2): A})
        frames.append(dataclasses.replace(frame, spectra=one[None]))
    _, _, lineage = followed(*frames, n_angles=on.n_angles)
    # no error grows with the frames: each is measured against the first
    np.testing.assert_allclose(lineage.rotation_deg, turns, atol=0.2)
