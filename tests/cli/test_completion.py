"""What the Tab key offers, asked as the shells ask, and in the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daskstem.cli.completion import choices
from daskstem.cli.main import main
from daskstem.run.bundled import recipe_names
from daskstem.schema.parameters import parameters_of
from daskstem.steps.registry import STEPS

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "#!{python}\nfrom daskstem.cli.main import entry\n\nentry()\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Return a folder with stores, a recipe and something else, and a program in its path."""
    for name in ("scan.zarr", "series.zarr", "more/inner.zarr", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "own.toml").write_text("[grow]\n")
    (tmp_path / "notes.txt").touch()
    programs = tmp_path / ".bin"
    programs.mkdir()
    (programs / "daskstem").write_text(PROGRAM.format(python=sys.executable))
    (programs / "daskstem").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(line, *, shell="bash"):
    """Return what is offered at the end of a line, whose words are split at blanks."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    if shell == "fish":
        asked["COMP_CWORD"] = words[-1]
    told = subprocess.run(
        ["daskstem"], env={**os.environ, **asked, "_DASKSTEM_COMPLETE": f"{shell}_complete"},
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    if shell == "zsh":
        return told[1::3]
    return [item.partition(",")[2].split("\t")[0] for item in told if item]


each_shell = pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])


@each_shell
def test_commands_and_options_are_offered(shell):
    assert sorted(offered("daskstem ", shell=shell)) == sorted(main.commands)
    assert offered("daskstem conv", shell=shell) == ["convert"]
    assert "--memory-limit" in offered("daskstem run --m", shell=shell)


@each_shell
def test_recipes_are_offered_those_that_come_along_and_files(shell):
    assert offered("daskstem run ", shell=shell) == [*recipe_names(), "more/", "own.toml"]
    assert offered("daskstem plan ki", shell=shell) == []
    assert offered("daskstem plan km", shell=shell) == ["kmeans"]


@each_shell
def test_stores_are_offered_and_folders_on_the_way(folder, shell):
    assert offered("daskstem info s", shell=shell) == ["scan.zarr", "series.zarr"]
    assert offered("daskstem info ", shell=shell) == ["more/", "scan.zarr", "series.zarr"]
    assert offered("daskstem run default more/", shell=shell) == ["more/inner.zarr"]
    assert offered(f"daskstem report {folder}/mo", shell=shell) == [f"{folder}/more/"]
    assert offered("daskstem info nowhere/", shell=shell) == []


def test_steps_are_offered():
    stored = [name for name, step in STEPS.items() if step.kind != "view"]
    assert offered("daskstem step ") == stored
    assert offered("daskstem step grow scan.zarr --linkage ") == ["mean", "single"]


@each_shell
def test_parameters_are_offered_of_the_steps_in_the_recipe(shell):
    keys = [f"grow.{name}=" for name in parameters_of(STEPS["grow"].function)]
    assert offered("daskstem run default scan.zarr --set grow.", shell=shell) == keys
    assert offered("daskstem run own.toml scan.zarr --set ", shell=shell) == keys
    assert offered("daskstem run default scan.zarr --set kmeans.k", shell=shell) == []


def test_with_an_unknown_recipe_the_parameters_of_all_steps_are_offered():
    assert "kmeans.k=" in offered("daskstem run nosuch scan.zarr --set kmeans.k")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_values_are_offered_with_their_key(shell):
    asked = "daskstem run default scan.zarr --set grow.linkage=s"
    assert offered(asked, shell=shell) == ["grow.linkage=single"]


def test_bash_which_splits_at_equal_signs_is_offered_the_value_alone():
    asked = "daskstem run default scan.zarr --set grow.linkage ="
    assert offered(asked) == ["mean", "single"]
    assert offered(f"{asked} s") == ["single"]
    assert offered("daskstem run default scan.zarr --set = grow.li") == ["grow.linkage="]


def test_words_that_a_parameter_admits_are_told_from_numbers():
    assert choices(bool) == ["true", "false"]
    assert choices(float | None) == []
    assert choices(STEPS["grow"].function.__annotations__["linkage"]) == ["mean", "single"]


def in_shell(shell, script):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    ended = subprocess.run(
        [shell, *flags, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert not ended.stderr, ended.stderr
    return ended.stdout


# what the README tells to put into .bashrc; the two lines after it are what Tab does
BASH = """
eval "$(_DASKSTEM_COMPLETE=bash_source daskstem)"
compopt() {{ echo "$@"; }}
COMP_WORDS=({words}) COMP_CWORD={place}
_daskstem_completion daskstem
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "place", "expected"),
    [
        ("daskstem rep", 1, ["report"]),
        ("daskstem run default scan.zarr --set grow.min", 5, ["-o nospace", "grow.min_size="]),
        ("daskstem run default scan.zarr --set grow.linkage =", 6, ["mean", "single"]),
        ("daskstem info mo", 2, ["-o nospace", "more/"]),
        ("daskstem convert no", 2, ["-o default", ""]),
    ],
)
def test_the_line_for_bash_completes(words, place, expected):
    assert in_shell("bash", BASH.format(words=words, place=place)).splitlines() == expected


def test_the_line_for_fish_completes():
    script = "_DASKSTEM_COMPLETE=fish_source daskstem | source; complete --do-complete '{}'"
    told = in_shell("fish", script.format("daskstem rep"))
    assert told.split("\t")[0] == "report"
    keys = in_shell("fish", script.format("daskstem run default scan.zarr --set grow.min"))
    assert keys.split() == ["grow.min_size="]


# zsh completes only in its line editor: the functions that it would call say what they got
ZSH = """
autoload -Uz compinit && compinit -D -u
eval "$(_DASKSTEM_COMPLETE=zsh_source daskstem)"
_describe() {{ print -l -- "closed: ${{closed[@]}}" }}
compadd() {{ print -l -- "open: ${{open[@]}}" }}
words=({words}) CURRENT={place}
_daskstem_completion
"""


def test_the_line_for_zsh_completes():
    told = in_shell("zsh", ZSH.format(words="daskstem conv", place=2))
    assert told.splitlines() == ["closed: convert:Convert microscope files into a store."]
    words = "daskstem run default scan.zarr --set grow.min"
    assert in_shell("zsh", ZSH.format(words=words, place=6)) == "open: grow.min_size=\n"
