import numpy as np
import pytest

from daskstem.kernels.features import feature_rows, features_of, moments
from daskstem.kernels.kmeans import assign, prepared

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(3.0, (19, 12, 14)).astype(np.uint16)
PIXELS = RNG.random((12, 14)) > 0.3
ONES = np.ones(len(COUNTS))


def plain_rows(patterns, pixels, *, binning=1, normalize="none"):
    """Return the features in float64, in a few lines of NumPy."""
    n, rows, columns = patterns.shape
    v, u = rows // binning, columns // binning
    boxes = patterns[:, : v * binning, : u * binning].astype(float)
    x = boxes.reshape(n, v, binning, u, binning).sum(axis=(2, 4))[:, pixels]
    x = np.sqrt(x) if "sqrt" in normalize else np.log1p(x) if normalize == "log" else x
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1) if "l2" in normalize else x


@pytest.mark.parametrize("normalize", ["none", "sqrt", "log", "l2", "sqrt_l2"])
@pytest.mark.parametrize("binning", [1, 2, 5])
def test_features_are_those_of_numpy(normalize, binning):
    pixels = PIXELS[: 12 // binning, : 14 // binning]
    features = features_of(pixels, binning=binning, normalize=normalize)
    expected = plain_rows(COUNTS, pixels, binning=binning, normalize=normalize)
    # float32
    np.testing.assert_allclose(feature_rows(COUNTS, features), expected, rtol=3e-7)


@pytest.mark.parametrize("binning", [1, 2, 3, 4, 5])
def test_features_of_a_wide_detector_are_those_of_numpy(binning):
    counts = RNG.poisson(3.0, (3, 12, 107)).astype(np.uint16)
    pixels = RNG.random((12 // binning, 107 // binning)) > 0.01
    features = features_of(pixels, binning=binning, normalize="sqrt")
    expected = plain_rows(counts, pixels, binning=binning, normalize="sqrt")
    np.testing.assert_allclose(feature_rows(counts, features), expected, rtol=3e-7)


def test_logarithms_of_large_and_broken_counts_are_computed():
    values = np.array([[[0.0, 4095, 4096, 0.5, 1e6, -3.0]]], np.float32)
    features = features_of(np.ones((1, 6), bool), binning=1, normalize="log")
    expected = np.log1p(np.maximum(values[0], 0))
    np.testing.assert_allclose(feature_rows(values, features), expected, rtol=3e-7)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float32", "float64"])
def test_classes_and_sums_are_those_of_numpy_for_every_dtype(dtype):
    features = features_of(PIXELS, binning=1, normalize="sqrt")
    x = plain_rows(COUNTS, PIXELS, normalize="sqrt")
    sets = [x[[0, 5, 7]], x[[1, 2]]]
    weights = RNG.integers(0, 3, len(x)).astype(float)
    found = assign(COUNTS.astype(dtype), weights, features, prepared(sets))
    first = 0
    for number, centroids in enumerate(sets):
        distance = ((x[:, np.newaxis] - centroids) ** 2).sum(axis=-1)
        label = np.where(weights > 0, distance.argmin(axis=1), -1)
        np.testing.assert_array_equal(found.label[:, number], label)
        # differences of float32 products of squared norm |x|^2 = 3 x 115 pixels
        expected = np.where(weights > 0, distance.min(axis=1), 0)
        np.testing.assert_allclose(found.distance[:, number], expected, atol=1e-3)
        for k in range(len(centroids)):
            own = label == k
            row = found.sums[first + k]
            np.testing.assert_allclose(row, weights[own] @ x[own], rtol=1e-6)
            assert found.counts[first + k] == weights[own].sum()
        first += len(centroids)


@pytest.mark.parametrize("normalize", ["none", "sqrt", "log", "l2", "sqrt_l2"])
def test_sums_of_counts_are_the_same_in_any_order(normalize):
    features = features_of(np.ones((12, 14), bool), binning=1, normalize=normalize)
    centroids = prepared([feature_rows(COUNTS[:3], features).astype(float)])
    whole = assign(COUNTS, ONES, features, centroids)
    order = RNG.permutation(len(COUNTS))
    parts = [assign(COUNTS[[n]], ONES[:1], features, centroids) for n in order]
    np.testing.assert_array_equal(sum(part.sums for part in parts), whole.sums)
    labels = np.concatenate([part.label for part in parts])
    np.testing.assert_array_equal(labels, whole.label[order])
    distances = np.concatenate([part.distance for part in parts])
    np.testing.assert_array_equal(distances, whole.distance[order])


def test_the_first_of_equal_centroids_is_taken():
    features = features_of(PIXELS, binning=1, normalize="none")
    x = feature_rows(COUNTS[:2], features).astype(float)
    found = assign(COUNTS, ONES, features, prepared([x[[0, 0, 1]]]))
    assert set(np.unique(found.label)) == {0, 2}


def test_patterns_that_are_not_finite_are_left_out():
    patterns = COUNTS.astype(np.float32)
    patterns[4, 3, 3], patterns[6, 0, 0] = np.nan, np.inf
    pixels = np.ones((12, 14), bool)
    features = features_of(pixels, binning=1, normalize="none")
    usable = np.delete(np.arange(len(patterns)), [4, 6])
    centroids = prepared([feature_rows(patterns[:3], features).astype(float)])
    found = assign(patterns, ONES, features, centroids)
    alone = assign(patterns[usable], ONES[usable], features, centroids)
    assert np.flatnonzero(found.label[:, 0] < 0).tolist() == [4, 6]
    np.testing.assert_array_equal(found.label[usable], alone.label)
    np.testing.assert_array_equal(found.sums, alone.sums)
    sums, _, total = moments(patterns, ONES, features)
    assert total == len(usable)
    np.testing.assert_array_equal(sums, patterns[usable].sum(axis=0, dtype=float)[pixels])


def test_an_empty_pattern_has_no_direction_and_a_class_all_the_same():
    patterns = COUNTS.copy()
    patterns[2] = 0
    features = features_of(PIXELS, binning=1, normalize="l2")
    found = assign(patterns, ONES, features, prepared([feature_rows(patterns[:2], features)]))
    assert found.label[2, 0] >= 0
    # as far from a centroid as the centroid is from 0
    assert found.distance[2, 0] == pytest.approx(1.0, abs=1e-6)
