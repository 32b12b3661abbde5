"""Whole maps of one frame at a time, and reductions over a frame."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from daskstem.blocks.tree import join_tree


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
    chunk: Callable[[np.ndarray], np.ndarray],
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
        Makes a partial result from one block (scan_y, scan_x, q_y, q_x).
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
    blocks = array.rechunk({0: 1, 3: -1, 4: -1})
    key = f"{name}-{tokenize(chunk, combine, blocks.name, shape, str(dtype))}"
    graph: dict[Any, Any] = {}
    for frame in range(blocks.shape[0]):
        keys: list[Any] = []
        for i in range(blocks.numblocks[1]):
            for j in range(blocks.numblocks[2]):
                keys.append((f"{key}-block", frame, i, j))
                graph[keys[-1]] = (partial(_on_frame, chunk, inner=True),
                                   (blocks.name, frame, i, j, 0, 0))  # fmt: skip
        joins, left = join_tree(combine, keys, name=f"{key}-join", place=(frame,))
        graph |= joins
        graph[(key, frame, *(0,) * len(shape))] = (partial(_last, combine), left)
    layers = HighLevelGraph.from_collections(key, graph, dependencies=[blocks])
    chunks = ((1,) * blocks.shape[0], *((n,) for n in shape))
    return da.Array(layers, key, chunks, meta=np.empty((0,) * (1 + len(shape)), dtype))


def _on_frame(
    function: Callable[..., np.ndarray], *blocks: np.ndarray, inner: bool = False
) -> Any:
    result = function(*(np.asarray(block)[0] for block in blocks))
    return result if inner else np.asarray(result)[np.newaxis]


def _last(
    combine: Callable[[Sequence[np.ndarray]], np.ndarray], parts: Sequence[np.ndarray]
) -> np.ndarray:
    return combine(parts)[np.newaxis]
