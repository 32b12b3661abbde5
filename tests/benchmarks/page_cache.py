"""Files made cold: their pages dropped from the page cache, and a look whether they are gone.

What lies beneath, the cache of the disk or of the machine that hosts this one, stays as it is.
"""

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np


def drop(paths: Iterable[Path]) -> float:
    """Drop the pages of files and folders and return the share that is in memory after it.

    Pages that a process has mapped cannot be dropped; the share tells.
    """
    files = list(_files(paths))
    for path in files:
        with path.open("rb") as file:
            # only what is on the disk already can be dropped
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident_share(files)


def warm(paths: Iterable[Path]) -> float:
    """Read files and folders once and return the share that is in memory after it."""
    files = list(_files(paths))
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.read(8 * 2**20):
                pass
    return resident_share(files)


def resident_share(paths: Iterable[Path]) -> float:
    """Return which share of the files' pages is in the page cache."""
    present = total = 0
    for path in _files(paths):
        pages = _resident_pages(path)
        present += int(pages.sum())
        total += len(pages)
    return present / max(total, 1)


def size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in _files(paths))


def _resident_pages(path: Path) -> np.ndarray:
    length = path.stat().st_size
    found = np.zeros(-(-length // mmap.PAGESIZE), np.uint8)
    if not length:
        return found.astype(bool)
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        start = np.frombuffer(mapped, np.uint8)
        failed = libc.mincore(
            ctypes.c_void_p(start.ctypes.data), ctypes.c_size_t(length),
            ctypes.c_void_p(found.ctypes.data),
        )  # fmt: skip
        # the view holds the map open
        del start
    if failed:
        raise OSError(ctypes.get_errno(), f"mincore of {path}")
    return (found & 1).astype(bool)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.rglob("*")) if file.is_file())
        else:
            yield path
