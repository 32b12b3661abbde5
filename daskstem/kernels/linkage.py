"""What joins neighbors into clusters: every merge of a frame, the most similar first.

Single linkage joins two clusters by their most similar pair of neighboring positions: its
merges are the maximum spanning tree of the neighbor graph, and one noisy pair is enough to
chain two domains together. Mean linkage joins them by the mean over all pairs along their
common border (mean-affinity agglomeration: Bailoni et al., GASP, arXiv:1906.11713). Both are
trees of neighboring pairs with a similarity each, and the clusters at a threshold are the
components of the pairs that reach it.
"""

from heapq import heapify, heappop, heappush
from typing import Final, Literal

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.pairs import root_of

Linkage = Literal["mean", "single"]

_MOST_NEIGHBORS: Final = 64
"""Clusters with more neighbors are left to the queue: looking through them costs more."""
_STEPS: Final = 2.0**24
"""Similarities are summed in such steps: sums of integers do not depend on their order."""


# Columns of the arrays that hold the borders between clusters as linked lists. Border e has the
# two sides 2 e and 2 e + 1, which lie in the lists of its two clusters.
_CLUSTER, _FOLLOWING, _PRECEDING = 0, 1, 2
_FIRST_SIDE, _N_BORDERS = 0, 1
_TOTAL, _N_PAIRS = 0, 1


@kernel()
def spanning_pairs(first: np.ndarray, second: np.ndarray, n_positions: int) -> np.ndarray:
    """Numbers of the pairs that join two sets, when pairs are taken in the given order.

    Returns
    -------
    (M,) int64
    """
    parent = np.arange(n_positions, dtype=np.int32)
    chosen = np.empty(max(n_positions - 1, 0), np.int64)
    n = 0
    for e in range(len(first)):
        a, b = root_of(parent, first[e]), root_of(parent, second[e])
        if a != b:
            parent[max(a, b)] = min(a, b)
            chosen[n] = e
            n += 1
    return chosen[:n].copy()


@kernel()
def mean_merges(
    first: np.ndarray,
    second: np.ndarray,
    similar: np.ndarray,
    n_positions: int,
    least: np.float32,
) -> np.ndarray:
    """Join the two clusters with the most similar border until no border is left.

    Joining cannot make a border more similar than both that became one. So any two clusters
    that are each other's most similar may be joined at once, whatever else there is: chains
    of most similar neighbors find such pairs without a queue. Large clusters, which would be
    looked through again and again, are left for a queue at the end.

    Parameters
    ----------
    first, second : (E,) int32
        Pairs of neighboring positions.
    similar : (E,) float32
        Their similarity, in [-1, 1].
    n_positions : int
        Number of positions.
    least : float32
        Mean similarity below which nothing joins; -1 joins all.

    Returns
    -------
    (E,) float32
        For one pair on each border that vanished, the mean similarity over that border; NaN
        for all other pairs.
    """
    sides = np.empty((2 * len(first), 3), np.int32)
    clusters = np.zeros((n_positions, 2), np.int32)
    sums = np.ones((len(first), 2), np.int64)
    means = np.empty(len(first), np.float64)
    clusters[:, _FIRST_SIDE] = -1
    for e in range(len(first) - 1, -1, -1):
        _link(sides, clusters, 2 * e, first[e])
        _link(sides, clusters, 2 * e + 1, second[e])
        sums[e, _TOTAL] = np.int64(np.rint(np.float64(similar[e]) * _STEPS))
        means[e] = sums[e, _TOTAL] / _STEPS
    changed = np.empty(n_positions, np.int64)
    joined = np.full(len(first), np.nan, np.float32)
    _join_chains(sides, clusters, sums, means, changed, joined, least)
    _join_queue(sides, clusters, sums, means, changed, joined, least)
    return joined


@kernel()
def _link(sides: np.ndarray, clusters: np.ndarray, side: int, cluster: int) -> None:
    head = clusters[cluster, _FIRST_SIDE]
    sides[side, _CLUSTER] = cluster
    sides[side, _FOLLOWING] = head
    sides[side, _PRECEDING] = -1
    if head >= 0:
        sides[head, _PRECEDING] = side
    clusters[cluster, _FIRST_SIDE] = side
    clusters[cluster, _N_BORDERS] += 1


@kernel()
def _unlink(sides: np.ndarray, clusters: np.ndarray, side: int) -> None:
    before, after = sides[side, _PRECEDING], sides[side, _FOLLOWING]
    cluster = sides[side, _CLUSTER]
    if before >= 0:
        sides[before, _FOLLOWING] = after
    else:
        clusters[cluster, _FIRST_SIDE] = after
    if after >= 0:
        sides[after, _PRECEDING] = before
    clusters[cluster, _N_BORDERS] -= 1


@kernel()
def _most_similar(sides: np.ndarray, clusters: np.ndarray, means: np.ndarray, cluster: int) -> int:
    """Side of the cluster's most similar border, of equal ones the first; -1 without any."""
    best = side = clusters[cluster, _FIRST_SIDE]
    if best < 0:
        return -1
    highest = means[best >> 1]
    side = sides[side, _FOLLOWING]
    while side >= 0:
        mean = means[side >> 1]
        if mean > highest or (mean == highest and side < best):
            best, highest = side, mean
        side = sides[side, _FOLLOWING]
    return best


