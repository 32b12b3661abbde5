"""Commands written in documents and scripts, read as the command line reads them."""

import shlex

import click

from daskstem.cli.main import main
from daskstem.run.recipe import read_recipe


def parsed(line):
    """Return the values of a ``daskstem`` command; an unknown command or option raises."""
    name, *arguments = shlex.split(line, comments=True)
    assert name == "daskstem"
    command = main
    while isinstance(command, click.Group):
        word = arguments.pop(0)
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"{line}: there is no command {word!r}"
        command = found
    return command.make_context(command.name, arguments).params


def checked(line):
    """Check a command, and that the recipe it names has the parameters it sets."""
    values = parsed(line)
    if "recipe" in values:
        read_recipe(values["recipe"], values["settings"])
    return values
