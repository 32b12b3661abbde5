"""Parameters are declared once, in a step's signature; everything else is read from there."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from daskstem.schema.errors import InputError


@dataclass(frozen=True)
class Between:
    """A number's allowed range; an open end is excluded."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False

    def __str__(self) -> str:
        low = "" if self.low is None else f"{'>' if self.open_low else '>='} {self.low:g}"
        high = "" if self.high is None else f"<= {self.high:g}"
        return " and ".join(part for part in (low, high) if part)

    def admits(self, value: Any) -> bool:
        """Whether ``value`` lies in the range; a word that its type allows is no number."""
        if isinstance(value, str):
            return True
        above = self.low is None or value > self.low or (value == self.low and not self.open_low)
        return bool(above and (self.high is None or value <= self.high))


@dataclass(frozen=True)
class Increasing:
    """A number, or several, each larger than the one before, in a range."""

    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return f"increasing numbers, each {Between(self.low, self.high)}"

    def admits(self, value: Any) -> bool:
        """Whether ``value`` increases and stays in the range."""
        values = value if isinstance(value, tuple) else (value,)
        rising = all(a < b for a, b in pairwise(values))
        return (
            bool(values) and rising and all(Between(self.low, self.high).admits(v) for v in values)
        )


@dataclass(frozen=True)
class File:
    """A path whose content is part of what the step is given."""

    def __str__(self) -> str:
        return "path of a .npy file"

    def admits(self, value: Any) -> bool:
        """Leave it to the step to read the file."""
        return bool(value)


@dataclass(frozen=True)
class Shares:
    """Numbers that are parts of a whole: none is negative, not all are 0."""

    def __str__(self) -> str:
        return "numbers >= 0, not all of them 0"

    def admits(self, value: Any) -> bool:
        """Whether ``value`` can be divided by its sum."""
        return min(value) >= 0 and sum(value) > 0


Rule = Between | Increasing | File | Shares


@dataclass(frozen=True)
class Parameter:
    """One keyword of a step: its annotation, its default, and the rule its values obey."""

    name: str
    annotation: Any
    default: Any
    rules: tuple[Rule, ...]

    def checked(self, value: Any) -> Any:
        """Return ``value`` as the declared type, or raise InputError saying what is allowed."""
        converted = _as_type(value, self.annotation)
        if converted is _REFUSED:
            raise InputError(f"{self.name} = {value!r} is not {describe(self.annotation)}")
        if converted is not None:
            for rule in self.rules:
                if not rule.admits(converted):
                    raise InputError(f"{self.name} = {value!r} is not allowed; it must be {rule}")
        return converted


_REFUSED: Any = object()


def parameters_of(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the keyword-only parameters of ``function``, in the order of its signature."""
    hints = typing.get_type_hints(function, include_extras=True)
    return {
        name: _parameter(name, hints[name], parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the default of every parameter of ``function``."""
    return {name: parameter.default for name, parameter in parameters_of(function).items()}


def checked_parameters(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter of ``function``: the given ones, checked, and the defaults.

    Raises
    ------
    InputError
        If a name is unknown or a value is not allowed.
    """
    known = parameters_of(function)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(
            f"{function.__name__} has no parameter {unknown[0]!r}; it has {', '.join(known)}"
        )
    return {
        name: parameter.checked(given.get(name, parameter.default))
        for name, parameter in known.items()
    }


def files_of(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Path]:
    """Return the files among a step's parameters that are there, by parameter."""
    paths = {
        name: Path(values[name])
        for name, parameter in parameters_of(function).items()
        if values.get(name) and any(isinstance(rule, File) for rule in parameter.rules)
    }
    found = {name: path for name, path in paths.items() if path.is_file()}
    for name, folder in paths.items():
        if folder.is_dir():
            inside = sorted(path for path in folder.iterdir() if path.is_file())
            found |= {f"{name}/{path.name}": path for path in inside}
    return found


def describe(annotation: Any) -> str:
    """Say in words what an annotation admits."""
    annotation = _bare(annotation)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (types.UnionType, typing.Union):
        return " or ".join(describe(part) for part in get_args(annotation))
    if get_origin(annotation) is tuple:
        return _describe_list(get_args(annotation))
    words = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    return "absent" if annotation is type(None) else words.get(annotation, str(annotation))


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    rules: list[Rule] = []
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Annotated:
            rules += [r for r in part.__metadata__ if isinstance(r, Rule)]
    return Parameter(name, hint, default, tuple(rules))


def _describe_list(parts: tuple[Any, ...]) -> str:
    if len(parts) == 2 and parts[1] is Ellipsis:
        return f"a list of any length, each {describe(parts[0])}"
    return f"a list of {len(parts)} numbers"


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _as_type(value: Any, annotation: Any) -> Any:
    annotation = _bare(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return value if value in get_args(annotation) else _REFUSED
    if origin in (types.UnionType, typing.Union):
        converted = (_as_type(value, part) for part in get_args(annotation))
        return next((c for c in converted if c is not _REFUSED), _REFUSED)
    if origin is tuple:
        return _as_tuple(value, get_args(annotation))
    if annotation is type(None):
        return None if value is None else _REFUSED
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, float) and not isfinite(value):
        return _REFUSED
    if annotation is int and isinstance(value, bool):
        return _REFUSED
    return value if isinstance(value, annotation) else _REFUSED


def _as_tuple(value: Any, parts: tuple[Any, ...]) -> Any:
    if not isinstance(value, (list, tuple)):
        return _REFUSED
    if len(parts) == 2 and parts[1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(value) != len(parts):
        return _REFUSED
    converted = tuple(_as_type(v, p) for v, p in zip(value, parts, strict=True))
    return _REFUSED if any(c is _REFUSED for c in converted) else converted
