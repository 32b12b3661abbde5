"""LiberTEM's sum and annular image of a raw file; runs in LiberTEM's own environment."""

import json
import sys

import libertem.api
from libertem.udf.sum import SumUDF

from tests.benchmarks.answering import answer


def main():
    given = json.loads(sys.argv[1])
    context = libertem.api.Context.make_with(given["executor"])
    *scan, q_y, q_x = given["shape"]
    dataset = context.load(
        "raw", path=given["raw"], dtype=given["dtype"], nav_shape=scan, sig_shape=(q_y, q_x),
    )  # fmt: skip
    center_y, center_x = given["center"]
    ring = context.create_ring_analysis(
        dataset, cx=center_x, cy=center_y, ri=given["inner"], ro=given["outer"]
    )
    total = SumUDF()

    def run_sum():
        return float(context.run_udf(dataset, total)["intensity"].data.sum(dtype=float))

    def run_annular():
        return float(context.run(ring).intensity.raw_data.sum(dtype=float))

    works = {"sum": run_sum, "annular": run_annular}
    for work in works.values():
        work()
    try:
        answer(works, about={"LiberTEM": libertem.__version__})
    finally:
        context.close()


if __name__ == "__main__":
    main()
