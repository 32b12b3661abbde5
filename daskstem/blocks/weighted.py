"""Weighted means of groups of positions, frame by frame: one reading of the patterns."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Protocol

import dask
import dask.array as da
import numpy as np

from daskstem.blocks.groupby import GroupSums, group_means
from daskstem.blocks.pieces import PatternBlocks, pattern_blocks
from daskstem.schema.source import Piece, Region, within

BATCH_BYTES: Final = 256 * 2**20
"""Sums of a frame's groups in one pass; more groups mean another reading."""


class Weights(Protocol):
    """What each position counts for in each group; a position may be in several."""

    @property
    def position(self) -> np.ndarray:
        """Positions (N,), counted through the scan row by row."""

    @property
    def group(self) -> np.ndarray:
        """Their groups (N,)."""

    @property
    def weight(self) -> np.ndarray:
        """What they count for (N,)."""

    @property
    def counts(self) -> np.ndarray:
        """What is to be known of each group, (G, C) int32."""


Weigh = Callable[[np.ndarray], Weights]
"""``weigh(map)`` of one frame; it must pickle."""
AddWeighted = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
"""``add(patterns (N, P), coefficients (N, G), sums (G, P))`` adds in place."""


def weighted_patterns(
    weighs: Sequence[Weigh],
    add: AddWeighted,
    patterns: da.Array,
    maps: da.Array,
    *,
    n_groups: int,
    n_counts: int,
    block_rows: int,
    name: str,
) -> tuple[da.Array, da.Array]:
    """Sum weighted patterns of every group in every frame, lazily.

    A block without positions of any group is not read, where its patterns are stored.

    Parameters
    ----------
    weighs
        For each frame, what weighs its positions by its map.
    add
        Kernel that adds patterns with coefficients.
    patterns
        (frame, scan_y, scan_x, q_y, q_x), any chunks.
    maps
        (frame, scan_y, scan_x).
    n_groups, n_counts
        Number of groups, and of the counts that the weights hold for each.
    block_rows
        Groups in a chunk of the result.
    name
        Prefix of the tasks, as the dashboard shows it.

    Returns
    -------
    (group, frame, q_y, q_x) float32, NaN where no position counts, and (group, frame,
    counts) int32; one chunk per frame.
    """
    q_shape = (patterns.shape[3], patterns.shape[4])
    n_frames = patterns.shape[0]
    blocks = pattern_blocks(patterns, ((1,) * n_frames, *patterns.chunks[1:3]))
    whole = maps.rechunk((1, -1, -1)).to_delayed().ravel()
    batch = max(
        block_rows, BATCH_BYTES // (8 * q_shape[0] * q_shape[1]) // block_rows * block_rows
    )
    found, counted = [], []
    for frame, weigh in enumerate(weighs):
        weights = dask.delayed(partial(_weights, weigh), pure=True)(whole[frame])
        means = [
            _frame_means(blocks, frame, weights, add, (start, min(start + batch, n_groups)), name)
            for start in range(0, n_groups, batch)
        ]
        one = da.concatenate(means) if means else da.zeros((0, *q_shape), dtype=np.float32)
        found.append(one.rechunk({0: block_rows})[:, np.newaxis])
        counts = da.from_delayed(
            dask.delayed(_counts, pure=True)(weights), (n_groups, 1, n_counts), np.int32
        )
        counted.append(counts)
    return da.concatenate(found, axis=1), da.concatenate(counted, axis=1)


def _frame_means(
    blocks: PatternBlocks,
    frame: int,
    weights: Any,
    add: AddWeighted,
    groups: tuple[int, int],
    name: str,
) -> da.Array:
    q_shape = blocks.array.shape[3:]
    indices = np.ndindex(len(blocks.chunks[1]), len(blocks.chunks[2]))
    add_block = partial(_sums_of_block, add=add, groups=groups, scan=blocks.array.shape[1:3])
    tasks = [
        blocks.task(
            partial(add_block, region=blocks.region((frame, i, j))), (frame, i, j), weights.key
        )
        for i, j in indices
    ]
    means, _ = group_means(
        tasks, [*blocks.dependencies, weights], partial(_finished, groups=groups, q_shape=q_shape),
        n_groups=groups[1] - groups[0], pattern_shape=(q_shape[0], q_shape[1]), name=name,
    )  # fmt: skip
    return means


def _weights(weigh: Weigh, block: np.ndarray) -> Weights:
    return weigh(np.asarray(block)[0])


def _counts(weights: Weights) -> np.ndarray:
    return np.asarray(weights.counts, np.int32)[:, np.newaxis]


def _sums_of_block(
    pieces: Iterator[Piece],
    weights: Weights,
    *,
    region: Region,
    add: AddWeighted,
    groups: tuple[int, int],
    scan: tuple[int, int],
) -> GroupSums:
    (top, bottom), (left, right) = ((side.start, side.stop) for side in region[1:3])
    row, column = np.divmod(weights.position, scan[1])
    here = (row >= top) & (row < bottom) & (column >= left) & (column < right)
    here &= (weights.group >= groups[0]) & (weights.group < groups[1])
    present, index = np.unique(weights.group[here], return_inverse=True)
    coefficients = np.zeros((bottom - top, right - left, len(present)))
    coefficients[row[here] - top, column[here] - left, index] = weights.weight[here]
    sums: np.ndarray | None = None
    # pieces are read as they are asked for: not at all where nothing is wanted
    for where, patterns in pieces if len(present) else ():
        inside = within(where[1:3], (top, left))
        flat = patterns.reshape(-1, patterns.shape[3] * patterns.shape[4])
        if sums is None:
            sums = np.zeros((len(present), *patterns.shape[3:]))
        add(flat, coefficients[inside].reshape(len(flat), -1), sums.reshape(len(present), -1))
    found = [] if sums is None else [(total,) for total in sums]
    return GroupSums(present, found, np.zeros(len(present)))


def _finished(
    joined: GroupSums, *, groups: tuple[int, int], q_shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    found = np.full((groups[1] - groups[0], *q_shape), np.nan, np.float32)
    for group, sums in zip(joined.groups, joined.sums, strict=True):
        found[group - groups[0]] = sums[0]
    return found, np.zeros(len(found), np.float32)
