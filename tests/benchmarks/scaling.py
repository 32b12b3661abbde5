"""How time falls with cores: measured here, modelled beyond, and what the graph costs.

    python tests/benchmarks/scaling.py --work DIR
    python tests/benchmarks/scaling.py --size 64x48 --frames 20       # small, as in CI

Runs the default recipe from the prefilter on with one and two cores; takes the times of its
tasks (computing, reading, transfer) from the scheduler's record, and models from them, with
the assumptions that it prints, a frame of 512 x 512 positions on 16, 64 and 256 cores that
share a file system. Then a long series of tiny frames shows the tasks of a frame, what the
scheduler takes for each, and whether its memory stays flat.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

# run as a file, its repository is not where Python looks for modules
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import daskstem
from tests.benchmarks import model
from tests.benchmarks.cluster import cluster
from tests.benchmarks.contest import contender, interleaved
from tests.benchmarks.data import Scan, fresh_copy, scan_of, with_store
from tests.benchmarks.large import default_from_prefilter
from tests.benchmarks.page_cache import warm
from tests.benchmarks.table import machine, memory
from tests.benchmarks.tasks import StageTasks, decoding_seconds, recorded
from tests.benchmarks.watching import watched

CORES: Final = (1, 2, 16, 64, 256)
FRAME_SIDE: Final = 512
DETECTOR_S: Final = 13.0
"""In which a detector delivers such a frame."""
CORES_OF_A_FRAME: Final = 16
"""Weak scaling gives so many cores one frame."""
TINY: Final = (16, 16, 16, 16)
MOST_OVERHEAD_S: Final = 1e-3
MOST_SHARE: Final = 0.05
MOST_GROWTH_BYTES: Final = 20 * 2**20
"""Twice what the resident memory of an idle scheduler moves by itself."""


def main() -> int:
    given = parsed()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        scan = with_store(scan_of(given.size, folder))
        print(f"{machine()}; the default recipe from the prefilter on, {scan.text}, warm")
        measured_scaling(scan, folder, given.repeats)
        scheduler_s, problems = graph(folder, given.frames)
        stages = tasks_of(scan, folder)
        modelled(scan, stages, given, scheduler_s)
        problems += overhead(stages, scheduler_s)
    for problem in problems:
        print(f"MISSED: {problem}")
    return int(bool(problems))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="256x192", help="POSITIONSxPIXELS that is run here")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--frames", type=int, default=100, help="tiny frames in the series")
    parser.add_argument("--file-system", type=float, default=4.0, help="GB/s shared by all")
    parser.add_argument("--stream", type=float, default=1.0, help="GB/s of a single reader")
    parser.add_argument("--network", type=float, default=1.25, help="GB/s of a worker's link")
    parser.add_argument("--work", type=Path, help="keeps the data; temporary if left out")
    return parser.parse_args()


def measured_scaling(scan: Scan, folder: Path, repeats: int) -> None:
    """Run on one core, on two as threads and on two as processes, in turns."""
    available = len(os.sched_getaffinity(0))
    ways = {"1 core": (1, 1), "2 cores, threads": (2, 1), "2 cores, processes": (2, 2)}
    folders = {name: folder / f"scaling_{cores}_{workers}" for name, (cores, workers) in
               ways.items() if cores <= available}  # fmt: skip
    with ExitStack() as stack:
        turns = {}
        for name, own in folders.items():
            own.mkdir(exist_ok=True)
            cores, workers = ways[name]
            given = {
                "store": scan.store, "folder": own, "settings": [], "detector": scan.shape[2],
                "recipe": default_from_prefilter(own / "recipe.toml"), "cores": cores,
                "workers": workers, "memory_limit": "4GiB",
            }  # fmt: skip
            turns[name] = (stack.enter_context(contender("ours/pipeline.py", **given)), "raw")
        warm([scan.store / "raw"])
        timings = interleaved(
            turns, repeats, before=lambda: [who.ask("prepare") for who, _ in turns.values()]
        )
    one = timings["1 core"].seconds
    for name, timing in timings.items():
        factor, cores = one / timing.seconds, ways[name][0]
        print(f"  {name:20} {timing.seconds:7.2f} s  {factor:5.2f} x  efficiency "
              f"{factor / cores:4.0%}  {memory(timing.peak_bytes)}")  # fmt: skip
    for own in folders.values():
        shutil.rmtree(own)


def tasks_of(scan: Scan, folder: Path) -> list[StageTasks]:
    """Run the recipe on two workers of one core each and print what its tasks take."""
    target = fresh_copy(scan.store, folder / "tasks.zarr")
    recipe = default_from_prefilter(folder / "recipe.toml")
    # the first run compiles and loads what a worker keeps
    small = daskstem.simulate(folder / "warm.zarr", quiet=True,
                              shape=(1, 32, 32, *scan.shape[2:]))  # fmt: skip
    with cluster(folder, workers=2, threads=1) as at:
        daskstem.run_recipe(recipe, small, scheduler=at.address, quiet=True)
        warm([target / "raw"])
        stages = recorded(at, target, recipe, folder, threads=2)
    decoding = decoding_seconds(target)
    for made in (target, small):
        shutil.rmtree(made)
    print(f"tasks of a frame (decoding a block without halo: {decoding:.3f} s)")
    for stage in stages:
        print(f"  {stage.stage}: {stage.seconds:.2f} s, {stage.n_tasks} tasks, "
              f"{stage.overhead_s * 1e3:.2f} ms of a thread beside each")  # fmt: skip
        for kind in stage.kinds:
            print(f"    {kind.tasks:5} {kind.name:28} {kind.compute_s:8.4f} s each, reads "
                  f"{kind.read_bytes / 1e6:6.2f} MB, {kind.moved_bytes / 1e6:8.2f} MB "
                  f"made in all")  # fmt: skip
    return stages


def modelled(
    scan: Scan, stages: Sequence[StageTasks], given: argparse.Namespace, scheduler_s: float
) -> None:
    """Print strong and weak scaling of a frame of 512 x 512 positions."""
    factor = FRAME_SIDE**2 / (scan.shape[0] * scan.shape[1])
    kinds = model.scaled([kind for stage in stages for kind in stage.kinds], factor)
    rates = [1e9 * rate for rate in (given.file_system, given.stream, given.network)]
    on = model.Machine(1, *rates, scheduler_s)
    print(f"\nmodel of {FRAME_SIDE}\u00b2 x {scan.shape[2]}\u00b2: a file system of "
          f"{given.file_system:g} GB/s, {given.stream:g} GB/s for a reader,\n"
          f"links of {given.network:g} GB/s, {scheduler_s * 1e3:.2f} ms of the scheduler "
          f"for a task")  # fmt: skip
    print(str(model.__doc__).partition("\n\n")[2].rstrip())
    print("cores  one frame  efficiency  most of it is  |  frames together  efficiency")
    alone = model.one_frame(kinds, on).seconds
    first = model.one_frame(kinds, replace(on, cores=CORES_OF_A_FRAME)).seconds
    for cores in CORES:
        here = replace(on, cores=cores)
        taken = model.one_frame(kinds, here)
        line = (f"{cores:5} {taken.seconds:8.1f} s  {alone / taken.seconds / cores:10.0%}  "
                f"{taken.bound:13}  |")  # fmt: skip
        if cores >= CORES_OF_A_FRAME:
            frames = cores // CORES_OF_A_FRAME
            seconds = model.series(kinds, here, frames).seconds
            line += f"  {frames:3} in {seconds:6.1f} s  {first / seconds:10.0%}"
        print(line)
    print(_enough(kinds, on))


def _enough(kinds: Sequence[model.Kind], on: model.Machine) -> str:
    cores = model.cores_for(kinds, on, DETECTOR_S)
    if cores is not None:
        return f"a frame takes {DETECTOR_S:g} s from {cores} cores on"
    most = model.one_frame(kinds, replace(on, cores=model.MOST_CORES))
    return (f"{DETECTOR_S:g} s for one frame are reached on no number of cores: "
            f"{most.seconds:.1f} s are left, most of it {most.bound}")  # fmt: skip


def graph(folder: Path, n_frames: int) -> tuple[float, list[str]]:
    """Run a series of tiny frames; return the scheduler's seconds per task, and what is wrong."""
    store = daskstem.simulate(folder / "tiny.zarr", shape=(n_frames, *TINY), quiet=True)
    few = daskstem.simulate(folder / "few.zarr", shape=(4, *TINY), quiet=True)
    again = fresh_copy(few, folder / "again.zarr")
    recipe = default_from_prefilter(folder / "recipe.toml")
    with cluster(folder, workers=1, threads=2) as at:
        per_frame = sum(s.n_tasks for s in recorded(at, few, recipe, folder, threads=2, frames=4))
    with cluster(folder, workers=1, threads=2) as at:
        # what a first run makes the scheduler import is spent once, however long the series
        daskstem.run_recipe(recipe, again, scheduler=at.address, quiet=True)
        started, before = time.perf_counter(), sum(at.scheduler.cpu_times()[:2])
        with watched(at.scheduler.pid) as resident:
            daskstem.run_recipe(recipe, store, scheduler=at.address, quiet=True)
        spent = sum(at.scheduler.cpu_times()[:2]) - before
        seconds = time.perf_counter() - started
    for made in (store, few, again):
        shutil.rmtree(made)
    scheduler_s = spent / (per_frame * n_frames)
    tenths = resident.peaks(10)
    growth = tenths[-1] - tenths[1]
    print(f"series of {n_frames} tiny frames: {seconds:.1f} s, {per_frame} tasks a frame, the "
          f"scheduler computes {scheduler_s * 1e3:.2f} ms for each")  # fmt: skip
    print("  its memory in the tenths of the run: "
          + ", ".join(f"{peak / 2**20:.0f}" for peak in tenths) + " MiB")  # fmt: skip
    problems = []
    if scheduler_s > MOST_OVERHEAD_S:
        problems.append(f"{scheduler_s * 1e3:.2f} ms in the scheduler for a task, wanted 1 ms")
    if growth > MOST_GROWTH_BYTES:
        problems.append(f"the scheduler grows by {growth / 2**20:.0f} MiB over {n_frames} frames")
    return scheduler_s, problems


def overhead(stages: Sequence[StageTasks], scheduler_s: float) -> list[str]:
    """Return what is wrong with the share of the scheduler in the time of a frame."""
    n_tasks, seconds = sum(s.n_tasks for s in stages), sum(s.seconds for s in stages)
    share = n_tasks * scheduler_s / seconds
    print(f"scheduler's share of the time of a frame: {share:.1%} ({n_tasks} tasks)")
    return [f"the scheduler takes {share:.1%} of the time"] if share > MOST_SHARE else []


if __name__ == "__main__":
    raise SystemExit(main())
