"""How fast daskstem is, as ratios with what else there is, and how much memory all takes.

    python tests/benchmarks/peers.py install --into DIR       # once: LiberTEM, pyxem
    python tests/benchmarks/speed.py --peers DIR --work DIR
    python tests/benchmarks/speed.py --sizes 128x128 --only recipe growing
    python tests/benchmarks/speed.py --sizes large --work DIR

Every contender runs in a process of its own, warmed up; they are asked in turns, A B A B,
and medians are compared. Cold means that the files' pages were dropped from the page cache
of this machine. Memory is the resident memory over all processes of a contender, files it
has mapped included. Contenders that find another result than daskstem end the run.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

# run as a file, its repository is not where Python looks for modules
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.against_literal import growing, recipe
from tests.benchmarks.against_peers import images
from tests.benchmarks.against_reading import conversion, one_pattern, reading
from tests.benchmarks.data import scan_of
from tests.benchmarks.large import large_frame, long_series
from tests.benchmarks.peers import VARIABLE, folder_of_peers
from tests.benchmarks.table import Row, machine, printed

SIZES: Final = {
    "small": ("32x32",),
    "full": ("64x96", "128x128", "256x192"),
    "large": ("512x192",),
}
PARTS: Final = ("recipe", "growing", "cold", "warm", "reading", "pattern", "convert")
LARGE_PARTS: Final = ("frame", "series")


def main() -> int:
    given = parsed()
    names = [name for size in given.sizes for name in SIZES.get(size, (size,))]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row for name in names for row in measured(name, folder, given)]
    print(f"\n{machine()}; medians of {given.repeats}; ratio: how many times as fast")
    print(printed(rows))
    if given.json:
        given.json.write_text(json.dumps([row.as_json() for row in rows], indent=1))
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = f"{', '.join(SIZES)}, or POSITIONSxPIXELS, such as 128x128"
    parser.add_argument("--sizes", nargs="+", default=["full"], help=sizes)
    parser.add_argument("--only", nargs="+", choices=[*PARTS, *LARGE_PARTS])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="keeps the data; a temporary folder if left out")
    parser.add_argument("--peers", type=Path, help=f"folder of peers.py; or set {VARIABLE}")
    parser.add_argument("--memory-limit", default="4GiB")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path, help="file for the rows")
    return parser.parse_args()


def measured(name: str, folder: Path, given: argparse.Namespace) -> list[Row]:
    """Measure what was asked for at one size."""
    scan, repeats = scan_of(name, folder), given.repeats
    limits = {"workers": given.workers, "memory_limit": given.memory_limit}
    peers = folder_of_peers(given.peers)
    parts: dict[str, Callable[[], list[Row]]] = {
        "recipe": lambda: recipe(scan, folder, repeats=repeats, **limits),
        "growing": lambda: growing(2 * scan.shape[0], repeats=repeats),
        "cold": lambda: images(scan, peers, "cold", repeats=repeats),
        "warm": lambda: images(scan, peers, "warm", repeats=repeats),
        "reading": lambda: reading(scan, repeats=repeats),
        "pattern": lambda: one_pattern(scan),
        "convert": lambda: conversion(scan, folder, repeats=repeats),
        "frame": lambda: large_frame(scan, folder, **limits),
        "series": lambda: long_series(scan, folder, **limits),
    }
    usual = LARGE_PARTS if name in SIZES["large"] else PARTS
    rows = []
    for part in given.only or usual:
        print(f"{scan.text}: {part}", flush=True)
        rows += parts[part]()
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
