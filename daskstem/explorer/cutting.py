"""Clusters of one frame, stored or cut from the tree, and what is known of each."""

from dataclasses import dataclass

import numpy as np

from daskstem.kernels.hierarchy import Tree, cut, size_bins
from daskstem.kernels.pairs import neighbor_pairs
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.kernels.table import cluster_table
from daskstem.schema import variables


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of one frame.

    Attributes
    ----------
    label : (scan_y, scan_x) int32
        -1 where there is none.
    table
        Columns of the same length, among them ``label`` and ``n_positions``; stored clusters
        have their ``row`` among the stored patterns, and a ``track`` where tracks are.
    """

    label: np.ndarray
    table: dict[str, np.ndarray]

    @property
    def numbers(self) -> np.ndarray:
        """Number of every cluster, a row each."""
        return self.table[variables.cluster_label.name]

    @property
    def sizes(self) -> np.ndarray:
        """Positions of every cluster, a row each."""
        return self.table[variables.n_positions.name]

    def row(self, number: int) -> int | None:
        """Return the row of a cluster, or None if there is no such cluster."""
        found = np.flatnonzero(self.numbers == number)
        return int(found[0]) if len(found) else None


@dataclass(frozen=True)
class Border:
    """What two clusters share.

    Attributes
    ----------
    number
        The other cluster.
    n_pairs
        Neighboring pairs of positions, one in each.
    similarity
        Their mean similarity.
    """

    number: int
    n_pairs: int
    similarity: float


def cut_clusters(
    tree: Tree, mean_similarity: np.ndarray, threshold: float, min_size: int
) -> Clusters:
    """Cut the tree of a frame: what ``grow`` would find at this threshold."""
    label = cut(tree, threshold, min_size)
    return Clusters(label, cluster_table(label, mean_similarity))


def borders(clusters: Clusters, similarity: np.ndarray, number: int) -> list[Border]:
    """Return what a cluster shares with those that touch it, the most similar first.

    Parameters
    ----------
    clusters
        Of one frame.
    similarity : (Y, X, 8) float32
        Similarity with the eight neighbors; NaN outside the scan.
    number : int
        The cluster.
    """
    first, second, similar = neighbor_pairs(similarity, clusters.label >= 0, NEIGHBORS)
    flat = clusters.label.ravel()
    one, other = flat[first], flat[second]
    here = (one != other) & ((one == number) | (other == number))
    beyond = np.where(one[here] == number, other[here], one[here])
    names, index, count = np.unique(beyond, return_inverse=True, return_counts=True)
    means = np.bincount(index, similar[here], len(names)) / np.maximum(count, 1)
    order = np.argsort(-means, kind="stable")
    return [Border(int(names[i]), int(count[i]), float(means[i])) for i in order]


def size_histogram(sizes: np.ndarray, n_positions: int) -> np.ndarray:
    """Count the clusters of 1, 2 to 3, 4 to 7, ... positions, (B,) int64."""
    # the exponent of a whole number's float is that of its highest bit, one too many
    bins = np.frexp(np.asarray(sizes, np.float64))[1] - 1
    return np.bincount(bins, minlength=size_bins(n_positions))


def warm_up() -> None:
    """Load the compiled kernels, so that the first answers come as soon as the others."""
    pair = np.zeros((1, 2), np.int32)
    similarity = np.full((1, 2, len(NEIGHBORS)), np.nan, np.float32)
    tree = Tree(pair[0, :1], pair[0, 1:], np.ones(1, np.float32), np.array([[0, 1]], np.int32))
    clusters = cut_clusters(tree, np.ones((1, 2), np.float32), 0.5, 1)
    borders(clusters, similarity, 0)
