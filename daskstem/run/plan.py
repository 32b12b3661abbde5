"""What a recipe will take, said before anything runs; what cannot fit is refused."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dask.array as da
import numpy as np
import psutil
import xarray as xr
import zarr

from daskstem.chunks.tiling import halo_factor, haloed_sizes, joined_blocks
from daskstem.io.store import RAW, OpenedStore
from daskstem.run.stages import Stage, raw_patterns
from daskstem.run.workers import Resources
from daskstem.schema import variables
from daskstem.schema.dims import CLUSTER, FRAME, MAP, SCAN, Q
from daskstem.schema.errors import InputError
from daskstem.schema.merging import updated
from daskstem.steps.step import Step

COMPILED_BYTES: Final = 200 * 2**20
"""What a process grows by when kernels are compiled and codecs have buffers (measured)."""
DECODE_SHARE: Final = 0.25
"""Chunks being decoded while a block is read, as a share of the block (measured)."""
WORKER_BYTES: Final = 300 * 2**20
"""Resident memory of a worker process of its own once the kernels are loaded (measured)."""


@dataclass(frozen=True)
class StagePlan:
    """What one stage will take, for the frames that are still to be done.

    Attributes
    ----------
    name
        Its steps.
    done
        Whether there is nothing left to do.
    tasks
        Tasks on one frame.
    read_bytes
        Bytes of patterns read, halos included, over all frames; in each reading, where a step
        takes several.
    halo
        Positions read for each one computed.
    task_bytes
        Memory of one task.
    disk_bytes
        Uncompressed bytes that it writes, over all frames.
    """

    name: str
    done: bool
    tasks: int
    read_bytes: int
    halo: float
    task_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class Plan:
    """Plans of all stages, and how many threads of each worker fit in memory."""

    stages: tuple[StagePlan, ...]
    n_frames: int
    threads: int
    memory_bytes: int
    disk_free: int


def make_plan(opened: OpenedStore, found: list[Stage], available: Resources) -> Plan:
    """Plan the stages of a recipe; reads and computes nothing of the data.

    Every step is applied to the first frame, lazily, so whatever a step would refuse is
    refused here, before anything runs.

    Raises
    ------
    InputError
        If a step refuses its input, memory is too small for one task, or the disk for the
        products.
    """
    root = opened.root
    n_frames = raw_patterns(root[RAW]).shape[0]
    ds = opened.dataset(RAW, frames=slice(0, 1)).drop_attrs(deep=False)
    planned = []
    for stage in found:
        made = _dry(stage, ds, n_frames)
        done = stage.kind != "view" and stage.is_done(root)
        planned.append(_stage_plan(stage, ds, made, n_frames, done))
        if stage.kind not in ("series", "linked"):
            ds = updated(ds, made)
    left = {stage.name: stage.task_bytes for stage in planned if not stage.done}
    threads, memory = fitting_threads(left, available)
    free = _free_bytes(root)
    needed = sum(stage.disk_bytes for stage in planned if not stage.done)
    if free is not None and needed > free:
        raise InputError(
            f"the products need up to {needed / 1e9:.2f} GB of disk, {free / 1e9:.2f} GB are "
            f"free at {root.store_path}; free some space or leave steps out"
        )
    return Plan(tuple(planned), n_frames, threads, memory, free or 0)


def _dry(stage: Stage, ds: xr.Dataset, n_frames: int) -> xr.Dataset:
    if stage.kind == "linked":
        _refuse_unlinkable(stage, ds)
        return xr.Dataset()
    call = stage.calls[0]
    if call.step.begin is not None:
        call.step.begin(lambda _: ds, n_frames, **call.parameters)
        return _maps_of(call.step, ds)
    if stage.kind != "table":
        return stage.made_from(ds)
    # a table's length is known only from labels; what it needs can be checked all the same
    for spec in (variables.patterns, variables.label, variables.mean_similarity):
        variables.require(ds, spec)
    if stage.calls[0].parameters.get("of") == "filtered":
        variables.require(ds, variables.weights)
    one = da.zeros((1, *(ds.sizes[dim] for dim in Q)), dtype=np.float32)
    return xr.Dataset({variables.pattern.name: variables.pattern.wrap(one)})


def _maps_of(step: Step, ds: xr.Dataset) -> xr.Dataset:
    """Return the maps that a step of several passes makes, empty."""
    maps = {spec.name: spec for spec in step.makes if spec.dims == MAP}
    return xr.Dataset(
        {n: s.wrap(da.zeros([ds.sizes[d] for d in MAP], dtype=np.int32)) for n, s in maps.items()}
    )


def _refuse_unlinkable(stage: Stage, ds: xr.Dataset) -> None:
    call = stage.calls[0]
    if call.parameters.get("masks") is not None:
        return
    variables.require(ds, variables.label)
    image = call.parameters.get("drift", "none")
    if image != "none":
        variables.require(ds, getattr(variables, image))
    known = {
        spec for c in stage.before if c.step.kind in ("table", "linked") for spec in c.step.makes
    }
    for spec in call.step.needs:
        if spec.dims[:1] == (CLUSTER,) and spec not in known:
            variables.require(ds, spec)


def _stage_plan(
    stage: Stage, ds: xr.Dataset, made: xr.Dataset, n_frames: int, done: bool
) -> StagePlan:
    patterns = ds[variables.patterns.name]
    halo = sum(call.step.halo(call.parameters, ds) for call in stage.calls)
    pattern_bytes = ds.sizes[Q[0]] * ds.sizes[Q[1]] * patterns.dtype.itemsize
    _, by_row, by_column, *_ = patterns.chunks  # type: ignore[misc]
    joined_for = max(halo, 1) if stage.kind == "table" else halo
    scan_chunks = joined_blocks((by_row, by_column), joined_for, pattern_bytes)
    reads = stage.reads_patterns and stage.kind != "view"
    # the halo of a table's step is of maps, its patterns are read once
    factor = halo_factor(scan_chunks, halo) if reads and stage.kind != "table" else 1.0
    frame_bytes = patterns.nbytes
    tasks = sum(int(np.prod(v.data.numblocks)) for v in made.data_vars.values() if v.chunks)
    if stage.kind in ("table", "series"):
        tasks = len(scan_chunks[0]) * len(scan_chunks[1])
    if stage.kind == "linked":
        tasks = 1
    is_view = stage.kind == "view"
    return StagePlan(
        name=stage.name,
        done=done,
        tasks=0 if is_view else tasks,
        read_bytes=int(frame_bytes * factor) * n_frames if reads else 0,
        halo=factor,
        task_bytes=_task_bytes(stage, ds, scan_chunks, halo) if reads else 0,
        disk_bytes=0 if is_view else _disk_bytes(stage, ds, made) * n_frames,
    )


def _task_bytes(stage: Stage, ds: xr.Dataset, scan_chunks: tuple[Any, Any], halo: int) -> int:
    patterns = ds[variables.patterns.name]
    pixels = ds.sizes[Q[0]] * ds.sizes[Q[1]]
    largest = tuple(max(haloed_sizes(sizes, halo)) for sizes in scan_chunks)
    positions = largest[0] * largest[1]
    block = positions * pixels * patterns.dtype.itemsize
    if stage.kind == "table":
        # summed as they are read: no more of them than a file of the store holds
        block = min(block, int(np.prod(patterns.data.chunksize)) * patterns.dtype.itemsize)
    rows = sum(min(call.step.float_rows(call.parameters), largest[0]) for call in stage.calls)
    working = int(rows) * largest[1] * pixels * 4
    working += sum(call.step.working_bytes(call.parameters, ds) for call in stage.calls)
    if stage.kind in ("table", "linked"):
        # a cluster is rarely smaller than 16 positions; each has a float64 sum
        ways = 2 if stage.calls[0].parameters.get("of") == "filtered" else 1
        working += positions // 16 * pixels * 8 * ways
    return int(block * (1 + DECODE_SHARE)) + working


def _disk_bytes(stage: Stage, ds: xr.Dataset, made: xr.Dataset) -> int:
    if stage.kind in ("table", "linked"):
        positions = ds.sizes[SCAN[0]] * ds.sizes[SCAN[1]]
        return positions // 32 * ds.sizes[Q[0]] * ds.sizes[Q[1]] * 4
    return int(sum(v.nbytes for v in made.data_vars.values() if FRAME in v.dims))


def fitting_threads(task_bytes: Mapping[str, int], available: Resources) -> tuple[int, int]:
    """Return how many threads per worker fit, and the memory this takes over all processes.

    Parameters
    ----------
    task_bytes
        Memory of one task, by stage.
    available
        What the run may use.

    Raises
    ------
    InputError
        If the memory does not suffice for one task per worker.
    """
    own = psutil.Process(os.getpid()).memory_info().rss + COMPILED_BYTES
    base = own if available.workers == 1 else own + available.workers * WORKER_BYTES
    worst = max(task_bytes, key=lambda name: task_bytes[name], default="")
    largest = task_bytes.get(worst, 0)
    if available.scheduler is not None or largest == 0:
        return available.threads, base
    per_worker = (available.memory_limit - base) / available.workers
    threads = min(available.threads, int(per_worker // largest))
    if threads < 1:
        raise InputError(
            f"{worst!r} needs {(base + available.workers * largest) / 2**30:.2f} GiB for "
            f"one task per worker, the limit is {available.memory_limit / 2**30:.2f} GiB; raise "
            f"--memory-limit or use fewer --workers"
        )
    return threads, base + available.workers * threads * largest


def _free_bytes(root: zarr.Group) -> int | None:
    place = getattr(root.store_path.store, "root", None)
    return shutil.disk_usage(place).free if isinstance(place, Path) else None
