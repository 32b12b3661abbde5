"""Numbers of clusters: in the order of the most similar position of each."""

import numpy as np

from daskstem.kernels.compiled import kernel


def ranks(mean_similarity: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Count the positions of the mask from the highest mean similarity down.

    Parameters
    ----------
    mean_similarity : (Y, X) float32
        NaN comes last; ties are in scan order.
    mask : (Y, X) bool
        Positions that are counted.

    Returns
    -------
    (Y, X) int32
        From 0; -1 outside the mask.
    """
    value = np.where(np.isnan(mean_similarity), -np.inf, mean_similarity)
    inside = np.flatnonzero(mask)
    order = inside[np.argsort(-value.ravel()[inside], kind="stable")]
    rank = np.full(mask.size, -1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank.reshape(mask.shape)


@kernel()
def numbered(cluster: np.ndarray, rank: np.ndarray, min_size: int) -> np.ndarray:
    """Give clusters numbers in the order of their best ranks; drop the small ones.

    Parameters
    ----------
    cluster : (Y * X,) int32
        A name in [0, Y * X) for every position's cluster; -1 for none.
    rank : (Y, X) int32
        -1 for background.
    min_size : int
        Clusters of fewer positions are dropped.

    Returns
    -------
    (Y, X) int32
    """
    flat_rank = rank.ravel()
    size = np.zeros(len(cluster), np.int32)
    by_rank = np.empty(len(cluster), np.int32)
    n = 0
    for position in range(len(cluster)):
        if flat_rank[position] >= 0:
            by_rank[flat_rank[position]] = position
            n += 1
            if cluster[position] >= 0:
                size[cluster[position]] += 1
    number = np.full(len(cluster), -1, np.int32)
    found = 0
    for k in range(n):
        name = cluster[by_rank[k]]
        if name >= 0 and number[name] < 0 and size[name] >= min_size:
            number[name] = found
            found += 1
    label = np.full(len(cluster), -1, np.int32)
    for position in range(len(cluster)):
        if flat_rank[position] >= 0 and cluster[position] >= 0:
            label[position] = number[cluster[position]]
    return label.reshape(rank.shape)
