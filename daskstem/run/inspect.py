"""What a store holds, unfinished groups included."""

from pathlib import Path

import numpy as np
import xarray as xr

from daskstem.io.store import group_names, open_group, open_root
from daskstem.io.stored import StoredArray


def inspected(store: str | Path) -> xr.DataTree:
    """Open every group of a store for looking at its metadata, whether it is finished or not.

    Of a step's parameters only those remain that were chosen, rather than left to be its
    defaults. Arrays have shape and dtype, and no values.

    Raises
    ------
    InputError
        If there is no store, or its schema is newer than this version.
    """
    root = open_root(store)
    opened = {name: open_group(root, name, deliver=_shape_only) for name in group_names(root)}
    tree = xr.DataTree.from_dict({name: _with_chosen_only(ds) for name, ds in opened.items()})
    tree.attrs = dict(root.attrs)
    return tree


def _shape_only(stored: StoredArray) -> np.ndarray:
    return np.broadcast_to(np.zeros((), stored.dtype), stored.shape)


def _with_chosen_only(ds: xr.Dataset) -> xr.Dataset:
    parameters = dict(ds.attrs.get("parameters", {}))
    chosen = ds.attrs.get("chosen", list(parameters))
    return ds.assign_attrs(parameters={name: parameters[name] for name in chosen})
