"""Zarr stores, read by zarr itself; HyperSpy's .zspy is one of them."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr
from zarr.storage import ZipStore

from daskstem.io.readers.choice import only_candidate
from daskstem.io.readers.options import Options
from daskstem.io.readers.source import Found, Shape5, lifted
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region


@dataclass(frozen=True)
class ZarrArray:
    """One array of a store in a folder or a zip file."""

    path: str
    array: str
    array_shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def shape(self) -> Shape5:
        """Sizes of the five dimensions."""
        return lifted(self.array_shape, self.path)

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``."""
        with opened(Path(self.path)) as root:
            array = root if isinstance(root, zarr.Array) else array_at(root, self.array)
            out[...] = array[region[5 - len(self.array_shape) :]]


@contextmanager
def opened(path: Path) -> Iterator[zarr.Group | zarr.Array]:
    """Open a store for reading, and close it."""
    if not path.is_file():
        yield zarr.open(str(path), mode="r")
        return
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is a file, but no zip of a Zarr store; expected a folder")
    store = ZipStore(path, mode="r")
    try:
        yield zarr.open(store, mode="r")
    finally:
        store.close()


def array_at(root: zarr.Group, name: str) -> zarr.Array:
    """Return the array of that name, or raise InputError."""
    found = root.get(name)
    if not isinstance(found, zarr.Array):
        raise InputError(f"{root.store} has no array {name!r}; it has {', '.join(_arrays(root))}")
    return found


def read_zarr(path: Path, options: Options) -> Found:
    """Read an array of a Zarr store: the named one, or the only one that can be meant."""
    with opened(path) as root:
        name = options.dataset or ""
        if isinstance(root, zarr.Array):
            array = root
        else:
            name = name or only_candidate(_arrays(root), path, options, "arrays")
            array = array_at(root, name)
        stored = ZarrArray(str(path), name, array.shape, array.dtype)
    _, rows, columns, _, _ = stored.shape
    scan_shape = None if len(stored.array_shape) == 3 else (rows, columns)
    return Found(stored, (path,), scan_shape, metadata={"dataset": name})


def _arrays(group: zarr.Group, prefix: str = "") -> dict[str, tuple[int, ...]]:
    shapes = {f"{prefix}{name}": array.shape for name, array in group.arrays()}
    for name, inner in group.groups():
        shapes |= _arrays(inner, f"{prefix}{name}/")
    return dict(sorted(shapes.items()))
