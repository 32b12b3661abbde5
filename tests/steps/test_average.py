import numpy as np
import pytest
import xarray as xr

import daskstem
from daskstem.schema.errors import InputError
from tests import literal, scenes

SCAN = (9, 10)
PREFILTER = {"sigma_px": 1.0, "edge_px": 2, "radius_px": 2, "corr_range": (0.3, 0.9)}


def labeled(label=None, seed=0, dtype=np.uint16):
    rng = np.random.default_rng(seed)
    patterns = scenes.counts(SCAN, dose=20.0, seed=seed).astype(dtype)
    label = rng.integers(-1, 5, SCAN).astype(np.int32) if label is None else label
    mean = (rng.integers(0, 6, SCAN) / 8).astype(np.float32)
    return scenes.dataset(patterns, label=label, mean_similarity=mean)


def test_raw_means_are_those_of_numpy():
    ds = labeled()
    made = daskstem.average(ds)
    expected = literal.means_over(ds["label"].values, ds["patterns"].values)
    # sums of integers are exact, so only the last rounding is left: and it is the same
    np.testing.assert_array_equal(made["pattern"], expected.astype(np.float32))


def test_filtered_means_are_those_of_the_materialised_filtered_patterns():
    ds = labeled()
    ds = ds.assign(daskstem.prefilter(ds, **PREFILTER).compute())
    filtered = literal.filtered(ds["patterns"].values, ds["weights"].values, literal.footprint(2))
    expected = literal.means_over(ds["label"].values, filtered)
    made = daskstem.average(ds, of="filtered")
    # sums in float64, so only the rounding to float32 is left
    np.testing.assert_allclose(made["pattern"], expected, rtol=1.2e-7)


@pytest.mark.parametrize("of", ["raw", "filtered"])
def test_residual_is_that_of_the_raw_patterns(of):
    ds = labeled()
    ds = ds.assign(daskstem.prefilter(ds, **PREFILTER).compute())
    made = daskstem.average(ds, of=of)
    label, raw = ds["label"].values, ds["patterns"].values
    expected = literal.residuals(label, raw, made["pattern"].values.astype(float))
    np.testing.assert_allclose(made["residual"], expected, rtol=1e-6)


def test_residual_of_equal_patterns_is_zero():
    ds = labeled(label=np.zeros(SCAN, np.int32))
    ds["patterns"][...] = ds["patterns"][0, 0]
    # differences of sums: half of float64's digits stay
    assert daskstem.average(ds)["residual"].values.item() < 1e-7


def test_residual_of_empty_patterns_is_zero():
    ds = labeled(label=np.zeros(SCAN, np.int32))
    ds["patterns"][...] = 0
    assert daskstem.average(ds)["residual"].values.item() == 0


@pytest.mark.parametrize("batch", [1, 2, 100])
@pytest.mark.parametrize("of", ["raw", "filtered"])
def test_batches_give_the_same(batch, of):
    ds = labeled()
    ds = ds.assign(daskstem.prefilter(ds, **PREFILTER).compute()).chunk(scan_y=4, scan_x=5)
    whole = daskstem.average(ds, of=of)
    xr.testing.assert_equal(whole.compute(), daskstem.average(ds, of=of, batch_clusters=batch))


@pytest.mark.parametrize("batch", [None, 1])
def test_labels_that_no_position_bears_are_left_out(batch):
    label = np.full(SCAN, -1, np.int32)
    label[:3], label[5:] = 2, 7
    ds = labeled(label=label)
    made = daskstem.average(ds, batch_clusters=batch)
    assert made["label"].values.tolist() == [2, 7]
    raw = ds["patterns"].values.astype(float)
    expected = np.stack([raw[label == k].mean(axis=0) for k in (2, 7)])
    np.testing.assert_array_equal(made["pattern"], expected.astype(np.float32))


def test_clusters_of_a_series_come_frame_by_frame():
    frames = [labeled(seed=0), labeled(np.full(SCAN, -1, np.int32)), labeled(seed=1)]
    ds = xr.concat(frames, "frame")
    made = daskstem.average(ds)
    alone = [daskstem.average(frame) for frame in frames]
    numbers = [len(one["label"]) for one in alone]
    assert made["frame"].values.tolist() == [0] * numbers[0] + [2] * numbers[2]
    for name in ("pattern", "residual", "label", "n_positions", "seed_x", "mean_similarity"):
        apart = np.concatenate([one[name].values for one in alone])
        np.testing.assert_array_equal(made[name], apart)


def test_a_series_without_clusters_gives_an_empty_table():
    made = daskstem.average(labeled(label=np.full(SCAN, -1, np.int32)))
    assert made["pattern"].shape == (0, 16, 18)
    assert made["pattern"].compute().dtype == np.float32


def test_detector_coordinates_stay():
    ds = labeled().assign_coords(q_x=("q_x", np.arange(18) * 0.1, {"units": "1/angstrom"}))
    assert daskstem.average(ds)["q_x"].attrs["units"] == "1/angstrom"


def test_patterns_stay_lazy():
    ds = labeled().chunk(scan_y=3)
    made = daskstem.average(ds)
    assert made["pattern"].chunks is not None
    assert made["residual"].chunks is not None


def test_filtered_means_without_weights_name_the_step():
    with pytest.raises(InputError, match="no variable 'weights'.*run 'prefilter' first"):
        daskstem.average(labeled(), of="filtered")


@pytest.mark.parametrize(
    ("missing", "step"), [("label", "grow"), ("mean_similarity", "similarity")]
)
def test_a_missing_map_names_its_step(missing, step):
    with pytest.raises(InputError, match=f"no variable '{missing}'.*run '{step}' first"):
        daskstem.average(labeled().drop_vars(missing))
