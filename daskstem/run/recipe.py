"""Recipes: TOML, one table per step in order, checked before any data is touched."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daskstem.run.bundled import recipe_content, recipe_names
from daskstem.schema import variables
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import checked_parameters
from daskstem.steps.registry import STEPS
from daskstem.steps.step import Step


@dataclass(frozen=True)
class StepCall:
    """A step and all of its parameters."""

    step: Step
    parameters: dict[str, Any]

    @property
    def reads_patterns(self) -> bool:
        """Whether patterns are read, rather than maps."""
        used = self.step.used(self.parameters)
        return self.step.reads_patterns and variables.patterns in used


@dataclass(frozen=True)
class Recipe:
    """Steps in order."""

    name: str
    calls: tuple[StepCall, ...]


def read_recipe(name: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe and check it.

    Parameters
    ----------
    name
        Path of a TOML file, or the name of a recipe that comes with daskstem.
    settings
        ``step.parameter=value`` overrides; values as in TOML, bare words as texts.

    Raises
    ------
    InputError
        If there is no such recipe, it is not TOML, or a step, a parameter or a value is
        not known; the message says which are.

    Examples
    --------
    >>> [call.step.name for call in read_recipe("default", ["grow.min_size=4"]).calls][-2:]
    ['grow', 'average']
    """
    tables = _tables(name)
    for setting in settings:
        step, parameter, value = _setting(setting)
        if step not in tables:
            raise InputError(
                f"--set {setting}: the recipe has no step {step!r}; it has {', '.join(tables)}"
            )
        tables[step][parameter] = value
    calls = tuple(_call(step, table) for step, table in tables.items())
    if not calls:
        raise InputError(f"recipe {name} has no steps; a recipe is one TOML table per step")
    return Recipe(Path(name).stem, calls)


def recipe_for_step(name: str, given: Mapping[str, Any], before: Sequence[Any]) -> Recipe:
    """Return the recipe that applies one step after those a store's product came from.

    Parameters
    ----------
    name, given
        The step and its parameters.
    before
        Steps before it: ``{"step": ..., "parameters": ...}``, as products record them.
    """
    earlier = []
    for entry in before:
        if entry["step"] == name:
            break
        earlier.append(_call(entry["step"], entry["parameters"]))
    return Recipe(name, (*earlier, _call(name, given)))


def _tables(name: str | Path) -> dict[str, dict[str, Any]]:
    path = Path(name)
    if path.is_file():
        text = _text_of(path)
    elif str(name) in recipe_names():
        text = recipe_content(str(name))
    elif path.is_dir():
        raise InputError(
            f"{name} is a folder, not a recipe; the recipe comes first: "
            f"'daskstem run default {name}'"
        )
    else:
        raise InputError(
            f"no recipe {name}; give the path of a TOML file or one of {', '.join(recipe_names())}"
        )
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"recipe {name} is not TOML: {error}") from error
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"recipe {name}: {key!r} stands outside a step's table")
    return tables


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"recipe {path} cannot be read as text: {error}") from error


def _setting(setting: str) -> tuple[str, str, Any]:
    key, equals, text = setting.partition("=")
    step, dot, parameter = key.strip().partition(".")
    if not (equals and dot and parameter):
        raise InputError(f"--set {setting}: expected step.parameter=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return step, parameter, value


def _call(name: str, table: Mapping[str, Any]) -> StepCall:
    if name not in STEPS:
        raise InputError(f"no step {name!r}; the steps are {', '.join(STEPS)}")
    try:
        return StepCall(STEPS[name], checked_parameters(STEPS[name].function, table))
    except InputError as error:
        raise InputError(f"recipe, [{name}]: {error}") from error
