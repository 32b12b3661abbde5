"""One mean pattern per cluster, and a table of the clusters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.groupby import GroupSums, group_means
from daskstem.blocks.halo import PlacedArrays, place
from daskstem.blocks.pieces import PatternBlocks, pattern_blocks, values_of
from daskstem.chunks.tiling import Window
from daskstem.kernels.grouping import (
    add_squares,
    add_to_groups,
    add_weighted,
    divide_sums,
    group_coefficients,
)
from daskstem.kernels.table import cluster_table
from daskstem.schema import variables
from daskstem.schema.dims import Q
from daskstem.schema.parameters import Between
from daskstem.schema.source import Piece, within
from daskstem.steps.comparing import offsets_of
from daskstem.steps.step import step


@step
def average(
    ds: xr.Dataset,
    *,
    of: Literal["raw", "filtered"] = "raw",
    batch_clusters: Annotated[int | None, Between(1)] = None,
) -> xr.Dataset:
    """Mean pattern of every cluster, and the table of clusters.

    The mean of filtered patterns is, by linearity, a weighted mean of the raw ones: the
    patterns are read once and nothing else is stored.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x), ``label`` and
        ``mean_similarity`` ([frame,] scan_y, scan_x), and for filtered means ``weights``.
    of
        Average raw or filtered patterns.
    batch_clusters
        Clusters of a frame that are summed in one pass over their patterns; by default
        all. A limit bounds the memory for the price of reading patterns again.

    Returns
    -------
    Dataset along ``cluster``, frame by frame in the order of labels: ``pattern`` (cluster,
    q_y, q_x) and ``residual`` float32, lazy; the coordinates frame, label, n_positions,
    centroid_y, centroid_x, y_min, y_max, x_min, x_max, seed_y, seed_x, mean_similarity and
    min_similarity, computed.

    Raises
    ------
    InputError
        If a variable is missing.

    Notes
    -----
    The residual is sqrt(sum |I - m|^2 / sum |I|^2) over the cluster's raw patterns I,
    with m the mean pattern: 0 for identical patterns.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> scan, dims = ("scan_y", "scan_x"), ("scan_y", "scan_x", "q_y", "q_x")
    >>> label = np.repeat([[0, 0, 1, -1]], 3, axis=0).astype("i4")
    >>> ds = xr.Dataset({
    ...     "patterns": (dims, np.arange(48, dtype="u2").reshape(3, 4, 2, 2)),
    ...     "label": (scan, label),
    ...     "mean_similarity": (scan, np.ones((3, 4), "f4")),
    ... })
    >>> daskstem.average(ds)["pattern"].compute()[1].values.tolist()
    [[24.0, 25.0], [26.0, 27.0]]
    """
    patterns = da.asarray(variables.require(ds, variables.patterns).data)
    label = da.asarray(variables.require(ds, variables.label).data)
    mean_similarity = da.asarray(variables.require(ds, variables.mean_similarity).data)
    if of == "filtered":
        weights = da.asarray(variables.require(ds, variables.weights).data)
        arrays, offsets = [patterns, label, weights], offsets_of(ds)
        reach = int(offsets[:, 0].max())
    else:
        arrays, offsets, reach = [patterns, label], None, 0
    labels, similarities = values_of(label, mean_similarity)
    tables = [cluster_table(*maps) for maps in zip(labels, similarities, strict=True)]
    # in few large blocks, so that few clusters are cut
    placed = place(arrays, [0, *(reach for _ in arrays[1:])], join=max(reach, 1))
    blocks = pattern_blocks(patterns, ((1,) * len(labels), *placed.scan_chunks))
    q_shape = (ds.sizes[Q[0]], ds.sizes[Q[1]])
    means = [
        batch
        for frame in range(len(labels))
        for batch in _means_of_frame(
            blocks, placed, labels[frame], frame, offsets, q_shape, batch_clusters
        )
    ]
    return _dataset(ds, tables, means)


@dataclass(frozen=True, eq=False)
class SumsOfBlock:
    """Sums of one block's patterns over the clusters in a range of labels."""

    first: int
    stop: int
    offsets: np.ndarray | None
    q_shape: tuple[int, int]

    def __call__(self, pieces: Iterator[Piece], here: Sequence[Window], *maps: Any) -> GroupSums:
        """Return the sums: of raw patterns, after the filtered ones where there are any."""
        label, *weights = (_in_memory(block) for block in maps)
        groups = np.unique(label)
        groups = groups[(groups >= self.first) & (groups < self.stop)]
        (top, left), (rows, columns) = here[0].margin, here[0].shape
        own = label[top : top + rows, left : left + columns]
        at = np.where(np.isin(own, groups), np.searchsorted(groups, own), -1)
        coefficients = None
        if weights and self.offsets is not None:
            box = (top, top + rows, left, left + columns)
            coefficients = group_coefficients(label, weights[0], self.offsets, box, groups)
            coefficients = coefficients.reshape(rows, columns, len(groups))
        ways = [np.zeros((len(groups), *self.q_shape)) for _ in (label, *weights)]
        sums = [way.reshape(len(groups), -1) for way in ways]
        squares = np.zeros(len(groups))
        for where, patterns in pieces:
            inside = within(where[1:3], here[0].start)
            flat = patterns.reshape(-1, self.q_shape[0] * self.q_shape[1])
            row = at[inside].ravel()
            add_to_groups(flat, row, sums[-1])
            add_squares(flat, row, squares)
            if coefficients is not None:
                add_weighted(flat, coefficients[inside].reshape(len(flat), -1), sums[0])
        return GroupSums(groups, list(zip(*ways, strict=True)), squares)


