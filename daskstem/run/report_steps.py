"""What a report says of the steps: what each was given, and what it did to the patterns."""

from collections.abc import Mapping
from importlib.metadata import version
from platform import python_version
from typing import Any, Final

import numpy as np
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.dims import FRAME, OFFSET, SCAN_X, SCAN_Y, Q
from daskstem.schema.errors import InputError
from daskstem.schema.merging import updated
from daskstem.schema.parameters import Between, checked_parameters, parameters_of
from daskstem.steps.comparing import offsets_of
from daskstem.steps.registry import STEPS
from daskstem.view.content import FILTERED, N_AVERAGED, SINGLE, AtLimit, StepContent
from daskstem.view.wording import as_mapping

_LIBRARIES: Final = (
    "daskstem",
    "numpy",
    "scipy",
    "scikit-image",
    "numba",
    "dask",
    "xarray",
    "zarr",
)
_NOT_STEPS: Final = ("raw", "truth")


def recorded(attrs: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Return the steps that made a group, as its attributes record them; views too."""
    return list(attrs.get("recipe", ()))


def steps_of(groups: Mapping[str, Mapping[str, Any]]) -> tuple[StepContent, ...]:
    """Return the steps that made the groups, in the order of the longest recipe.

    Views have no group of their own: they are known from the groups made after them.
    """
    made = {name: attrs for name, attrs in groups.items() if name not in _NOT_STEPS}
    longest = max((recorded(attrs) for attrs in made.values()), key=len, default=[])
    found = {entry["step"]: _step(entry["step"], "", entry["parameters"]) for entry in longest}
    for name, attrs in made.items():
        step = str(attrs.get("step", name))
        found[step] = _step(step, name, attrs.get("parameters", {}), attrs)
    return tuple(found.values())


def _step(
    name: str, group: str, parameters: Any, attrs: Mapping[str, Any] | None = None
) -> StepContent:
    given = dict(as_mapping(parameters))
    known = STEPS.get(name)
    defaults = (
        {key: _plain(value.default) for key, value in parameters_of(known.function).items()}
        if known
        else {}
    )
    chosen = {k: v for k, v in given.items() if k not in defaults or _plain(v) != defaults[k]}
    return StepContent(
        name,
        group,
        known.about if known else "",
        given,
        chosen,
        str((attrs or {}).get("time", "")),
    )


def at_limits(steps: tuple[StepContent, ...]) -> tuple[AtLimit, ...]:
    """Return the parameters that were set to the end of their range."""
    found = []
    for step in steps:
        known = parameters_of(STEPS[step.name].function) if step.name in STEPS else {}
        for name, value in step.chosen.items():
            rules = known[name].rules if name in known else ()
            found += [
                AtLimit(step.name, name, value, known[name].default, str(rule))
                for rule in rules
                if isinstance(rule, Between) and value in (rule.low, rule.high)
            ]
    return tuple(found)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute."""
    return {"Python": python_version(), **{name: version(name) for name in _LIBRARIES}}


def as_seen(tree: xr.DataTree, group: str, frame: int) -> xr.Dataset:
    """Return one frame as the step that made a group saw it: cut, binned, corrected.

    Parameters
    ----------
    tree
        A series.
    group
        Whose recipe counts; one that does not record any saw the raw patterns.
    frame
        Which frame.

    Returns
    -------
    Dataset with ``patterns`` (frame, scan_y, scan_x, q_y, q_x), one frame, lazy.
    """
    window = {FRAME: slice(frame, frame + 1)}
    ds = tree["raw"].to_dataset().isel(window)
    steps = recorded(tree[group].attrs) if group in tree.children else []
    for entry in steps:
        step = STEPS.get(entry["step"])
        if step is None:
            continue
        if step.kind == "view":
            given = checked_parameters(step.function, entry["parameters"])
            ds = updated(ds, step.function(ds, **given))
        elif step.kind == "stored" and step.group in tree.children:
            ds = updated(ds, tree[step.group].to_dataset().isel(window, missing_dims="ignore"))
    return ds


def filtering(tree: xr.DataTree, frame: int, position: tuple[int, int]) -> xr.Dataset:
    """Return what the prefilter did: a pattern before and after, and how many it averages.

    Parameters
    ----------
    tree
        A series.
    frame, position
        Where the pattern lies: frame, and row and column of the scan.

    Returns
    -------
    Dataset with ``single`` and ``filtered`` (q_y, q_x), and ``n_averaged`` (scan_y, scan_x), the
    number of patterns that would be averaged as much with equal weights; empty if there are no
    weights. Of the patterns only those of the footprint are read.
    """
    if "prefilter" not in tree.children:
        return xr.Dataset()
    stored = tree["prefilter"].to_dataset()
    ds = as_seen(tree, "prefilter", frame)
    patterns = ds[variables.patterns.name].isel({FRAME: 0})
    weights = stored[variables.weights.name].isel({FRAME: frame})
    if any(weights.sizes[dim] != patterns.sizes[dim] for dim in (SCAN_Y, SCAN_X)):
        return xr.Dataset()
    try:
        offsets = offsets_of(stored)
    except InputError:
        return xr.Dataset()
    here = weights.isel({SCAN_Y: position[0], SCAN_X: position[1]}).values
    places = np.array(position) + offsets
    inside = (here > 0) & (places >= 0).all(axis=1)
    low, high = places[inside].min(axis=0), places[inside].max(axis=0) + 1
    window = {SCAN_Y: slice(low[0], high[0]), SCAN_X: slice(low[1], high[1])}
    read = patterns.isel(window).values.astype(np.float64)
    used = read[places[inside][:, 0] - low[0], places[inside][:, 1] - low[1]]
    filtered = np.tensordot(here[inside].astype(np.float64), used, axes=1)
    q = {dim: patterns.coords[dim] for dim in Q if dim in patterns.coords}
    scan = {d: weights.coords[d] for d in (SCAN_Y, SCAN_X) if d in weights.coords}
    return xr.Dataset(
        {
            SINGLE: (Q, read[position[0] - low[0], position[1] - low[1]]),
            FILTERED: (Q, filtered),
            N_AVERAGED: (1 / (weights**2).sum(OFFSET)).compute().variable,
        },
        coords={**q, **scan},
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
