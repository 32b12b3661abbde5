"""Readings of one frame's patterns that end in one result each."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from daskstem.blocks.sources import BlockSource, source_of
from daskstem.blocks.tree import join_tree

Region = tuple[slice, slice]
"""Rows and columns of the scan."""


def reduce_pass(
    function: Callable[..., Any],
    join: Callable[[Sequence[Any]], Any],
    array: da.Array,
    weights: np.ndarray,
    shared: Any,
    *,
    name: str,
) -> Delayed:
    """Reduce one frame's blocks to one result, in a tree, lazily.

    Parameters
    ----------
    function
        ``function(patterns, weights, region, shared)``: a partial result of one block, from
        its patterns (Y, X, Qy, Qx), their weights (Y, X) and where they lie in the scan.
    join
        Makes one partial result of several, in the order of the scan.
    array
        (1, scan_y, scan_x, q_y, q_x). Blocks whose weights are all 0 are not even read.
    weights : (scan_y, scan_x)
        What each pattern counts for.
    shared
        What all blocks are given: an object, or a future of one.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    The joined result, lazy; what ``join`` makes of nothing where all weights are 0.
    """
    blocks = array.rechunk({0: 1, 3: -1, 4: -1})
    token = uuid4().hex
    graph = dict(blocks.dask)
    keys: list[Any] = []
    for region, key in _blocks(blocks):
        if not weights[region].any():
            continue
        keys.append((f"{name}-{token}", *key[2:4]))
        graph[keys[-1]] = (partial(_on_block, function, weights[region], region), key, shared)
    joins, left = join_tree(join, keys, name=f"{name}-join-{token}", place=())
    graph |= joins
    last = f"{name}-result-{token}"
    graph[last] = (join, left)
    return Delayed(last, graph)


def pick_pass(
    function: Callable[[np.ndarray], np.ndarray],
    array: da.Array,
    positions: np.ndarray,
    *,
    width: int,
    finish: Callable[[np.ndarray], Any],
    name: str,
) -> Delayed:
    """Compute numbers of a few patterns of one frame, lazily.

    Parameters
    ----------
    function
        Makes (n, width) float32 of patterns (n, Qy, Qx).
    array
        (1, scan_y, scan_x, q_y, q_x). If it is stored, only these patterns are read.
    positions : (n, 2) int
        Rows and columns, in the order of the scan.
    width
        Numbers of a pattern.
    finish
        Makes the result of (n, width) float32 in the order of the positions.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    The result, lazy.
    """
    source = source_of(array)
    blocks = array.rechunk({0: 1, 3: -1, 4: -1})
    token = uuid4().hex
    graph = {} if source is not None else dict(blocks.dask)
    keys: list[Any] = []
    order = [np.empty(0, np.int64)]
    for region, key in _blocks(blocks):
        inside = _inside(positions, region)
        if not inside.size:
            continue
        order.append(inside)
        keys.append((f"{name}-{token}", *key[2:4]))
        if source is None:
            own = positions[inside] - [region[0].start, region[1].start]
            graph[keys[-1]] = (partial(_picked, function, own), key)
        else:
            graph[keys[-1]] = (partial(_read, function, source, positions[inside]),)
    last = f"{name}-result-{token}"
    graph[last] = (partial(_in_order, finish, np.concatenate(order), width), keys)
    return Delayed(last, graph)


def _blocks(blocks: da.Array) -> list[tuple[Region, tuple[Any, ...]]]:
    rows, columns = (np.cumsum((0, *sizes)).tolist() for sizes in blocks.chunks[1:3])
    return [
        (
            (slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1])),
            (blocks.name, 0, i, j, 0, 0),
        )
        for i in range(len(rows) - 1)
        for j in range(len(columns) - 1)
    ]


def _on_block(
    function: Callable[..., Any], weights: np.ndarray, region: Region, block: Any, shared: Any
) -> Any:
    return function(_native(block)[0], weights, region, shared)


def _picked(
    function: Callable[[np.ndarray], np.ndarray], positions: np.ndarray, block: Any
) -> np.ndarray:
    return function(_native(np.asarray(block)[0, positions[:, 0], positions[:, 1]]))


def _read(
    function: Callable[[np.ndarray], np.ndarray], source: BlockSource, positions: np.ndarray
) -> np.ndarray:
    whole = tuple(slice(0, n) for n in source.shape[3:])
    one = slice(0, 1)
    patterns = [
        source.read((one, slice(y, y + 1), slice(x, x + 1), *whole))[0, 0, 0]
        for y, x in positions.tolist()
    ]
    return function(_native(np.stack(patterns)))


def _in_order(
    finish: Callable[[np.ndarray], Any],
    order: np.ndarray,
    width: int,
    parts: Sequence[np.ndarray],
) -> Any:
    rows = np.empty((len(order), width), np.float32)
    if parts:
        rows[order] = np.concatenate(parts)
    return finish(rows)


def _inside(positions: np.ndarray, region: Region) -> np.ndarray:
    (rows, columns), (y, x) = region, positions.T
    within = (rows.start <= y) & (y < rows.stop) & (columns.start <= x) & (x < columns.stop)
    return np.flatnonzero(within)


def _native(block: Any) -> np.ndarray:
    # compiled kernels know no other byte order, and want rows without gaps
    values = np.asarray(block)
    return np.ascontiguousarray(values, values.dtype.newbyteorder("="))
