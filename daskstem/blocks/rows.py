"""Means of the rows of a table of patterns, the rows chosen anew for each part of the result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph


@dataclass(frozen=True, eq=False)
class MeanRows:
    """Makes one block of the result from the blocks of the table that hold its rows.

    Attributes
    ----------
    places
        For each block of the table: the rows taken from it.
    targets
        For each block: the rows of the result that they count for.
    weights
        For each block: with which weight; those of one target add up to 1.
    shape
        Of the result, (rows, 1, Qy, Qx).
    """

    places: tuple[np.ndarray, ...]
    targets: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    shape: tuple[int, int, int, int]

    def __call__(self, blocks: Sequence[Any]) -> np.ndarray:
        """Return weighted means, float32; NaN where no row counts."""
        out = np.full(self.shape, np.nan, np.float32)
        several: dict[int, np.ndarray] = {}
        parts = zip(blocks, self.places, self.targets, self.weights, strict=True)
        for block, places, targets, weights in parts:
            rows = np.asarray(block)
            for place, target, weight in zip(places, targets, weights, strict=True):
                if weight == 1.0:
                    out[target, 0] = rows[place]
                else:
                    total = several.setdefault(int(target), np.zeros(self.shape[2:]))
                    total += weight * rows[place]
        for target, total in several.items():
            out[target, 0] = total
        return out


def mean_rows(
    table: da.Array,
    rows_of_frames: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    n_targets: int,
    block_rows: int,
    name: str,
) -> da.Array:
    """Take weighted means of a table's rows, lazily, frame by frame.

    Parameters
    ----------
    table
        (N, Qy, Qx) float32, whole in its last two dimensions.
    rows_of_frames
        For each frame: rows of the table, the target row of each, and its weight; the
        weights of a target add up to 1.
    n_targets
        Rows of the result.
    block_rows
        Rows of the result in one block.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    (n_targets, frames, Qy, Qx) float32, NaN where a frame has no row for a target; a task
    reads only the blocks of the table that it needs.
    """
    table = table.rechunk({1: -1, 2: -1})
    q_shape = table.shape[1:]
    starts = np.cumsum((0, *table.chunks[0]))
    key = f"{name}-{tokenize(table.name, rows_of_frames, n_targets, block_rows)}"
    sizes = tuple(min(block_rows, n_targets - n) for n in range(0, n_targets, block_rows)) or (0,)
    graph: dict[Any, Any] = {}
    for frame, (rows, targets, weights) in enumerate(rows_of_frames):
        for block, size in enumerate(sizes):
            first = block * block_rows
            here = np.flatnonzero((targets >= first) & (targets < first + size))
            of = np.searchsorted(starts, rows[here], side="right") - 1
            numbers = np.unique(of)
            parts = [here[of == number] for number in numbers]
            task = MeanRows(
                tuple(rows[part] - starts[n] for part, n in zip(parts, numbers, strict=True)),
                tuple(targets[part] - first for part in parts),
                tuple(weights[part] for part in parts),
                (size, 1, *q_shape),
            )
            inputs = [(table.name, int(number), 0, 0) for number in numbers]
            graph[(key, block, frame, 0, 0)] = (task, inputs)
    layers = HighLevelGraph.from_collections(key, graph, dependencies=[table])
    chunks = (sizes, (1,) * len(rows_of_frames), *((n,) for n in q_shape))
    return da.Array(layers, key, chunks, meta=np.empty((0,) * 4, np.float32))
