"""What was measured, as rows of one table."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tests.benchmarks.contest import Timing


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    what
        The work.
    takes
        What daskstem takes.
    against, other_takes
        With what it is compared.
    wanted
        The ratio, how many times as fast daskstem is, that is wanted at least.
    peak_bytes, other_peak_bytes
        Peak memory over all processes.
    note
        What one must know to read the figure.
    unit
        What is compared.
    """

    what: str
    takes: float
    against: str
    other_takes: float
    wanted: float | None = None
    peak_bytes: int = 0
    other_peak_bytes: int = 0
    note: str = ""
    unit: Literal["seconds", "bytes"] = "seconds"

    @property
    def ratio(self) -> float:
        return self.other_takes / self.takes

    @property
    def verdict(self) -> str:
        if self.wanted is None:
            return ""
        return "met" if self.ratio >= self.wanted else "MISSED"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}


def compared(what: str, ours: Timing, against: str, other: Timing, **more: Any) -> Row:
    """Return the row of two timings, by their medians."""
    return Row(what, ours.seconds, against, other.seconds, peak_bytes=ours.peak_bytes,
               other_peak_bytes=other.peak_bytes, **more)  # fmt: skip


HEADINGS = ("what", "daskstem", "against", "takes", "ratio", "wanted", "", "peak", "its peak")


def printed(rows: Sequence[Row]) -> str:
    """Return the table as text, its notes below."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    left = {0, 2, 6}
    lines = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    notes = dict.fromkeys(f"{row.what}: {row.note}" for row in rows if row.note)
    return "\n".join([*lines, *notes])


def machine() -> str:
    """Say what was measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{platform.machine()}, {cores} cores, {memory:.0f} GiB, "
            f"Python {platform.python_version()}")  # fmt: skip


def _cells(row: Row) -> tuple[str, ...]:
    said = duration if row.unit == "seconds" else memory
    wanted = "" if row.wanted is None else f">= {row.wanted:g}"
    return (
        row.what, said(row.takes), row.against, said(row.other_takes),
        f"{row.ratio:.3g} x", wanted, row.verdict, memory(row.peak_bytes),
        memory(row.other_peak_bytes),
    )  # fmt: skip


def duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def memory(n_bytes: float) -> str:
    return f"{n_bytes / 2**30:.2f} GiB" if n_bytes else ""
