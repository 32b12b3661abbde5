"""Passes over a store against plain reading of it, single patterns, and conversion."""

import os
import shutil
import time
from pathlib import Path
from typing import Final

import daskstem
from tests.benchmarks.against_peers import STILL_THERE, WANTED_AT, ring_of
from tests.benchmarks.contest import Answer, Timing, contender, interleaved
from tests.benchmarks.data import DTYPE, Scan, packed, with_raw, with_store
from tests.benchmarks.page_cache import drop, warm
from tests.benchmarks.table import Row, compared
from tests.benchmarks.watching import watched

CLUSTERS: Final = 1000
PASSES: Final = ("read", "plain sum", "sum", "annular", "cluster means")
PATTERNS: Final = 30
COPY_BYTES: Final = 8 * 2**20
PATTERN_S: Final = 0.020


def reading(scan: Scan, *, repeats: int) -> list[Row]:
    """Compare every pass with decoding alone, and cluster means with a plain sum, warm."""
    with_store(scan)
    files = [scan.store / "raw"]
    ours = contender("ours/images.py", store=scan.store, clusters=CLUSTERS, works=PASSES,
                     **ring_of(scan))  # fmt: skip
    with ours as one:
        timings = interleaved(
            {name: (one, name) for name in PASSES}, repeats, before=lambda: warm(files)
        )
    totals = {timings[name].found for name in ("plain sum", "sum", "cluster means")}
    # means are float32
    if max(totals) / min(totals) - 1 > 1e-4:
        raise SystemExit(f"sums of the same patterns differ: {totals}")
    rate = scan.n_bytes / timings["read"].seconds / 1e9
    note = f"reading alone: {rate:.2f} GB/s, {scan.n_bytes / packed(scan.store):.1f} times packed"
    rows = [
        compared(f"{name} {scan.text}, warm", timings[name], "reading alone", timings["read"],
                 note=note if name == PASSES[1] else "")
        for name in PASSES[1:]
    ]  # fmt: skip
    rows.append(
        compared(f"means of {CLUSTERS} clusters {scan.text}, warm", timings["cluster means"],
                 "a plain sum", timings["plain sum"], wanted=_at(scan, 1 / 2.5))
    )  # fmt: skip
    return rows


def one_pattern(scan: Scan) -> list[Row]:
    """Time single patterns at random from a cold store; the wanted ratio is 20 ms."""
    with_store(scan)
    rows = []
    names = ("one pattern", "one pattern without Dask", "open and one pattern")
    with contender("ours/images.py", store=scan.store, clusters=8, works=names,
                   **ring_of(scan)) as one:  # fmt: skip
        for name in names:
            timing = interleaved({name: (one, name)}, PATTERNS, before=lambda: _cold(scan.store))
            rows.append(
                Row(f"{name} of {scan.text}, cold", timing[name].seconds, "20 ms", PATTERN_S,
                    wanted=_at(scan, 1.0) if name == names[0] else None,
                    peak_bytes=timing[name].peak_bytes,
                    note=f"median of {PATTERNS}")
            )  # fmt: skip
    return rows


def conversion(scan: Scan, folder: Path, *, repeats: int) -> list[Row]:
    """Convert a cold raw file, against a copy of it: read, written, on the disk."""
    with_raw(scan)
    answers: dict[str, list[Answer]] = {"convert": [], "copy": []}
    targets = {"convert": folder / f"converted_{scan.name}.zarr", "copy": folder / "copy.raw"}
    works = {"convert": _convert, "copy": _copy}
    for _ in range(repeats):
        for name, work in works.items():
            _cold(scan.raw)
            started = time.perf_counter()
            with watched(os.getpid()) as memory:
                work(scan, targets[name])
            answers[name].append(Answer(time.perf_counter() - started, None, memory.peak_bytes))
            _remove(targets[name])
    timings = {name: Timing(tuple(found)) for name, found in answers.items()}
    rate = scan.n_bytes / timings["copy"].seconds / 1e9
    return [
        compared(f"convert {scan.text}, cold raw file", timings["convert"], "copying it",
                 timings["copy"], wanted=_at(scan, 0.5), note=f"the copy: {rate:.2f} GB/s")
    ]  # fmt: skip


def _at(scan: Scan, wanted: float) -> float | None:
    return wanted if scan.name == WANTED_AT else None


def _convert(scan: Scan, target: Path) -> None:
    shape = (1, *scan.shape)
    daskstem.convert(scan.raw, target, shape=shape, dtype=DTYPE, quiet=True)
    for path in target.rglob("*"):
        if path.is_file():
            _on_disk(path)


def _copy(scan: Scan, target: Path) -> None:
    with scan.raw.open("rb", buffering=0) as source, target.open("wb", buffering=0) as copy:
        while piece := source.read(COPY_BYTES):
            copy.write(piece)
        os.fsync(copy.fileno())


def _on_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _cold(path: Path) -> None:
    if (share := drop([path])) > STILL_THERE:
        raise SystemExit(f"{share:.0%} of {path} stays in memory: nothing cold to measure")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
