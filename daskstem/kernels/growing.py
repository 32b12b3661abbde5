"""Clusters grown from the similarity of neighbors, on the maps of one frame.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), region growing. Because
similarity is symmetric, growing from the most similar unassigned seed while similarity
reaches the threshold gives the connected components of the thresholded neighbor graph.
"""

import numpy as np

from daskstem.kernels.numbering import numbered, ranks
from daskstem.kernels.pairs import components, neighbor_pairs

FRAME_WIDTH = 2
"""Positions at each border that growth never enters in the published program."""


def joined_pairs(
    similarity: np.ndarray, mask: np.ndarray, threshold: float, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighboring positions in the mask whose similarity reaches the threshold.

    Parameters
    ----------
    similarity : (Y, X, 8) float32
        Similarity with the neighbors at ``offsets``; NaN outside the scan.
    mask : (Y, X) bool
        Positions that may be joined.
    threshold : float
        Least similarity of a joined pair.
    offsets : (8, 2) int64
        Neighbors in scan order; the last four follow the position, each pair counts once.

    Returns
    -------
    Two (E,) int32 arrays of flat positions.
    """
    first, second, similar = neighbor_pairs(similarity, mask, offsets)
    # in float32, as a similarity is: what equals the threshold joins
    joined = similar >= np.float32(threshold)
    return first[joined], second[joined]


def grow_clusters(
    similarity: np.ndarray,
    mean_similarity: np.ndarray,
    mask: np.ndarray,
    offsets: np.ndarray,
    *,
    threshold: float,
    min_size: int,
) -> np.ndarray:
    """Clusters of positions joined by similarity, numbered by their best position.

    Parameters
    ----------
    similarity : (Y, X, 8) float32
        Similarity with the eight neighbors.
    mean_similarity : (Y, X) float32
        Orders the clusters: number 0 holds the highest value, ties by scan order.
    mask : (Y, X) bool
        Positions of the specimen.
    offsets : (8, 2) int64
        The neighbors.
    threshold : float
        Least similarity that joins.
    min_size : int
        Clusters of fewer positions are rejected.

    Returns
    -------
    (Y, X) int32
        Cluster numbers from 0; -1 for background and rejected positions.
    """
    first, second = joined_pairs(similarity, mask, threshold, offsets)
    cluster = components(first, second, mask.size)
    return numbered(cluster, ranks(mean_similarity, mask), min_size)


def grow_published(
    similarity: np.ndarray,
    mask: np.ndarray,
    offsets: np.ndarray,
    *,
    threshold: float,
    min_size: int,
) -> np.ndarray:
    """Clusters as the published program grows them.

    Seeds are taken by the mean over all eight neighbors, missing ones counted as -1.
    Growth never enters the two outermost positions at each border, yet these may be seeds:
    such a seed is a cluster from its turn on and takes in the interior regions next to it
    that are still free. So the interior's connected components are found first and handed
    out in the order of the seeds.

    Parameters and result are those of ``grow_clusters``.
    """
    rows, columns = mask.shape
    means = np.where(np.isnan(similarity), -1.0, similarity.astype(np.float64)).mean(axis=2)
    interior = np.zeros_like(mask)
    interior[FRAME_WIDTH : rows - FRAME_WIDTH, FRAME_WIDTH : columns - FRAME_WIDTH] = True
    inner = mask & interior
    first, second = joined_pairs(similarity, inner, threshold, offsets)
    region = np.where(inner.ravel(), components(first, second, mask.size), -1)
    touching = _regions_beside(similarity, mask, inner, region, threshold, offsets)
    order = np.argsort(-np.where(mask, means, -1.0), axis=None, kind="stable")
    owner: dict[int, int] = {}
    label = np.full(mask.size, -1, np.int64)
    created = 0
    # a mean of exactly -1 marks a position as done there, so it is never a seed
    for seed in order[(mask & (means != -1.0)).ravel()[order]]:
        own = region[seed]
        if own >= 0 and own in owner:
            continue
        for taken in [own] if own >= 0 else touching.get(int(seed), []):
            owner.setdefault(int(taken), created)
        label[seed] = created
        created += 1
    inside = region >= 0
    numbers = np.full(region.max(initial=-1) + 1, -1, np.int64)
    numbers[list(owner)] = list(owner.values())
    label[inside] = numbers[region[inside]]
    return _drop_small(label.reshape(mask.shape), min_size)


def _regions_beside(
    similarity: np.ndarray,
    mask: np.ndarray,
    inner: np.ndarray,
    region: np.ndarray,
    threshold: float,
    offsets: np.ndarray,
) -> dict[int, list[int]]:
    first, second = joined_pairs(similarity, mask, threshold, offsets)
    beside: dict[int, list[int]] = {}
    flat_inner = inner.ravel()
    for a, b in ((first, second), (second, first)):
        crossing = ~flat_inner[a] & flat_inner[b]
        for position, neighbor in zip(a[crossing], b[crossing], strict=True):
            beside.setdefault(int(position), []).append(int(region[neighbor]))
    return beside


def _drop_small(label: np.ndarray, min_size: int) -> np.ndarray:
    size = np.bincount(label[label >= 0], minlength=label.max(initial=-1) + 1)
    kept = np.flatnonzero(size >= min_size)
    number = np.full(len(size) + 1, -1, np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    return number[label]
