"""The equations in NumPy loops, from an array in memory; a part of the scan where it is large."""

import json
import sys
import time
from pathlib import Path

import numpy as np

from tests import literal
from tests.benchmarks.answering import answer


def main():
    given = json.loads(sys.argv[1])
    rows, columns = given["part"]
    mapped = np.memmap(given["raw"], given["dtype"], mode="r", shape=tuple(given["shape"]))
    patterns = np.array(mapped[:rows, :columns])
    answer({"run": lambda: run(patterns, given["parameters"], Path(given["folder"]))})


def run(patterns, parameters, folder):
    """Return the seconds of each stage; the results go to files, which is not counted."""
    seconds, clock = {}, time.perf_counter()

    def done(name):
        nonlocal clock
        seconds[name] = time.perf_counter() - clock
        clock = time.perf_counter()

    chosen = parameters["prefilter"]
    offsets = literal.footprint(chosen["radius"])
    weights = literal.weights(patterns, **chosen)
    done("weights")
    filtered = literal.filtered(patterns, weights, offsets)
    done("filtered patterns")
    ring = literal.annulus(patterns.shape[2:], parameters["inner"], None)
    similarity = literal.cosines(filtered, ring)
    done("similarity")
    mean = literal.mean_of_available(similarity)
    everywhere = np.ones(mean.shape, bool)
    label = literal.grown(
        similarity, mean, everywhere, parameters["threshold"], parameters["min_size"]
    )
    done("grow")
    if label.max() >= 0:
        means = literal.means_over(label, filtered)
        done("average of filtered")
        literal.means_over(label, patterns)
        done("average of raw")
        np.save(folder / "literal_means.npy", means)
    np.save(folder / "literal_label.npy", label)
    np.save(folder / "literal_similarity.npy", similarity)
    return {"stages": seconds, "clusters": int(label.max()) + 1}


if __name__ == "__main__":
    main()