@kernel()
def _side_between(sides: np.ndarray, clusters: np.ndarray, cluster: int, neighbor: int) -> int:
    """Side in the cluster of its border with a neighbor; -1 if they have none."""
    swapped = clusters[neighbor, _N_BORDERS] < clusters[cluster, _N_BORDERS]
    here, there = (neighbor, cluster) if swapped else (cluster, neighbor)
    side = clusters[here, _FIRST_SIDE]
    while side >= 0 and sides[side ^ 1, _CLUSTER] != there:
        side = sides[side, _FOLLOWING]
    return side ^ 1 if swapped and side >= 0 else side


@kernel()
def _join(
    sides: np.ndarray,
    clusters: np.ndarray,
    sums: np.ndarray,
    means: np.ndarray,
    border: int,
    changed: np.ndarray,
) -> tuple[int, int]:
    """Make one cluster of the two beside a border.

    Parameters
    ----------
    sides, clusters, sums, means
        Brought up to date.
    border : int
        The one that vanishes.
    changed : (N,) int64
        Receives the borders that grew because the two had a neighbor in common.

    Returns
    -------
    The cluster, and how many borders grew.
    """
    kept, gone = sides[2 * border, _CLUSTER], sides[2 * border + 1, _CLUSTER]
    if clusters[kept, _N_BORDERS] < clusters[gone, _N_BORDERS]:
        kept, gone = gone, kept
    _unlink(sides, clusters, 2 * border)
    _unlink(sides, clusters, 2 * border + 1)
    sums[border, _N_PAIRS] = 0
    n = 0
    side = clusters[gone, _FIRST_SIDE]
    while side >= 0:
        after = sides[side, _FOLLOWING]
        other = _side_between(sides, clusters, kept, sides[side ^ 1, _CLUSTER])
        # of two borders that become one the first number stays, whoever came first: it
        # decides between equals
        if other >= 0 and other < side:
            _unlink(sides, clusters, side ^ 1)
            changed[n] = _added(sums, means, other >> 1, side >> 1)
            n += 1
        else:
            if other >= 0:
                _unlink(sides, clusters, other)
                _unlink(sides, clusters, other ^ 1)
                changed[n] = _added(sums, means, side >> 1, other >> 1)
                n += 1
            _link(sides, clusters, side, kept)
        side = after
    clusters[gone, _FIRST_SIDE] = -1
    clusters[gone, _N_BORDERS] = 0
    return kept, n


@kernel()
def _added(sums: np.ndarray, means: np.ndarray, border: int, other: int) -> int:
    sums[border, _TOTAL] += sums[other, _TOTAL]
    sums[border, _N_PAIRS] += sums[other, _N_PAIRS]
    means[border] = sums[border, _TOTAL] / (_STEPS * sums[border, _N_PAIRS])
    sums[other, _N_PAIRS] = 0
    return border


@kernel()
def _join_chains(
    sides: np.ndarray,
    clusters: np.ndarray,
    sums: np.ndarray,
    means: np.ndarray,
    changed: np.ndarray,
    joined: np.ndarray,
    least: np.float32,
) -> None:
    """Join mutual most similar clusters of few neighbors."""
    chain = np.empty(len(changed) + 1, np.int32)
    came = np.full(len(changed) + 1, -1, np.int64)
    for start in range(len(changed)):
        chain[0], length = start, 1
        while clusters[chain[length - 1], _N_BORDERS] <= _MOST_NEIGHBORS:
            side = _most_similar(sides, clusters, means, chain[length - 1])
            if side < 0 or np.float32(means[side >> 1]) < least:
                break
            border = side >> 1
            if border != came[length - 1]:
                chain[length], came[length] = sides[side ^ 1, _CLUSTER], border
                length += 1
                continue
            joined[border] = means[border]
            cluster, _ = _join(sides, clusters, sums, means, border, changed)
            length -= 2
            if length == 0:
                chain[0], length = cluster, 1


@kernel()
def _join_queue(
    sides: np.ndarray,
    clusters: np.ndarray,
    sums: np.ndarray,
    means: np.ndarray,
    changed: np.ndarray,
    joined: np.ndarray,
    least: np.float32,
) -> None:
    """Join what is left, the most similar first."""
    left = np.flatnonzero((sums[:, _N_PAIRS] > 0) & (means.astype(np.float32) >= least))
    queue = [(-means[border], border) for border in left]
    heapify(queue)
    while len(queue) > 0:
        negative, border = heappop(queue)
        # a border that vanished has no pairs, one that grew has another mean
        if sums[border, _N_PAIRS] == 0 or -negative != means[border]:
            continue
        joined[border] = means[border]
        _, n_changed = _join(sides, clusters, sums, means, border, changed)
        for k in range(n_changed):
            if np.float32(means[changed[k]]) < least:
                continue
            heappush(queue, (-means[changed[k]], changed[k]))
