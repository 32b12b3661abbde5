"""The K-means benchmark, small: it runs, and the classes are scikit-learn's."""

import re

from tests.benchmarks.running import printed_by


def test_the_benchmark_of_kmeans_finds_the_classes_of_scikit_learn():
    printed = printed_by(
        "kmeans", "--shape", 1, 32, 32, 48, 48, "--repeats", 1, "--memory-limit", "1GiB"
    )
    assert len(re.findall(r"ratio +[\d.]+", printed)) == 2
    # float32 in scikit-learn too: a pattern as near to two centroids may fall either way
    assert float(re.search(r"labels that agree: ([\d.]+)", printed)[1]) > 0.999
