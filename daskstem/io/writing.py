"""Writing to a store: one writer at a time, failures in words, nothing left lying about."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import zarr
from zarr.storage import LocalStore

from daskstem.schema.errors import InputError

BUILDING: Final = ".building"
REMOVED: Final = ".removed"
_PARTIAL: Final = "*.partial"
"""What Zarr calls a file before it is moved to its place."""


@contextmanager
def writing(node: zarr.Array | zarr.Group) -> Iterator[None]:
    """Say in one line what keeps the enclosed lines from writing to an array or a group.

    Raises
    ------
    InputError
        If the disk is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise write_failure(node, error) from error


def write_failure(node: zarr.Array | zarr.Group, error: OSError) -> InputError:
    """Say why something could not be written, and what to do."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"cannot write to {node.store_path}: {error.strerror or error}")
    place = store_folder(node)
    free = shutil.disk_usage(place).free if place and place.exists() else 0
    return InputError(
        f"the disk is full: {node.store_path} needs more than the {free} bytes that are free; "
        f"free some space and run the same command again to continue"
    )


@contextmanager
def sole_writer(root: zarr.Group) -> Iterator[None]:
    """Keep a store to one writing process, and clear away what a killed one left.

    The lock is the system's, on the store's folder, and ends with the process however it
    ends. Where there are no such locks, as on some network file systems, nothing is locked.

    Raises
    ------
    InputError
        If another process is writing to the store.
    """
    folder = store_folder(root)
    lock = None if folder is None else _locked(folder)
    try:
        if folder is not None:
            _clear_away(folder)
        yield
    finally:
        if lock is not None:
            os.close(lock)


def store_folder(node: zarr.Array | zarr.Group) -> Path | None:
    """Return the folder of the store, or None if it is not on a file system."""
    store = node.store_path.store
    return Path(store.root) if isinstance(store, LocalStore) else None


def _locked(folder: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise InputError(
            f"another process is writing to {folder}; wait until it has ended"
        ) from error
    except OSError:
        os.close(lock)
        return None
    return lock


def _clear_away(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith((BUILDING, REMOVED)):
            shutil.rmtree(path)
    for path in folder.glob(_PARTIAL):
        path.unlink(missing_ok=True)


def clear_partial(group: zarr.Group) -> None:
    """Delete the files of a group that a killed process had begun and not moved in place."""
    folder = store_folder(group)
    if folder is None:
        return
    for place, _, names in os.walk(folder / group.path):
        for name in names:
            if name.endswith(_PARTIAL[1:]):
                (Path(place) / name).unlink(missing_ok=True)
