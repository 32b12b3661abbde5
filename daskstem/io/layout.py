"""How an array lies in a store: dims, chunks, shards, codecs."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import zarr
from numpy.dtypes import StringDType
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

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

    def create(
        self, group: zarr.Group, key: str, *, coordinates: Sequence[str] = ()
    ) -> zarr.Array:
        """Create the array, empty; ``coordinates`` are named in its attributes."""
        named = {"coordinates": " ".join(coordinates)} if coordinates else {}
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


def coordinate_files(variable: "xr.Variable") -> Mapping[str, Buffer]:
    """Return the files of a coordinate, which lies in one chunk, by their names."""
    values = np.asarray(variable.values)
    attrs = json.dumps(variable.attrs, sort_keys=True)
    described = (tuple(map(str, variable.dims)), values.shape, values.dtype.str, attrs)
    return _coordinate_files(*described, tuple(values.ravel().tolist()))


# The groups of a run have most of their coordinates in common, and Zarr takes 2 ms for one.
@lru_cache(maxsize=64)
def _coordinate_files(
    dims: tuple[str, ...], shape: tuple[int, ...], dtype: str, attrs: str, content: tuple[Any, ...]
) -> Mapping[str, Buffer]:
    values = np.array(content, dtype).reshape(shape)
    # of texts only those of any length have a place in the format's specification
    values = values.astype(StringDType()) if values.dtype.kind in "UO" else values
    chunks = [max(1, n) for n in shape]
    spec = ArraySpec(dims, shape, values.dtype, chunks=chunks, attrs=json.loads(attrs))
    files: dict[str, Buffer] = {}
    array = spec.create(zarr.create_group(MemoryStore(files)), "it")
    write_region(array, tuple(slice(0, n) for n in shape), values)
    return {name.removeprefix("it/"): file for name, file in files.items() if "/" in name}


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
