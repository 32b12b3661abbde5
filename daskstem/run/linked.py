"""Steps that link the clusters of all frames: few numbers, then patterns frame by frame."""

from collections.abc import Iterator, Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from distributed import Client, Future

from daskstem.io.layout import ROWS_PER_CHUNK, ArraySpec, writable
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
from daskstem.run.stages import Stage, frame_coordinates, kept_group, raw_patterns, series_dataset
from daskstem.run.tasks import FrameJob, run_frames, write_job
from daskstem.schema.dims import FRAME


def run_linked(opened: OpenedStore, stage: Stage, client: Client, reporter: Reporter) -> None:
    """Link the clusters and write what comes of it.

    The links are made anew by every run: they take maps and mean patterns, which are read in
    seconds. What is lazy is computed and written frame by frame, along the dimension of the
    frames, and frames that are there are kept.
    """
    call, history, root = stage.calls[0], stage.provenance[0], opened.root
    n_frames = raw_patterns(root[RAW]).shape[0]
    made = call.step.function(series_dataset(opened, stage), **call.parameters)
    lazy = {str(n): a for n, a in made.data_vars.items() if isinstance(a.data, da.Array)}
    group = kept_group(root, call.step.group, history["key"])
    if group is None:
        counted = frame_coordinates(opened)
        group = _new_group(root, call.step.group, made, counted, history)
    _, targets = group_arrays(root, call.step.group)
    if not finished_frames(group):
        _write_numbers(targets, made, set(lazy))
    axes = {name: array.dims.index(FRAME) for name, array in lazy.items()}
    n_bytes = sum(array.nbytes for array in lazy.values()) // n_frames
    todo = [frame for frame in range(n_frames) if frame not in finished_frames(group)]

    def jobs() -> Iterator[FrameJob]:
        for frame in todo:
            own = {FRAME: slice(frame, frame + 1)}
            arrays = {name: array.isel(own).data for name, array in lazy.items()}
            yield write_job(frame, arrays, targets, n_bytes, axes=axes)

    def finish(job: FrameJob, _: dict[Any, Future]) -> None:
        finish_frames(group, [job.frame])
        progress.frame_done(len(finished_frames(group)), n_frames)

    with reporter.stage(stage.name, n_bytes * len(todo)) as progress:
        run_frames(client, jobs(), on_task=progress.advance, on_frame=finish)
    finish_group(group)


def _new_group(
    root: zarr.Group,
    name: str,
    made: xr.Dataset,
    counted: dict[str, xr.Variable],
    history: dict[str, Any],
) -> zarr.Group:
    axes = {str(key): c.variable for key, c in made.coords.items() if c.dims == (key,)}
    specs = {
        str(key): ArraySpec(
            [str(dim) for dim in variable.dims],
            variable.shape,
            variable.dtype,
            chunks=_chunks(variable),
            attrs=variable.attrs,
        )
        for key, variable in made.variables.items()
        if key not in axes and key not in counted
    }
    return begin_group(root, name, specs, {**axes, **counted}, history)


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    if isinstance(variable.data, da.Array):
        return tuple(max(1, n) for n in variable.data.chunksize)
    return tuple(max(1, min(n, ROWS_PER_CHUNK)) for n in variable.shape)


def _write_numbers(arrays: Mapping[str, zarr.Array], made: xr.Dataset, lazy: set[str]) -> None:
    for name, array in arrays.items():
        if name in lazy or name not in made.variables or array.size == 0:
            continue
        with writing(array):
            writable(array)[...] = np.asarray(made[name].values)
