"""How alike the patterns inside each cluster are, from the maps of one frame."""

import numpy as np

from daskstem.kernels.pairs import neighbor_pairs


def pairs_inside(
    similarity: np.ndarray, label: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of all neighboring positions that lie in one cluster.

    Parameters
    ----------
    similarity : (Y, X, 8) float32
        Similarity with the neighbors at ``offsets``; NaN outside the scan.
    label : (Y, X) integer
        Cluster of every position; negative is none.
    offsets : (8, 2) int64
        Neighbors (dy, dx) in scan order; the last four follow the position, each pair counts
        once.

    Returns
    -------
    Two arrays, (E,) integer and (E,) float32: the cluster of each pair and its similarity.
    """
    first, second, similar = neighbor_pairs(similarity, label >= 0, offsets)
    one, other = label.ravel()[first], label.ravel()[second]
    inside = one == other
    return one[inside], similar[inside]


def homogeneity(
    clusters: np.ndarray, similarities: np.ndarray, count: int, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean similarity inside each cluster, and the share of pairs below a threshold.

    Parameters
    ----------
    clusters, similarities : (E,)
        From ``pairs_inside``.
    count
        Number of clusters.
    threshold
        Least similarity that joined; NaN if each cluster had its own.

    Returns
    -------
    Two (count,) float64 arrays in [-1, 1] and [0, 1]; NaN for a cluster without pairs, the
    second also without a threshold.

    Examples
    --------
    >>> clusters, similarities = np.array([0, 0, 1]), np.array([0.75, 1.0, 0.5])
    >>> [values.tolist() for values in homogeneity(clusters, similarities, 2, 0.8)]
    [[0.875, 0.5], [0.5, 1.0]]
    """
    pairs = np.bincount(clusters, minlength=count).astype(np.float64)
    pairs[pairs == 0] = np.nan
    mean = np.bincount(clusters, similarities, minlength=count) / pairs
    below = np.bincount(clusters, similarities < threshold, minlength=count) / pairs
    return mean, below if np.isfinite(threshold) else np.full(count, np.nan)
