import numpy as np
import pytest

import daskstem
from daskstem.schema.errors import InputError
from tests import scenes

SCAN = (16, 18)


def specimen():
    inside = np.zeros(SCAN, bool)
    inside[4:12, 5:15] = True
    return inside


def similar(dtype=np.float32):
    rng = np.random.default_rng(0)
    image = np.where(specimen(), 0.8, 0.2) + rng.normal(0, 0.02, SCAN)
    return scenes.dataset(np.zeros((*SCAN, 1, 1)), mean_similarity=image.astype(dtype))


@pytest.mark.parametrize(
    "given", [{"method": "otsu"}, {"method": "li"}, {"method": "number", "threshold": 0.5}]
)
def test_finds_the_part_that_resembles_itself(given):
    made = daskstem.background(similar(), **given)
    np.testing.assert_array_equal(made["mask"], specimen())
    assert 0.2 < made["background_threshold"].values.item() < 0.8
    assert made["mask"].dtype == bool


def test_triangle_keeps_all_of_the_specimen():
    assert daskstem.background(similar(), method="triangle")["mask"].values[specimen()].all()


def test_a_position_at_the_threshold_is_kept():
    image = np.array([[0.25, 0.5], [0.75, 1.0]], np.float32)
    ds = scenes.dataset(np.zeros((2, 2, 1, 1)), mean_similarity=image)
    made = daskstem.background(ds, method="number", threshold=0.5, min_object=0, min_hole=0)
    assert made["mask"].values.tolist() == [[False, True], [True, True]]


def test_none_keeps_every_position():
    made = daskstem.background(similar(), method="none")
    assert made["mask"].values.all()
    assert np.isnan(made["background_threshold"].values.item())


def test_signal_is_divided_where_it_has_two_kinds():
    rng = np.random.default_rng(0)
    signal = np.exp(np.where(specimen(), 5.0, 1.0) + rng.normal(0, 0.2, SCAN)).astype(np.float32)
    ds = scenes.dataset(np.zeros((*SCAN, 1, 1)), signal=signal)
    np.testing.assert_array_equal(daskstem.background(ds)["mask"], specimen())


def test_signal_of_one_kind_keeps_every_position():
    signal = np.exp(np.random.default_rng(0).normal(3, 0.2, SCAN)).astype(np.float32)
    made = daskstem.background(scenes.dataset(np.zeros((*SCAN, 1, 1)), signal=signal))
    assert made["mask"].values.all()
    assert np.isnan(made["background_threshold"].values.item())


@pytest.mark.parametrize("whole_series", [True, False])
def test_a_mask_from_a_file_is_taken(tmp_path, whole_series):
    ds = similar().expand_dims(frame=2)
    saved = np.stack([specimen(), ~specimen()]) if whole_series else specimen()
    np.save(tmp_path / "mask.npy", saved)
    made = daskstem.background(
        ds, method="mask", mask=str(tmp_path / "mask.npy"), min_object=0, min_hole=0
    )
    np.testing.assert_array_equal(made["mask"], np.broadcast_to(saved, (2, *SCAN)))


def test_masks_of_each_frame_go_by_the_frame_coordinate(tmp_path):
    saved = np.random.default_rng(1).random((5, *SCAN)) < 0.5
    np.save(tmp_path / "mask.npy", saved)
    ds = similar().expand_dims(frame=[3])
    made = daskstem.background(
        ds, method="mask", mask=str(tmp_path / "mask.npy"), min_object=0, min_hole=0
    )
    np.testing.assert_array_equal(made["mask"], saved[3:4])


def test_a_mask_of_another_shape_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((3, 4), bool))
    with pytest.raises(InputError, match=r"holds \(3, 4\) of bool, expected booleans of shape"):
        daskstem.background(similar(), method="mask", mask=str(tmp_path / "mask.npy"))


def test_a_mask_that_would_run_code_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.array([print], object), allow_pickle=True)
    with pytest.raises(InputError, match="is not a .npy file"):
        daskstem.background(similar(), method="mask", mask=str(tmp_path / "mask.npy"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "number"}, "a threshold goes with"),
        ({"method": "otsu", "threshold": 0.5}, "a threshold goes with"),
        ({"method": "mask"}, "a mask file goes with"),
        ({"method": "mask", "mask": "nowhere.npy"}, "no file nowhere.npy"),
        ({"method": "brightest"}, "one of 'signal', 'triangle'"),
        ({"min_hole": -1}, "min_hole = -1 is not allowed; it must be >= 0"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_words(given, words):
    with pytest.raises(InputError, match=words):
        daskstem.background(similar(), **given)


def test_a_missing_map_names_its_step():
    with pytest.raises(InputError, match="run 'similarity' first"):
        daskstem.background(similar().drop_vars("mean_similarity"), method="otsu")
