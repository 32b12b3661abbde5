"""Tables that commands print."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from daskstem.run.progress import size_text

if TYPE_CHECKING:
    from daskstem.run.execute import RunSummary
    from daskstem.run.plan import Plan


def show_summary(summary: "RunSummary") -> None:
    """Print what a run did."""
    figures = Table(box=None, show_header=False, pad_edge=False)
    figures.add_row("positions", f"{summary.positions}")
    if summary.clusters is not None:
        figures.add_row("clusters", f"{summary.clusters}")
    figures.add_row("bytes in", size_text(summary.bytes_in))
    if summary.bytes_out is not None:
        figures.add_row("bytes out", size_text(summary.bytes_out))
    if summary.reduction is not None:
        figures.add_row("reduction", f"{summary.reduction:.0f} x")
    for name, seconds in summary.seconds.items():
        figures.add_row(name, f"{seconds:.1f} s" if seconds else "already there")
    _console().print(figures)


def show_plan(plan: "Plan") -> None:
    """Print what a run will take."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("state", no_wrap=True)
    for heading in ("tasks", "read", "halo", "memory", "disk"):
        table.add_column(heading, justify="right")
    for stage in plan.stages:
        table.add_row(
            stage.name,
            "there" if stage.done else "to do",
            str(stage.tasks),
            size_text(stage.read_bytes) if stage.read_bytes else "maps",
            f"{stage.halo:.2f} x" if stage.read_bytes else "",
            size_text(stage.task_bytes) if stage.task_bytes else "",
            size_text(stage.disk_bytes) if stage.disk_bytes else "",
        )
    console = _console()
    console.print(table)
    frames = "frame" if plan.n_frames == 1 else "frames"
    threads = "thread" if plan.threads == 1 else "threads"
    console.print(
        f"{plan.n_frames} {frames}, {plan.threads} {threads} per worker, "
        f"{size_text(plan.memory_bytes)} of memory over all processes, "
        f"{size_text(plan.disk_free)} of disk free\n"
        f"tasks are those of a frame, memory is that of a task, disk is at most"
    )


def show_store(store: str) -> None:
    """Print what is in a store."""
    from daskstem.run.inspect import inspected
    from daskstem.view.info import describe

    _console().print(describe(inspected(store)))


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)
