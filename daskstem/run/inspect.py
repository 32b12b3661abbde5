"""What a store holds, unfinished groups included."""

from pathlib import Path

import xarray as xr

from daskstem.io.store import group_names, open_group, open_root


def inspected(store: str | Path) -> xr.DataTree:
    """Open every group of a store for looking at, whether it is finished or not.

    Raises
    ------
    InputError
        If there is no store, or its schema is newer than this version.
    """
    root = open_root(store)
    tree = xr.DataTree.from_dict({name: open_group(root, name) for name in group_names(root)})
    tree.attrs = dict(root.attrs)
    return tree
