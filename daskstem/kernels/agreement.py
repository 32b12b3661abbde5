"""Where two label maps agree, whatever their numbers."""

from typing import Final

import numpy as np

NEITHER: Final = 0
SAME: Final = 1
MOVED: Final = 2
FIRST_ONLY: Final = 3
SECOND_ONLY: Final = 4


def matched_labels(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Match the clusters of two maps that share more than half of what lies in either.

    Parameters
    ----------
    first, second : (Y, X) integer
        Clusters; negative is none.

    Returns
    -------
    (K, 2) int64
        Numbers of the clusters that match, by the number in the first. A cluster has at most
        one partner: two could not both share more than half.

    Notes
    -----
    Intersection over union above 1/2: Kirillov, He, Girshick, Rother, Dollar, CVPR 2019,
    arXiv:1801.00868, section 3.

    Examples
    --------
    >>> first, second = np.array([[0, 0, 0, 1, 1]]), np.array([[7, 7, 3, 3, 3]])
    >>> matched_labels(first, second).tolist()
    [[0, 7], [1, 3]]
    """
    names_a, a, size_a = np.unique(first, return_inverse=True, return_counts=True)
    names_b, b, size_b = np.unique(second, return_inverse=True, return_counts=True)
    pairs, shared = np.unique(a.ravel() * names_b.size + b.ravel(), return_counts=True)
    row, column = np.divmod(pairs, names_b.size)
    either = size_a[row] + size_b[column] - shared
    same = (2 * shared > either) & (names_a[row] >= 0) & (names_b[column] >= 0)
    return np.stack([names_a[row[same]], names_b[column[same]]], axis=1).astype(np.int64)


def what_moved(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compare two label maps position by position.

    Parameters
    ----------
    first, second : (Y, X) integer
        Clusters; negative is none.

    Returns
    -------
    (Y, X) uint8
        ``SAME`` in clusters that match, ``MOVED`` in clusters that do not, ``FIRST_ONLY`` and
        ``SECOND_ONLY`` where only one map has a cluster, ``NEITHER`` where none has.
    """
    pairs = matched_labels(first, second)
    partner = np.full(int(first.max(initial=-1)) + 2, -2, np.int64)
    partner[pairs[:, 0] + 1] = pairs[:, 1]
    in_first, in_second = first >= 0, second >= 0
    same = partner[np.maximum(first, -1) + 1] == second
    return np.select(
        [in_first & in_second & same, in_first & in_second, in_first, in_second],
        [SAME, MOVED, FIRST_ONLY, SECOND_ONLY],
        NEITHER,
    ).astype(np.uint8)
