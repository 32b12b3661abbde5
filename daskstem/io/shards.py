"""Shards and chunks of the store's own layout, read and written without a detour.

Zarr reads and writes the same files; this is the short way for files on a local file system
whose chunks are packed by Blosc and bear a crc32c, with the same two libraries as Zarr's. A
chunk that is a file of its own is treated as a shard of one chunk that needs no index.
"""

import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numcodecs import blosc
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, Endian, ShardingCodec
from zarr.storage import LocalStore

from daskstem.io.boxes import Index, boxes_of, grid_of, side_by_side
from daskstem.io.packed_file import ABSENT, Run, checksum, opened_shard
from daskstem.io.unpacking import Unpacker
from daskstem.schema.source import Piece, Region

_PIECE: Final = 5 * 2**20
"""Bytes of chunks that are unpacked by one call: from call to call threads wait for each other.
Two threads add up 192 x 192 pixels in 18 to 21 us a pattern; chunk by chunk in 26 to 30."""
_SHUFFLES: Final = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


@dataclass(frozen=True)
class Shards:
    """The shards of one array: where they lie, how they are cut, how they are packed."""

    array: zarr.Array
    folder: Path
    chunk_shape: tuple[int, ...]
    shard_shape: tuple[int, ...]
    packing: BloscCodec
    indexed: bool

    def read_into(self, region: Region, out: np.ndarray) -> None:
        """Write the values of a region to a C-contiguous array of its shape.

        Raises
        ------
        DamagedShardError
            If a checksum does not fit.
        MissingShardError
            If a file is gone.
        """
        unpacker, low = self._unpacker(), [s.start for s in region]
        for run in self._runs(region):
            run.unpack(unpacker, slice(None), low, out)

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield a region in chunks, in scan order within every shard.

        Small chunks side by side come as one piece. All come in the same buffer: a piece is
        gone when the next one is asked for.

        Raises
        ------
        DamagedShardError, MissingShardError
            As for ``read_into``.
        """
        size = math.prod(self.chunk_shape)
        at_once = max(1, _PIECE // (size * self.array.dtype.itemsize))
        unpacker, buffer = self._unpacker(), np.empty(at_once * size, self.array.dtype)
        for run in self._runs(region):
            for which in side_by_side(run.boxes, at_once):
                boxes = run.boxes[which]
                start, stop = boxes[0, :, 1], boxes[-1, :, 1:].sum(axis=1)
                values = buffer[: math.prod(stop - start)].reshape(stop - start)
                run.unpack(unpacker, which, start, values)
                yield tuple(map(slice, start.tolist(), stop.tolist())), values

    def write(self, region: Region, values: np.ndarray) -> bool:
        """Write one whole shard, or return False where the region is not one.

        The file is written beside its place and moved there; its chunks lie in scan order,
        and those outside the array are left out.
        """
        boxes = boxes_of(region, self.shard_shape)
        if len(boxes) != 1:
            return False
        shard, _, cut = boxes[0]
        lengths = zip(region, cut, self.shard_shape, self.array.shape, strict=True)
        if any(c.start > 0 or (c.stop < n and s.stop < size) for s, c, n, size in lengths):
            return False
        values = np.broadcast_to(values, [s.stop - s.start for s in region])
        path = self.folder / self._key(shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
        try:
            with partial.open("wb") as file:
                file.writelines(self._packed(values))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return True

    def parts(self, region: Region) -> Iterator[Region]:
        """Cut a region at the borders of the shards."""
        for _, part, _ in boxes_of(region, self.shard_shape):
            yield part

    def _unpacker(self) -> Unpacker:
        return Unpacker(self.chunk_shape, self.array.dtype, self.array.fill_value)

    def _runs(self, region: Region) -> Iterator[Run]:
        for shard, inside, _ in boxes_of(region, self.shard_shape):
            low = [i * n for i, n in zip(shard, self.shard_shape, strict=True)]
            numbers, boxes = grid_of(inside, self.chunk_shape, low)
            with opened_shard(self.folder, self._key(shard), self._counts, self.indexed) as file:
                yield from file.runs(numbers, boxes)

    @property
    def _counts(self) -> tuple[int, ...]:
        return tuple(n // c for n, c in zip(self.shard_shape, self.chunk_shape, strict=True))

    def _key(self, shard: Index) -> str:
        return str(self.array.metadata.encode_chunk_key(shard))

    def _packed(self, values: np.ndarray) -> Iterator[bytes]:
        """Yield the bytes of a shard: chunks, then the index of their places."""
        places = np.full((*self._counts, 2), ABSENT, "<u8")
        chunk = np.full(self.chunk_shape, self.array.fill_value, self.array.dtype)
        whole = tuple(slice(0, n) for n in values.shape)
        how, offset = self.packing, 0
        for index, found, cut in boxes_of(whole, self.chunk_shape):
            if chunk[cut].size < chunk.size:
                chunk[...] = self.array.fill_value
            chunk[cut] = values[found]
            packed = blosc.compress(
                chunk, how.cname.value.encode(), how.clevel, _SHUFFLES[how.shuffle.value],
                how.blocksize, typesize=how.typesize,
            )  # fmt: skip
            places[index] = offset, len(packed) + 4
            offset += len(packed) + 4
            yield packed
            yield checksum(packed)
        if self.indexed:
            listed = places.tobytes()
            yield listed
            yield checksum(listed)


def shards_of(array: zarr.Array) -> Shards | None:
    """Return the shards of an array if it is laid out as ``ArraySpec`` does, else None."""
    store = array.store_path.store
    inner: Any = getattr(array.metadata, "codecs", ())
    if not isinstance(store, LocalStore) or not array.dtype.isnative:
        return None
    sharding = inner[0] if len(inner) == 1 else None
    indexed = isinstance(sharding, ShardingCodec)
    if isinstance(sharding, ShardingCodec):
        if not _index_as_ours(sharding):
            return None
        inner = sharding.codecs
    as_ours = (
        array.dtype.kind in "biuf"
        and [type(codec) for codec in inner] == [BytesCodec, BloscCodec, Crc32cCodec]
        and inner[0].endian in (Endian.little, None)
    )
    if not as_ours:
        return None
    folder = Path(store.root) / array.path
    return Shards(array, folder, array.chunks, array.shards or array.chunks, inner[1], indexed)


def _index_as_ours(sharding: ShardingCodec) -> bool:
    codecs: Any = sharding.index_codecs
    return (
        [type(codec) for codec in codecs] == [BytesCodec, Crc32cCodec]
        and codecs[0].endian in (Endian.little, None)
        and sharding.index_location.value == "end"
    )
