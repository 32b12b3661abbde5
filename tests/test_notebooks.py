"""Notebooks run, hold no output and define nothing."""

import ast
import re
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONGEST_S = 120
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def test_notebooks_are_numbered_in_the_order_to_read_them():
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{n:02}_" for n in range(1, 7)]


def test_the_readme_names_every_notebook():
    told = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS] == re.findall(r"`notebooks/(\w+\.ipynb)`", told)


@each_notebook
def test_defines_no_function_or_class(path):
    for cell in code(path):
        defined = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, defined)]


@each_notebook
def test_holds_no_output(path):
    assert not [cell for cell in code(path) if cell.outputs or cell.execution_count]


@each_notebook
def test_calls_steps_and_views_only(path):
    """What a notebook shows, anyone can do: no name with an underscore, no room below ``run``."""
    for cell in code(path):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("daskstem"):
                rooms = {"daskstem", "daskstem.testing", "daskstem.run.execute"}
                assert node.module in rooms
                assert not [alias.name for alias in node.names if alias.name.startswith("_")]


@each_notebook
# the kernel's messages are Jupyter's own; what the notebook computes is checked below
@pytest.mark.filterwarnings("ignore")
def test_runs_without_warnings_and_leaves_nothing_behind(path):
    notebook = nbformat.read(path, as_version=4)
    before = sorted(FOLDER.rglob("*"))
    begun = time.monotonic()
    # in its own folder, as Jupyter does: one looks for a measured scan beside the repository
    NotebookClient(
        notebook,
        timeout=LONGEST_S,
        kernel_name="python3",
        resources={"metadata": {"path": FOLDER}},
    ).execute()
    assert time.monotonic() - begun < LONGEST_S
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert [output for output in outputs if "image/png" in output.get("data", {})]
    assert sorted(FOLDER.rglob("*")) == before
