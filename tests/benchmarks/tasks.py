"""What the tasks of a recipe take, stage by stage, from the scheduler's record of them."""

import re
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from dask.utils import key_split
from distributed import Client

import daskstem
from daskstem.run.execute import plan_recipe
from tests.benchmarks.cluster import Cluster
from tests.benchmarks.data import packed
from tests.benchmarks.model import Kind


@dataclass(frozen=True)
class StageTasks:
    """The tasks of one stage.

    Attributes
    ----------
    seconds
        From the first task's start to the last one's end.
    overhead_s
        What a worker's thread was idle, or moved results, for each task.
    kinds
        Tasks by name, of one frame.
    """

    stage: str
    seconds: float
    overhead_s: float
    kinds: tuple[Kind, ...]

    @property
    def n_tasks(self) -> int:
        return sum(kind.tasks for kind in self.kinds)


def tables(recipe: Path) -> list[str]:
    """Return the tables of a recipe, each with its heading."""
    return re.findall(r"^\[.*?(?=^\[|\Z)", recipe.read_text(), re.MULTILINE | re.DOTALL)


def recorded(
    at: Cluster, store: Path, recipe: Path, folder: Path, *, threads: int, frames: int = 1
) -> list[StageTasks]:
    """Run a recipe stage by stage on a cluster and return what its tasks took.

    Parameters
    ----------
    store
        Holds raw patterns and nothing else.
    threads
        Threads of all workers together.
    frames
        Frames in the store; numbers of tasks are given for one.
    """
    reads = {s.name: s for s in plan_recipe(recipe, store).stages}
    n_blocks = _blocks(store)
    shrunk = packed(store) / daskstem.open_series(store)["raw/patterns"].nbytes
    found = []
    for number, name in enumerate(reads):
        # what is there is kept, so every run adds one stage
        part = folder / f"until_{number}.toml"
        wanted = name.split(" + ")
        part.write_text("".join(_until(tables(recipe), wanted[-1])))
        records = _records(at, part, store)
        read_bytes = reads[name].read_bytes / frames * shrunk
        found.append(_stage(name, records, read_bytes, n_blocks, threads, frames))
    return found


def decoding_seconds(store: Path, n_blocks: int = 6) -> float:
    """Return what one thread takes to read one block from the page cache and decode it."""
    patterns = daskstem.open_series(store)["raw/patterns"].data
    blocks = [patterns.blocks[0, i % patterns.numblocks[1], i % patterns.numblocks[2]]
              for i in range(n_blocks)]  # fmt: skip
    seconds = []
    with dask.config.set(scheduler="synchronous"):
        for block in blocks:
            block.compute()
            started = time.perf_counter()
            block.compute()
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _until(found: Sequence[str], last: str) -> list[str]:
    names = [table[1 : table.index("]")] for table in found]
    return list(found[: names.index(last) + 1])


def _blocks(store: Path) -> int:
    blocks = daskstem.open_series(store)["raw/patterns"].data.numblocks
    return blocks[1] * blocks[2]


def _records(at: Cluster, recipe: Path, store: Path) -> list[dict[str, Any]]:
    with Client(at.address, set_as_default=False) as client:
        # asking once makes the scheduler keep its record
        client.get_task_stream(count=0)
        started = time.time()
        daskstem.run_recipe(recipe, store, scheduler=at.address, quiet=True)
        return list(client.get_task_stream(start=started))


def _stage(
    name: str,
    records: list[dict[str, Any]],
    read_bytes: float,
    n_blocks: int,
    threads: int,
    frames: int,
) -> StageTasks:
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        by_name[key_split(record["key"])].append(record)
    computing = {key: _spent(own, "compute") for key, own in by_name.items()}
    # patterns are read by the tasks that take the longest
    reader = max(computing, key=lambda key: computing[key], default="")
    kinds = []
    for key, own in by_name.items():
        tasks = max(1, round(len(own) / frames))
        kinds.append(
            Kind(
                stage=name, name=key, tasks=tasks, compute_s=computing[key] / len(own),
                read_bytes=read_bytes / tasks if key == reader else 0.0,
                moved_bytes=sum(r.get("nbytes") or 0 for r in own) / frames,
                per_block=tasks >= n_blocks,
            )
        )  # fmt: skip
    times = [t for r in records for s in r["startstops"] for t in (s["start"], s["stop"])]
    seconds = max(times) - min(times) if times else 0.0
    idle = threads * seconds - sum(computing.values())
    return StageTasks(name, seconds, max(idle, 0.0) / max(len(records), 1), tuple(kinds))


def _spent(records: list[dict[str, Any]], action: str) -> float:
    return sum(
        s["stop"] - s["start"] for r in records for s in r["startstops"] if s["action"] == action
    )
