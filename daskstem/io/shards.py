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
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import google_crc32c
import numpy as np
import zarr
from numcodecs import blosc
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, Endian, ShardingCodec
from zarr.storage import LocalStore

from daskstem.io.unpacking import unpack
from daskstem.schema.source import Piece, Region, within

_INTACT: Final = 0x48674BC7
"""The crc32c of any bytes followed by their own crc32c."""
_ABSENT: Final = 2**64 - 1
"""Offset and length, in a shard's index, of a chunk that is all fill value."""
_AT_ONCE: Final = 2**20
"""Bytes read by one call: threads hand Python's lock over at each, which costs them 5 %."""
_SHUFFLES: Final = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}

Index = tuple[int, ...]
Box = tuple[Index, Region, Region]
"""A shard or chunk: its number, what is wanted of it, and where in it that lies."""
_Place = tuple[Index, int, int]
"""Number of a chunk, its offset and length in the file."""


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
        chunk, room = (np.empty(self.chunk_shape, self.array.dtype) for _ in range(2))
        for shard, inside, _ in _boxes(region, self.shard_shape):
            low = [i * n for i, n in zip(shard, self.shard_shape, strict=True)]
            boxes = _boxes(inside, self.chunk_shape, low)
            with _opened(self.folder, self._key(shard), self._counts, self.indexed) as file:
                for (_, where, cut), packed in zip(boxes, file.packed(boxes), strict=True):
                    if packed is None:
                        chunk[...] = self.array.fill_value
                    else:
                        unpack(packed, chunk, room)
                    yield where, chunk[cut]

    def write(self, region: Region, values: np.ndarray) -> bool:
        """Write one whole shard, or return False where the region is not one.

        The file is written beside its place and moved there; its chunks lie in scan order,
        and those outside the array are left out.
        """
        boxes = _boxes(region, self.shard_shape)
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

    def packed(self, boxes: Sequence[Box]) -> Iterator[np.ndarray | None]:
        """Yield the packed bytes of each chunk, or None where it is all fill value.

        They are the caller's to change, and gone when the next ones are asked for.
        """
        runs = list(self._runs(boxes))
        if hasattr(os, "posix_fadvise"):  # not on macOS
            for _, begin, size in filter(itemgetter(2), runs):  # 0 would be all of the file
                # read meanwhile, so that unpacking need not wait
                os.posix_fadvise(self.descriptor, begin, size, os.POSIX_FADV_WILLNEED)
        room = np.empty(max((size for _, _, size in runs), default=0), np.uint8)
        for run, begin, size in runs:
            content = room[: os.preadv(self.descriptor, [room[:size].data], begin)]
            for index, offset, length in run:
                if offset == _ABSENT:
                    yield None
                    continue
                packed = content[offset - begin : offset - begin + length]
                if len(packed) != length or google_crc32c.value(packed) != _INTACT:
                    found = f"the checksum of its chunk {index} does not fit"
                    raise DamagedShardError(self.key, found)
                yield packed[:-4]

    def _runs(self, boxes: Sequence[Box]) -> Iterator[tuple[list[_Place], int, int]]:
        """Yield chunks that lie one after the other: them, where they begin, their length."""
        run: list[_Place] = []
        begin = end = 0
        for index, _, _ in boxes:
            offset, length = self.places[index].tolist()
            if offset != _ABSENT:
                if end > begin and (offset != end or offset + length - begin > _AT_ONCE):
                    yield run, begin, end - begin
                    run, begin, end = [], 0, 0
                begin = begin if end > begin else offset
                end = offset + length
            run.append((index, offset, length))
        if run:
            yield run, begin, end - begin


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


def _boxes(region: Region, shape: Sequence[int], low: Sequence[int] | None = None) -> list[Box]:
    """Return the boxes of a regular grid that a region touches, in order.

    ``low`` is where the grid begins, and the region's bounds count from where it does.
    """
    along = map(_cuts, region, shape, low or (0,) * len(shape))
    return [tuple(zip(*cuts, strict=True)) for cuts in product(*along)]


def _cuts(span: slice, length: int, low: int) -> list[tuple[int, slice, slice]]:
    """Return the same along one dimension."""
    if span.start >= span.stop:
        return []
    found = []
    for number in range((span.start - low) // length, -(-(span.stop - low) // length)):
        begin = low + number * length
        start, stop = max(span.start, begin), min(span.stop, begin + length)
        found.append((number, slice(start, stop), slice(start - begin, stop - begin)))
    return found
