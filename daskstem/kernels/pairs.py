"""The graph of neighboring positions of a scan, and what hangs together in it."""

import numpy as np

from daskstem.kernels.compiled import kernel


@kernel()
def neighbor_pairs(
    similarity: np.ndarray, mask: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of neighboring positions of the mask, in scan order.

    Parameters
    ----------
    similarity : (Y, X, 8) float32
        Similarity with the neighbors at ``offsets``; NaN outside the scan.
    mask : (Y, X) bool
        Positions that count.
    offsets : (8, 2) int64
        Neighbors in scan order; the last four follow the position, each pair counts once.

    Returns
    -------
    Two (E,) int32 arrays of flat positions, and their similarity, (E,) float32.
    """
    rows, columns = mask.shape
    first = np.empty(4 * mask.size, np.int32)
    second = np.empty(4 * mask.size, np.int32)
    similar = np.empty(4 * mask.size, np.float32)
    n = 0
    for y in range(rows):
        for x in range(columns):
            if not mask[y, x]:
                continue
            for k in range(4, 8):
                ny, nx = y + offsets[k, 0], x + offsets[k, 1]
                if ny < rows and 0 <= nx < columns and mask[ny, nx]:
                    first[n] = y * columns + x
                    second[n] = ny * columns + nx
                    similar[n] = similarity[y, x, k]
                    n += 1
    return first[:n].copy(), second[:n].copy(), similar[:n].copy()


@kernel()
def root_of(parent: np.ndarray, position: int) -> int:
    """Return the representative of a position's set, and shorten the way to it."""
    while parent[position] != position:
        parent[position] = parent[parent[position]]
        position = parent[position]
    return position


@kernel()
def components(first: np.ndarray, second: np.ndarray, n_positions: int) -> np.ndarray:
    """Find the connected components of a graph of positions.

    Parameters
    ----------
    first, second : (E,) int
        Edges between flat positions.
    n_positions : int
        Positions of the scan.

    Returns
    -------
    (n_positions,) int32
        The smallest position of every position's component.
    """
    parent = np.arange(n_positions, dtype=np.int32)
    for e in range(len(first)):
        a, b = root_of(parent, first[e]), root_of(parent, second[e])
        parent[max(a, b)] = min(a, b)
    for position in range(n_positions):
        # the smallest position is the root, so what is before this one points to its own
        parent[position] = parent[parent[position]]
    return parent
