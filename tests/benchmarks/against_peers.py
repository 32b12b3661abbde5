"""Sum and annular image of a frame, against LiberTEM and pyxem, each from its own format."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

from tests.benchmarks.contest import Contender, Timing, contender, interleaved
from tests.benchmarks.data import DTYPE, Scan, with_raw, with_zspy
from tests.benchmarks.page_cache import drop, warm
from tests.benchmarks.peers import python_of
from tests.benchmarks.table import Row, compared

State = Literal["cold", "warm"]
EXECUTORS: Final = ("dask", "threads", "pipelined")
"""LiberTEM's default first; its single-threaded one was never the fastest. The best counts.

How it reads is left to it: mapped, buffered and direct reading of the cold file took the same.
"""
WANTED: Final = {("LiberTEM", "cold"): 2.0, ("LiberTEM", "warm"): 0.8,
                 ("pyxem", "cold"): 3.0, ("pyxem", "warm"): 3.0}  # fmt: skip
WANTED_AT: Final = "256x192"
"""Small frames show what starting the tasks takes; no ratio is promised there."""
STILL_THERE: Final = 0.02
"""Share of the files in memory up to which they count as cold."""
SAME: Final = 0.02
"""Programs count the pixels on a ring's border differently."""


def ring_of(scan: Scan) -> dict[str, Any]:
    """Return the annular detector: all around within the detector."""
    q_y, q_x = scan.shape[2:]
    return {"center": [(q_y - 1) / 2, (q_x - 1) / 2], "inner": min(q_y, q_x) / 8,
            "outer": min(q_y, q_x) / 2}  # fmt: skip


def images(scan: Scan, peers: Path | None, state: State, *, repeats: int) -> list[Row]:
    """Compare sum and annular image, with cold or warm files."""
    with_raw(scan)
    with ExitStack() as stack:
        ours = stack.enter_context(
            contender("ours/images.py", store=scan.store, clusters=8, works=["sum", "annular"],
                      **ring_of(scan))
        )  # fmt: skip
        others = _others(scan, peers, stack)
        if not others:
            return []
        files = [scan.store / "raw", scan.raw, *([scan.zspy] if scan.zspy.exists() else [])]
        rows = []
        for work in ("sum", "annular"):
            turns = {
                "daskstem": (ours, work),
                **{name: (who, work) for name, who in others.items()},
            }
            timings = interleaved(turns, repeats, before=lambda: _in_state(files, state))
            rows += _rows(scan, work, state, timings)
    return rows


def _others(scan: Scan, peers: Path | None, stack: ExitStack) -> dict[str, Contender]:
    found = {}
    libertem, pyxem = (python_of(name, peers) for name in ("libertem", "hyperspy"))
    if libertem is None:
        print("LiberTEM: left out, no environment for it (tests/benchmarks/peers.py makes one)")
    else:
        given = {"raw": scan.raw, "dtype": DTYPE, "shape": scan.shape, **ring_of(scan)}
        for executor in EXECUTORS:
            started = contender("peers/libertem_images.py", python=libertem, executor=executor,
                                **given)  # fmt: skip
            found[f"LiberTEM {executor}"] = stack.enter_context(started)
    if pyxem is None:
        print("pyxem: left out, no environment for it (tests/benchmarks/peers.py makes one)")
    else:
        with_zspy(scan, pyxem)
        started = contender("peers/hyperspy_images.py", python=pyxem, zspy=scan.zspy,
                            **ring_of(scan))  # fmt: skip
        found["pyxem"] = stack.enter_context(started)
    for name, who in found.items():
        print(f"{name}: {who.about}", flush=True)
    return found


def _in_state(files: list[Path], state: State) -> None:
    if state == "warm":
        warm(files)
    elif (share := drop(files)) > STILL_THERE:
        raise SystemExit(f"{share:.0%} of the files stay in memory: nothing cold to measure")


def _rows(scan: Scan, work: str, state: State, timings: dict[str, Timing]) -> list[Row]:
    what = f"{work} {scan.text}, {state}"
    ours = timings.pop("daskstem")
    for name, timing in timings.items():
        if abs(timing.found / ours.found - 1) > SAME:
            raise SystemExit(f"{what}: {name} counts {timing.found}, daskstem {ours.found}")
    rows = []
    for program in ("LiberTEM", "pyxem"):
        own = {name: found for name, found in timings.items() if name.startswith(program)}
        if not own:
            continue
        best = min(own, key=lambda name: own[name].seconds)
        told = ", ".join(f"{name} {found.seconds:.2f} s" for name, found in own.items())
        wanted = WANTED[program, state] if scan.name == WANTED_AT else None
        rows.append(
            compared(what, ours, best, own[best], wanted=wanted,
                     note=told if len(own) > 1 else "")
        )  # fmt: skip
    return rows
