"""The tracking benchmark, small: identities are kept and promises hold."""

import subprocess
import sys
from pathlib import Path


def test_simulated_particles_keep_their_identity():
    script = Path(__file__).parent / "tracking.py"
    arguments = ["--shape", "10", "48", "48", "48", "48", "--seeds", "1"]
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 2
