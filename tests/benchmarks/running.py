"""A benchmark run as a user runs it, for the tests of the benchmarks."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def printed_by(name, *arguments, statuses=(0,)):
    """Run ``tests/benchmarks/name.py`` and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode in statuses, done.stdout + done.stderr
    return done.stdout
