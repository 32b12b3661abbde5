"""Sum and annular image of a .zspy, lazily, with pyxem; runs in pyxem's own environment."""

import json
import sys

import hyperspy
import hyperspy.api as hs
import pyxem
from pyxem.signals import Diffraction2D  # noqa: F401  (registers the signal)

from tests.benchmarks.answering import answer


def main():
    given = json.loads(sys.argv[1])
    signal = hs.load(given["zspy"], lazy=True)
    signal.set_signal_type("electron_diffraction")
    center_y, center_x = given["center"]
    # its circles count a pixel by its corner and leave the outer radius out
    ring = hs.roi.CircleROI(center_x, center_y, given["outer"], given["inner"])

    def run_sum():
        total = signal.sum(signal.axes_manager.navigation_axes)
        total.compute(show_progressbar=False)
        return float(total.data.sum(dtype=float))

    def run_annular():
        image = signal.get_integrated_intensity(ring)
        image.compute(show_progressbar=False)
        return float(image.data.sum(dtype=float))

    works = {"sum": run_sum, "annular": run_annular}
    for work in works.values():
        work()
    chunks = signal.data.chunksize
    answer(works, about={"HyperSpy": hyperspy.__version__, "pyxem": pyxem.__version__,
                         "chunks": list(chunks)})  # fmt: skip


if __name__ == "__main__":
    main()
