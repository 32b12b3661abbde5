"""How long a frame takes on more cores than there are here, from the tasks measured here.

Assumptions, all of them on the safe side or named:

1. A stage is its kinds of tasks one after the other, and a kind of n tasks on N cores takes
   ceil(n / N) times one task. Nothing of the next kind or stage overlaps it.
2. A task takes as long as it did here with every core busy, so what cores of one node take
   from each other is in it.
3. A task first reads, then computes. All cores share the file system's bandwidth evenly, and
   one reader gets no more than a single stream's. Decoding was measured, with the computing.
4. Results cross the network once, over one worker's link, unless one worker made them all.
5. The scheduler takes the same time for every task, one after the other, beside the workers.
6. Kinds with a task for every block get more tasks on a larger frame; all others take longer.
7. In a series two frames are under way at once; stages do not overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

IN_FLIGHT: Final = 2
"""Frames under way at once, ``daskstem.run.tasks.FRAMES_IN_FLIGHT``."""
MOST_CORES: Final = 4096


@dataclass(frozen=True)
class Kind:
    """The tasks of one name in one stage, for one frame.

    Attributes
    ----------
    tasks
        Their number.
    compute_s
        What one takes, decoding included.
    read_bytes
        What one reads from the disk, packed.
    moved_bytes
        What all of them together hand to other tasks.
    per_block
        Whether there is one for every block.
    """

    stage: str
    name: str
    tasks: int
    compute_s: float
    read_bytes: float = 0.0
    moved_bytes: float = 0.0
    per_block: bool = True


@dataclass(frozen=True)
class Machine:
    """A cluster: bandwidths in bytes per second, the scheduler's seconds for each task."""

    cores: int
    file_system: float
    stream: float
    network: float
    scheduler_s: float


@dataclass(frozen=True)
class Taken:
    """Seconds of one frame, by what they are spent on; the scheduler's run beside them."""

    compute: float
    read: float
    transfer: float
    scheduler: float

    @property
    def seconds(self) -> float:
        return max(self.compute + self.read + self.transfer, self.scheduler)

    @property
    def bound(self) -> str:
        spent = {"computing": self.compute, "reading": self.read, "transfer": self.transfer}
        longest = max(spent, key=lambda name: spent[name])
        return "the scheduler" if self.scheduler >= sum(spent.values()) else longest


def scaled(kinds: Sequence[Kind], factor: float) -> list[Kind]:
    """Return the tasks of a frame with so many times the positions."""
    return [
        replace(kind, tasks=round(kind.tasks * factor), moved_bytes=kind.moved_bytes * factor)
        if kind.per_block
        else replace(
            kind, compute_s=kind.compute_s * factor, read_bytes=kind.read_bytes * factor,
            moved_bytes=kind.moved_bytes * factor,
        )
        for kind in kinds
    ]  # fmt: skip


def one_frame(kinds: Sequence[Kind], machine: Machine) -> Taken:
    """Return what a single frame takes: strong scaling."""
    return _taken(kinds, machine, frames=1)


def series(kinds: Sequence[Kind], machine: Machine, frames: int) -> Taken:
    """Return what so many frames take together: weak scaling, with as many more cores."""
    return _taken(kinds, machine, frames)


def cores_for(kinds: Sequence[Kind], machine: Machine, seconds: float) -> int | None:
    """Return the least number of cores on which a frame takes no longer, None if none do."""
    for cores in range(1, MOST_CORES + 1):
        if one_frame(kinds, replace(machine, cores=cores)).seconds <= seconds:
            return cores
    return None


def _taken(kinds: Sequence[Kind], machine: Machine, frames: int) -> Taken:
    compute = read = transfer = 0.0
    for kind in kinds:
        tasks = kind.tasks * frames
        # of a series two frames at a time are under way
        at_once = min(machine.cores, kind.tasks * min(frames, IN_FLIGHT))
        waves = ceil(tasks / at_once) if at_once else 0
        rate = min(machine.stream, machine.file_system / max(at_once, 1))
        compute += waves * kind.compute_s
        read += waves * kind.read_bytes / rate
        if machine.cores > 1:
            transfer += frames * kind.moved_bytes / machine.network
    n_tasks = frames * sum(kind.tasks for kind in kinds)
    return Taken(compute, read, transfer, n_tasks * machine.scheduler_s)
