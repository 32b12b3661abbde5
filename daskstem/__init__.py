"""Clusters and mean patterns from 4D-STEM and 5D-STEM series of any size.

Everything public is here; each name is imported when it is first used, so that the
command line starts without loading the compilers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskstem.io.store import open_series
    from daskstem.run.convert import convert
    from daskstem.run.execute import run_recipe
    from daskstem.run.report import write_report
    from daskstem.run.simulate import simulate
    from daskstem.steps.average import average
    from daskstem.steps.background import background
    from daskstem.steps.grow import grow
    from daskstem.steps.prefilter import prefilter
    from daskstem.steps.similarity import similarity

_HOMES = {
    "average": "daskstem.steps.average",
    "background": "daskstem.steps.background",
    "convert": "daskstem.run.convert",
    "grow": "daskstem.steps.grow",
    "open_series": "daskstem.io.store",
    "prefilter": "daskstem.steps.prefilter",
    "run_recipe": "daskstem.run.execute",
    "similarity": "daskstem.steps.similarity",
    "simulate": "daskstem.run.simulate",
    "write_report": "daskstem.run.report",
}

__all__ = [
    "average",
    "background",
    "convert",
    "grow",
    "open_series",
    "prefilter",
    "run_recipe",
    "similarity",
    "simulate",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'daskstem' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
