"""The recipes that come with daskstem: where they lie and how they are called."""

from importlib.resources import files
from pathlib import Path
from typing import Any


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with daskstem."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir())


def recipe_content(name: str) -> str:
    """Return the TOML of a recipe that comes with daskstem."""
    return str((_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def _folder() -> Any:
    packaged = files("daskstem") / "pipelines"
    # a checkout that is not installed keeps the recipes beside the package
    return packaged if packaged.is_dir() else Path(str(files("daskstem"))).parent / "pipelines"
