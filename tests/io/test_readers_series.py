"""Several files as the frames of one series."""

import pickle

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daskstem.io.readers import open_series_of_sources
from daskstem.schema.errors import InputError
from daskstem.schema.ordering import natural_order

FRAMES = np.random.default_rng(2).integers(0, 99, (4, 3, 2, 5, 4)).astype(np.uint8)


def written(folder):
    """Write frame 1, 2, 10 as 4D files and, as 11, a 5D file of the last one."""
    for number, frame in zip((1, 2, 10), FRAMES, strict=False):
        np.save(folder / f"frame_{number}.npy", frame)
    np.save(folder / "frame_11.npy", FRAMES[3:])
    return str(folder / "frame_*.npy")


def test_a_pattern_finds_files_in_natural_order(tmp_path):
    source = open_series_of_sources([written(tmp_path)])
    assert source.shape == FRAMES.shape
    names, units = source.frame_coords["source_file"]
    assert names == ["frame_1.npy", "frame_2.npy", "frame_10.npy", "frame_11.npy"]
    assert units == ""
    region = tuple(slice(0, size) for size in source.shape)
    np.testing.assert_array_equal(source.read(region), FRAMES)


def test_numbers_are_ordered_as_people_count():
    names = ["b2", "a10", "a9b10", "a9b2", "a"]
    assert [str(p) for p in natural_order(names)] == ["a", "a9b2", "a9b10", "a10", "b2"]


def test_files_named_one_by_one_keep_their_order(tmp_path):
    written(tmp_path)
    source = open_series_of_sources([tmp_path / "frame_10.npy", tmp_path / "frame_1.npy"])
    region = tuple(slice(0, size) for size in source.shape)
    np.testing.assert_array_equal(source.read(region), FRAMES[[2, 0]])


@given(data=st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_region_is_the_slice(tmp_path, data):
    source = pickle.loads(pickle.dumps(open_series_of_sources([written(tmp_path)])))
    region = []
    for size in source.shape:
        start = data.draw(st.integers(0, size))
        region.append(slice(start, data.draw(st.integers(start, size))))
    np.testing.assert_array_equal(source.read(tuple(region)), FRAMES[tuple(region)])


def test_frames_carry_the_values_given(tmp_path):
    source = open_series_of_sources(
        [written(tmp_path)], frame_dim="tilt", frame_values=[-1, 0, 1, 2.5]
    )
    assert source.frame_coords["tilt"] == ([-1.0, 0.0, 1.0, 2.5], "deg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame_dim": "tilt", "frame_values": [1, 2]}, "found 2 frame_values for 4 frames"),
        ({"frame_dim": "tilt", "frame_values": [1, 2, 3, np.nan]}, "finite number"),
        ({"frame_dim": "colour", "frame_values": [1, 2, 3, 4]}, "'colour' is unknown.*tilt"),
        ({"frame_values": [1, 2, 3, 4]}, "frame_dim = None is unknown"),
        ({"frame_dim": "time"}, "do not say the time of their frames; give 4"),
    ],
)
def test_frame_values_that_do_not_fit_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        open_series_of_sources([written(tmp_path)], **options)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((2, 3, 5, 4), np.uint8), "scan shapes"),
        (np.zeros((3, 2, 4, 5), np.uint8), "detector shapes"),
        (np.zeros((3, 2, 5, 4), np.uint16), "dtypes"),
    ],
)
def test_files_that_differ_are_both_named(tmp_path, other, message):
    pattern = written(tmp_path)
    np.save(tmp_path / "frame_3.npy", other)
    with pytest.raises(InputError, match=rf"frame_1\.npy and .*frame_3\.npy .*{message}"):
        open_series_of_sources([pattern])


def signal(path, step, origin, scan_origin=0.0):
    axes = [
        (1.0, scan_origin, "nm"),
        (1.0, 0.0, "nm"),
        (step, origin, "1/nm"),
        (step, 0.0, "1/nm"),
    ]
    with h5py.File(path, "w") as file:
        group = file.create_group("Experiments/scan")
        group["data"] = FRAMES[0]
        for i, (scale, offset, units) in enumerate(axes):
            group.create_group(f"axis-{i}").attrs.update(scale=scale, offset=offset, units=units)
    return path


def test_calibrations_must_agree_but_for_rounding_and_drift(tmp_path):
    first = signal(tmp_path / "a.hspy", 0.1, -0.2)
    same = signal(tmp_path / "b.hspy", 0.10001, -0.21, scan_origin=40.0)
    assert open_series_of_sources([first, same]).axes["q_y"].step == pytest.approx(0.01)
    for step, origin in ((0.11, -0.2), (0.1, -0.3)):
        other = signal(tmp_path / "c.hspy", step, origin)
        with pytest.raises(InputError, match=r"a\.hspy and .*c\.hspy .*calibrations .* of q_y"):
            open_series_of_sources([first, other])


def test_pattern_that_finds_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no file is called like .*nothing_\*"):
        open_series_of_sources([tmp_path / "nothing_*.npy"])
    with pytest.raises(InputError, match="at least one file"):
        open_series_of_sources([])


def test_fingerprint_follows_the_order_of_the_files(tmp_path):
    written(tmp_path)
    files = [tmp_path / "frame_1.npy", tmp_path / "frame_2.npy"]
    first = open_series_of_sources(files).fingerprint
    assert open_series_of_sources(files).fingerprint == first
    assert open_series_of_sources(files[::-1]).fingerprint != first
