"""Write a raw file as .zspy with HyperSpy, block by block; runs in pyxem's own environment."""

import json
import sys
from pathlib import Path

import dask.array as da
import numpy as np
from hyperspy.signals import Signal2D


def main():
    given = json.loads(sys.argv[1])
    target = Path(given["zspy"])
    patterns = np.memmap(given["raw"], given["dtype"], mode="r", shape=tuple(given["shape"]))
    rows = max(1, 32 * 2**20 // patterns[0].nbytes)
    lazy = da.from_array(patterns, chunks=(rows, *patterns.shape[1:]))
    partial = target.with_name(f"partial_{target.name}")
    # HyperSpy chooses the chunks, as it does for its users
    Signal2D(lazy).as_lazy().save(partial, overwrite=True)
    partial.rename(target)


if __name__ == "__main__":
    main()
