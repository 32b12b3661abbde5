"""An array that Dask takes for a stored one, and that says what was read."""

import numpy as np

from daskstem.blocks.sources import ViewSource


class Stored(ViewSource):
    """Values in memory behind the interface of a store; records every region read."""

    def __init__(self, values):
        self.values = values
        self.shape = values.shape
        self.dtype = values.dtype
        self.token = f"{id(values):x}"
        self.regions = []

    def read(self, region):
        assert all(s.start is not None and s.stop is not None for s in region)
        self.regions.append(region)
        return np.ascontiguousarray(self.values[region])


def stored(values, chunks):
    """Return a Dask array of the values that reads them piece by piece."""
    source = Stored(values)
    blocks = tuple(
        tuple(min(c, n - i) for i in range(0, n, c))
        for n, c in zip(values.shape, chunks, strict=True)
    )
    return source.lazy(blocks, "stored"), source
