"""A hash of files that is cheap for terabytes and still notices a change."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from daskstem.schema.provenance import digest

_END_BYTES: Final = 2**20
_STORE_METADATA: Final = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


def fingerprint(files: Sequence[Path], options: Mapping[str, Any]) -> str:
    """Return a short hash of names, sizes, first and last MiB of files, and of options.

    Modification times are left out: a copy is the same data. Of a folder (a Zarr store)
    the metadata, all names and sizes, and the ends of the first and the last file count.
    """
    parts = [_of_folder(path) if path.is_dir() else _of_file(path) for path in files]
    return digest({"files": parts, "options": dict(options)})


def _of_file(path: Path) -> list[Any]:
    size = path.stat().st_size
    content = hashlib.sha256()
    with path.open("rb") as file:
        content.update(file.read(_END_BYTES))
        file.seek(max(size - _END_BYTES, 0))
        content.update(file.read(_END_BYTES))
    return [path.name, size, content.hexdigest()]


def _of_folder(path: Path) -> list[Any]:
    # os.walk: a store may hold a million files, and Path.rglob is several times slower.
    files = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    listing = hashlib.sha256()
    for file in files:
        listing.update(f"{file.relative_to(path)} {file.stat().st_size}\n".encode())
    told = [file for file in files if file.name in _STORE_METADATA]
    chunks = [file for file in files if file.name not in _STORE_METADATA]
    return [path.name, listing.hexdigest(), *map(_of_file, [*told, *chunks[:1], *chunks[-1:]])]
