"""The K-means benchmark, small: it runs, and the classes are scikit-learn's."""

import re
import subprocess
import sys
from pathlib import Path


def test_the_benchmark_of_kmeans_finds_the_classes_of_scikit_learn():
    script = Path(__file__).parent / "kmeans.py"
    arguments = [
        "--shape",
        "1",
        "32",
        "32",
        "48",
        "48",
        "--repeats",
        "1",
        "--memory-limit",
        "1GiB",
    ]
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    ratios = [float(found) for found in re.findall(r"ratio +([\d.]+)", done.stdout)]
    assert len(ratios) == 2
    # float32 in scikit-learn too: a pattern as near to two centroids may fall either way
    assert float(re.search(r"labels that agree: ([\d.]+)", done.stdout)[1]) > 0.999
