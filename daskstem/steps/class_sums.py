"""What one block shows in each of the passes of K-means."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from daskstem.blocks.passes import ScanRegion
from daskstem.kernels.features import Features, feature_rows, moments
from daskstem.kernels.grouping import add_weighted
from daskstem.kernels.kmeans import Centroids, assign, nothing_assigned
from daskstem.schema import variables
from daskstem.schema.source import Piece, Region, within
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
    pieces: Iterator[Piece], weights: np.ndarray, region: ScanRegion, features: Features
) -> Found:
    """Return what the variance of the features takes."""
    sums, squares, total = np.zeros(features.size), np.zeros(features.size), 0.0
    for _, patterns, own in _weighted(pieces, weights, region):
        found = moments(patterns, own, features)
        sums += found[0]
        squares += found[1]
        total += found[2]
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
    pieces: Iterator[Piece],
    weights: np.ndarray,
    region: ScanRegion,
    shared: tuple[Features, Centroids],
) -> Found:
    """Return the sums and the weights of the classes, and the inertia of each set of them."""
    found = nothing_assigned(*shared)
    inertia = np.zeros(len(shared[1].bounds) - 1)
    for _, patterns, own in _weighted(pieces, weights, region):
        found = assign(patterns, own, *shared, after=found)
        inertia += own @ found.distance
    return Found({"sums": found.sums, "counts": found.counts, "inertia": inertia})


def classes_of_block(
    pieces: Iterator[Piece],
    weights: np.ndarray,
    region: ScanRegion,
    shared: tuple[Features, Centroids],
) -> Found:
    """Return the classes of a block, and the sums of the patterns of each."""
    label = np.full(weights.shape, -1, np.int32)
    found = nothing_assigned(*shared)
    n_classes = len(found.counts)
    sums = np.zeros((n_classes, 0))
    n_constant = 0
    for here, patterns, own in _weighted(pieces, weights, region):
        found = assign(patterns, own, *shared, summed=False, after=found)
        nearest = found.label[:, 0]
        label[here] = nearest.reshape(label[here].shape)
        pixels = patterns.reshape(len(patterns), -1)
        if not sums.size:
            sums = np.zeros((n_classes, pixels.shape[1]))
        add_weighted(pixels, np.where(nearest[:, np.newaxis] == np.arange(n_classes),
                                      own[:, np.newaxis], 0.0), sums)  # fmt: skip
        n_constant += int(((own > 0) & (pixels.min(axis=1) == pixels.max(axis=1))).sum())
    numbers = {
        "patterns": sums,
        "counts": found.counts,
        variables.n_constant.name: np.array(n_constant),
        variables.n_unusable.name: np.array(((weights > 0) & (label < 0)).sum()),
    }
    return Found(numbers, ((region, label),))


def _weighted(
    pieces: Iterator[Piece], weights: np.ndarray, region: ScanRegion
) -> Iterator[tuple[Region, np.ndarray, np.ndarray]]:
    """Yield where each piece lies in the block, its patterns (n, Qy, Qx), and their weights."""
    start = [s.start for s in region]
    for where, patterns in pieces:
        here = within(where[1:3], start)
        own = weights[here].ravel()
        if own.any():
            yield here, patterns.reshape(-1, *patterns.shape[-2:]), own
