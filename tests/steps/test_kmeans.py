import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

import daskstem
from daskstem.schema.errors import InputError
from daskstem.testing.compare import adjusted_rand_index
from tests import scenes

SCAN, DETECTOR = (11, 13), (14, 15)
TRUTH = scenes.domains(SCAN, 4)
FRAMES = [scenes.counts(SCAN, DETECTOR, n_domains=4, dose=4.0, seed=s) for s in (0, 1)]
SERIES = xr.concat([scenes.dataset(frame) for frame in FRAMES], "frame")
SCENE = SERIES.isel(frame=0)


def started(folder, ds=SCENE, k=4):
    """Write k patterns to start from and return the file."""
    flat = ds["patterns"].values.reshape(-1, *DETECTOR)
    np.save(folder / "start.npy", flat[:: len(flat) // k][:k])
    return str(folder / "start.npy")


def compared(patterns, normalize, *, inner=0.0):
    """Return the features that a user would give to scikit-learn, float64."""
    y, x = np.mgrid[: DETECTOR[0], : DETECTOR[1]] - (np.array(DETECTOR) - 1)[:, None, None] / 2
    x = patterns[..., np.hypot(y, x) >= inner].reshape(-1, (np.hypot(y, x) >= inner).sum())
    x = np.sqrt(x) if normalize.startswith("sqrt") else x.astype(float)
    x = np.log1p(x) if normalize == "log" else x
    if normalize.endswith("l2"):
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    if normalize == "unit_variance":
        deviation = x.std(axis=0)
        x = x / np.where(deviation > 0, deviation, np.inf)
    return x


@pytest.mark.parametrize("normalize", ["none", "sqrt", "log", "l2", "sqrt_l2", "unit_variance"])
def test_labels_and_centroids_are_those_of_scikit_learn(tmp_path, normalize):
    start = started(tmp_path)
    made = daskstem.kmeans(
        SCENE, k=4, start=start, normalize=normalize, q_inner_px=2.5, tolerance=0.0
    )
    raw = SCENE["patterns"].values.reshape(-1, *DETECTOR)
    x = compared(raw, normalize, inner=2.5)
    begin = x[:: len(x) // 4][:4]
    theirs = KMeans(4, init=begin, n_init=1, tol=0.0, max_iter=100).fit(x)
    np.testing.assert_array_equal(made["label"].values.ravel(), theirs.labels_)
    means = np.stack([raw[theirs.labels_ == k].mean(axis=0) for k in range(4)])
    # sums of counts are exact: the rounding to float32 is left
    np.testing.assert_array_equal(made["pattern"], means.astype(np.float32))
    # squared distances from float32 products
    assert made["inertia"].values[0, -1] == pytest.approx(theirs.inertia_, rel=1e-4)


def test_centroids_of_raw_counts_are_the_mean_patterns(tmp_path):
    made = daskstem.kmeans(
        SCENE, k=4, start=started(tmp_path), normalize="none", q_inner_px=0, tolerance=0.0
    )
    x = SCENE["patterns"].values.reshape(-1, DETECTOR[0] * DETECTOR[1]).astype(float)
    theirs = KMeans(4, init=x[:: len(x) // 4][:4], n_init=1, tol=0.0).fit(x)
    found = made["pattern"].values.reshape(4, -1)
    np.testing.assert_allclose(found, theirs.cluster_centers_, rtol=1e-6, atol=1e-6)


def parts(size):
    """Return any cut of ``size`` positions into chunks."""
    borders = st.sets(st.integers(1, size - 1), max_size=4)
    return borders.map(lambda cuts: tuple(np.diff([0, *sorted(cuts), size]).tolist()))


@settings(max_examples=10, deadline=None)
@given(
    rows=parts(SCAN[0]),
    columns=parts(SCAN[1]),
    frames=st.sampled_from([1, 2]),
    detector=st.sampled_from([5, 14]),
    normalize=st.sampled_from(["sqrt", "sqrt_l2", "unit_variance"]),
)
def test_does_not_depend_on_chunks(rows, columns, frames, detector, normalize):
    whole = daskstem.kmeans(SERIES, k=(3, 4), normalize=normalize, seed=3)
    cut = SERIES.chunk(frame=frames, scan_y=rows, scan_x=columns, q_y=detector)
    found = daskstem.kmeans(cut, k=(3, 4), normalize=normalize, seed=3)
    for name in ("label", "n_positions", "n_reseeded", "pattern"):
        np.testing.assert_array_equal(found[name], whole[name], err_msg=name)
    # sums in float64, in another order
    np.testing.assert_allclose(found["inertia"], whole["inertia"], rtol=1e-12)


def test_a_stored_series_gives_the_same(tmp_path):
    values = SERIES["patterns"].values
    lazy = scenes.stored(
        values, tmp_path, chunks=(1, 2, 2, *DETECTOR), shards=(1, 4, 6, *DETECTOR)
    )
    made = daskstem.kmeans(SERIES.assign(patterns=(SERIES["patterns"].dims, lazy)), k=4)
    whole = daskstem.kmeans(SERIES, k=4)
    xr.testing.assert_equal(made.drop_vars("inertia"), whole.drop_vars("inertia"))


def test_known_domains_are_found_wherever_they_lie():
    made = daskstem.kmeans(SCENE, k=4)
    assert adjusted_rand_index(TRUTH, made["label"].values) == 1.0
    sizes = made["n_positions"].values
    assert sizes.tolist() == sorted(sizes, reverse=True)
    assert sizes.sum() == TRUTH.size


def test_the_silhouette_chooses_the_number_of_classes():
    made = daskstem.kmeans(SCENE, k=(2, 3, 4, 5, 6))
    assert made["n_classes"].values.tolist() == [2, 3, 4, 5, 6]
    silhouettes = made["silhouette"].values
    assert made.sizes["centroid"] == 2 + silhouettes.argmax()
    # the sample holds every position of so small a scan
    x = compared(SCENE["patterns"].values, "sqrt", inner=14 / 16)
    expected = silhouette_score(x, made["label"].values.ravel())
    assert silhouettes.max() == pytest.approx(expected, abs=1e-5)
    ended = np.isfinite(made["inertia"].values).sum(axis=1)
    assert ended.max() == made.sizes["iteration"]


def test_a_series_has_one_set_of_classes():
    made = daskstem.kmeans(SERIES, k=5, seed=1)
    both = np.concatenate([frame.reshape(-1, *DETECTOR) for frame in FRAMES])
    label = made["label"].values.ravel()
    means = np.stack([both[label == k].mean(axis=0) for k in range(5)])
    np.testing.assert_array_equal(made["pattern"], means.astype(np.float32))
    assert made["label"].dims == ("frame", "scan_y", "scan_x")


def test_bins_pixels_first():
    binned = SCENE.isel(q_x=slice(0, 14)).coarsen(q_y=2, q_x=2).sum()
    expected = daskstem.kmeans(binned.astype("u2"), k=4, q_inner_px=1.0, seed=2)
    cropped = SCENE.isel(q_x=slice(0, 14))
    found = daskstem.kmeans(cropped, k=4, q_inner_px=2.0, q_bin=2, seed=2)
    np.testing.assert_array_equal(found["label"], expected["label"])
    assert found["pattern"].shape == (4, 14, 14)


def test_large_detectors_are_binned_to_64_pixels_or_more():
    rng = np.random.default_rng(3)
    ds = scenes.dataset(rng.poisson(0.2, (4, 5, 130, 140)).astype("u1"))
    by_default = daskstem.kmeans(ds, k=3, seed=1)
    xr.testing.assert_equal(by_default, daskstem.kmeans(ds, k=3, seed=1, q_bin=2))


def test_the_direct_beam_does_not_count():
    bright = SCENE.copy(deep=True)
    bright["patterns"][..., 6:8, 7] = np.random.default_rng(0).integers(0, 60000, (*SCAN, 2))
    found = daskstem.kmeans(bright, k=4, q_inner_px=2.0, normalize="none")
    np.testing.assert_array_equal(
        found["label"], daskstem.kmeans(SCENE, k=4, q_inner_px=2.0, normalize="none")["label"]
    )


def test_only_positions_that_are_asked_for_take_part(tmp_path):
    mask = np.random.default_rng(0).random(SCAN) > 0.5
    np.save(tmp_path / "mask.npy", mask)
    label = np.where(mask, TRUTH, -1).astype("i4")
    ds = SCENE.assign(mask=(("scan_y", "scan_x"), mask), label=(("scan_y", "scan_x"), label))
    by_file = daskstem.kmeans(SCENE, k=3, mask=str(tmp_path / "mask.npy"))
    assert ((by_file["label"].values >= 0) == mask).all()
    np.testing.assert_array_equal(
        daskstem.kmeans(ds, k=3, where="specimen")["label"], by_file["label"]
    )
    np.testing.assert_array_equal(
        daskstem.kmeans(ds, k=3, where="clusters")["label"], by_file["label"]
    )
    some = daskstem.kmeans(ds, k=2, labels=(1, 3))
    assert ((some["label"].values >= 0) == np.isin(label, (1, 3))).all()
    assert adjusted_rand_index(label, some["label"].values, where=np.isin(label, (1, 3))) == 1


def test_only_frames_that_are_asked_for_take_part():
    made = daskstem.kmeans(SERIES, k=4, frames=1)
    assert (made["label"].values[0] == -1).all()
    alone = daskstem.kmeans(SERIES.isel(frame=1), k=4)
    np.testing.assert_array_equal(made["label"].values[1], alone["label"])


def clustered(ds):
    """Return the dataset with random clusters and their mean patterns."""
    rng = np.random.default_rng(5)
    label = rng.integers(-1, 20, ds["patterns"].shape[:-2]).astype("i4")
    dims = ds["patterns"].dims[:-2]
    ds = ds.assign(label=(dims, label), mean_similarity=(dims, np.ones(label.shape, "f4")))
    means = daskstem.average(ds)
    return ds, ds.assign(pattern=means["pattern"].reset_coords(drop=True).variable), means


@pytest.mark.parametrize("series", [False, True])
def test_clusters_are_classified_by_their_means_and_sizes(series, tmp_path):
    ds, given, means = clustered(SERIES if series else SCENE)
    patterns, sizes = means["pattern"].values, means["n_positions"].values
    np.save(tmp_path / "start.npy", patterns[:3])
    made = daskstem.kmeans(
        given, k=3, of="clusters", start=str(tmp_path / "start.npy"), normalize="none",
        q_inner_px=0, tolerance=0.0,
    )  # fmt: skip
    x = patterns.reshape(len(patterns), -1).astype(float)
    theirs = KMeans(3, init=x[:3], n_init=1, tol=0.0).fit(x, sample_weight=sizes)
    expected = np.full(ds["label"].shape, -1)
    for row, number in enumerate(theirs.labels_):
        inside = ds["label"].values == means["label"].values[row]
        if series:
            inside &= np.arange(2)[:, None, None] == means["frame"].values[row]
        expected[inside] = number
    np.testing.assert_array_equal(made["label"], expected)
    assert made["n_positions"].values.tolist() == np.bincount(expected[expected >= 0]).tolist()
    found = made["pattern"].values.reshape(3, -1)
    np.testing.assert_allclose(found, theirs.cluster_centers_, rtol=1e-6, atol=1e-6)


def test_patterns_of_other_clusters_are_refused():
    _, given, _ = clustered(SCENE)
    fewer = given.isel(cluster=slice(0, 5))
    with pytest.raises(InputError, match="20 clusters in its label and 5 patterns"):
        daskstem.kmeans(fewer, of="clusters")


def test_equal_patterns_leave_classes_empty_and_say_so():
    flat = np.full((4, 5, *DETECTOR), 7, np.uint8)
    made = daskstem.kmeans(scenes.dataset(flat), k=3)
    assert made["n_positions"].values.tolist() == [20, 0, 0]
    assert int(made["n_constant"]) == 20
    assert (made["pattern"].values[0] == 7).all()
    assert (made["pattern"].values[1:] == 0).all()


def test_patterns_that_are_not_finite_are_counted_and_left_out():
    ds = SCENE.astype("f4")
    ds["patterns"][2, 3, 1, 1] = np.nan
    made = daskstem.kmeans(ds, k=3, sample=40)
    assert made["label"].values[2, 3] == -1
    assert int(made["n_unusable"]) == 1
    assert np.isfinite(made["pattern"]).all()


def test_leaves_the_input_as_it_was_and_warns_of_nothing():
    before = SERIES.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        daskstem.kmeans(SERIES.chunk(scan_y=4), k=3)
    xr.testing.assert_identical(SERIES, before)


BAD = {
    "more classes than patterns": ({"k": 200}, "k = 200 classes of 143 patterns.*choose k <= 143"),
    "one class": ({"k": 1}, "k = 1 is not allowed"),
    "classes that do not increase": ({"k": (4, 3)}, "increasing"),
    "half a class": ({"k": 2.5}, "not a whole number or a list of any length"),
    "no pixels": ({"q_inner_px": 40}, "no pixel of a detector of 14 x 15"),
    "boxes too large": ({"q_bin": 15}, "no pixel .* in boxes of 15"),
    "a frame too far": ({"frames": (3,)}, "there is no frame 3; the series has 0 to 0"),
    "no such file": ({"mask": "nowhere.npy"}, "no file nowhere.npy"),
    "no labels": ({"labels": (1,)}, "no variable 'label'.*run 'grow' first"),
    "no mask": ({"where": "specimen"}, "no variable 'mask'.*run 'background' first"),
    "no clusters": ({"of": "clusters"}, "no variable 'pattern'.*run 'average' first"),
    "a small sample": ({"k": 8, "sample": 5}, "sample = 5 patterns are too few .* 8 classes"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_choices_say_what_to_do(what):
    given, message = BAD[what]
    with pytest.raises(InputError, match=message):
        daskstem.kmeans(SCENE, **given)


STARTS = {
    "too many": (np.zeros((5, *DETECTOR)), "holds 5 patterns to start from; set k = 5"),
    "another detector": (np.zeros((3, 4, 4)), r"expected patterns to start from.*\(k, 14, 15\)"),
    "texts": (np.full((3, *DETECTOR), "a"), "expected patterns to start from"),
    "not finite": (np.full((3, *DETECTOR), np.nan), "NaN or infinite"),
}


@pytest.mark.parametrize("what", STARTS)
def test_a_start_that_does_not_fit_is_refused(tmp_path, what):
    values, message = STARTS[what]
    np.save(tmp_path / "start.npy", values)
    with pytest.raises(InputError, match=message):
        daskstem.kmeans(SCENE, k=3, start=str(tmp_path / "start.npy"))


def test_a_mask_that_leaves_nothing_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.zeros(SCAN, bool))
    with pytest.raises(InputError, match="k = 3 classes of 0 patterns that take part"):
        daskstem.kmeans(SCENE, mask=str(tmp_path / "mask.npy"))
