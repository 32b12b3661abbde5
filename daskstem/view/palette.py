"""Colors for maps of clusters and of classes, which differ for color-blind eyes too."""

from collections.abc import Iterable
from typing import Final

import numpy as np

_MUTED: Final = (
    (0x33, 0x22, 0x88), (0x88, 0xCC, 0xEE), (0x44, 0xAA, 0x99), (0x11, 0x77, 0x33),
    (0x99, 0x99, 0x33), (0xDD, 0xCC, 0x77), (0xCC, 0x66, 0x77), (0x88, 0x22, 0x55),
    (0xAA, 0x44, 0x99),
)  # fmt: skip
"""The "muted" scheme of Paul Tol (SRON/EPS/TN/09-002), made for color-blind readers."""

BACKGROUND: Final = (0x16, 0x16, 0x1A)

_REACH: Final = 2
"""Clusters one unassigned position apart look like neighbors too: similarity is lowest on
a boundary, so most clusters are."""


def label_colors(label: np.ndarray) -> np.ndarray:
    """Paint a label map.

    Parameters
    ----------
    label : (Y, X) integer
        Cluster of every position; negative is background.

    Returns
    -------
    (Y, X, 3) uint8
        Red, green, blue. Clusters that touch, or are one position apart, never share a
        color; the background is dark.
    """
    names, compact = np.unique(label, return_inverse=True)
    compact = compact.reshape(label.shape)
    color = color_numbers(_neighbor_pairs(compact, np.flatnonzero(names < 0)), names.size)
    rgb = np.array([_rgb(number) for number in range(int(color.max(initial=0)) + 1)], np.uint8)
    painted = rgb[color]
    painted[names < 0] = BACKGROUND
    return painted[compact]


def colors_through(maps: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Choose colors for numbers that mean the same in several maps.

    Parameters
    ----------
    maps : (Y, X) integer each
        Numbers below ``count``; negative is background.
    count
        How many numbers there are.

    Returns
    -------
    (count, 3) uint8
        Red, green, blue. Numbers that touch in any of the maps, or are one position apart,
        never share a color.
    """
    background = np.zeros(1, np.int64)
    pairs = [np.empty((0, 2), np.int64)]
    pairs += [_neighbor_pairs(np.maximum(one, -1) + 1, background) - 1 for one in maps]
    numbers = color_numbers(np.unique(np.concatenate(pairs), axis=0), count)
    return np.array([_rgb(number) for number in numbers.tolist()], np.uint8).reshape(-1, 3)


def class_colors(label: np.ndarray) -> np.ndarray:
    """Paint a map of classes: a class has its color by its number, wherever it lies.

    Parameters
    ----------
    label : (...) integer
        Class of every position; negative was left out.

    Returns
    -------
    (..., 3) uint8
        Red, green, blue; what was left out is dark.
    """
    colors = [_rgb(number) for number in range(int(label.max(initial=-1)) + 1)]
    return np.array([*colors, BACKGROUND], np.uint8)[np.maximum(label, -1)]


def color_numbers(pairs: np.ndarray, count: int) -> np.ndarray:
    """Return a number for every node of a graph so that joined nodes differ.

    Greedy coloring in smallest-last order (Matula and Beck 1983): a planar map needs at
    most six colors then.

    Parameters
    ----------
    pairs : (E, 2) int
        Joined nodes.
    count
        Number of nodes.

    Returns
    -------
    (count,) int
        Color of every node, from 0.
    """
    neighbors: list[set[int]] = [set() for _ in range(count)]
    for a, b in pairs.tolist():
        neighbors[a].add(b)
        neighbors[b].add(a)
    color = np.full(count, -1)
    used = np.zeros(count + len(_MUTED), dtype=int)
    for node in reversed(_smallest_last(neighbors)):
        taken = {int(color[other]) for other in neighbors[node]}
        free = [number for number in range(len(_MUTED)) if number not in taken]
        # The least used of the free colors: three clusters far apart need not all be blue.
        chosen = min(free, key=lambda number: used[number]) if free else _first_missing(taken)
        color[node] = chosen
        used[chosen] += 1
    return color


def _first_missing(taken: set[int]) -> int:
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _smallest_last(neighbors: list[set[int]]) -> list[int]:
    """Take away the node with the fewest remaining neighbors until none is left."""
    degree = [len(others) for others in neighbors]
    buckets: list[set[int]] = [set() for _ in range(max(degree, default=0) + 1)]
    for node, number in enumerate(degree):
        buckets[number].add(node)
    order: list[int] = []
    taken = [False] * len(neighbors)
    smallest = 0
    for _ in neighbors:
        smallest = next(i for i in range(max(smallest - 1, 0), len(buckets)) if buckets[i])
        node = min(buckets[smallest])
        buckets[smallest].remove(node)
        taken[node] = True
        order.append(node)
        for other in neighbors[node]:
            if not taken[other]:
                buckets[degree[other]].remove(other)
                degree[other] -= 1
                buckets[degree[other]].add(other)
    return order


def _neighbor_pairs(compact: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Pairs of different clusters at most ``_REACH`` positions apart, each once."""
    count = int(compact.max(initial=0)) + 1
    assigned = ~np.isin(compact, background)
    keys = []
    rows, columns = compact.shape
    for dy in range(_REACH + 1):
        for dx in range(-_REACH if dy else 1, _REACH + 1):
            here = (slice(0, max(rows - dy, 0)), slice(max(-dx, 0), max(columns - max(dx, 0), 0)))
            there = (slice(dy, rows), slice(max(dx, 0), max(columns - max(-dx, 0), 0)))
            differ = (compact[here] != compact[there]) & assigned[here] & assigned[there]
            one, other = compact[here][differ], compact[there][differ]
            # one number for each pair: sorting numbers is ten times as fast as sorting rows
            keys.append(np.minimum(one, other).astype(np.int64) * count + np.maximum(one, other))
    return np.stack(np.divmod(np.unique(np.concatenate(keys)), count), axis=1)


def _rgb(number: int) -> tuple[int, int, int]:
    """Return the palette's color; each further round of it is paler."""
    rounds, place = divmod(number, len(_MUTED))
    pale = 1 - 0.55**rounds
    red, green, blue = (round(value + (255 - value) * pale) for value in _MUTED[place])
    return red, green, blue