def _in_memory(block: Any) -> np.ndarray:
    # a stored map is read by the task, a computed one comes with its frame
    values = block() if callable(block) else np.asarray(block)[0]
    return np.ascontiguousarray(values)


def mean_and_residual(
    joined: GroupSums, *, numbers: np.ndarray, sizes: np.ndarray, q_shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Divide joined sums by the clusters' sizes.

    Returns
    -------
    (G, Qy, Qx) float32 and (G,) float32, for the labels in ``numbers``.
    """
    means = np.zeros((len(sizes), *q_shape), np.float32)
    residual = np.zeros(len(sizes), np.float32)
    for group, sums, squares in zip(joined.groups, joined.sums, joined.squares, strict=True):
        row = np.searchsorted(numbers, group)
        spread = squares + divide_sums(sums[0], sums[-1], sizes[row], means[row])
        residual[row] = np.sqrt(max(spread, 0.0) / squares) if squares > 0 else 0.0
    return means, residual


def _means_of_frame(
    blocks: PatternBlocks,
    placed: PlacedArrays,
    label: np.ndarray,
    frame: int,
    offsets: np.ndarray | None,
    q_shape: tuple[int, int],
    batch: int | None,
) -> Iterator[tuple[da.Array, da.Array]]:
    present, sizes = np.unique(label[label >= 0], return_counts=True)
    batch = batch or max(len(present), 1)
    for start in range(0, len(present), batch):
        numbers, of = present[start : start + batch], sizes[start : start + batch]
        first, stop = int(numbers[0]), int(numbers[-1]) + 1
        wanted = (label >= first) & (label < stop)
        sums = SumsOfBlock(first, stop, offsets, q_shape)
        yield group_means(
            # blocks that hold none of these clusters are not even read
            [
                blocks.task(sums, (frame, *b.index), b.windows[1:], *b.inputs[1:])
                for b in placed.blocks(frame)
                if wanted[b.windows[1].region].any()
            ],
            [*blocks.dependencies, *placed.dependencies],
            partial(mean_and_residual, numbers=numbers, sizes=of, q_shape=q_shape),
            n_groups=len(numbers),
            pattern_shape=q_shape,
            name="average",
        )


def _dataset(
    ds: xr.Dataset,
    tables: list[dict[str, np.ndarray]],
    means: list[tuple[da.Array, da.Array]],
) -> xr.Dataset:
    q_shape = tuple(ds.sizes[dim] for dim in Q)
    patterns = [pattern for pattern, _ in means] or [da.zeros((0, *q_shape), dtype=np.float32)]
    residuals = [residual for _, residual in means] or [da.zeros((0,), dtype=np.float32)]
    frames = [np.full(len(t["label"]), i, np.int32) for i, t in enumerate(tables)]
    columns: dict[str, Any] = {variables.cluster_frame.name: np.concatenate(frames)}
    for spec in variables.cluster_table[1:]:
        columns[spec.name] = np.concatenate([table[spec.name] for table in tables])
    table = {spec.name: spec.wrap(columns[spec.name]) for spec in variables.cluster_table}
    return xr.Dataset(
        {
            variables.pattern.name: variables.pattern.wrap(da.concatenate(patterns)),
            variables.residual.name: variables.residual.wrap(da.concatenate(residuals)),
        },
        coords={**table, **{dim: ds.coords[dim] for dim in Q if dim in ds.coords}},
    )
