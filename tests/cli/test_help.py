"""Help shows the way: headings, examples that the program takes, errors that name a command."""

import statistics
import subprocess
import sys
import time

import click
import pytest

from daskstem.cli.help import SECTIONS, Group
from daskstem.cli.main import main
from daskstem.schema.parameters import checked_parameters
from daskstem.steps.registry import STEPS
from tests.commands import checked, parsed

PROGRAM = [sys.executable, "-c", "from daskstem.cli.main import entry; entry()"]


def every_command(group=main, path="daskstem"):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")


COMMANDS = dict(every_command())


def shown(command, path, width=99):
    context = click.Context(command, info_name=path, terminal_width=width)
    return command.get_help(context)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_an_example_and_its_options_parse(path):
    examples = COMMANDS[path].examples
    assert examples
    for line in examples:
        line = line[line.index("daskstem") :]  # what stands before runs it on another machine
        assert line.startswith(path)
        if not line.endswith("--help"):
            checked(line) if "own.toml" not in line else parsed(line)


@pytest.mark.parametrize("path", COMMANDS)
def test_help_shows_the_examples_unwrapped_on_a_narrow_terminal(path):
    told = shown(COMMANDS[path], path, width=60).splitlines()
    assert all(f"  {line}" in told for line in COMMANDS[path].examples)


@pytest.mark.parametrize("name", [n for n, step in STEPS.items() if step.kind != "view"])
def test_values_in_a_steps_examples_are_allowed(name):
    from daskstem.cli.steps import _value

    for line in COMMANDS[f"daskstem step {name}"].examples:
        given = {key: text for key, text in parsed(line).items() if isinstance(text, str)}
        given.pop("store")
        checked_parameters(STEPS[name].function, {k: _value(v) for k, v in given.items()})


def test_commands_stand_under_headings_in_the_order_of_the_work():
    told = shown(main, "daskstem")
    places = [told.index(f"{title}:") for title in SECTIONS]
    assert places == sorted(places)
    for name, command in main.commands.items():
        assert command.section in SECTIONS, f"{name} has no section"
        listed = told[told.index(f"{command.section}:") :].split("\n\n")[0]
        assert f"  {name} " in listed


def test_a_command_without_a_heading_is_still_listed():
    group = Group("tool", commands=[click.Command("lost", help="Be found.")])
    assert "Commands:\n  lost  Be found." in shown(group, "tool")


def test_short_descriptions_are_not_cut_off():
    told = shown(main, "daskstem", width=78)
    assert "..." not in told[told.index(SECTIONS[0]) : told.index("Examples:")]


def test_examples_of_the_first_page_are_commands():
    for line in main.examples:
        checked(line)


def test_help_answers_in_half_a_second():
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([*PROGRAM, "--help"], check=True, capture_output=True)
        took.append(time.perf_counter() - begun)
    # 0.1 s alone on the machine
    assert statistics.median(took) < 0.5


def refused(*arguments):
    ended = subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    return ended.stderr.splitlines()[-1]


def test_errors_name_the_next_command(tmp_path):
    store = tmp_path / "s.zarr"
    assert f"daskstem convert SOURCE {store}" in refused("run", "default", store)
    assert "type it like 'daskstem run default scan.zarr'" in refused("run", "default")
    assert "daskstem run --help" in refused("run", "default", store, "--worker", 2)
    store.mkdir()
    assert f"'daskstem run default {store}'" in refused("run", store, "default")
    assert "the steps are summary, " in refused("step", "grw", store)


def test_a_step_whose_input_is_missing_names_the_commands_that_make_it(tmp_path):
    import daskstem

    store = daskstem.simulate(tmp_path / "s.zarr", shape=(1, 16, 16, 24, 24), quiet=True)
    told = refused("step", "grow", store)
    assert f"'daskstem step similarity {store}'" in told
    assert f"'daskstem run default {store}'" in told
