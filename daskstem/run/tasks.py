"""Sending frames to the workers, a bounded number at a time, and writing what they make."""

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, Final, NamedTuple

import dask.array as da
import numpy as np
import zarr
from dask.base import tokenize
from distributed import Client, Future, KilledWorker, as_completed
from distributed.client import FutureCancelledError

from daskstem.io.layout import write_region
from daskstem.io.stored import StoredArray
from daskstem.io.writing import writing
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region

FRAMES_IN_FLIGHT: Final = 2
"""One frame computes while the next is queued; more would only lengthen the queue."""


@dataclass(frozen=True)
class FrameJob:
    """The tasks of one frame: a Dask graph and the keys that write or return something."""

    frame: int
    graph: dict[Any, Any]
    keys: dict[Any, int]
    """Key of every final task, with the bytes of patterns it stands for."""
    meanwhile: Callable[[], None] | None = None
    """What is done here while the tasks run."""


_Active = tuple[FrameJob, dict[Any, Future], set[Any]]


def run_frames(
    client: Client,
    jobs: Iterable[FrameJob],
    *,
    on_task: Callable[[int], None],
    on_frame: Callable[[FrameJob, dict[Any, Future]], None],
) -> None:
    """Run the jobs, a few frames at once; frames are finished in order.

    Raises
    ------
    InputError
        If the disk is full, or a task met a user's mistake such as a damaged chunk.
    """
    waiting = iter(jobs)
    active: list[_Active] = []
    completed = as_completed(loop=client.loop)
    try:
        while True:
            while len(active) < FRAMES_IN_FLIGHT and (job := next(waiting, None)) is not None:
                futures = _submit(client, job)
                completed.update(futures.values())
                active.append((job, futures, set(job.keys)))
                if job.meanwhile is not None:
                    job.meanwhile()
            if not active:
                return
            # a frame without clusters has no tasks to wait for
            if active[0][2]:
                _count(next(completed), active, on_task)
            while active and not active[0][2]:
                job, futures, _ = active.pop(0)
                on_frame(job, futures)
    finally:
        client.cancel([f for _, futures, _ in active for f in futures.values()])


def write_job(
    frame: int,
    arrays: Mapping[str, da.Array],
    targets: Mapping[str, zarr.Array],
    n_bytes: int,
    *,
    axes: Mapping[str, int] | None = None,
) -> FrameJob:
    """Return the job that computes arrays of one frame and writes every block of them.

    Blocks of several arrays that lie at the same place are written by the same task.

    Parameters
    ----------
    frame
        Its number, where it lies in the targets.
    arrays
        Lazy arrays of this frame alone, whose chunks are those of the targets.
    targets
        Zarr arrays to write into.
    n_bytes
        Bytes of patterns that the frame stands for, shared out to the blocks.
    axes
        Along which axis of an array frames are counted; the first where it says nothing.
    """
    axes = {} if axes is None else axes
    graph: dict[Any, Any] = {}
    together: dict[Any, list[_Write]] = {}
    for name, array in arrays.items():
        # of a series' graph what this frame needs
        graph |= dict(array.dask.cull(array.__dask_keys__()))
        target = StoredArray.whole(targets[name])
        for index in np.ndindex(array.numblocks):
            region = _region(array, index, axes.get(name, 0), frame)
            write = _Write(name, target, region, (array.name, *index))
            # by frame, rows and columns: whatever else an array counts lies in the same task
            together.setdefault((array.numblocks[:3], index[:3]), []).append(write)
    token = tokenize(
        "write", [(array.name, str(targets[n].store_path)) for n, array in arrays.items()], frame
    )
    keys: dict[Any, int] = {}
    for (_, index), writes in together.items():
        names = "-".join(dict.fromkeys(write.name for write in writes))
        key = (f"write-{names}-{token}", *index)
        blocks = [(write.target, write.region) for write in writes]
        graph[key] = (partial(_write_blocks, blocks), *(write.block for write in writes))
        keys[key] = sum(prod(s.stop - s.start for s in write.region) for write in writes)
    total = sum(keys.values()) or 1
    return FrameJob(frame, graph, {key: n_bytes * size // total for key, size in keys.items()})


class _Write(NamedTuple):
    name: str
    target: StoredArray
    region: Region
    block: Any


# What is made of one block goes in one task: a task takes a millisecond besides its work, and 30
# fewer of them 36 ms of the 1.3 s that a recipe takes on 128 x 128 positions.
def _write_blocks(places: Sequence[tuple[StoredArray, Region]], *blocks: np.ndarray) -> None:
    for (target, region), block in zip(places, blocks, strict=True):
        write_block(target, region, block)


# Dask hashes what its tasks hold, all of it: of a bare Zarr array that takes 0.7 ms each time.
def write_block(target: StoredArray, region: Region, block: np.ndarray) -> None:
    """Write one block; a whole file of the store, complete or absent.

    Raises
    ------
    InputError
        If the disk is full or cannot be written.
    """
    with writing(target.array):
        write_region(target.array, region, block)


def _count(future: Future, active: list[_Active], on_task: Callable[[int], None]) -> None:
    if future.status != "finished":
        raise _reason(future)
    for job, _, pending in active:
        if future.key in pending:
            pending.discard(future.key)
            on_task(job.keys[future.key])


def _submit(client: Client, job: FrameJob) -> dict[Any, Future]:
    keys = list(job.keys)
    # earlier frames first, so that they are finished and forgotten first
    found = client.get(job.graph, keys, sync=False, priority=-job.frame)
    return {future.key: future for future in found}


def _region(array: da.Array, index: tuple[int, ...], axis: int, frame: int) -> Region:
    starts = (sum(sizes[:i]) for sizes, i in zip(array.chunks, index, strict=True))
    spans = [
        slice(start, start + sizes[i])
        for start, sizes, i in zip(starts, array.chunks, index, strict=True)
    ]
    spans[axis] = slice(frame, frame + 1)
    return tuple(spans)


def _reason(future: Future) -> BaseException:
    error = future.exception()
    if isinstance(error, BaseException) and not isinstance(
        error, (KilledWorker, CancelledError, FutureCancelledError)
    ):
        return error
    return InputError(
        "workers were lost, for want of memory as a rule; run the same command again to "
        "continue, with a lower --memory-limit or fewer --workers"
    )
