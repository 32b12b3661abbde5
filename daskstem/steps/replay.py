"""Steps that were done before, done again on what was kept: a series as a later step sees it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import xarray as xr

from daskstem.schema.merging import updated
from daskstem.schema.parameters import checked_parameters
from daskstem.steps.registry import STEPS


def recorded(attrs: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Return the steps that made a group, as its attributes record them; views too."""
    return list(attrs.get("recipe", ()))


def longest_recipe(groups: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return the steps, with their parameters, that the furthest of some groups was made by.

    Parameters
    ----------
    groups
        The groups' attributes.
    """
    return max(map(recorded, groups), key=len, default=[])


def as_seen(
    raw: xr.Dataset,
    steps: Iterable[Mapping[str, Any]],
    product: Callable[[str], xr.Dataset | None],
) -> xr.Dataset:
    """Return patterns and products as the step after some steps sees them, lazy.

    Parameters
    ----------
    raw
        The measured patterns.
    steps
        Names and parameters of the steps, as recorded; unknown ones change nothing.
    product
        Returns the product in a group, if it is there.
    """
    ds = raw
    for entry in steps:
        step = STEPS.get(entry["step"])
        if step is None:
            continue
        if step.kind == "view":
            given = checked_parameters(step.function, entry["parameters"])
            ds = updated(ds, step.function(ds, **given))
        elif step.kind == "stored" and (made := product(step.group)) is not None:
            ds = updated(ds, made)
    return ds
