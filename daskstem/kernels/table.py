"""What the label and similarity maps of a frame say about each cluster."""

import numpy as np
from scipy import ndimage


def cluster_table(label: np.ndarray, mean_similarity: np.ndarray) -> dict[str, np.ndarray]:
    """Describe the clusters of one frame.

    Parameters
    ----------
    label : (Y, X) int32
        Numbers of clusters; -1 elsewhere. Numbers that no position bears are left out.
    mean_similarity : (Y, X) float32
        Mean similarity of every position with its neighbors.

    Returns
    -------
    Columns of length K: label, n_positions, y_min, y_max, x_min, x_max, seed_y, seed_x
    (int32); centroid_y, centroid_x (float64, in positions); mean_similarity,
    min_similarity (float32). The seed is the position of highest mean similarity, the
    first in scan order where several are equal.
    """
    inside = label >= 0
    y, x = np.nonzero(inside)
    numbers, of, size = np.unique(label[inside], return_inverse=True, return_counts=True)
    value = mean_similarity[inside]
    # sorted by cluster, then by falling similarity, then by scan order: seeds come first
    order = np.lexsort((np.arange(len(of)), -value, of))
    first = np.searchsorted(of[order], np.arange(len(numbers)))
    boxes = [box for box in ndimage.find_objects(label + 1) if box is not None]
    edges = np.array(
        [(b[0].start, b[0].stop - 1, b[1].start, b[1].stop - 1) for b in boxes], np.int32
    ).reshape(-1, 4)
    return {
        "label": numbers.astype(np.int32),
        "n_positions": size.astype(np.int32),
        "centroid_y": np.bincount(of, y) / size,
        "centroid_x": np.bincount(of, x) / size,
        "y_min": edges[:, 0],
        "y_max": edges[:, 1],
        "x_min": edges[:, 2],
        "x_max": edges[:, 3],
        "seed_y": y[order][first].astype(np.int32),
        "seed_x": x[order][first].astype(np.int32),
        "mean_similarity": (np.bincount(of, value) / size).astype(np.float32),
        "min_similarity": value[np.lexsort((value, of))][first].astype(np.float32),
    }
