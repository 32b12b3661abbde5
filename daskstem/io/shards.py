"""Shards and chunks of the store's own layout, read and written without a detour.

Zarr reads and writes the same files; this is the short way for files on a local file system
whose chunks are packed by Blosc and bear a crc32c, with the same two libraries as Zarr's. A
chunk that is a file of its own is treated as a shard of one chunk that needs no index.
"""

import math
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import google_crc32c
import numpy as np
import zarr
from numcodecs import blosc
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, Endian, ShardingCodec
from zarr.storage import LocalStore

from daskstem.schema.source import Piece, Region, within

_INTACT: Final = 0x48674BC7
"""The crc32c of any bytes followed by their own crc32c."""
_ABSENT: Final = 2**64 - 1
"""Offset and length, in a shard's index, of a chunk that is all fill value."""
_SHUFFLES: Final = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


Index = tuple[int, ...]


class MissingShardError(ValueError):
    """A file is gone.

    Attributes
    ----------
    key
        Name of the file below the array's folder.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class DamagedShardError(ValueError):
    """A file does not hold what was written to it.

    Attributes
    ----------
    key
        Name of the file below the array's folder.
    found
        What is wrong with it.
    """

    def __init__(self, key: str, found: str) -> None:
        super().__init__(key, found)
        self.key = key
        self.found = found


@dataclass(frozen=True)
class Shards:
    """The shards of one array: where they lie, how they are cut, how they are packed."""

    array: zarr.Array
    folder: Path
    chunk_shape: tuple[int, ...]
    shard_shape: tuple[int, ...]
    packing: BloscCodec
    indexed: bool

    def read(self, region: Region) -> np.ndarray:
        """Return the values of a region.

        Raises
        ------
        DamagedShardError
            If a checksum does not fit.
        MissingShardError
            If a file is gone.
        """
        values = np.empty([s.stop - s.start for s in region], self.array.dtype)
        low = [s.start for s in region]
        for where, piece in self.pieces(region):
            values[within(where, low)] = piece
        return values

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield a region chunk by chunk, in scan order within every shard.

        All come in the same buffer: a piece is gone when the next one is asked for.

        Raises
        ------
        DamagedShardError, MissingShardError
            As for ``read``.
        """
        chunk, fill_value = np.empty(self.chunk_shape, self.array.dtype), self.array.fill_value
        counts = self._counts
        for shard, inside, _ in _boxes(region, self.shard_shape):
            wanted = [
                (tuple(i % n for i, n in zip(number, counts, strict=True)), where, cut)
                for number, where, cut in _boxes(inside, self.chunk_shape)
            ]
            with _opened(self.folder, self._key(shard), counts, self.indexed) as file:
                file.prefetch([index for index, _, _ in wanted])
                for index, where, cut in wanted:
                    file.unpack(index, chunk, fill_value)
                    yield where, chunk[cut]

    def write(self, region: Region, values: np.ndarray) -> bool:
        """Write one whole shard, or return False where the region is not one.

        The file is written beside its place and moved there; its chunks lie in scan order,
        and those outside the array are left out.
        """
        shard = tuple(s.start // n for s, n in zip(region, self.shard_shape, strict=True))
        steps = zip(shard, self.shard_shape, self.array.shape, strict=True)
        if tuple(region) != tuple(slice(i * n, min((i + 1) * n, size)) for i, n, size in steps):
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
        for _, part, _ in _boxes(region, self.shard_shape):
            yield part

    @property
    def _counts(self) -> tuple[int, ...]:
        return tuple(n // c for n, c in zip(self.shard_shape, self.chunk_shape, strict=True))

    def _key(self, shard: Index) -> str:
        return str(self.array.metadata.encode_chunk_key(shard))

    def _packed(self, values: np.ndarray) -> Iterator[bytes]:
        """Yield the bytes of a shard: chunks, then the index of their places."""
        places = np.full((*self._counts, 2), _ABSENT, "<u8")
        chunk = np.full(self.chunk_shape, self.array.fill_value, self.array.dtype)
        whole = tuple(slice(0, n) for n in values.shape)
        how, offset = self.packing, 0
        for index, found, cut in _boxes(whole, self.chunk_shape):
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
            yield _checksum(packed)
        if self.indexed:
            listed = places.tobytes()
            yield listed
            yield _checksum(listed)


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


@dataclass(frozen=True)
class _OpenShard:
    """An open file and where in it each chunk lies."""

    descriptor: int
    key: str
    places: np.ndarray

    def prefetch(self, indices: Sequence[Index]) -> None:
        """Let the system read ahead, so that unpacking need not wait for every chunk."""
        if not hasattr(os, "posix_fadvise"):  # not on macOS
            return
        for index in indices:
            offset, length = (int(n) for n in self.places[index])
            if offset != _ABSENT:
                os.posix_fadvise(self.descriptor, offset, length, os.POSIX_FADV_WILLNEED)

    def unpack(self, index: Index, chunk: np.ndarray, fill_value: Any) -> None:
        """Fill ``chunk`` with the values of one chunk."""
        offset, length = (int(n) for n in self.places[index])
        if offset == _ABSENT:
            chunk[...] = fill_value
            return
        packed = os.pread(self.descriptor, length, offset)
        if len(packed) != length or google_crc32c.value(packed) != _INTACT:
            raise DamagedShardError(self.key, f"the checksum of its chunk {index} does not fit")
        blosc.decompress(memoryview(packed)[:-4], chunk)


@contextmanager
def _opened(
    folder: Path, key: str, counts: tuple[int, ...], indexed: bool
) -> Iterator[_OpenShard]:
    try:
        descriptor = os.open(folder / key, os.O_RDONLY)
    except FileNotFoundError as error:
        raise MissingShardError(key) from error
    try:
        size = os.fstat(descriptor).st_size
        if indexed:
            places = _index(descriptor, key, size, counts)
        else:
            places = np.array([0, size], "<u8").reshape(*counts, 2)
        yield _OpenShard(descriptor, key, places)
    except (OSError, RuntimeError) as error:
        raise DamagedShardError(key, str(error)) from error
    finally:
        os.close(descriptor)


def _index(descriptor: int, key: str, size: int, counts: tuple[int, ...]) -> np.ndarray:
    length = 16 * math.prod(counts) + 4
    listed = os.pread(descriptor, length, max(0, size - length))
    if len(listed) != length or google_crc32c.value(listed) != _INTACT:
        raise DamagedShardError(key, "the checksum of its index does not fit")
    return np.frombuffer(listed, "<u8", 2 * math.prod(counts)).reshape(*counts, 2)


def _checksum(content: bytes) -> bytes:
    return int(google_crc32c.value(content)).to_bytes(4, "little")


def _boxes(region: Region, shape: Sequence[int]) -> Iterator[tuple[Index, Region, Region]]:
    """Yield the boxes of a regular grid that a region touches, in order.

    Of each its number and what it shares with the region, in the whole and in the box.
    """
    axes = [_spans(part, size) for part, size in zip(region, shape, strict=True)]
    for spans in product(*axes):
        number, shared, cut = zip(*spans, strict=True)
        yield number, shared, cut


def _spans(part: slice, size: int) -> list[tuple[int, slice, slice]]:
    if part.start >= part.stop:
        return []
    found = []
    for i in range(part.start // size, -(-part.stop // size)):
        low = i * size
        start, stop = max(part.start, low), min(part.stop, low + size)
        found.append((i, slice(start, stop), slice(start - low, stop - low)))
    return found
