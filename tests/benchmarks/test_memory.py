"""The memory benchmark, small: a series larger than what a task may hold stays in the limit."""

import subprocess
import sys
from pathlib import Path


def test_converting_and_running_stay_in_the_memory_limit(tmp_path):
    script = Path(__file__).parent / "memory.py"
    shape = ["1", "96", "96", "96", "96"]
    arguments = ["--shape", *shape, "--files", "3", "--memory-limit", "1GiB"]
    done = subprocess.run(
        [sys.executable, str(script), *arguments, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert "of the limit" in done.stdout
