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
    from daskstem.steps.bad_pixels import bad_pixels
    from daskstem.steps.center import center
    from daskstem.steps.correct import correct
    from daskstem.steps.crop import crop
    from daskstem.steps.grow import grow
    from daskstem.steps.prefilter import prefilter
    from daskstem.steps.rebin import rebin
    from daskstem.steps.similarity import similarity
    from daskstem.steps.summary import summary
    from daskstem.steps.virtual import virtual

_HOMES = {
    "average": "daskstem.steps.average",
    "background": "daskstem.steps.background",
    "bad_pixels": "daskstem.steps.bad_pixels",
    "center": "daskstem.steps.center",
    "convert": "daskstem.run.convert",
    "correct": "daskstem.steps.correct",
    "crop": "daskstem.steps.crop",
    "grow": "daskstem.steps.grow",
    "open_series": "daskstem.io.store",
    "prefilter": "daskstem.steps.prefilter",
    "rebin": "daskstem.steps.rebin",
    "run_recipe": "daskstem.run.execute",
    "similarity": "daskstem.steps.similarity",
    "simulate": "daskstem.run.simulate",
    "summary": "daskstem.steps.summary",
    "virtual": "daskstem.steps.virtual",
    "write_report": "daskstem.run.report",
}

__all__ = [
    "average",
    "background",
    "bad_pixels",
    "center",
    "convert",
    "correct",
    "crop",
    "grow",
    "open_series",
    "prefilter",
    "rebin",
    "run_recipe",
    "similarity",
    "simulate",
    "summary",
    "virtual",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'daskstem' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
