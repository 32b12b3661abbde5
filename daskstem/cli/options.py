"""Options that several commands share, and how their values are read."""

from collections.abc import Callable
from typing import Any

import click


def resource_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what a run may use."""
    for option in (
        click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler to use."),
        click.option("--memory-limit", metavar="SIZE",
                     help="Memory over all processes, such as 4GiB [default: 80% of it]."),
        click.option("--workers", type=click.IntRange(min=1), metavar="N",
                     help="Worker processes; one means threads of this process."),
    ):  # fmt: skip
        command = option(command)
    return command


def whole_numbers(count: int | None) -> Callable[..., tuple[int, ...] | None]:
    """Return a reader of ``N,N,...``, of ``count`` numbers if that is given."""

    def read(_: click.Context, option: click.Parameter, text: str | None) -> Any:
        return None if text is None else _numbers(option, text, int, count)

    return read


def floats(_: click.Context, option: click.Parameter, text: str | None) -> Any:
    """Read ``V,V,...``."""
    return None if text is None else _numbers(option, text, float, None)


def _numbers(
    option: click.Parameter, text: str, kind: Callable[[str], Any], count: int | None
) -> tuple[Any, ...]:
    try:
        numbers = tuple(kind(part) for part in text.replace("x", ",").split(","))
    except ValueError as error:
        problem = f"{text!r}: expected numbers such as 4,5"
        raise click.BadParameter(problem, param=option) from error
    if count is not None and len(numbers) != count:
        raise click.BadParameter(f"{text!r}: expected {count} numbers", param=option)
    return numbers
