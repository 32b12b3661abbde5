"""Mean patterns of groups of positions: a distributed groupby reduction.

Each block sums only the groups it holds; a tree of tasks joins them; the last one divides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from daskstem.blocks.tree import join_tree

Sums = tuple[np.ndarray, ...]
"""Sums of the patterns of one group, in one or several ways."""


@dataclass(frozen=True)
class GroupSums:
    """Sums over the groups present in a part of the scan.

    Attributes
    ----------
    groups : (G,) int
        Group numbers, increasing.
    sums
        For every group the sums of its patterns in C ways, (Qy, Qx) float64 each. They are
        shared with the parts that they come from, and never changed.
    squares : (G,) float64
        Sums of squared raw patterns.
    """

    groups: np.ndarray
    sums: Sequence[Sums]
    squares: np.ndarray


def join_sums(parts: Sequence[GroupSums]) -> GroupSums:
    """Add partial sums, group by group."""
    if len(parts) == 1:
        return parts[0]
    groups = np.unique(np.concatenate([part.groups for part in parts]))
    found: list[list[Sums]] = [[] for _ in groups]
    squares = np.zeros(len(groups))
    for part in parts:
        at = np.searchsorted(groups, part.groups)
        for row, sums in zip(at, part.sums, strict=True):
            found[row].append(sums)
        # a group stands once in a part, so nothing is lost
        squares[at] += part.squares
    return GroupSums(groups, [_added(of_group) for of_group in found], squares)


def _added(of_group: Sequence[Sums]) -> Sums:
    # most groups lie in few blocks: what one part alone holds is not copied
    if len(of_group) == 1:
        return of_group[0]
    first, second, *others = of_group
    totals = tuple(a + b for a, b in zip(first, second, strict=True))
    for sums in others:
        for total, more in zip(totals, sums, strict=True):
            total += more  # noqa: PLW2901
    return totals


def group_means(
    tasks: Sequence[Any],
    dependencies: Sequence[da.Array],
    finalize: Callable[[GroupSums], tuple[np.ndarray, np.ndarray]],
    *,
    n_groups: int,
    pattern_shape: tuple[int, int],
    name: str,
) -> tuple[da.Array, da.Array]:
    """Join the blocks' sums in a tree and finalize them, lazily.

    Parameters
    ----------
    tasks
        One Dask task per block, each returning GroupSums.
    dependencies
        Lazy arrays that the tasks refer to.
    finalize
        Makes the mean patterns (n_groups, Qy, Qx) float32 and a number for each group from
        the joined sums.
    n_groups, pattern_shape
        Shape of the result.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    Lazy (n_groups, Qy, Qx) float32 and (n_groups,) float32.
    """
    token = tokenize(name, finalize, n_groups, *tasks)
    sums, joined = f"{name}-{token}", f"{name}-join-{token}"
    graph: dict[Any, Any] = {(sums, i): task for i, task in enumerate(tasks)}
    joins, left = join_tree(join_sums, list(graph), name=joined, place=())
    graph |= joins
    means, numbers = f"{name}-mean-{token}", f"{name}-residual-{token}"
    graph[(joined, "all")] = (partial(_finish, finalize), left)
    base = HighLevelGraph.from_collections(sums, graph, dependencies=dependencies)
    # Dask finds what an array is made of by the layer that bears the array's name
    last: dict[str, Any] = {
        means: {(means, 0, 0, 0): (_first, (joined, "all"))},
        numbers: {(numbers, 0): (_second, (joined, "all"))},
    }
    layers = HighLevelGraph(
        {**base.layers, **last}, {**base.dependencies, means: {sums}, numbers: {sums}}
    )
    shape = ((n_groups,), *((n,) for n in pattern_shape))
    return (
        da.Array(layers, means, shape, meta=np.empty((0, 0, 0), np.float32)),
        da.Array(layers, numbers, ((n_groups,),), meta=np.empty((0,), np.float32)),
    )


def _finish(
    finalize: Callable[[GroupSums], tuple[np.ndarray, np.ndarray]], parts: Sequence[GroupSums]
) -> tuple[np.ndarray, np.ndarray]:
    return finalize(join_sums(parts))


def _first(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return pair[0]


def _second(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return pair[1]
