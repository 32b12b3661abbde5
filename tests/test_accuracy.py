"""The default chain against a reference in float64, as exact as NumPy makes it.

Every number of the reference is float64 from the counts on: blur, correlations, weights,
filtered patterns, similarities and labels. Vectorised over positions, so that detectors of
real size and whole footprints can be compared; the loops of ``tests/literal.py`` check the
reference itself.
"""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import convolve1d, gaussian_filter, gaussian_filter1d

import daskstem
from daskstem.testing import simulated_series
from tests import literal, scenes

TOLERANCE = 1e-5
THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
SMALLEST_SIGNAL = 0.02
"""Least share of an energy that is taken as signal."""

PUBLISHED = {"corr_range": (0.85, 0.95), "noise": "none"}
DEFAULT = {"corr_range": (0.65, 0.95), "noise": "poisson"}
CASES = {
    "96 pixels, as published": ((1, 18, 20, 96, 96), 2.0, 3.0, 12, PUBLISHED),
    "96 pixels, default": ((1, 18, 20, 96, 96), 2.0, 1.5, 6, DEFAULT),
    "96 pixels, few counts": ((1, 18, 20, 96, 96), 0.05, 1.5, 6, DEFAULT),
    "96 pixels, many counts": ((1, 12, 14, 96, 96), 300.0, 1.5, 6, DEFAULT),
    "192 pixels, default": ((1, 12, 14, 192, 192), 2.0, 3.0, 12, DEFAULT),
    "192 pixels, few counts": ((1, 10, 12, 192, 192), 0.05, 3.0, 12, DEFAULT),
    "oblong detector": ((1, 12, 14, 64, 120), 2.0, 1.0, 4, DEFAULT),
}
each_case = pytest.mark.parametrize("name", CASES)


def shifted(values, dy, dx):
    """Return values (Y, X, ...) of the neighbors at an offset; NaN outside the scan."""
    rows, columns = values.shape[:2]
    out = np.full(values.shape, np.nan)
    y, x = np.mgrid[:rows, :columns]
    inside = (y + dy >= 0) & (y + dy < rows) & (x + dx >= 0) & (x + dx < columns)
    out[inside] = values[(y + dy)[inside], (x + dx)[inside]]
    return out


def over_detector(values, function):
    flat = values.reshape(-1, *values.shape[2:])
    return np.stack([function(one) for one in flat]).reshape(values.shape)


def reference_weights(patterns, radius, sigma, edge, corr_range, noise):
    """Return a(p, n) (Y, X, K)."""
    weight = literal.radial_weight(patterns.shape[2:], edge)
    v = over_detector(patterns, lambda one: literal.compared(one, sigma, weight))
    energy = (v**2).sum(axis=(2, 3))
    if noise == "poisson":
        energy = signal(energy, (patterns * noise_response(weight, sigma)).sum(axis=(2, 3)))
    low, high = corr_range
    found = []
    for offset in literal.footprint(radius):
        if offset == (0, 0):
            found.append(np.ones(energy.shape))
            continue
        products = (v * shifted(v, *offset)).sum(axis=(2, 3))
        correlation = products / np.sqrt(energy * shifted(energy, *offset))
        ramp = np.clip((np.nan_to_num(correlation) - low) / (high - low), 0, 1)
        found.append(np.where(ramp > 1e-3, ramp, 0))
    a = np.stack(found, axis=-1)
    return a / a.sum(axis=-1, keepdims=True)


