"""The extraction benchmark, small: overlapping crystals are told better than by an aperture."""

import subprocess
import sys
from pathlib import Path


def test_reflections_of_overlapping_crystals_are_told():
    script = Path(__file__).parent / "extraction.py"
    scene = ["--shape", "9", "40", "40", "64", "64", "--seeds", "1"]
    done = subprocess.run(
        [sys.executable, str(script), *scene],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    print(done.stdout)
    # 0.95 for the mean of the crystals that overlap in part of the series
    assert done.returncode == 0, done.stdout + done.stderr
    words = next(
        line for line in done.stdout.splitlines() if line.startswith("overlapping in part")
    )
    extracted, *_, aperture = (float(part.split("(")[0].split()[-1]) for part in words.split(";"))
    assert extracted > aperture
