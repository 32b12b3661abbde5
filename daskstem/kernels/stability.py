"""Which clusters last: a threshold for a frame, or one for each branch of its tree.

A cluster that stays itself over a wide range of thresholds is one that the data show; one that
falls apart at once is noise. As in HDBSCAN (Campello, Moulavi, Sander, PAKDD 2013, doi
10.1007/978-3-642-37456-2_14; McInnes, Healy, Astels, J. Open Source Softw. 2 (2017) 205): the
tree is condensed to splits into parts of at least min_size positions, a cluster's stability is
its excess of mass, the sum over its positions of 1/d at which they leave less 1/d at which it
appeared, with d = 1 - similarity; and of a cluster and its parts the more stable are kept.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.hierarchy import Tree
from daskstem.kernels.numbering import numbered
from daskstem.kernels.pairs import root_of

_LEAST_DISTANCE: Final = 0.02
"""Similarities above 0.98 count as that: noise decides there, and 1/d would let it weigh most."""
_LOWEST: Final = -1.0
"""What has no parent was there from the lowest similarity."""


def cut_branches(tree: Tree, min_size: int = 1) -> np.ndarray:
    """Return the most stable clusters, each at a threshold of its own.

    Parameters
    ----------
    tree
        As from ``similarity_tree``.
    min_size : int
        Clusters have at least so many positions.

    Returns
    -------
    (Y, X) int32
        Cluster numbers from 0, the highest mean similarity first; -1 for background and
        what belongs to none.
    """
    cluster, _, _ = _stable(tree, min_size)
    return numbered(cluster, tree.rank, 1)


def suggest_threshold(tree: Tree, min_size: int = 1) -> float:
    """Return the threshold at which most positions lie in their most stable cluster.

    Each position belongs to its cluster from the similarity where that splits off to the one
    where the position leaves it; the threshold lies in most of these intervals, in the middle
    between the nearest ends.

    Returns
    -------
    float
        NaN where there is no cluster of ``min_size``.
    """
    cluster, appears, leaves = _stable(tree, min_size)
    inside = cluster >= 0
    if not inside.any():
        return float("nan")
    starts, ends = np.sort(appears[inside]), np.sort(leaves[inside])
    # as many as have begun below, less those that have ended below; highest at an end
    covered = np.searchsorted(starts, ends, "left") - np.searchsorted(ends, ends, "left")
    top = ends[np.argmax(covered)]
    below = [values[i - 1] for values in (starts, ends) if (i := np.searchsorted(values, top))]
    return float((max(below) + np.float64(top)) / 2)


def _stable(tree: Tree, min_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Most stable cluster of every position, where it appears, where the position leaves.

    Returns
    -------
    cluster : (Y * X,) int32
        -1 for none.
    appears, leaves : (Y * X,) float32
        Similarities.
    """
    n = tree.n_merges
    merges = tree.first[:n], tree.second[:n], tree.similarity[:n]
    parent, children, size = _dendrogram(*merges, tree.rank.ravel() >= 0)
    level = np.concatenate([np.ones(tree.rank.size, np.float32), merges[2]])
    branch, above, appears, mass = _condensed(parent, children, size, level, min_size)
    chosen = _heaviest(above, mass)
    return _of_positions(parent, branch, level, chosen, appears, tree.rank.size)


@kernel()
def _dendrogram(
    first: np.ndarray, second: np.ndarray, similarity: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of the tree: positions, then merges in order, so parents come after children."""
    n = len(mask)
    total = n + len(similarity)
    over = np.arange(total).astype(np.int32)
    parent = np.full(total, -1, np.int32)
    children = np.full((total, 2), -1, np.int32)
    size = np.ones(total, np.int32)
    size[:n] = mask
    for e in range(len(similarity)):
        node = n + e
        for side, position in ((0, first[e]), (1, second[e])):
            child = root_of(over, position)
            over[child] = node
            parent[child] = node
            children[node, side] = child
        size[node] = size[children[node, 0]] + size[children[node, 1]]
    return parent, children, size


@kernel()
def _condensed(
    parent: np.ndarray,
    children: np.ndarray,
    size: np.ndarray,
    level: np.ndarray,
    min_size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Branches of the tree that hold min_size positions, and their excess of mass.

    Returns
    -------
    branch : (nodes,) int32
        Branch of every node that holds at least min_size positions; -1 for others.
    above : (B,) int32
        Branch that it split from, with a smaller number; -1 for none.
    appears : (B,) float32
        Similarity of that split.
    mass : (B,) float64
    """
    branch = np.full(len(parent), -1, np.int32)
    above = np.full(len(parent), -1, np.int32)
    appears = np.full(len(parent), _LOWEST, np.float32)
    mass = np.zeros(len(parent))
    n = 0
    for node in range(len(parent) - 1, -1, -1):
        if size[node] < max(min_size, 1):
            continue
        up = parent[node]
        if up < 0:
            branch[node] = n
            n += 1
        elif min(size[children[up, 0]], size[children[up, 1]]) >= min_size:
            branch[node], above[n], appears[n] = n, branch[up], level[up]
            n += 1
        else:
            branch[node] = branch[up]
        own = branch[node]
        staying = 0
        if children[node, 0] >= 0:
            small = min(size[children[node, 0]], size[children[node, 1]])
            large = max(size[children[node, 0]], size[children[node, 1]])
            staying = large if small < min_size <= large else 0
        excess = _weight(level[node]) - _weight(appears[own])
        mass[own] += (size[node] - staying) * excess
    return branch, above[:n].copy(), appears[:n].copy(), mass[:n].copy()


@kernel()
def _weight(similarity: float) -> float:
    return 1.0 / max(1.0 - np.float64(similarity), _LEAST_DISTANCE)


@kernel()
def _heaviest(above: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Return for each branch which chosen one it is part of, -1 for none.

    A branch is chosen if its mass reaches that of the best choice among its parts.
    """
    parts = np.zeros(len(mass))
    wins = np.zeros(len(mass), np.bool_)
    for b in range(len(mass) - 1, -1, -1):
        wins[b] = mass[b] >= parts[b]
        if above[b] >= 0:
            parts[above[b]] += max(mass[b], parts[b])
    chosen = np.full(len(mass), -1, np.int32)
    for b in range(len(mass)):
        inherited = chosen[above[b]] if above[b] >= 0 else -1
        chosen[b] = b if inherited < 0 and wins[b] else inherited
    return chosen


@kernel()
def _of_positions(
    parent: np.ndarray,
    branch: np.ndarray,
    level: np.ndarray,
    chosen: np.ndarray,
    appears: np.ndarray,
    n_positions: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cluster = np.full(len(parent), -1, np.int32)
    begins = np.zeros(len(parent), np.float32)
    leaves = np.zeros(len(parent), np.float32)
    # with min_size = 1 there are more branches than positions, but not chosen ones
    names = np.cumsum(chosen == np.arange(len(chosen))) - 1
    for node in range(len(parent) - 1, -1, -1):
        own = branch[node]
        if own >= 0 and chosen[own] == own:
            cluster[node], begins[node], leaves[node] = names[own], appears[own], level[node]
        elif parent[node] >= 0:
            up = parent[node]
            cluster[node], begins[node], leaves[node] = cluster[up], begins[up], leaves[up]
    return cluster[:n_positions], begins[:n_positions], leaves[:n_positions]
