"""Steps that read the series several times, each time knowing what the last reading found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import dask
import numpy as np
import xarray as xr
from dask.delayed import Delayed

from daskstem.blocks.passes import ScanRegion


@dataclass(frozen=True, eq=False)
class Found:
    """What a part of a series has shown: numbers that add up, and a map's pieces.

    Attributes
    ----------
    numbers
        Arrays by name, added over parts in the order of the scan and of the frames.
    pieces
        Regions of the scan and a map's values there.
    """

    numbers: dict[str, np.ndarray]
    pieces: tuple[tuple[ScanRegion, np.ndarray], ...] = ()


def join_found(parts: Sequence[Found]) -> Found:
    """Add up what parts have shown, in order."""
    numbers: dict[str, np.ndarray] = {}
    for part in parts:
        for name, values in part.numbers.items():
            numbers[name] = numbers[name] + values if name in numbers else values
    return Found(numbers, tuple(piece for part in parts for piece in part.pieces))


@dataclass(frozen=True)
class Pass:
    """One reading of the series.

    Attributes
    ----------
    name
        What it is for, in a word or two; no two passes of a step share it.
    of_frame
        ``of_frame(ds, frame, shared)``: what one frame shows, a lazy ``Found``, from its
        Dataset.
    shared
        What the tasks of all frames are given.
    maps
        Makes maps of a frame, by name, of its Dataset, its number and what it has shown.
    join
        Joins what the frames have shown, in order.
    resumed
        Whether what finished frames have shown is kept for a run that is stopped; if not,
        the pass is short and begins anew.
    """

    name: str
    of_frame: Callable[[xr.Dataset, int, Any], Delayed]
    shared: Any = None
    maps: Callable[[xr.Dataset, int, Found], Mapping[str, np.ndarray]] | None = None
    join: Callable[[Sequence[Found]], Found] = join_found
    resumed: bool = True


class Iteration(Protocol):
    """A step in progress. Whoever drives it computes its passes and hands in the sums."""

    def next_pass(self) -> Pass | None:
        """Return what is to be read next; None when all is done."""

    def take(self, total: Found) -> None:
        """Take in what the whole series has shown in the pass."""

    def product(self) -> xr.Dataset:
        """Return all but the maps; before the last pass only names and shapes are right."""

    def state(self) -> dict[str, np.ndarray]:
        """Return what is needed to go on after the last pass taken in."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of the same step with the same parameters on the same patterns."""


@dataclass(eq=False)
class Progress:
    """How far a pass is: frames before ``frame`` are in ``total``."""

    frame: int = 0
    total: Found = field(default_factory=lambda: Found({}))

    def add(self, found: Found, todo: Pass) -> None:
        """Take in what the next frame has shown."""
        self.total = todo.join([self.total, Found(found.numbers)])
        self.frame += 1


def driven(
    iteration: Iteration, of_frame: Callable[[int], xr.Dataset], n_frames: int
) -> dict[str, np.ndarray]:
    """Compute the passes with Dask's current scheduler, a frame at a time.

    Returns
    -------
    (frame, scan_y, scan_x) maps, by name.
    """
    maps: dict[str, list[np.ndarray]] = {}
    while (todo := iteration.next_pass()) is not None:
        progress = Progress()
        for frame in range(n_frames):
            ds = of_frame(frame)
            (found,) = dask.compute(todo.of_frame(ds, frame, todo.shared))
            progress.add(found, todo)
            made = todo.maps(ds, frame, found) if todo.maps else {}
            for name, values in made.items():
                maps.setdefault(name, []).append(values)
        iteration.take(progress.total)
    return {name: np.stack(values) for name, values in maps.items()}
