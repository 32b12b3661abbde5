"""The recipe against the equations written out in NumPy loops, and growing by itself."""

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np

from daskstem.testing import adjusted_rand_index
from tests.benchmarks.contest import Contender, Timing, contender, interleaved
from tests.benchmarks.data import DTYPE, Scan, with_raw
from tests.benchmarks.table import Row, compared

STEPS: Final = ("prefilter", "similarity", "background", "grow", "average")
WHOLE_POSITIONS: Final = 128 * 128
"""A larger scan is worked on by the loops in a quarter, and the time taken four times."""
WANTED_AT: Final = ("128x128", "256x192")
"""Sizes for which a ratio is promised; smaller ones show what the overhead is."""
WANTED: Final = 50.0
WANTED_GROWTH: Final = 100.0
PUBLISHED_SIDE: Final = 512
PUBLISHED_GROWTH_S: Final = 31.0
"""What Lee et al. report for 512 x 512 positions without a mask."""


def recipe(
    scan: Scan, folder: Path, *, repeats: int, workers: int | None, memory_limit: str | None
) -> list[Row]:
    """Prefilter, similarity, growing and averages of one frame, from the store."""
    folder = folder / f"pipeline_{scan.name}"
    folder.mkdir(parents=True, exist_ok=True)
    with_raw(scan)
    parameters = _parameters(scan.shape[2])
    part = _part(scan.shape[:2])
    share = scan.shape[0] * scan.shape[1] / (part[0] * part[1])
    written = _recipe(parameters, folder / "recipe.toml")
    ours = {
        "store": scan.store, "folder": folder, "recipe": written, "settings": [],
        "detector": scan.shape[2], "workers": workers, "memory_limit": memory_limit,
    }  # fmt: skip
    loops = {
        "raw": scan.raw, "dtype": DTYPE, "shape": scan.shape, "part": part, "folder": folder,
        "parameters": parameters,
    }  # fmt: skip
    # one after the other: neither has to do without the memory that the other one holds
    with contender("ours/literal.py", **loops) as slow:
        timings = interleaved({"loops": (slow, "run")}, 1)
    with contender("ours/pipeline.py", **ours) as fast:
        turns = {of: (fast, of) for of in ("raw", "filtered")}
        timings |= interleaved(turns, repeats, before=lambda: _prepared(fast))
        agreement = _agreement(fast, folder, part)
    rows = [_row(scan, of, timings[of], timings["loops"], share) for of in ("filtered", "raw")]
    print(_stages(scan, timings), agreement, sep="\n", flush=True)
    shutil.rmtree(folder)
    return rows


def growing(side: int, *, repeats: int) -> list[Row]:
    """Clusters of a whole frame's maps, without a mask."""
    with contender("ours/growing.py", side=side, threshold=0.3) as both:
        timings = interleaved(
            {
                name: (both, name)
                for name in ("daskstem", "in the published way", "published loop")
            },
            repeats,
            once=["published loop"],
        )
    loop = timings["published loop"]
    if not loop.found["same"]:
        raise SystemExit("the published loop found other clusters")
    what = f"grow {side}\u00b2, no mask"
    note = f"{loop.found['clusters']} clusters, the same partition as the loop's"
    large = side == PUBLISHED_SIDE
    wanted = WANTED_GROWTH if large else None
    rows = [
        compared(what, timings["daskstem"], "the published loop", loop, wanted=wanted, note=note),
        compared(f"{what}, by its conventions", timings["in the published way"],
                 "the published loop", loop),
    ]  # fmt: skip
    if large:
        rows.append(Row(what, timings["daskstem"].seconds, "the time published",
                        PUBLISHED_GROWTH_S, wanted=wanted))  # fmt: skip
    return rows


def _parameters(detector: int) -> dict[str, Any]:
    """Return the published parameters; blur and edge less where the detector is small."""
    small = detector < 64
    return {
        "prefilter": {
            "radius": 4,
            "sigma": 1.0 if small else 3.0,
            "edge": 3 if small else 12,
            "corr_range": [0.85, 0.95],
        },
        # with the direct beam all positions resemble each other and nothing is left to grow
        "inner": detector / 16,
        "threshold": 0.9,
        "min_size": 8,
    }


def _recipe(parameters: dict[str, Any], path: Path) -> Path:
    chosen = parameters["prefilter"]
    path.write_text(
        f"""[prefilter]
sigma_px = {chosen["sigma"]}
edge_px = {chosen["edge"]}
radius_px = {chosen["radius"]}
corr_range = {chosen["corr_range"]}
noise = "none"
[similarity]
q_inner_px = {parameters["inner"]}
noise = "none"
[background]
method = "none"
[grow]
threshold = {parameters["threshold"]}
min_size = {parameters["min_size"]}
[average]
"""
    )
    return path


def _part(scan: tuple[int, int]) -> tuple[int, int]:
    whole = scan[0] * scan[1] <= WHOLE_POSITIONS
    return scan if whole else (scan[0] // 2, scan[1] // 2)


def _prepared(fast: Contender) -> None:
    fast.ask("prepare")


def _row(scan: Scan, of: str, ours: Timing, loops: Timing, share: float) -> Row:
    other = "filtered" if of == "raw" else "raw"
    stages = loops.found["stages"].items()
    seconds = share * sum(took for name, took in stages if name != f"average of {other}")
    note = f"the loops on 1/{share:.0f} of the positions, times {share:.0f}" if share > 1 else ""
    return Row(
        f"recipe {scan.text}, {of} means", ours.seconds, "NumPy loops", seconds,
        wanted=WANTED if scan.name in WANTED_AT else None,
        peak_bytes=ours.peak_bytes, other_peak_bytes=loops.peak_bytes, note=note,
    )  # fmt: skip


def _stages(scan: Scan, timings: dict[str, Timing]) -> str:
    lines = [f"{scan.text}, seconds of the stages:"]
    for name, timing in timings.items():
        stages = timing.found["stages"]
        told = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages.items())
        lines.append(f"  {name}: {told}; {timing.found['clusters']} clusters")
    return "\n".join(lines)


def _agreement(fast: Contender, folder: Path, part: tuple[int, int]) -> str:
    """Say how far the two agree, and stop where they do not: they must have done the same."""
    fast.ask("prepare")
    fast.ask("filtered")
    fast.ask("keep")
    similarity = np.load(folder / "similarity.npy")
    expected = np.load(folder / "literal_similarity.npy")
    whole = similarity.shape == expected.shape
    # filtered patterns near the cut miss neighbors: radius 4, and 1 for the similarity
    inner = np.s_[:] if whole else np.s_[: part[0] - 5, : part[1] - 5]
    found = similarity[: part[0], : part[1]][inner]
    largest = float(np.nanmax(np.abs(found - expected[inner])))
    if not largest <= 1e-4:
        raise SystemExit(f"similarities differ from the loops' by up to {largest:.2g}")
    if not whole:
        return f"  largest difference of a similarity {largest:.1e}"
    labels = (np.load(folder / f"{name}.npy") for name in ("label", "literal_label"))
    index = adjusted_rand_index(*labels)
    if index < 0.999:
        raise SystemExit(f"labels differ from the loops': adjusted Rand index {index:.4f}")
    return f"  largest difference of a similarity {largest:.1e}, adjusted Rand index {index:.5f}"
