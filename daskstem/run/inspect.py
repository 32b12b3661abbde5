"""What a store holds, unfinished groups included."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from daskstem.io.store import group_names, open_group, open_root
from daskstem.run.simulate import simulate
from daskstem.schema.parameters import parameters_of
from daskstem.steps.registry import STEPS


def inspected(store: str | Path) -> xr.DataTree:
    """Open every group of a store for looking at, whether it is finished or not.

    Of a step's parameters only those remain that differ from its defaults.

    Raises
    ------
    InputError
        If there is no store, or its schema is newer than this version.
    """
    root = open_root(store)
    groups = {name: _with_changes_only(open_group(root, name)) for name in group_names(root)}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(root.attrs)
    return tree


def _with_changes_only(ds: xr.Dataset) -> xr.Dataset:
    functions: dict[str, Callable[..., Any]] = {n: step.function for n, step in STEPS.items()}
    functions[simulate.__name__] = simulate
    made_by = functions.get(str(ds.attrs.get("step")))
    if made_by is None:
        return ds
    defaults = {name: p.default for name, p in parameters_of(made_by).items()}
    changed = {
        name: value
        for name, value in dict(ds.attrs.get("parameters", {})).items()
        if name not in defaults or _plain(defaults[name]) != value
    }
    return ds.assign_attrs(parameters=changed)


def _plain(default: object) -> object:
    # as JSON, in which attributes are kept, has it
    return list(default) if isinstance(default, tuple) else default
