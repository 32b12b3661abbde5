import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from daskstem.kernels.lineage import EVENT_KINDS
from daskstem.kernels.linking import regions_of
from daskstem.kernels.spacetime import SpaceTime
from daskstem.testing import partition_equal
from tests.following import RULES, box, regions, spectrum

A, B = spectrum(0), spectrum(1)


def painted(frames):
    """Follow regions and paint the tracks, (frame, Y, X)."""
    follower = SpaceTime(RULES)
    for one in frames:
        follower.follow(one)
    lineage = follower.lineage()
    starts = np.cumsum(lineage.n_clusters) - lineage.n_clusters
    maps = [
        np.where(one.label >= 0, lineage.track[start + one.label], -1)
        if len(one.n_positions)
        else one.label
        for one, start in zip(frames, starts, strict=True)
    ]
    return np.stack(maps), lineage


@settings(max_examples=60, deadline=None)
@given(mask=hnp.arrays(bool, st.tuples(st.integers(1, 5), st.just(6), st.just(7))))
def test_alike_clusters_hang_together_as_their_positions_do_in_three_dimensions(mask):
    around = np.ones((3, 3))
    frames = []
    for one in mask:
        label = ndimage.label(one, around)[0] - 1
        spectra = np.repeat(A[None], label.max() + 1, axis=0)
        frames.append(regions_of(label, spectra, np.zeros(2)))
    found, lineage = painted(frames)
    # eight neighbors in a frame, the same position in the next one
    joined = np.zeros((3, 3, 3))
    joined[1] = 1
    joined[:, 1, 1] = 1
    expected = ndimage.label(mask, joined)[0] - 1
    assert partition_equal(expected.astype(int), found.astype(int))
    _, places = np.unique(lineage.track, return_index=True)
    assert (np.diff(places) > 0).all()


def test_what_is_not_alike_does_not_hang_together():
    found, _ = painted([regions({box(2, 2): A}), regions({box(2, 2): B})])
    assert found.max() == 1


def test_the_drift_is_taken_out():
    moved = regions({box(2, 9): A}, drift=(0.0, 7.0))
    assert painted([regions({box(2, 2): A}), moved])[0].max() == 0
    assert painted([regions({box(2, 2): A}), regions({box(2, 9): A})])[0].max() == 1


def test_two_that_meet_later_are_one_from_the_start():
    apart, joined = {box(2, 2): A, box(2, 8): A}, {box(2, 2, 4, 10): A}
    found, lineage = painted([regions(apart), regions(joined), regions(apart)])
    assert found.max() == 0
    kinds = [EVENT_KINDS[kind] for kind in lineage.events[:, 0]]
    assert kinds == ["birth", "birth", "merge", "split"]


def test_what_ends_before_the_last_frame_has_died():
    _, lineage = painted([regions({box(2, 2): A, box(8, 8): B}), regions({box(2, 2): A})])
    told = [(EVENT_KINDS[e[0]], *e[1:3]) for e in lineage.events.tolist()]
    assert told == [("birth", 0, 0), ("birth", 0, 1), ("death", 1, 1)]


def test_a_series_without_clusters_has_no_tracks():
    empty = dataclasses.replace(regions({}), label=np.full((16, 20), -1, np.int32))
    found, lineage = painted([empty, empty])
    assert lineage.n_tracks == 0
    assert (found == -1).all()
