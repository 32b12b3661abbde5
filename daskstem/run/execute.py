"""Running a recipe on a store: frame by frame, resumable, in bounded memory."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from distributed import Client

from daskstem.io.layout import ArraySpec
from daskstem.io.store import (
    RAW,
    OpenedStore,
    begin_group,
    ensure_gathered,
    finish_frames,
    finish_group,
    finished_frames,
    is_finished,
    open_root,
    unfinished_raw,
)
from daskstem.io.writing import sole_writer
from daskstem.run.kept import forget_finished
from daskstem.run.linked import run_linked
from daskstem.run.plan import Plan, make_plan
from daskstem.run.progress import Reporter, StageProgress
from daskstem.run.recipe import Recipe, read_recipe, recipe_for_step
from daskstem.run.series import run_series
from daskstem.run.stages import (
    Stage,
    frame_bytes,
    frame_coordinates,
    frame_dataset,
    furthest_recipe,
    kept_group,
    raw_patterns,
    remove_replaced,
    remove_stale,
    stages,
)
from daskstem.run.tables import run_table
from daskstem.run.tasks import FrameJob, run_frames, write_job
from daskstem.run.workers import Resources, connected, resources
from daskstem.schema import variables
from daskstem.schema.dims import FRAME, SCAN, Q
from daskstem.schema.errors import InputError
from daskstem.steps.registry import STEPS


@dataclass(frozen=True)
class RunSummary:
    """What a run did, for the table at its end.

    Attributes
    ----------
    positions, clusters
        Number of probe positions and of clusters in the store.
    bytes_in, bytes_out
        Bytes of raw patterns, and of cluster patterns where there are any.
    seconds
        Seconds of each stage, in order; 0 for what was there already.
    """

    store: Path
    positions: int
    clusters: int | None
    bytes_in: int
    bytes_out: int | None
    seconds: dict[str, float]

    @property
    def reduction(self) -> float | None:
        """How many times smaller the cluster patterns are than the raw ones."""
        return self.bytes_in / self.bytes_out if self.bytes_out else None


def run_recipe(
    recipe: str | Path,
    store: str | Path,
    *,
    settings: Sequence[str] = (),
    workers: int | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> RunSummary:
    """Run a recipe on a store.

    What is already there, made with the same parameters from the same patterns, is kept;
    a run that was stopped is continued by the same call.

    Parameters
    ----------
    recipe
        Path of a TOML recipe, or the name of one that comes with daskstem.
    store
        Path of a store.
    settings
        Overrides such as ``grow.threshold=0.9``.
    workers
        Worker processes; one worker means threads of this process.
    memory_limit
        Memory over all processes, such as ``4GiB``; by default 80 % of the machine's.
    scheduler
        Address of a running Dask scheduler to use instead.
    quiet
        Print nothing.

    Returns
    -------
    RunSummary

    Raises
    ------
    InputError
        If recipe, store or parameters are wrong, or the run cannot fit in memory or disk.

    Examples
    --------
    >>> import daskstem, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = daskstem.simulate(f"{folder}/s.zarr", shape=(1, 24, 24, 48, 48))
    ...     daskstem.run_recipe("default", store, quiet=True).positions
    576
    """
    available = resources(workers=workers, memory_limit=memory_limit, scheduler=scheduler)
    checked = read_recipe(recipe, settings)
    return _run(checked, _complete_root(store, mode="r+"), Path(store), available, quiet)


def run_step(
    name: str,
    store: str | Path,
    *,
    parameters: Mapping[str, Any],
    workers: int | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> RunSummary:
    """Run a single step on a store, after the steps whose products are there.

    Parameters and errors are those of ``run_recipe``, with one step's name and parameters
    in place of a recipe.
    """
    if name in STEPS and STEPS[name].kind == "view":
        raise InputError(
            f"{name} makes a view of the patterns, which is not stored; put it into a recipe "
            f"before the steps that are to see it"
        )
    available = resources(workers=workers, memory_limit=memory_limit, scheduler=scheduler)
    root = _complete_root(store, mode="r+")
    checked = recipe_for_step(name, parameters, furthest_recipe(root))
    return _run(checked, root, Path(store), available, quiet)


def plan_recipe(
    recipe: str | Path,
    store: str | Path,
    *,
    settings: Sequence[str] = (),
    workers: int | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
) -> Plan:
    """Say what ``run_recipe`` would take; nothing is computed or written.

    Parameters and errors are those of ``run_recipe``.
    """
    available = resources(workers=workers, memory_limit=memory_limit, scheduler=scheduler)
    checked = read_recipe(recipe, settings)
    root = _complete_root(store, mode="r")
    return make_plan(OpenedStore(root), stages(checked, root), available)


def _complete_root(store: str | Path, *, mode: str) -> zarr.Group:
    root = open_root(store, mode=mode)
    if not is_finished(root, RAW):
        raise InputError(unfinished_raw(root))
    return root


def _run(
    recipe: Recipe, root: zarr.Group, store: Path, available: Resources, quiet: bool
) -> RunSummary:
    reporter = Reporter(quiet=quiet)
    with sole_writer(root):
        forget_finished(root)
        found = stages(recipe, root)
        opened = OpenedStore(root)
        plan = make_plan(opened, found, available)
        stored = [stage for stage in found if stage.kind != "view"]
        if all(stage.is_done(root) for stage in stored):
            reporter.say("everything is already there")
            ensure_gathered(root)
            return summary_of(root, store, {stage.name: 0.0 for stage in stored})
        seconds: dict[str, float] = {}
        with connected(available, plan.threads) as client:
            reporter.say(f"dashboard: {client.dashboard_link}")
            # what an earlier run was killed before it would have removed
            remove_stale(root, reporter.say)
            for stage in stored:
                started = time.perf_counter()
                did = _run_stage(opened, stage, client, reporter, available)
                seconds[stage.name] = time.perf_counter() - started if did else 0.0
        ensure_gathered(root)
    return summary_of(root, store, seconds)


def summary_of(root: zarr.Group, store: Path, seconds: dict[str, float]) -> RunSummary:
    """Read the key figures of a store."""
    patterns = raw_patterns(root[RAW])
    clusters = STEPS["average"].group
    done = is_finished(root, clusters)
    made: Any = root[f"{clusters}/{variables.pattern.name}"] if done else None
    return RunSummary(
        store=store,
        positions=int(np.prod(patterns.shape[:3])),
        clusters=None if made is None else made.shape[0],
        bytes_in=patterns.nbytes,
        bytes_out=None if made is None else made.nbytes,
        seconds=seconds,
    )


def _run_stage(
    opened: OpenedStore, stage: Stage, client: Client, reporter: Reporter, available: Resources
) -> bool:
    """Run one stage and return whether there was something to do."""
    root = opened.root
    if stage.is_done(root):
        reporter.say(f"{stage.name}: already there")
        return False
    remove_replaced(root, stage, reporter.say)
    if stage.kind == "table":
        run_table(opened, stage, client, reporter, available)
        return True
    if stage.kind in ("linked", "series"):
        (run_linked if stage.kind == "linked" else run_series)(opened, stage, client, reporter)
        return True
    n_frames = raw_patterns(root[RAW]).shape[0]
    ds = frame_dataset(opened, stage.before, 0)
    first = stage.made_from(ds)
    groups = _groups(opened, stage, ds, first, n_frames)
    done = {name: set(finished_frames(group)) for name, group in groups.items()}
    todo = [frame for frame in range(n_frames) if any(frame not in d for d in done.values())]
    n_bytes = _bytes_per_frame(root, stage, first)

    def job(frame: int) -> FrameJob:
        made = stage.made_from(frame_dataset(opened, stage.before, frame)) if frame else first
        # what is complete is not written again
        without = {name: group for name, group in groups.items() if frame not in done[name]}
        return _job(stage, without, frame, made, n_bytes)

    with reporter.stage(stage.name, n_bytes * len(todo)) as progress:
        run_frames(
            client,
            map(job, todo),
            on_task=progress.advance,
            on_frame=partial(_frame_done, list(groups.values()), progress, n_frames),
        )
    for group in groups.values():
        finish_group(group)
    return True


def _job(
    stage: Stage, groups: dict[str, zarr.Group], frame: int, made: xr.Dataset, n_bytes: int
) -> FrameJob:
    arrays, targets = {}, {}
    for call in stage.calls:
        if call.step.group not in groups:
            continue
        for spec in call.step.makes:
            if spec.name not in made:
                continue
            target = groups[call.step.group][spec.name]
            if isinstance(target, zarr.Array):
                # a cropped or binned scan has blocks of several sizes, a stored array of one:
                # two tasks that write to one file would undo each other's work
                arrays[spec.name] = made[spec.name].data.rechunk(target.chunks)
                targets[spec.name] = target
    return write_job(frame, arrays, targets, n_bytes)


def _frame_done(
    groups: list[zarr.Group], progress: StageProgress, total: int, job: FrameJob, _: Any
) -> None:
    for group in groups:
        finish_frames(group, [job.frame])
    progress.frame_done(len(finished_frames(groups[0])), total)


def _groups(
    opened: OpenedStore, stage: Stage, ds: xr.Dataset, made: xr.Dataset, n_frames: int
) -> dict[str, zarr.Group]:
    """Open the stage's groups, making those that are not there or have another history."""
    axes = {dim: ds.coords[dim].variable for dim in (*SCAN, *Q) if dim in ds.coords}
    axes |= frame_coordinates(opened)
    groups = {}
    for call, history in zip(stage.calls, stage.provenance, strict=True):
        name = call.step.group
        found = kept_group(opened.root, name, history["key"])
        if found is None:
            names = [spec.name for spec in call.step.makes if spec.name in made]
            found = _new_group(opened.root, name, made[names], axes, n_frames, history)
        groups[name] = found
    return groups


def _new_group(
    root: zarr.Group,
    name: str,
    made: xr.Dataset,
    axes: Mapping[str, xr.Variable],
    n_frames: int,
    history: dict[str, Any],
) -> zarr.Group:
    specs = {
        str(key): ArraySpec(
            [str(dim) for dim in array.dims],
            (n_frames, *array.shape[1:]),
            array.dtype,
            chunks=(1, *array.data.chunksize[1:]),
            attrs=array.attrs,
        )
        for key, array in made.data_vars.items()
    }
    coordinates = {str(key): c.variable for key, c in made.coords.items() if FRAME not in c.dims}
    coordinates |= {dim: c for dim, c in axes.items() if set(c.dims) <= set(made.dims)}
    return begin_group(root, name, specs, coordinates, history)


def _bytes_per_frame(root: zarr.Group, stage: Stage, made: xr.Dataset) -> int:
    if stage.reads_patterns:
        return frame_bytes(raw_patterns(root[RAW]))
    return int(sum(array.nbytes for array in made.data_vars.values()))
