"""A large frame from end to end, and a series: what the command takes, in its memory limit."""

import shutil
import sys
from pathlib import Path
from typing import Final

from dask.utils import parse_bytes

from daskstem.run.recipe import read_recipe
from tests.benchmarks.contest import ROOT
from tests.benchmarks.data import DTYPE, Scan, fresh_copy, with_raw, with_store
from tests.benchmarks.page_cache import drop
from tests.benchmarks.table import Row, memory
from tests.benchmarks.watching import Measured, measured

FRAME_S: Final = 90.0
FRAMES: Final = (2, 10)
FLAT: Final = 0.9
"""Least ratio of the short series' figures per frame to the long one's."""


def large_frame(scan: Scan, folder: Path, *, workers: int | None, memory_limit: str) -> list[Row]:
    """Prefilter to cluster means of one frame, by the command, from a cold store."""
    with_store(scan)
    target = fresh_copy(scan.store, folder / f"frame_{scan.name}.zarr")
    drop([target])
    ran = _run(target, folder, workers, memory_limit)
    print(ran.printed)
    shutil.rmtree(target)
    limit = parse_bytes(memory_limit)
    what = f"run {scan.text}, prefilter to means"
    return [
        Row(what, ran.seconds, "the time wanted", FRAME_S, wanted=1, peak_bytes=ran.peak_bytes,
            note=f"{scan.n_bytes / 1e9:.1f} GB of patterns, the whole command, cold store"),
        Row(f"{what}: memory", ran.peak_bytes, "the limit", limit, wanted=1, unit="bytes"),
    ]  # fmt: skip


def long_series(scan: Scan, folder: Path, *, workers: int | None, memory_limit: str) -> list[Row]:
    """Run a short and a long series of one frame given again and again; compare per frame."""
    with_raw(scan)
    done = {}
    for n_frames in FRAMES:
        store = _series(scan, folder, n_frames, memory_limit)
        done[n_frames] = _run(store, folder, workers, memory_limit)
        shutil.rmtree(store)
    short, long = (done[n] for n in FRAMES)
    tenths = ", ".join(memory(peak) for peak in long.memory.peaks(10))
    what = f"series of {FRAMES[1]} x {scan.text}"
    against = f"{FRAMES[0]} frames"
    return [
        Row(f"{what}, time per frame", long.seconds / FRAMES[1], against,
            short.seconds / FRAMES[0], wanted=FLAT, peak_bytes=long.peak_bytes,
            other_peak_bytes=short.peak_bytes),
        Row(f"{what}, memory", long.peak_bytes, against, short.peak_bytes, wanted=FLAT,
            unit="bytes", note=f"peaks in the tenths of the run: {tenths}"),
    ]  # fmt: skip


def default_from_prefilter(path: Path) -> Path:
    """Write the default recipe without what comes before the prefilter."""
    text = (ROOT / "pipelines" / "default.toml").read_text()
    path.write_text(text[text.index("[prefilter]") :])
    # refused here rather than in the middle of a measurement
    read_recipe(path)
    return path


def _run(store: Path, folder: Path, workers: int | None, memory_limit: str) -> Measured:
    recipe = default_from_prefilter(folder / "from_prefilter.toml")
    more = [] if workers is None else ["--workers", str(workers)]
    return _daskstem("run", recipe, store, "--memory-limit", memory_limit, *more)


def _series(scan: Scan, folder: Path, n_frames: int, memory_limit: str) -> Path:
    store = folder / f"series_{n_frames}_{scan.name}.zarr"
    links = [folder / f"frame_{number}_{scan.name}.raw" for number in range(n_frames)]
    for link in links:
        link.unlink(missing_ok=True)
        link.symlink_to(scan.raw.name)
    shape = ",".join(str(size) for size in (1, *scan.shape))
    _daskstem("convert", *links, store, "--shape", shape, "--dtype", DTYPE,
              "--memory-limit", memory_limit)  # fmt: skip
    for link in links:
        link.unlink()
    return store


def _daskstem(command: str, *arguments: object) -> Measured:
    return measured(
        command, [sys.executable, "-m", "daskstem", command, *map(str, arguments)], quiet=True
    )
