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
import sys
import tempfile
from pathlib import Path

from dask.utils import parse_bytes

# run as a file, its repository is not where Python looks for modules
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.data import write_raw
from tests.benchmarks.watching import Measured, measured


def command(name: str, *arguments: str) -> Measured:
    return measured(name, [sys.executable, "-m", "daskstem", name, *arguments])


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
    rows = [command("simulate", str(simulated), "--shape", *shape, *limit)]
    size = given.files * (raw.stat().st_size if raw.exists() else write_raw(simulated, raw))
    links = [folder / f"frame_{number}.raw" for number in range(given.files)]
    for link in links:
        if not link.exists():
            link.symlink_to(raw.name)
    rows.append(
        command("convert", *map(str, links), str(store), "--shape", ",".join(shape),
                 "--dtype", "uint16", *limit)
    )  # fmt: skip
    rows.append(command("run", given.recipe, str(store), *limit))
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
