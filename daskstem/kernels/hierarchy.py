"""The clusters of every threshold at once: one tree of merges per frame, cut anywhere.

Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), leave a multi-level hierarchy to be
done. The pairs of positions whose merging made the clusters, ordered by similarity, hold it:
the clusters at a threshold are the components of the pairs that reach it.
"""

from dataclasses import dataclass

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.linkage import Linkage, mean_merges, spanning_pairs
from daskstem.kernels.numbering import numbered, ranks
from daskstem.kernels.pairs import components, neighbor_pairs, root_of


@dataclass(frozen=True, eq=False)
class Tree:
    """All merges of one frame, the most similar first.

    Attributes
    ----------
    first, second : (E,) int32
        Flat positions of two neighbors whose clusters join, one in each; E is one less than
        the positions of the scan (at least 1), -1 where there are fewer merges.
    similarity : (E,) float32
        Highest threshold at which they are one cluster, decreasing; NaN beside -1.
    rank : (Y, X) int32
        Place of every position in the order of mean similarity, 0 the highest, ties by scan
        order; -1 outside the mask.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    rank: np.ndarray

    @property
    def n_merges(self) -> int:
        """Number of merges, without the filling at the end."""
        return int(np.count_nonzero(self.first >= 0))


def similarity_tree(
    similarity: np.ndarray,
    mean_similarity: np.ndarray,
    mask: np.ndarray,
    offsets: np.ndarray,
    *,
    linkage: Linkage = "mean",
    least: float = -1.0,
) -> Tree:
    """Return the tree of all clusters of one frame.

    Parameters
    ----------
    similarity : (Y, X, 8) float32
        Similarity with the eight neighbors; NaN outside the scan.
    mean_similarity : (Y, X) float32
        Orders the clusters: number 0 holds the highest value, ties by scan order.
    mask : (Y, X) bool
        Positions of the specimen.
    offsets : (8, 2) int64
        The neighbors.
    linkage
        What two clusters must share: ``mean``, the similarity over all pairs along their
        border, or ``single``, that of the most similar pair.
    least : float
        Lowest threshold that the tree will be cut at: mean linkage is done sooner.
    """
    first, second, similar = neighbor_pairs(similarity, mask, offsets)
    if linkage == "mean":
        joined = mean_merges(first, second, similar, mask.size, np.float32(least))
        pair = np.flatnonzero(~np.isnan(joined))
        pair = pair[np.argsort(-joined[pair], kind="stable")]
        level = joined[pair]
    else:
        descending = np.argsort(-similar, kind="stable")
        chosen = spanning_pairs(first[descending], second[descending], mask.size)
        pair = descending[chosen]
        level = similar[pair]
    size = max(mask.size - 1, 1)
    return Tree(
        _filled(first[pair], size, -1),
        _filled(second[pair], size, -1),
        _filled(level, size, np.nan),
        ranks(mean_similarity, mask),
    )


def cut(tree: Tree, threshold: float, min_size: int = 1) -> np.ndarray:
    """Return the clusters at a threshold, as growing at that threshold makes them.

    Parameters
    ----------
    tree
        As from ``similarity_tree``.
    threshold : float
        Least similarity that joins.
    min_size : int
        Clusters of fewer positions are rejected.

    Returns
    -------
    (Y, X) int32
        Cluster numbers from 0, the highest mean similarity first; -1 for background and
        rejected positions.
    """
    # in float32, as a similarity is: what equals the threshold joins
    n = int(np.count_nonzero(tree.similarity >= np.float32(threshold)))
    cluster = components(tree.first[:n], tree.second[:n], tree.rank.size)
    return numbered(cluster, tree.rank, min_size)


def nested(tree: Tree, thresholds: np.ndarray, min_size: int = 1) -> np.ndarray:
    """Return the clusters at several thresholds, (L, Y, X) int32: higher ones lie in lower."""
    return np.stack([cut(tree, threshold, min_size) for threshold in thresholds])


def curves(
    tree: Tree, thresholds: np.ndarray, min_size: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the clusters at many thresholds in one pass over the tree.

    Parameters
    ----------
    tree
        As from ``similarity_tree``.
    thresholds : (L,)
        Increasing.
    min_size : int
        Clusters of fewer positions are not counted in the first two results.

    Returns
    -------
    n_clusters : (L,) int32
        Number of clusters.
    cover : (L,) float32
        Share of the mask's positions that they hold; 0 for an empty mask.
    size_count : (L, B) int32
        Number of clusters with 2^b to 2^(b+1) - 1 positions, of all sizes.
    """
    n = tree.n_merges
    levels = np.ascontiguousarray(thresholds, dtype=np.float32)
    merges = tree.first[:n], tree.second[:n], tree.similarity[:n]
    count, held, sizes = _counted(*merges, levels, tree.rank, min_size, size_bins(tree.rank.size))
    return count, (held / max(int((tree.rank >= 0).sum()), 1)).astype(np.float32), sizes


def size_bins(n_positions: int) -> int:
    """Return the number of size classes of a scan: 1, 2 to 3, 4 to 7, ... positions."""
    return int(n_positions).bit_length()


def _filled(values: np.ndarray, size: int, missing: float) -> np.ndarray:
    out = np.full(size, missing, values.dtype)
    out[: len(values)] = values
    return out


@kernel()
def _counted(
    first: np.ndarray,
    second: np.ndarray,
    similarity: np.ndarray,
    thresholds: np.ndarray,
    rank: np.ndarray,
    min_size: int,
    n_bins: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parent = np.arange(rank.size, dtype=np.int32)
    size = np.ones(rank.size, np.int64)
    bins = np.zeros(n_bins, np.int32)
    bins[0] = (rank >= 0).sum()
    large = bins[0] if min_size <= 1 else 0
    held = np.int64(large)
    n_clusters = np.zeros(len(thresholds), np.int32)
    positions = np.zeros(len(thresholds), np.int64)
    sizes = np.zeros((len(thresholds), n_bins), np.int32)
    e = 0
    for level in range(len(thresholds) - 1, -1, -1):
        while e < len(first) and similarity[e] >= thresholds[level]:
            a, b = root_of(parent, first[e]), root_of(parent, second[e])
            parent[b] = a
            for old in (size[a], size[b]):
                bins[_bin(old)] -= 1
                if old >= min_size:
                    large -= 1
                    held -= old
            size[a] += size[b]
            bins[_bin(size[a])] += 1
            if size[a] >= min_size:
                large += 1
                held += size[a]
            e += 1
        n_clusters[level], positions[level] = large, held
        sizes[level] = bins
    return n_clusters, positions, sizes


@kernel()
def _bin(size: int) -> int:
    n = 0
    while size > 1:
        size >>= 1
        n += 1
    return n
