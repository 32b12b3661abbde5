"""The house of the README, held up by its walls: who may know whom."""

import ast
import sys
from pathlib import Path

import pytest

from daskstem.steps.registry import STEPS

PACKAGE = Path(__file__).resolve().parents[1] / "daskstem"
FLOORS = {
    "schema": 1, "chunks": 1, "kernels": 1,
    "blocks": 2, "io": 2, "view": 2, "testing": 2,
    "steps": 3,
    "run": 4, "explorer": 4,
    "cli": 5,
}  # fmt: skip
LIBRARIES = {
    "matplotlib": {"view"},
    "bokeh": {"view", "explorer"},
    "panel": {"view"},
    "numba": {"kernels"},
    "llvmlite": {"kernels"},
    "click": {"cli"},
    "rich": {"cli", "run", "view"},
    "distributed": {"run", "cli", "view"},
    "zarr": {"io", "run"},
    "h5py": {"io"},
    "rsciio": {"io"},
    "dask": {"blocks", "io", "view", "testing", "steps", "run", "explorer", "cli"},
    "xarray": {"schema", "blocks", "io", "view", "testing", "steps", "run", "explorer", "cli"},
}
LONGEST_FILE = 350
# a step is made of a schema, a kernel and a block pattern; reading belongs to run
NOT_FOR_STEPS = {"io", "view", "testing"}

FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))


def room_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else "front door"


def imported(path):
    """Return the dotted names a file imports, also within functions and for type checking."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def public(tree):
    """Return public functions, classes and methods of public classes."""
    found = []
    for node in ast.iter_child_nodes(tree):
        named = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        if named and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += public(node)
    return found


def test_there_is_a_house():
    assert {room_of(path) for path in FILES} - {"front door"} <= set(FLOORS)
    assert {"schema", "chunks", "kernels", "blocks", "io", "steps"} <= {
        room_of(path) for path in FILES
    }


@each_file
def test_imports_go_down_only(path):
    room = room_of(path)
    if room == "front door":
        return
    others = {n.split(".")[1] for n in imported(path) if n.startswith("daskstem.")} - {room}
    upward = {other for other in others & set(FLOORS) if FLOORS[other] >= FLOORS[room]}
    assert not upward, f"{room} imports {sorted(upward)}, which are not below it"
    if room == "steps":
        assert not others & NOT_FOR_STEPS


@each_file
def test_no_room_takes_its_names_from_the_front_door(path):
    names = set(imported(path)) & {"daskstem"}
    assert not names or room_of(path) in {"run", "cli"}


@each_file
def test_libraries_stay_in_their_rooms(path):
    room = room_of(path)
    used = {name.split(".")[0] for name in imported(path)}
    wrong = {library for library in used & set(LIBRARIES) if room not in LIBRARIES[library]}
    assert not wrong, f"{sorted(wrong)} do not belong in {room}"


def test_integers_of_chunks_need_no_library():
    for path in (PACKAGE / "chunks").glob("*.py"):
        outside = {name.split(".")[0] for name in imported(path)} - {"daskstem"}
        assert outside <= sys.stdlib_module_names


def test_no_step_calls_another():
    steps = {step.function.__module__ for step in STEPS.values()}
    for path in (PACKAGE / "steps").glob("*.py"):
        own = f"daskstem.steps.{path.stem}"
        if own in steps:
            called = {name.rpartition(".")[0] for name in imported(path)} & steps
            assert not called, f"{path.name} imports {sorted(called)}"


@each_file
def test_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{lines} lines"


@each_file
def test_public_things_say_what_they_are(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    silent = [node.name for node in public(tree) if not ast.get_docstring(node)]
    assert not silent, f"no docstring: {', '.join(silent)}"


@each_file
def test_user_input_is_not_checked_by_assert(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


@each_file
def test_dimension_names_are_spelled_in_one_file(path):
    if path.relative_to(PACKAGE).as_posix() == "schema/dims.py":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    spelled = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in {"scan_y", "scan_x", "q_y", "q_x"}
    }
    assert not spelled, f"{sorted(spelled)}: take the names from daskstem.schema.dims"
