"""A file of packed chunks: where each lies, its bytes, and whether they are intact."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import google_crc32c
import numpy as np

from daskstem.io.unpacking import Unpacker

_INTACT: Final = 0x48674BC7
"""The crc32c of any bytes followed by their own crc32c."""
ABSENT: Final = 2**64 - 1
"""Offset and length, in a file's index, of a chunk that is all fill value."""
_AT_ONCE: Final = 2**22
"""Bytes that are read before any is unpacked."""


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
class Run:
    """Packed chunks that were read together, and what is wanted of each.

    Attributes
    ----------
    key
        Name of the file below the array's folder.
    content : (B,) uint8
        The chunks, gone with the next run; unpacking changes them.
    places : (N, 2) int64
        Where each begins in there, and its length; what begins at -1 is fill values.
    boxes : (N, D, 3) int64
        Where what is wanted begins in the chunk, and in the array, and its lengths.
    """

    key: str
    content: np.ndarray
    places: np.ndarray
    boxes: np.ndarray

    def unpack(
        self, unpacker: Unpacker, which: slice, low: Sequence[int] | np.ndarray, out: np.ndarray
    ) -> None:
        """Unpack some of the chunks to an array that begins at ``low``."""
        boxes = self.boxes[which].copy()
        boxes[:, :, 1] -= low
        try:
            unpacker.unpack(self.content, self.places[which], boxes, out)
        except RuntimeError as error:
            raise DamagedShardError(self.key, str(error)) from error


@dataclass(frozen=True)
class OpenShard:
    """An open file and where in it each chunk lies."""

    descriptor: int
    key: str
    places: np.ndarray

    def runs(self, numbers: np.ndarray, boxes: np.ndarray) -> Iterator[Run]:
        """Read chunks, given their numbers and what is wanted of each."""
        places = self.places[tuple(numbers.T)].tolist()
        runs = list(_runs(places))
        for _, stretches in runs if hasattr(os, "posix_fadvise") else ():  # not on macOS
            for begin, end in stretches:
                # read meanwhile, so that unpacking need not wait
                os.posix_fadvise(self.descriptor, begin, end - begin, os.POSIX_FADV_WILLNEED)
        sizes = (sum(end - begin for begin, end in stretches) for _, stretches in runs)
        room = np.empty(max(sizes, default=0), np.uint8)
        for which, stretches in runs:
            content = self._content(stretches, room)
            found = self._found(content, places[which], numbers[which])
            yield Run(self.key, content, found, boxes[which])

    def _content(self, stretches: Sequence[tuple[int, int]], room: np.ndarray) -> np.ndarray:
        """Read one stretch of the file after the other; what lies after its end is left out."""
        filled = 0
        for begin, end in stretches:
            target = room[filled : filled + end - begin]
            filled += os.preadv(self.descriptor, [target.data], begin)
        return room[:filled]

    def _found(
        self, content: np.ndarray, places: Sequence[Sequence[int]], numbers: np.ndarray
    ) -> np.ndarray:
        """Return where intact chunks lie in what was read, and their lengths; -1 if absent."""
        found, begin = np.full((len(places), 2), -1), 0
        for n, (offset, length) in enumerate(places):
            if offset == ABSENT:
                continue
            packed = content[begin : begin + length]
            if len(packed) != length or google_crc32c.value(packed) != _INTACT:
                fault = f"the checksum of its chunk {tuple(numbers[n].tolist())} does not fit"
                raise DamagedShardError(self.key, fault)
            found[n] = begin, length - 4
            begin += length
        return found


def _runs(places: Sequence[Sequence[int]]) -> Iterator[tuple[slice, list[tuple[int, int]]]]:
    """Yield which chunks are read at once, and where in the file these begin and end."""
    first = n_bytes = 0
    stretches: list[tuple[int, int]] = []
    for n, (offset, length) in enumerate(places):
        if offset == ABSENT:
            continue
        if stretches and n_bytes + length > _AT_ONCE:
            yield slice(first, n), stretches
            first, n_bytes, stretches = n, 0, []
        n_bytes += length
        if stretches and stretches[-1][1] == offset:
            stretches[-1] = (stretches[-1][0], offset + length)
        else:
            stretches.append((offset, offset + length))
    yield slice(first, len(places)), stretches


@contextmanager
def opened_shard(
    folder: Path, key: str, counts: tuple[int, ...], indexed: bool
) -> Iterator[OpenShard]:
    """Open a file of chunks.

    Parameters
    ----------
    folder, key
        Folder of the array, and name of the file below it.
    counts
        How many chunks it has along every dimension.
    indexed
        Whether an index at its end says where they lie; else it is a single chunk.

    Raises
    ------
    DamagedShardError, MissingShardError
        If it is not what was written, or gone.
    """
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
        yield OpenShard(descriptor, key, places)
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


def checksum(content: bytes) -> bytes:
    """Return the crc32c of packed bytes as it stands after them."""
    return int(google_crc32c.value(content)).to_bytes(4, "little")
