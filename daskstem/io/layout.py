"""How an array lies in a store: dims, chunks, shards, codecs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import zarr
from numpy.dtypes import StringDType
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from daskstem.io.shards import shards_of
from daskstem.schema.source import Region, within

if TYPE_CHECKING:
    import xarray as xr

ROWS_PER_CHUNK: Final = 65536
"""Numbers of a table in one chunk, so that a long series makes few files."""


class ArraySpec:
    """How an array of a group is laid out: dims, shape, chunks, shards, attributes."""

    def __init__(
        self,
        dims: Sequence[str],
        shape: Sequence[int],
        dtype: np.dtype,
        *,
        chunks: Sequence[int],
        shards: Sequence[int] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self.dims = tuple(dims)
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.chunks = tuple(chunks)
        self.shards = None if shards is None else tuple(shards)
        self.attrs = dict(attrs or {})

    def create(self, group: zarr.Group, key: str, *, coordinates: str = "") -> zarr.Array:
        """Create the array, empty; ``coordinates`` are named in its attributes."""
        named = {"coordinates": coordinates} if coordinates else {}
        return group.create_array(
            key,
            shape=self.shape,
            dtype=self.dtype,
            chunks=self.chunks,
            shards=self.shards,
            compressors=[_codec(self.dtype), Crc32cCodec()],
            fill_value=0,
            dimension_names=self.dims,
            attributes={**self.attrs, **named},
        )


def _codec(dtype: np.dtype) -> BloscCodec | ZstdCodec:
    if dtype.kind not in "biuf":
        return ZstdCodec()
    # measured on Poisson counts: lz4 reads 1.6 times as fast as zstd-1 for 23 % more disk; on
    # mean patterns 4 times as fast and writes 3 times as fast, for 27 % more of what is little
    shuffle: Literal["bitshuffle", "shuffle"] = "bitshuffle" if dtype.kind in "iu" else "shuffle"
    return BloscCodec(cname="lz4", clevel=5, shuffle=shuffle, typesize=dtype.itemsize)


def writable(array: zarr.Array) -> zarr.Array:
    """Return the array so that chunks of zeros are written too: a file per chunk is proof."""
    return array.with_config({"write_empty_chunks": True})


def write_coordinate(group: zarr.Group, key: str, variable: "xr.Variable") -> None:
    """Write a coordinate, whole."""
    values = np.asarray(variable.values)
    # of texts only those of any length have a place in the format's specification
    values = values.astype(StringDType()) if values.dtype.kind in "UO" else values
    dims = [str(dim) for dim in variable.dims]
    chunks = [max(1, n) for n in values.shape]
    spec = ArraySpec(dims, values.shape, values.dtype, chunks=chunks, attrs=variable.attrs)
    write_region(spec.create(group, key), tuple(slice(0, n) for n in values.shape), values)


def write_region(array: zarr.Array, region: Region, values: np.ndarray) -> None:
    """Write the values of a region; a file that it fills is complete or absent."""
    shards = shards_of(array)
    if shards is None:
        writable(array)[region] = values
        return
    start = [s.start for s in region]
    for part in shards.parts(region):
        if not shards.write(part, values[within(part, start)]):
            writable(array)[part] = values[within(part, start)]
