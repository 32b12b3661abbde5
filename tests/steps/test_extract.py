"""Patterns of particles at every tilt, against plain NumPy."""

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.schema.errors import InputError

DIMS = ("frame", "scan_y", "scan_x")
SHAPE = (3, 13, 15, 4, 5)


def scene():
    """Two tracks that swap labels, one that is missing in a frame, and patterns of noise."""
    label = np.full(SHAPE[:3], -1, np.int32)
    label[:, 2:5, 2:6] = np.array([0, 1, 0])[:, None, None]
    label[:, 2:5, 6:9] = np.array([1, 0, 1])[:, None, None]
    label[1, 9:11, 9:11] = 2
    rng = np.random.default_rng(3)
    return xr.Dataset({
        "patterns": ((*DIMS, "q_y", "q_x"), rng.poisson(7.0, SHAPE).astype("u2")),
        "label": (DIMS, label),
        "track": ("cluster", np.array([0, 1, 1, 0, 4, 0, 1], "i4")),
    })  # fmt: skip


PARTICLE = np.zeros((13, 15), bool)
PARTICLE[2:5, 2:6] = True


def test_is_the_mean_over_the_particle_where_nothing_else_is_asked_for():
    ds = scene()
    made = daskstem.extract(ds, background="none", border=0.0)
    assert made["particle_number"].values.tolist() == [0, 1]
    expected = ds["patterns"].values[:, PARTICLE].mean(axis=1)
    # sums in float64, stored as float32
    np.testing.assert_allclose(made["particle_pattern"].values[0], expected, rtol=1e-6)
    assert (made["particle_n_positions"].values[0] == 12).all()
    assert (made["particle_n_background"].values == 0).all()


def test_borders_with_others_are_left_out_and_the_surroundings_subtracted():
    ds = scene()
    made = daskstem.extract(ds, border=1.1, ring=(1.5, 3.0))
    inner = PARTICLE.copy()
    inner[:, 5] = False
    rows, columns = np.indices(PARTICLE.shape)
    near = np.array([np.hypot(rows - y, columns - x) for y, x in np.argwhere(PARTICLE)]).min(0)
    for frame in range(3):
        full = ds["label"].values[frame] >= 0
        any_ = np.array([np.hypot(rows - y, columns - x) for y, x in np.argwhere(full)]).min(0)
        ring = (near <= 3.0) & (any_ >= 1.5)
        patterns = ds["patterns"].values[frame].astype(float)
        expected = patterns[inner].mean(0) - patterns[ring].mean(0)
        # differences of means of 7 counts: float32 of their size
        np.testing.assert_allclose(made["particle_pattern"].values[0, frame], expected, atol=1e-6)
        assert made["particle_n_background"].values[0, frame] == ring.sum()


def test_a_particle_that_is_missing_has_no_pattern():
    made = daskstem.extract(scene(), particles=(4,)).compute()
    assert np.isnan(made["particle_pattern"].values[0, [0, 2]]).all()
    assert np.isfinite(made["particle_pattern"].values[0, 1]).all()
    assert made["particle_n_positions"].values.tolist() == [[0, 4, 0]]


@settings(max_examples=12, deadline=None)
@given(st.tuples(*(st.integers(1, n) for n in SHAPE)))
def test_does_not_depend_on_chunks(chunks):
    ds = scene()
    expected = daskstem.extract(ds).compute()
    sizes = dict(zip((*DIMS, "q_y", "q_x"), chunks, strict=True))
    found = daskstem.extract(ds.chunk(sizes)).compute()
    for name in expected.data_vars:
        np.testing.assert_allclose(found[name].values, expected[name].values, atol=1e-6)


def test_points_choose_the_tracks_that_hold_them():
    made = daskstem.extract(scene(), points=((1, 2.2, 7.9), (1, 10, 10)))
    assert made["particle_number"].values.tolist() == [1, 4]


def written(folder, kind, labels):
    """Write label maps as a segmentation program does, 0 for nothing."""
    maps = (labels + 1).astype(np.uint16)
    path = folder / f"labels.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, maps, photometric="minisblack")
    elif kind == "npy":
        np.save(path, maps)
    elif kind == "npz":
        np.savez(path, **{f"frame_{n}": one for n, one in enumerate(maps)})
    else:
        path = folder / "labels"
        path.mkdir()
        for n, one in enumerate(maps):
            tifffile.imwrite(path / f"mask_{n + 8}.tiff", one)
    return str(path)


@pytest.mark.parametrize("kind", ["tif", "npy", "npz", "folder"])
def test_masks_from_elsewhere_do_what_tracks_do(tmp_path, kind):
    ds = scene()
    tracked = np.full(SHAPE[:3], -1)
    tracked[:, PARTICLE], tracked[:, 2:5, 6:9], tracked[1, 9:11, 9:11] = 0, 1, 4
    expected = daskstem.extract(ds).compute()
    alone = ds.drop_vars(["label", "track"])
    found = daskstem.extract(alone, masks=written(tmp_path, kind, tracked)).compute()
    assert found["particle_number"].values.tolist() == [1, 2]
    np.testing.assert_array_equal(found["particle_pattern"], expected["particle_pattern"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"particles": (9,)}, "there is no particle 9"),
        ({"points": ((0, 0, 0),)}, "lies on no particle"),
        ({"points": ((3, 0, 0),)}, "lies outside"),
        ({"masks": "nowhere.tif"}, "no label maps at nowhere.tif"),
        ({"ring": (3.0, 2.0)}, "increasing"),
    ],
)
def test_bad_input_is_told_in_one_line(given, words):
    with pytest.raises(InputError, match=words) as told:
        daskstem.extract(scene(), **given)
    assert "\n" not in str(told.value)


def test_masks_of_another_scan_are_refused(tmp_path):
    np.save(tmp_path / "labels.npy", np.zeros((3, 4, 4), "u2"))
    with pytest.raises(InputError, match="expected 3 maps"):
        daskstem.extract(scene(), masks=str(tmp_path / "labels.npy"))


def test_tracks_of_other_labels_are_refused():
    ds = scene().isel(cluster=slice(0, 5))
    with pytest.raises(InputError, match="run 'tracks' on these labels"):
        daskstem.extract(ds)
