"""What is shown while a run goes on: a bar per stage, its rate and the time left."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column


class Reporter:
    """Prints a run's progress to the terminal, or a line per stage where there is none."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(file=sys.stderr, quiet=quiet, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, markup=False)

    @contextmanager
    def stage(self, name: str, total_bytes: int) -> Iterator["StageProgress"]:
        """Show a stage that works through ``total_bytes``."""
        started = time.perf_counter()
        # all of it fits in the 80 columns of a terminal
        short = Column(max_width=24, no_wrap=True, overflow="ellipsis")
        columns = (
            TextColumn("{task.description}", table_column=short),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[frames]}"),
        )
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as bars:
            bar = bars.add_task(name, total=max(total_bytes, 1), rate="", frames="")
            progress = StageProgress(bars, bar, started)
            yield progress
        seconds = time.perf_counter() - started
        self.say(
            f"{name}: {progress.frames} in {seconds:.1f} s"
            + (f", {rate_text(progress.done_bytes, seconds)}" if progress.done_bytes else "")
        )


class StageProgress:
    """Progress of one stage."""

    def __init__(self, bars: Progress, bar: TaskID, started: float) -> None:
        self._bars = bars
        self._bar = bar
        self._started = started
        self.done_bytes = 0
        self.frames = "nothing to do"

    def advance(self, n_bytes: int) -> None:
        """Count work that is done."""
        self.done_bytes += n_bytes
        rate = rate_text(self.done_bytes, time.perf_counter() - self._started)
        self._bars.update(self._bar, advance=n_bytes, rate=rate)

    def frame_done(self, done: int, total: int) -> None:
        """Count a frame that is complete."""
        self.frames = f"{done} of {total} frames" if total > 1 else "1 frame"
        self._bars.update(self._bar, frames=self.frames)


def rate_text(n_bytes: int, seconds: float) -> str:
    """Say how many bytes of patterns go through per second.

    Examples
    --------
    >>> rate_text(3_200_000_000, 2.0)
    '1.60 GB/s'
    >>> rate_text(3_200_000, 2.0)
    '1.60 MB/s'
    """
    rate = n_bytes / max(seconds, 1e-9)
    return f"{rate / 1e9:.2f} GB/s" if rate >= 1e8 else f"{rate / 1e6:.2f} MB/s"


def size_text(n_bytes: float) -> str:
    """Say a number of bytes in decimal units.

    Examples
    --------
    >>> size_text(19_327_352_832)
    '19.33 GB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.4g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.4g} TB"
