"""What one block shows in each of the passes of K-means."""

from collections.abc import Mapping, Sequence

import numpy as np

from daskstem.blocks.passes import Region
from daskstem.kernels.features import Features, feature_rows, moments
from daskstem.kernels.grouping import add_weighted
from daskstem.kernels.kmeans import Centroids, assign
from daskstem.schema import variables
from daskstem.steps.passes import Found


def rows_of(patterns: np.ndarray, *, features: Features) -> np.ndarray:
    """Return the features of patterns."""
    return feature_rows(patterns, features)


def found_rows(rows: np.ndarray) -> Found:
    """Return a frame's share of the sample."""
    return Found({"rows": rows})


def join_rows(parts: Sequence[Found]) -> Found:
    """Join the frames' shares of the sample."""
    return Found({"rows": np.concatenate([p.numbers["rows"] for p in parts if p.numbers])})


def variance_of_block(
    patterns: np.ndarray, weights: np.ndarray, _: Region, features: Features
) -> Found:
    """Return what the variance of the features takes."""
    sums, squares, total = moments(_flat(patterns), weights.ravel(), features)
    return Found({"sums": sums, "squares": squares, "total": np.array(total)})


def inverse_deviation(numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what makes every feature's variance 1; 0 where it does not vary."""
    mean = numbers["sums"] / numbers["total"]
    mean_square = numbers["squares"] / numbers["total"]
    variance = mean_square - mean**2
    # what is left of equal numbers after rounding is no variance
    varies = variance > 1e-12 * mean_square
    return np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0).astype(np.float32)


def sums_of_block(
    patterns: np.ndarray,
    weights: np.ndarray,
    _: Region,
    shared: tuple[Features, Centroids],
) -> Found:
    """Return the sums and the weights of the classes, and the inertia of each set of them."""
    found = assign(_flat(patterns), weights.ravel(), *shared)
    inertia = weights.ravel() @ found.distance
    return Found({"sums": found.sums, "counts": found.counts, "inertia": inertia})


def classes_of_block(
    patterns: np.ndarray,
    weights: np.ndarray,
    region: Region,
    shared: tuple[Features, Centroids],
) -> Found:
    """Return the classes of a block, and the sums of the patterns of each."""
    flat, own = _flat(patterns), weights.ravel()
    label = assign(flat, own, *shared, summed=False).label[:, 0]
    pixels = flat.reshape(len(flat), -1)
    coefficients = np.where(
        label[:, np.newaxis] == np.arange(len(shared[1].halves)), own[:, np.newaxis], 0.0
    )
    sums = np.zeros((coefficients.shape[1], pixels.shape[1]))
    add_weighted(pixels, coefficients, sums)
    constant = (own > 0) & (pixels.min(axis=1) == pixels.max(axis=1))
    unusable = (own > 0) & (label < 0)
    numbers = {
        "patterns": sums,
        "counts": coefficients.sum(axis=0),
        variables.n_constant.name: np.array(constant.sum()),
        variables.n_unusable.name: np.array(unusable.sum()),
    }
    return Found(numbers, ((region, label.reshape(weights.shape)),))


def _flat(patterns: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(patterns).reshape(-1, *patterns.shape[-2:])
