"""The root of a store: opened, refused, or begun."""

from pathlib import Path
from typing import Any

import zarr

from daskstem.schema.errors import InputError
from daskstem.schema.provenance import SCHEMA_VERSION, package_version


def open_root(store: str | Path, *, mode: str = "r") -> zarr.Group:
    """Open a store's root, refusing what is not one or is newer than this version.

    Raises
    ------
    InputError
        As said above.
    """
    if mode != "r" and "://" in str(store):
        raise InputError(f"{store} is a URL; write to a folder and copy the store from there")
    try:
        root = zarr.open_group(_address(store), mode=mode, use_consolidated=False)  # type: ignore[arg-type]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError) as error:
        raise InputError(
            f"no store at {store}; make one with 'daskstem convert SOURCE {store}'"
        ) from error
    found = root.attrs.get("daskstem_schema")
    if not isinstance(found, int):
        raise InputError(
            f"{store} is a Zarr group but not a daskstem store (no 'daskstem_schema' in its "
            f"attributes); convert it with 'daskstem convert {store} NEW.zarr'"
        )
    if found > SCHEMA_VERSION:
        raise InputError(
            f"{store} was written with schema {found}, this version reads up to "
            f"{SCHEMA_VERSION}; upgrade daskstem"
        )
    return root


def existing_root(store: str | Path) -> zarr.Group | None:
    """Open a store's root for writing, or return None where a new one can be made.

    Raises
    ------
    InputError
        If the place is taken by something else.
    """
    path = Path(_address(store))
    if "://" in str(store) or (path / "zarr.json").exists():
        return open_root(store, mode="r+")
    # a process killed while it made the store leaves a folder with a file it had begun
    alone = not path.is_dir() or all(p.suffix == ".partial" for p in path.iterdir())
    if path.is_file() or not alone:
        raise InputError(f"{store} exists and is not a daskstem store; choose another target")
    return None


def create_root(store: str | Path) -> zarr.Group:
    """Create a store's root, or open the one that is there.

    Raises
    ------
    InputError
        If the place is taken by something else or cannot be written.
    """
    found = existing_root(store)
    if found is not None:
        return found
    attributes: Any = {"daskstem_schema": SCHEMA_VERSION, "daskstem_version": package_version()}
    try:
        zarr.open_group(_address(store), mode="a", attributes=attributes)
    except OSError as error:
        raise InputError(f"cannot write to {store}: {error.strerror or error}") from error
    return open_root(store, mode="r+")


def _address(store: str | Path) -> str:
    # workers on other machines, or started elsewhere, have another working directory
    return str(store) if "://" in str(store) else str(Path(store).absolute())
