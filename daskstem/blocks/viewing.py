"""What all views of a stored array share."""

from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np

from daskstem.schema.source import Piece, Region, within


class ViewSource:
    """What all views of a source share: Dask may index them, and ``read`` does the work."""

    shape: tuple[int, ...]
    dtype: np.dtype
    token: str

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def read(self, region: Region) -> np.ndarray:
        """Return the values of a region given by slices with explicit bounds."""
        raise NotImplementedError

    def read_into(self, region: Region, out: np.ndarray) -> None:
        """Write the values of a region to an array, piece by piece."""
        start = [part.start for part in region]
        for where, values in self.pieces(region):
            out[within(where, start)] = values

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield the region as one piece."""
        yield region, self.read(region)

    def __getitem__(self, key: Region) -> np.ndarray:
        """Read one block, as Dask asks for it."""
        region = tuple(slice(*k.indices(n)) for k, n in zip(key, self.shape, strict=True))
        return self.read(tuple(slice(s.start, s.stop) for s in region))

    def __dask_tokenize__(self) -> Any:
        """Identify the content."""
        return self.token

    def lazy(self, chunks: tuple[tuple[int, ...], ...], name: str) -> da.Array:
        """Return a Dask array of the view that ``source_of`` recognises."""
        return da.from_array(
            self,
            chunks=chunks,
            name=f"{name}-{self.token}",
            asarray=False,
            fancy=False,
            meta=np.empty((0,) * self.ndim, self.dtype),
        )
