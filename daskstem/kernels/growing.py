"""Clusters grown from the similarity of neighbors, on the maps of one frame.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), region growing. Because
similarity is symmetric, growing from the most similar unassigned seed while similarity
reaches the threshold gives the connected components of the thresholded neighbor graph.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
    Two (E,) int64 arrays of flat positions.
    """
    rows, columns = mask.shape
    position = np.arange(rows * columns).reshape(rows, columns)
    first, second = [], []
    for number in range(4, 8):
        dy, dx = (int(step) for step in offsets[number])
        here = (slice(0, rows - dy), slice(max(0, -dx), columns - max(0, dx)))
        there = (slice(dy, rows), slice(max(0, dx), columns + min(0, dx)))
        joined = (similarity[here][..., number] >= threshold) & mask[here] & mask[there]
        first.append(position[here][joined])
        second.append(position[there][joined])
    return np.concatenate(first), np.concatenate(second)


def components(first: np.ndarray, second: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Find the connected components of a graph of positions.

    Parameters
    ----------
    first, second : (E,) int64
        Edges between flat positions.
    mask : (Y, X) bool
        Positions that are part of the graph.

    Returns
    -------
    (Y, X) int64
        Component numbers in no order; -1 outside the mask.
    """
    edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(mask.size,) * 2)
    _, found = connected_components(edges, directed=False)
    return np.where(mask, found.reshape(mask.shape), -1)


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
    return _numbered(components(first, second, mask), mean_similarity, min_size)


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
    region = components(first, second, inner).ravel()
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


def _numbered(found: np.ndarray, order: np.ndarray, min_size: int) -> np.ndarray:
    """Renumber components by their highest value of ``order``; drop the small ones."""
    flat = found.ravel()
    ranked = np.argsort(-np.where(np.isnan(order), -np.inf, order), axis=None, kind="stable")
    ranked = ranked[flat[ranked] >= 0]
    present, first_seen = np.unique(flat[ranked], return_index=True)
    size = np.bincount(flat[flat >= 0], minlength=found.max(initial=-1) + 1)
    kept = present[np.argsort(first_seen)]
    kept = kept[size[kept] >= min_size]
    number = np.full(len(size) + 1, -1, np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    return number[flat].reshape(found.shape)


def _drop_small(label: np.ndarray, min_size: int) -> np.ndarray:
    size = np.bincount(label[label >= 0], minlength=label.max(initial=-1) + 1)
    kept = np.flatnonzero(size >= min_size)
    number = np.full(len(size) + 1, -1, np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    return number[label]
