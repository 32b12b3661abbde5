"""Clusters and mean patterns from 4D-STEM and 5D-STEM series of any size.

Everything public is here: the functions below, and one for every step of the registry, by
the step's name (``daskstem.prefilter``, ``daskstem.grow``, ...). ``daskstem.view`` draws what
they make. Each is imported when it is first used, so that the command line starts without
loading the compilers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskstem.explorer.server import explore
    from daskstem.io.store import open_series
    from daskstem.run.convert import convert
    from daskstem.run.execute import run_recipe
    from daskstem.run.export import export
    from daskstem.run.report import write_report
    from daskstem.run.simulate import simulate
    from daskstem.steps.hierarchy import cut

_HOMES = {
    "convert": "daskstem.run.convert",
    "cut": "daskstem.steps.hierarchy",
    "explore": "daskstem.explorer.server",
    "export": "daskstem.run.export",
    "open_series": "daskstem.io.store",
    "run_recipe": "daskstem.run.execute",
    "simulate": "daskstem.run.simulate",
    "write_report": "daskstem.run.report",
}

__all__ = [
    "convert", "cut", "explore", "export", "open_series", "run_recipe", "simulate",
    "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "view":
        return import_module("daskstem.view")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    # rooms and dunder names are asked for by the import system: they are never steps
    if not name.startswith("_"):
        steps = import_module("daskstem.steps.registry").STEPS
        if name in steps:
            return steps[name].function
    raise AttributeError(f"module 'daskstem' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "view", *import_module("daskstem.steps.registry").STEPS])
