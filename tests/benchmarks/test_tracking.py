"""The tracking benchmark, small: identities are kept and promises hold."""

import subprocess
import sys
from pathlib import Path

SHAPE = ["6", "24", "24", "32", "32"]


def test_simulated_particles_keep_their_identity():
    script = Path(__file__).parent / "tracking.py"
    # grains of a few positions: the clusters decide how high IDF1 can be
    scene = ["--shape", *SHAPE, "--seeds", "1", "--drift-steps", "1", "1", "--least-idf1", "0.9"]
    done = subprocess.run(
        [sys.executable, str(script), *scene],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    _, idf1, allowed, *_ = done.stdout.splitlines()[1].split()
    # about thirty detections: one may bear another number
    assert float(idf1) >= float(allowed) - 0.04
