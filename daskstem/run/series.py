"""Steps that read the whole series several times: pass by pass, each frame's share kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
import zarr
from distributed import Client, Future

from daskstem.io.layout import ArraySpec
from daskstem.io.store import RAW, OpenedStore, begin_group, finish_frames, finish_group
from daskstem.io.stored import StoredArray, missing_chunks
from daskstem.run.kept import KeptPasses
from daskstem.run.progress import Reporter, StageProgress
from daskstem.run.stages import (
    Stage,
    frame_bytes,
    frame_coordinates,
    frame_dataset,
    kept_group,
    raw_patterns,
)
from daskstem.run.tasks import FrameJob, run_frames, write_block
from daskstem.schema import variables
from daskstem.schema.dims import CLUSTER, FRAME, SCAN, Q
from daskstem.steps.passes import Found, Iteration, Pass, Progress
from daskstem.steps.registry import STEPS


def run_series(opened: OpenedStore, stage: Stage, client: Client, reporter: Reporter) -> None:
    """Run the passes of a step and write its products.

    What finished passes, and finished frames of the one at hand, have shown is kept until the
    step is done: a stopped run repeats at most the frames that were in flight.
    """
    call, root = stage.calls[0], opened.root
    if call.step.begin is None:
        raise TypeError(f"{call.step.name} does not say how it begins")
    raw = raw_patterns(root[RAW])
    n_frames, n_bytes = raw.shape[0], frame_bytes(raw) if stage.reads_patterns else 0
    of_frame = partial(_frame, opened, stage)
    iteration = call.step.begin(of_frame, n_frames, **call.parameters)
    kept = KeptPasses.of_group(root, call.step.group, stage.provenance[0]["key"])
    kept.restore(iteration)
    while (todo := iteration.next_pass()) is not None:
        progress = kept.progress(todo.name)
        group = _group(opened, stage, iteration, n_frames) if todo.maps else None
        if group is not None and progress.frame:
            # where a run was killed between keeping a frame and saying so
            finish_frames(group, range(progress.frame))
        running = _Running(client, of_frame, iteration, todo, progress, kept, group)
        left = n_bytes * (n_frames - progress.frame)
        with reporter.stage(f"{stage.name}, {todo.name}", left) as shown:
            running.run(n_frames, n_bytes, shown)
        iteration.take(progress.total)
        if todo.maps is None and todo.resumed:
            kept.write(iteration)
    _finish(root, stage, iteration)
    kept.forget()


@dataclass(frozen=True, eq=False)
class _Running:
    """A pass on its way through the frames."""

    client: Client
    of_frame: Callable[[int], xr.Dataset]
    iteration: Iteration
    todo: Pass
    progress: Progress
    kept: KeptPasses
    group: zarr.Group | None

    def run(self, n_frames: int, n_bytes: int, shown: StageProgress) -> None:
        """Compute what is left of the pass, a few frames at once."""
        shared = self.todo.shared
        if shared is not None:
            # once to each worker, not with every task
            shared = self.client.scatter(shared, hash=False)

        def jobs() -> Iterator[FrameJob]:
            for frame in range(self.progress.frame, n_frames):
                lazy = self.todo.of_frame(self.of_frame(frame), frame, shared)
                yield FrameJob(frame, dict(lazy.dask), {lazy.key: n_bytes})

        def done(job: FrameJob, futures: dict[Any, Future]) -> None:
            self._take(job.frame, self.client.gather(futures.popitem()[1]))
            shown.frame_done(job.frame + 1, n_frames)

        run_frames(self.client, jobs(), on_task=shown.advance, on_frame=done)

    def _take(self, frame: int, found: Found) -> None:
        if self.todo.maps is not None and self.group is not None:
            made = self.todo.maps(self.of_frame(frame), frame, found)
            for name, values in made.items():
                _write(self.group, name, values[np.newaxis], frame)
        self.progress.add(found, self.todo)
        if self.todo.resumed:
            self.kept.write(self.iteration, self.todo.name, self.progress)
        if self.group is not None:
            finish_frames(self.group, [frame])


def _frame(opened: OpenedStore, stage: Stage, frame: int) -> xr.Dataset:
    """Return a frame as the step sees it; with its clusters' patterns if they are used."""
    call = stage.calls[0]
    ds = frame_dataset(opened, stage.before, frame)
    if variables.pattern not in call.step.used(call.parameters):
        return ds
    table = opened.dataset(STEPS[variables.pattern.made_by].group)
    # the table goes frame by frame
    start, stop = np.searchsorted(table[variables.cluster_frame.name].values, [frame, frame + 1])
    means = table[variables.pattern.name].variable.isel({CLUSTER: slice(start, stop)})
    return ds.assign({variables.pattern.name: means})


def _group(opened: OpenedStore, stage: Stage, iteration: Iteration, n_frames: int) -> zarr.Group:
    """Open the step's group, or make it with arrays of the right shapes."""
    call, history, root = stage.calls[0], stage.provenance[0], opened.root
    if (found := kept_group(root, call.step.group, history["key"])) is not None:
        return found
    ds, made = frame_dataset(opened, stage.before, 0), iteration.product()
    specs = {
        str(name): ArraySpec(
            [str(dim) for dim in array.dims], array.shape, array.dtype,
            chunks=(1, *array.shape[1:]), attrs=array.attrs,
        )
        for name, array in made.data_vars.items()
    }  # fmt: skip
    for spec in call.step.makes:
        if spec.dims[0] == FRAME:
            shape = (n_frames, *(ds.sizes[dim] for dim in spec.dims[1:]))
            specs[spec.name] = ArraySpec(
                spec.dims, shape, np.dtype(np.int32), chunks=(1, *shape[1:]),
                attrs={"units": spec.units, "long_name": spec.about},
            )  # fmt: skip
    axes = {dim: ds.coords[dim].variable for dim in (*SCAN, *Q) if dim in ds.coords}
    coordinates = {str(key): c.variable for key, c in made.coords.items()}
    coordinates |= {**axes, **frame_coordinates(opened)}
    return begin_group(root, call.step.group, specs, coordinates, history)


def _finish(root: zarr.Group, stage: Stage, iteration: Iteration) -> None:
    group: Any = root[stage.calls[0].step.group]
    for name, array in iteration.product().data_vars.items():
        for first in range(array.sizes[array.dims[0]]):
            # written once: equal bytes written again would still be another file
            if missing_chunks(group[str(name)], first):
                _write(group, str(name), array.values[first : first + 1], first)
    finish_group(group)


def _write(group: zarr.Group, name: str, values: np.ndarray, first: int) -> None:
    array = group[name]
    if isinstance(array, zarr.Array):
        region = (slice(first, first + 1), *(slice(0, n) for n in values.shape[1:]))
        write_block(StoredArray.whole(array), region, values)
