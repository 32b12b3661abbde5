"""Peak memory over all processes while a series is converted and run.

    python tests/benchmarks/memory.py                        # small, as in CI
    python tests/benchmarks/memory.py --shape 1 256 256 192 192 --memory-limit 2GiB
    python tests/benchmarks/memory.py --shape 1 256 256 192 192 --files 10

Simulates a series, writes it as one raw file (given to convert as often as ``--files`` says,
so that a long series needs no long simulation), and measures ``daskstem convert`` and
``daskstem run`` on it: the resident memory of the command and all of its children is added
up twenty times a second.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from dask.utils import parse_bytes

import daskstem


@dataclass(frozen=True)
class Measured:
    """What a command took."""

    command: str
    seconds: float
    peak_bytes: int


def resident_bytes(process: psutil.Process) -> int:
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


def measured(name: str, *arguments: str) -> Measured:
    return watched(name, "-m", "daskstem", *arguments)


def watched(name: str, *arguments: str) -> Measured:
    """Run Python with these arguments and watch its memory."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments])
    peak = 0

    def watch() -> None:
        nonlocal peak
        process = psutil.Process(child.pid)
        while child.poll() is None:
            try:
                peak = max(peak, resident_bytes(process))
            except psutil.NoSuchProcess:
                return
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = child.wait()
    watcher.join()
    if code:
        raise SystemExit(f"python {' '.join(arguments)} ended with {code}")
    return Measured(name, time.perf_counter() - started, peak)


def write_raw(store: Path, target: Path) -> int:
    """Write a store's patterns as one raw file, a few rows at a time."""
    patterns = daskstem.open_series(store)["raw/patterns"]
    with target.open("wb") as file:
        for frame in range(patterns.shape[0]):
            for row in range(0, patterns.shape[1], 32):
                rows = patterns[frame, row : row + 32].values
                file.write(np.ascontiguousarray(rows).data)
    return target.stat().st_size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=5, default=(2, 64, 64, 96, 96))
    parser.add_argument("--memory-limit", default="2GiB")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--files", type=int, default=1, help="convert the file so many times")
    parser.add_argument("--folder", type=Path, help="where to work; kept if given")
    parser.add_argument("--recipe", default="default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return measure(folder, given)


def measure(folder: Path, given: argparse.Namespace) -> int:
    limit = ["--memory-limit", given.memory_limit, "--workers", given.workers]
    shape = [str(size) for size in given.shape]
    simulated, raw, store = folder / "simulated.zarr", folder / "patterns.raw", folder / "s.zarr"
    rows = [measured("simulate", "simulate", str(simulated), "--shape", *shape, *limit)]
    size = given.files * (raw.stat().st_size if raw.exists() else write_raw(simulated, raw))
    links = [folder / f"frame_{number}.raw" for number in range(given.files)]
    for link in links:
        if not link.exists():
            link.symlink_to(raw.name)
    rows.append(
        measured("convert", "convert", *map(str, links), str(store), "--shape", ",".join(shape),
                 "--dtype", "uint16", *limit)
    )  # fmt: skip
    rows.append(measured("run", "run", given.recipe, str(store), *limit))
    allowed = parse_bytes(given.memory_limit)
    print(f"\n{size / 1e9:.2f} GB of patterns, limit {given.memory_limit}, "
          f"{given.workers} worker(s)")  # fmt: skip
    for row in rows:
        print(
            f"{row.command:9} peak {row.peak_bytes / 2**30:5.2f} GiB  "
            f"{row.peak_bytes / allowed:5.2f} of the limit  "
            f"{row.peak_bytes / size:6.2f} of the data  {row.seconds:7.1f} s  "
            f"{size / row.seconds / 1e9:5.2f} GB/s"
        )
    return int(any(row.peak_bytes > allowed for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
