"""Readings of one frame's patterns that end in one result each."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from daskstem.blocks.native import native
from daskstem.blocks.pieces import pattern_blocks
from daskstem.blocks.tree import join_tree
from daskstem.schema.source import BlockSource, Piece

ScanRegion = tuple[slice, slice]
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
        ``function(pieces, weights, region, shared)``: a partial result of one block, from the
        pieces of its patterns, as ``PatternBlocks.task`` hands them out, their weights (Y, X)
        and where they lie in the scan.
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
    blocks = pattern_blocks(array, ((1,), *array.chunks[1:3]))
    token = uuid4().hex
    graph = blocks.tasks_before
    keys: list[Any] = []
    for index in blocks.indices:
        _, rows, columns = blocks.region(index)
        own = weights[rows, columns]
        if own.any():
            keys.append((f"{name}-{token}", *index[1:]))
            on_pieces = partial(_on_pieces, function, own, (rows, columns))
            graph[keys[-1]] = blocks.task(on_pieces, index, shared)
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
    blocks = pattern_blocks(array, ((1,), *array.chunks[1:3]))
    token = uuid4().hex
    graph = blocks.tasks_before
    keys: list[Any] = []
    order = [np.empty(0, np.int64)]
    for index in blocks.indices:
        _, rows, columns = blocks.region(index)
        inside = _inside(positions, rows, columns)
        if not inside.size:
            continue
        order.append(inside)
        keys.append((f"{name}-{token}", *index[1:]))
        if blocks.source is None:
            own = positions[inside] - [rows.start, columns.start]
            graph[keys[-1]] = (partial(_picked, function, own), (blocks.array.name, *index, 0, 0))
        else:
            graph[keys[-1]] = (partial(_read, function, blocks.source, positions[inside]),)
    last = f"{name}-result-{token}"
    graph[last] = (partial(_in_order, finish, np.concatenate(order), width), keys)
    return Delayed(last, graph)


def _on_pieces(
    function: Callable[..., Any],
    weights: np.ndarray,
    region: ScanRegion,
    pieces: Iterator[Piece],
    shared: Any,
) -> Any:
    return function(pieces, weights, region, shared)


def _picked(
    function: Callable[[np.ndarray], np.ndarray], positions: np.ndarray, block: Any
) -> np.ndarray:
    return function(native(np.asarray(block)[0, positions[:, 0], positions[:, 1]]))


def _read(
    function: Callable[[np.ndarray], np.ndarray], source: BlockSource, positions: np.ndarray
) -> np.ndarray:
    whole = tuple(slice(0, n) for n in source.shape[3:])
    one = slice(0, 1)
    patterns = [
        source.read((one, slice(y, y + 1), slice(x, x + 1), *whole))[0, 0, 0]
        for y, x in positions.tolist()
    ]
    return function(native(np.stack(patterns)))


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


def _inside(positions: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    y, x = positions.T
    within = (rows.start <= y) & (y < rows.stop) & (columns.start <= x) & (x < columns.stop)
    return np.flatnonzero(within)
