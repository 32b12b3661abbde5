"""Help that shows the way: commands under headings, an example for each."""

from collections.abc import Sequence
from typing import Any, Final

import click

SECTIONS: Final = ("First look", "Your data", "Computing", "Results")
"""Headings of the list of commands, in the order of the work."""


class Command(click.Command):
    """A command with examples, and a heading in the list of commands.

    Parameters
    ----------
    section
        One of ``SECTIONS``; without one it is listed at the end.
    examples
        Command lines as a user would type them.
    """

    def __init__(
        self, *args: Any, section: str = "", examples: Sequence[str] = (), **rest: Any
    ) -> None:
        super().__init__(*args, **rest)
        self.section = section
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        write_lines(formatter, "Examples", self.examples)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A group of commands with a heading and examples of its own."""

    command_class = Command

    def __init__(
        self, *args: Any, section: str = "", examples: Sequence[str] = (), **rest: Any
    ) -> None:
        super().__init__(*args, **rest)
        self.section = section
        self.examples = tuple(examples)

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names in the order of the work, not of the alphabet."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings; what has none comes last."""
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        width = max((len(name) for name in found), default=0)
        for title in (*SECTIONS, ""):
            rows = [
                (name.ljust(width), command.get_short_help_str(formatter.width - 6 - width))
                for name, command in found.items()
                if command is not None and getattr(command, "section", "") == title
            ]
            if rows:
                with formatter.section(title or "Commands"):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the commands."""
        write_lines(formatter, "Examples", self.examples)
        super().format_epilog(ctx, formatter)


def write_lines(formatter: click.HelpFormatter, title: str, lines: Sequence[str]) -> None:
    """Write lines under a heading as they are: a command that is wrapped cannot be copied."""
    if not lines:
        return
    with formatter.section(title):
        for line in lines:
            formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def in_one_line(error: click.ClickException) -> str:
    """Say what was wrong with a command line, with the command that shows what is right."""
    said = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return said
    examples = getattr(context.command, "examples", ())
    like = f", or type it like '{examples[0]}'" if examples else ""
    return f"{said}; see '{context.command_path} --help'{like}"