def noise_response(weight, sigma):
    """Return sum_q L(q, j)^2 for L = w (B - sum(B w) / sum(w)), B the blur, for every j.

    The square of a sum of two terms is three sums; each is a blur or its transpose.
    """
    line = np.zeros(max(weight.shape) * 2 + 1)
    line[len(line) // 2] = 1
    taps = gaussian_filter1d(line, sigma, truncate=4.0)
    taps = np.trim_zeros(taps)
    blur = [blur_matrix(n, taps) for n in weight.shape]
    share = blur[0].T @ weight @ blur[1] / weight.sum()
    squared = (blur[0] ** 2).T @ weight**2 @ (blur[1] ** 2)
    mixed = blur[0].T @ weight**2 @ blur[1]
    return squared - 2 * share * mixed + share**2 * (weight**2).sum()


def blur_matrix(n, taps):
    """Return the blur of a line of n pixels, edges reflected, as a matrix."""
    return np.stack([convolve1d(row, taps, mode="reflect") for row in np.eye(n)], axis=1)


def signal(energy, noise):
    """Return the energy less its noise, pooled over 3 x 3 positions."""
    box = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    total, from_noise = (
        np.nansum([shifted(values, *offset) for offset in box], axis=0)
        for values in (energy, noise)
    )
    count = np.nansum([shifted(np.ones(energy.shape), *offset) for offset in box], axis=0)
    return np.maximum(total - from_noise, SMALLEST_SIGNAL * total) / count


def reference_similarity(patterns, a, radius, inner, noise):
    """Return S (Y, X, 8), NaN outside the scan."""
    offsets = literal.footprint(radius)
    counts = patterns.astype(float)
    filtered = sum(
        a[..., k, None, None] * np.nan_to_num(shifted(counts, *offset))
        for k, offset in enumerate(offsets)
    )
    ring = literal.annulus(patterns.shape[2:], inner, None)
    f = (filtered - filtered.mean(axis=(2, 3), keepdims=True))[..., ring]
    pixels = counts[0, 0].size
    # |column|^2 of (1 - 1 / P) restricted to the ring
    inside = (1 - 1 / pixels) ** 2 + (ring.sum() - 1) / pixels**2
    per_count = np.where(ring, inside, ring.sum() / pixels**2)
    raw_noise = (counts * per_count).sum(axis=(2, 3)) * (noise == "poisson")
    energy = (f**2).sum(axis=2)
    own = shared_noise(a, offsets, raw_noise, (0, 0))
    s = np.maximum(energy - own, SMALLEST_SIGNAL * energy) if noise == "poisson" else energy
    found = []
    for direction in literal.NEIGHBORS:
        products = (f * shifted(f, *direction)).sum(axis=2)
        products = products - shared_noise(a, offsets, raw_noise, direction)
        cosine = products / np.sqrt(s * shifted(s, *direction))
        found.append(np.clip(cosine, -1, 1))
    return np.stack(found, axis=-1)


def shared_noise(a, offsets, raw_noise, direction):
    """Return sum_n a(p, n) a(p + d, n) N(n) over the raw patterns n that both hold."""
    number = {offset: k for k, offset in enumerate(offsets)}
    other = np.nan_to_num(shifted(a, *direction))
    total = np.zeros(raw_noise.shape)
    for (dy, dx), k in number.items():
        seen_from_other = (dy - direction[0], dx - direction[1])
        if seen_from_other in number:
            both = a[..., k] * other[..., number[seen_from_other]]
            total += both * np.nan_to_num(shifted(raw_noise, dy, dx))
    return total


@cache
def both(name):
    """Return weights and similarity of a case, as daskstem makes them and by the reference."""
    shape, dose, sigma, edge, chosen = CASES[name]
    series = simulated_series(shape, seed=3, counts_per_pixel=dose)
    patterns = series.read(tuple(slice(0, n) for n in shape))[0]
    inner = min(shape[3:]) / 16
    ds = scenes.dataset(patterns).chunk({"scan_y": 7, "scan_x": 9})
    ds = ds.merge(daskstem.prefilter(ds, sigma_px=sigma, edge_px=edge, radius_px=4, **chosen))
    made = daskstem.similarity(ds, q_inner_px=inner, noise=chosen["noise"])
    weights = reference_weights(patterns, 4, sigma, edge, **chosen)
    similarity = reference_similarity(patterns, weights, 4, inner, chosen["noise"])
    found = ds["weights"].values, made["similarity"].values
    return found, (weights, similarity)


@each_case
def test_weights_are_within_1e_5_of_float64(name):
    (found, _), (expected, _) = both(name)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    # the comparison means something: weights differ between positions
    assert expected.std(axis=(0, 1)).max() > 1e-3


@each_case
def test_similarity_is_within_1e_5_of_float64(name):
    (_, found), (_, expected) = both(name)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert np.nanstd(expected) > 1e-3


@each_case
def test_labels_are_those_of_float64_at_thresholds_off_every_value(name):
    (_, found), (_, expected) = both(name)
    compared = 0
    for near in THRESHOLDS:
        threshold = off_every_value(expected, near)
        label = labels_of(found, threshold)
        np.testing.assert_array_equal(label, labels_of(expected, threshold))
        compared += len(np.unique(label)) > 1
    # at some thresholds there are clusters to tell apart
    assert compared >= 2


def off_every_value(similarity, near):
    """Return the threshold close to a number that is as far from all similarities as can be."""
    values = np.unique(similarity[np.isfinite(similarity)])
    gaps = np.diff(values)
    middles = values[:-1] + gaps / 2
    wide = gaps > 4 * TOLERANCE
    return middles[wide][np.abs(middles[wide] - near).argmin()]


def labels_of(similarity, threshold):
    """Return clusters numbered by scan order: a mean's last bit may not decide the numbers."""
    order = -np.arange(similarity[..., 0].size).reshape(similarity.shape[:2])
    ds = scenes.dataset(
        np.zeros((*order.shape, 1, 1), np.uint16),
        similarity=similarity, mean_similarity=order.astype(float),
        mask=np.ones(order.shape, bool),
    )  # fmt: skip
    return daskstem.grow(ds, threshold=float(threshold), min_size=1)["label"].values


@pytest.mark.parametrize("noise", ["none", "poisson"])
def test_the_reference_is_the_literal_one(noise):
    patterns = scenes.counts((5, 6), (12, 14), dose=20.0)
    chosen = {"radius": 2, "sigma": 1.0, "edge": 2, "corr_range": (0.3, 0.9)}
    gain = float(noise == "poisson")
    a = literal.weights(patterns, **chosen, gain=gain)
    np.testing.assert_allclose(reference_weights(patterns, **chosen, noise=noise), a, rtol=1e-9)
    offsets, ring = literal.footprint(2), literal.annulus((12, 14), 1.5, None)
    expected = (
        literal.noiseless_cosines(patterns, a, offsets, ring, 1.0)
        if gain
        else literal.cosines(literal.filtered(patterns, a, offsets), ring)
    )
    found = reference_similarity(patterns, a, 2, 1.5, noise)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_blur_of_the_reference_is_that_of_scipy():
    pattern = scenes.counts((1, 1), (20, 24))[0, 0].astype(float)
    line = np.zeros(61)
    line[30] = 1
    taps = np.trim_zeros(gaussian_filter1d(line, 1.5, truncate=4.0))
    by_matrix = blur_matrix(20, taps) @ pattern @ blur_matrix(24, taps).T
    np.testing.assert_allclose(by_matrix, gaussian_filter(pattern, 1.5, truncate=4.0), rtol=1e-10)
