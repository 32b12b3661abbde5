"""The README, held to what the program is."""

import os
import re
from pathlib import Path

import click
import h5py
import numpy as np
import pytest
from click.shell_completion import get_completion_class

import daskstem
from daskstem.cli.main import main
from daskstem.io.readers.registry import READERS
from daskstem.run.bundled import recipe_names
from daskstem.run.recipe import read_recipe
from daskstem.schema.dims import FRAME_COORDS
from daskstem.schema.parameters import parameters_of
from daskstem.steps.registry import STEPS
from tests.commands import checked

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)[1]


def first_column(title, heading):
    """Return the code in the first column of the table under a heading."""
    table = section(title).split(f"| {heading} |", maxsplit=1)[1].split("\n\n", maxsplit=1)[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def commands():
    """Return every ``daskstem`` command with arguments, in blocks and in the running text."""
    lines = [part for block in blocks("bash") for part in re.split(r"\n|&&", block)]
    lines += re.findall(r"`(daskstem [^`]+)`", TEXT)
    found = [line.strip() for line in lines if line.strip().startswith("daskstem ")]
    # in the table of commands capitals stand for what the user says
    general = {line for line in found if re.search(r"\b(STORE|NAME)\b", line)}
    return sorted(
        {line for line in found if len(line.split()) > 2 or line == "daskstem demo"} - general
    )


def test_commands_are_found():
    assert len(commands()) > 20


@pytest.mark.parametrize("line", commands())
def test_command_is_one_that_the_program_takes(line):
    checked(line)


def test_options_named_in_the_text_exist():
    known = set()
    for command in main.commands.values():
        for parameter in command.params:
            known.update(parameter.opts)
    own = {line for line in re.findall(r"`(--[a-z-]+)", TEXT)} - {"--help"}
    assert own
    assert own <= known


def test_table_of_commands_is_complete():
    named = [line.split()[1] for line in first_column("Commands", "command")]
    assert sorted(named) == sorted(main.list_commands(click.Context(main)))


def test_table_of_steps_is_the_registry():
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (a view|`\w+`) \|$", TEXT, re.MULTILINE)
    kept = {s.name: "a view" if s.kind == "view" else f"`{s.group}`" for s in STEPS.values()}
    assert dict(rows) == kept
    assert [name for name, _ in rows] == list(STEPS)


def test_steps_of_the_default_recipe_are_named_in_order():
    named = re.search(r"`default` is ([^;]+);", TEXT)[1]
    assert re.findall(r"`(\w+)`", named) == [
        call.step.name for call in read_recipe("default").calls
    ]


def test_recipes_that_come_along_are_named():
    assert {"default", "reference"} <= set(recipe_names())
    assert all(f"`{name}`" in TEXT for name in recipe_names())


@pytest.mark.parametrize("number", range(len(blocks("toml"))))
def test_recipe_in_the_text_is_valid(number, tmp_path):
    recipe = tmp_path / "own.toml"
    recipe.write_text(blocks("toml")[number])
    assert read_recipe(recipe).calls


def test_parameters_named_in_the_text_exist():
    for step, parameter in re.findall(r"`(\w+)\.(\w+)`", TEXT):
        if step in STEPS:
            assert parameter in parameters_of(STEPS[step].function)


def test_data_formats_have_a_reader_each():
    said = section("Your own data").lower()
    names = {"npy": "numpy", "npz": ".npz", "zspy": "hyperspy", "hspy": "hyperspy",
             "digitalmicrograph": "digital micrograph"}  # fmt: skip
    missing = [name for name in READERS if names.get(name, name) not in said]
    assert not missing


def test_what_counts_frames_is_known():
    said = re.findall(r"--frame-dim (\w+)", TEXT)
    assert set(said) <= set(FRAME_COORDS)


def test_files_named_in_the_text_are_there():
    pattern = r"\b((?:deploy|notebooks|tests|pipelines)/[\w./]+|\.ci/run)"
    # NAME stands for one's own
    named = [path for path in re.findall(pattern, TEXT) if "NAME" not in path]
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


def test_python_in_the_text_runs(tmp_path):
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        scope = {}
        # other blocks open the store that this one makes
        for block in sorted(blocks("python"), key=lambda text: "simulate(" not in text):
            exec(compile(block, "<block of the README>", "exec"), scope)
    finally:
        os.chdir(before)
    assert scope["label"].dims == ("scan_y", "scan_x")
    assert scope["largest"].dims == ("q_y", "q_x")
    clusters = daskstem.open_series(tmp_path / "scan.zarr")["clusters/pattern"].values
    assert len(scope["table"]) == len(clusters)
    assert len((tmp_path / "clusters.csv").read_text().splitlines()) == len(clusters) + 1
    np.testing.assert_array_equal(np.load(tmp_path / "cluster_patterns.npy"), clusters)
    raw = daskstem.open_series(tmp_path / "scan.zarr")["raw/patterns"].values[0]
    with h5py.File(tmp_path / "frame.h5") as file:
        np.testing.assert_array_equal(file["data"][:], raw)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("Dectris Arina", ".h5"), ("Merlin", ".mib"), ("EMPAD", ".xml"), ("Gatan", ".dm4"),
     ("NanoMEGAS blockfile", ".blo")],
)  # fmt: skip
def test_own_data_take_five_lines_in_every_format(name, suffix):
    told = re.search(rf"^\*\*{name}\.\*\*.*?^```bash\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    lines = told[1].splitlines()
    assert [line.split()[1] for line in lines] == ["convert", "info", "plan", "run", "report"]
    source, store = lines[0].split()[2:4]
    assert source.endswith(suffix)
    assert all(store in line.split() for line in lines)
    for line in lines:
        checked(line)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_a_line_for_every_shell(shell):
    line = re.search(rf"^echo '(.*{shell}_source.*)' >> ", section("Commands"), re.MULTILINE)[1]
    assert "_DASKSTEM_COMPLETE=" in line
    assert get_completion_class(shell).source_template


def test_the_pictures_are_there_and_small():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert pictures
    assert all((ROOT / picture).stat().st_size < 300_000 for picture in pictures)


def test_store_has_the_groups_that_the_text_draws():
    drawn = set(re.findall(r"[├└]── (\w+)", TEXT))
    made = {STEPS[call.step.name].group for call in read_recipe("default").calls}
    # the drawing leaves out the virtual images
    assert drawn == (made - {"virtual"}) | {"raw", "truth"}
