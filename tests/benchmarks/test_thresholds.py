"""The benchmarks of thresholds and of dose, small: one seed and one dose or two."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def ran(module, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_suggested_threshold_is_near_the_best_one():
    printed = ran("thresholds", "--doses", "0.3", "--seeds", "1", "--side", "48")
    assert len(printed.splitlines()) == 2


def test_one_setting_serves_a_low_and_a_high_dose():
    printed = ran("dose", "--doses", "0.05", "2", "--seeds", "1", "--side", "64")
    assert "inside" in printed
    assert "corrected  mean" in printed
