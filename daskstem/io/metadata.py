"""What a store says about its groups, with damage named."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zarr
from zarr.errors import ZarrUserWarning

from daskstem.schema.errors import InputError


def group_names(root: zarr.Group) -> list[str]:
    """Return the names of the groups of a store, without what a killed run has left."""
    with faults_named(root, ""):
        return sorted(name for name in root.group_keys() if not name.startswith("."))


def group_attributes(root: zarr.Group, name: str) -> dict[str, Any]:
    """Return what is written beside a product; nothing if it is not there."""
    with faults_named(root, name):
        return dict(root[name].attrs) if name in root else {}


def group_arrays(root: zarr.Group, name: str) -> tuple[zarr.Group, dict[str, zarr.Array]]:
    """Return a group and its arrays by name."""
    with faults_named(root, name):
        group = root[name]
        if isinstance(group, zarr.Group):
            return group, dict(group.arrays())
    raise InputError(f"{name!r} in {root.store_path} is an array, expected a group")


@contextmanager
def faults_named(root: zarr.Group, name: str) -> Iterator[None]:
    """Say in one line which metadata the enclosed lines could not read, and what to do.

    Raises
    ------
    InputError
        If they are damaged.
    """
    with warnings.catch_warnings():
        # desktops leave files of their own in folders
        warnings.filterwarnings("ignore", "Object at .* is not recognized", ZarrUserWarning)
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            where = f"{root.store_path}/{name}".rstrip("/")
            raise InputError(
                f"a zarr.json below {where} is damaged ({error}); restore it from a copy, or "
                f"delete that folder and run the command that made it again"
            ) from error
