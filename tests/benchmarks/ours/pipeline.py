"""A recipe run on a store, from the store to the store, in one process."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

import daskstem
from tests.benchmarks.answering import answer
from tests.benchmarks.data import fresh_copy


def main():
    given = json.loads(sys.argv[1])
    if given.get("cores"):
        # before anything counts the cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given["cores"]])
    own = Path(given["folder"])
    target = own / "run.zarr"
    limit = {"memory_limit": given["memory_limit"], "workers": given["workers"], "quiet": True}

    def prepare():
        fresh_copy(Path(given["store"]), target)

    def run(of):
        told = daskstem.run_recipe(
            given["recipe"], target, settings=[*given["settings"], f"average.of={of}"], **limit
        )
        return {"stages": told.seconds, "clusters": told.clusters}

    def keep():
        tree = daskstem.open_series(target)
        np.save(own / "label.npy", tree["segments/label"].values[0])
        np.save(own / "means.npy", tree["clusters/pattern"].values)
        np.save(own / "similarity.npy", tree["similarity/similarity"].values[0])

    small = own / "small.zarr"
    size = given["detector"]
    daskstem.simulate(small, shape=(1, 16, 16, size, size), quiet=True)
    daskstem.run_recipe(given["recipe"], small, settings=given["settings"], **limit)
    shutil.rmtree(small)
    works = {
        "prepare": prepare,
        "filtered": lambda: run("filtered"),
        "raw": lambda: run("raw"),
        "keep": keep,
    }
    answer(works)


if __name__ == "__main__":
    main()
