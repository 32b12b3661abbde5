"""Steps whose products run along ``cluster``: their length is known only from the labels."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import psutil
import xarray as xr
import zarr
from distributed import Client, Future

from daskstem.io.layout import ROWS_PER_CHUNK, ArraySpec, write_region
from daskstem.io.metadata import group_arrays
from daskstem.io.store import (
    RAW,
    OpenedStore,
    begin_group,
    finish_frames,
    finish_group,
    finished_frames,
)
from daskstem.io.writing import writing
from daskstem.run.progress import Reporter
from daskstem.run.stages import Stage, frame_bytes, frame_dataset, kept_group, raw_patterns
from daskstem.run.tasks import FrameJob, run_frames
from daskstem.run.workers import Resources
from daskstem.schema import variables
from daskstem.schema.dims import CLUSTER, Q
from daskstem.steps.registry import STEPS

CHUNK_BYTES: Final = 4 * 2**20
"""Patterns of a few clusters together, so that a long series makes not too many files."""


@dataclass(frozen=True)
class Rows:
    """Where the clusters of each frame stand in the table."""

    starts: tuple[int, ...]
    total: int

    def of(self, frame: int) -> slice:
        """Rows of one frame."""
        stop = self.starts[frame + 1] if frame + 1 < len(self.starts) else self.total
        return slice(self.starts[frame], stop)


def run_table(
    opened: OpenedStore, stage: Stage, client: Client, reporter: Reporter, available: Resources
) -> None:
    """Make a table frame by frame.

    Rows of different frames share files, so they are written here, in the order of the
    frames: a frame that is written again gives the same bytes.
    """
    call, history, root = stage.calls[0], stage.provenance[0], opened.root
    counts = opened.dataset(STEPS["grow"].group)[variables.n_clusters.name].values
    stops = np.cumsum(counts)
    rows = Rows(tuple(int(n) for n in stops - counts), int(stops[-1]) if len(stops) else 0)
    parameters = {**call.parameters, "batch_clusters": _batch(root, call.parameters, available)}
    first = frame_dataset(opened, stage.before, 0)
    group = kept_group(root, call.step.group, history["key"])
    if group is None:
        group = _new_table(opened, stage, first, rows.total, history)
    _, arrays = group_arrays(root, call.step.group)
    n_bytes = frame_bytes(raw_patterns(root[RAW]))
    done = set(finished_frames(group))
    todo = [frame for frame in range(len(counts)) if frame not in done]

    def jobs() -> Iterator[FrameJob]:
        for frame in todo:
            ds = frame_dataset(opened, stage.before, frame) if frame else first
            made = call.step.function(ds, **parameters)
            write = partial(_write_table, arrays, made, rows.of(frame), frame)
            yield replace(_job(made, frame, n_bytes), meanwhile=write)

    def finish(job: FrameJob, futures: dict[Any, Future]) -> None:
        _write_results(arrays, client, job, futures, rows.of(job.frame))
        finish_frames(group, [job.frame])
        progress.frame_done(len(finished_frames(group)), len(counts))

    with reporter.stage(stage.name, n_bytes * len(todo)) as progress:
        run_frames(client, jobs(), on_task=progress.advance, on_frame=finish)
    finish_group(group)


def _job(made: xr.Dataset, frame: int, n_bytes: int) -> FrameJob:
    graph: dict[Any, Any] = {}
    keys: dict[Any, int] = {}
    for name in _results(made):
        array = made[name].data
        graph |= dict(array.dask)
        for index in np.ndindex(array.numblocks):
            keys[(array.name, *index)] = 0
    for key in keys:
        keys[key] = n_bytes // len(keys)
    return FrameJob(frame, graph, keys)


def _results(made: xr.Dataset) -> list[str]:
    return [str(name) for name in made.data_vars if made.sizes[CLUSTER]]


def _write_results(
    arrays: Mapping[str, zarr.Array],
    client: Client,
    job: FrameJob,
    futures: dict[Any, Future],
    rows: slice,
) -> None:
    """Write what the frame's tasks returned, block by block in the order of the rows."""
    at = {variables.pattern.name: rows.start, variables.residual.name: rows.start}
    for key in job.keys:
        values = client.gather(futures[key])
        name = variables.pattern.name if values.ndim == 3 else variables.residual.name
        _write_rows(arrays[name], slice(at[name], at[name] + len(values)), values)
        at[name] += len(values)


def _write_table(
    arrays: Mapping[str, zarr.Array], made: xr.Dataset, rows: slice, frame: int
) -> None:
    for spec in variables.cluster_table:
        values = made[spec.name].values
        if spec is variables.cluster_frame:
            values = np.full(len(values), frame, values.dtype)
        _write_rows(arrays[spec.name], rows, values)


def _write_rows(array: zarr.Array, rows: slice, values: np.ndarray) -> None:
    if rows.stop == rows.start:
        return
    with writing(array):
        write_region(array, (rows, *(slice(0, n) for n in array.shape[1:])), values)


def _new_table(
    opened: OpenedStore, stage: Stage, ds: xr.Dataset, total: int, history: dict[str, Any]
) -> zarr.Group:
    q_shape = tuple(ds.sizes[dim] for dim in Q)
    per_chunk = max(1, CHUNK_BYTES // (4 * q_shape[0] * q_shape[1]))
    specs = {
        variables.pattern.name: ArraySpec(
            variables.pattern.dims,
            (total, *q_shape),
            np.dtype(np.float32),
            chunks=(per_chunk, *q_shape),
            attrs={"units": variables.pattern.units, "long_name": variables.pattern.about},
        )
    }
    floats = {variables.centroid_y.name: np.float64, variables.centroid_x.name: np.float64}
    for spec in (variables.residual, *variables.cluster_table):
        dtype = floats.get(spec.name, np.float32 if spec.kinds == "f" else np.int32)
        specs[spec.name] = ArraySpec(
            spec.dims,
            (total,),
            np.dtype(dtype),
            chunks=(ROWS_PER_CHUNK,),
            attrs={"units": spec.units, "long_name": spec.about},
        )
    axes = {dim: ds.coords[dim].variable for dim in Q if dim in ds.coords}
    columns = [spec.name for spec in variables.cluster_table]
    return begin_group(
        opened.root, stage.calls[0].step.group, specs, axes, history, coordinate_names=columns
    )


def _batch(root: zarr.Group, parameters: dict[str, Any], available: Resources) -> int:
    """Clusters summed in one reading, so that their sums stay in what memory is free."""
    if parameters["batch_clusters"] is not None:
        return int(parameters["batch_clusters"])
    patterns = raw_patterns(root[RAW])
    ways = 2 if parameters["of"] == "filtered" else 1
    # a sum in float64 stands about twice in blocks that wait to be joined, once joined
    each = 3 * 8 * ways * int(np.prod(patterns.shape[3:]))
    return max(1, _room(available) // each)


def _room(available: Resources) -> int:
    """Return the bytes that sums may take."""
    share = available.memory_limit // 8
    if available.workers > 1 or available.scheduler is not None:
        return share
    # threads of this process keep the blocks of earlier stages; patterns are summed in pieces
    held = psutil.Process(os.getpid()).memory_info().rss
    return max(share, (available.memory_limit - held) // 2)
