"""Whole maps of one frame at a time, and reductions over a frame."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from daskstem.blocks.pieces import pattern_blocks
from daskstem.blocks.tree import join_tree
from daskstem.schema.source import Piece


def map_frames(
    function: Callable[..., np.ndarray],
    *arrays: da.Array,
    shape: tuple[int, ...],
    dtype: Any,
    name: str,
) -> da.Array:
    """Apply a function to the gathered maps of each frame, lazily: one task per frame.

    Parameters
    ----------
    function
        Called with the arrays of one frame (without the frame dimension).
    arrays
        (frame, ...), each small enough to gather: maps, not patterns.
    shape
        Shape of the function's result for one frame.
    dtype
        Its dtype.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    (frame, *shape), one chunk per frame.
    """
    gathered = [array.rechunk({0: 1, **{axis: -1 for axis in range(1, array.ndim)}})
                for array in arrays]  # fmt: skip
    key = f"{name}-{tokenize(function, [array.name for array in gathered], shape, str(dtype))}"
    graph = {
        (key, frame, *(0,) * len(shape)): (
            partial(_on_frame, function),
            *((array.name, frame, *(0,) * (array.ndim - 1)) for array in gathered),
        )
        for frame in range(arrays[0].shape[0])
    }
    layers = HighLevelGraph.from_collections(key, graph, dependencies=gathered)
    chunks = ((1,) * arrays[0].shape[0], *((n,) for n in shape))
    return da.Array(layers, key, chunks, meta=np.empty((0,) * (1 + len(shape)), dtype))


def reduce_frames(
    chunk: Callable[[Iterator[Piece]], np.ndarray],
    combine: Callable[[Sequence[np.ndarray]], np.ndarray],
    array: da.Array,
    *,
    shape: tuple[int, ...],
    dtype: Any,
    name: str,
) -> da.Array:
    """Reduce all blocks of each frame to one array, lazily, in a tree.

    Parameters
    ----------
    chunk
        Makes a partial result from the pieces of one block: patterns (1, scan_y, scan_x, q_y,
        q_x) and where they lie. A piece is gone when the next one is asked for.
    combine
        Joins partial results.
    array
        (frame, scan_y, scan_x, q_y, q_x).
    shape, dtype
        Shape and dtype of a partial result, and so of a frame's.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    (frame, *shape), one chunk per frame.
    """
    n_frames = array.shape[0]
    blocks = pattern_blocks(array, ((1,) * n_frames, *array.chunks[1:3]))
    key = f"{name}-{tokenize(chunk, combine, array.name, shape, str(dtype))}"
    graph: dict[Any, Any] = {}
    for frame in range(n_frames):
        keys: list[Any] = []
        for i, j in np.ndindex(len(blocks.chunks[1]), len(blocks.chunks[2])):
            keys.append((f"{key}-block", frame, i, j))
            graph[keys[-1]] = blocks.task(chunk, (frame, i, j))
        joins, left = join_tree(combine, keys, name=f"{key}-join", place=(frame,))
        graph |= joins
        graph[(key, frame, *(0,) * len(shape))] = (partial(_last, combine), left)
    layers = HighLevelGraph.from_collections(key, graph, dependencies=blocks.dependencies)
    chunks = ((1,) * n_frames, *((n,) for n in shape))
    return da.Array(layers, key, chunks, meta=np.empty((0,) * (1 + len(shape)), dtype))


def _on_frame(function: Callable[..., np.ndarray], *blocks: np.ndarray) -> Any:
    return np.asarray(function(*(np.asarray(block)[0] for block in blocks)))[np.newaxis]


def _last(
    combine: Callable[[Sequence[np.ndarray]], np.ndarray], parts: Sequence[np.ndarray]
) -> np.ndarray:
    return combine(parts)[np.newaxis]
