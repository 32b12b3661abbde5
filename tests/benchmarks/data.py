"""The scans that are measured: simulated once into a folder, in every format that is wanted."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import daskstem
from tests.benchmarks.contest import HERE
from tests.benchmarks.page_cache import size

COUNTS_PER_PIXEL = 2.0
DTYPE = "uint16"


@dataclass(frozen=True)
class Scan:
    """One frame and where it lies.

    Attributes
    ----------
    shape
        (scan_y, scan_x, q_y, q_x).
    store, raw, zspy
        The same patterns as a daskstem store, as bare numbers, and as HyperSpy keeps them;
        the last two are made when they are first asked for.
    """

    name: str
    shape: tuple[int, int, int, int]
    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / f"{self.name}.zarr"

    @property
    def raw(self) -> Path:
        return self.folder / f"{self.name}.raw"

    @property
    def zspy(self) -> Path:
        return self.folder / f"{self.name}.zspy"

    @property
    def n_bytes(self) -> int:
        return int(np.prod(self.shape)) * np.dtype(DTYPE).itemsize

    @property
    def text(self) -> str:
        return f"{self.shape[0]}\u00b2 x {self.shape[2]}\u00b2"


def scan_of(name: str, folder: Path) -> Scan:
    """Return the scan called, say, 256x192: 256 x 256 positions, 192 x 192 pixels."""
    side, detector = (int(number) for number in name.split("x"))
    return Scan(name, (side, side, detector, detector), folder)


def with_store(scan: Scan) -> Scan:
    """Simulate the scan unless it is there; an unfinished one is continued."""
    daskstem.simulate(
        scan.store, shape=(1, *scan.shape), seed=0, counts_per_pixel=COUNTS_PER_PIXEL, quiet=True
    )
    return scan


def with_raw(scan: Scan) -> Scan:
    """Write the store's numbers as a raw file unless it is there."""
    with_store(scan)
    if not scan.raw.exists() or scan.raw.stat().st_size != scan.n_bytes:
        write_raw(scan.store, scan.raw)
    return scan


def with_zspy(scan: Scan, python: str) -> Scan:
    """Let HyperSpy write the same numbers unless they are there."""
    with_raw(scan)
    if not scan.zspy.exists():
        given = {"raw": str(scan.raw), "zspy": str(scan.zspy), "dtype": DTYPE, "shape": scan.shape}
        command = [python, str(HERE / "peers" / "hyperspy_write.py"), json.dumps(given)]
        subprocess.run(command, check=True, capture_output=True)
    return scan


def write_raw(store: Path, target: Path) -> int:
    """Write a store's patterns as one raw file, a few rows at a time."""
    patterns = daskstem.open_series(store)["raw/patterns"]
    with target.open("wb") as file:
        for frame in range(patterns.shape[0]):
            for row in range(0, patterns.shape[1], 32):
                rows = patterns[frame, row : row + 32].values
                file.write(np.ascontiguousarray(rows).data)
    return target.stat().st_size


def fresh_copy(store: Path, target: Path) -> Path:
    """Return a store with the same raw patterns and nothing else, without a byte copied."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(store / "zarr.json", target / "zarr.json")
    # the files of raw patterns are never changed, so both stores may hold the same ones
    shutil.copytree(store / "raw", target / "raw", copy_function=_link)
    return target


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def packed(store: Path) -> int:
    """Return the bytes of the raw patterns on the disk."""
    return size([store / "raw"])
