"""Chunks packed by Blosc, unpacked with its slowest part done by this processor's best means.

Blosc as it is installed puts bit-shuffled values together by instructions that every x86-64
has, which takes longer than lz4 itself; the kernel here is compiled for the machine.
"""

import ctypes
import struct
from functools import cache
from typing import Any, Final

import numpy as np
from numcodecs import blosc

# The header of a chunk, as Blosc describes it in README_CHUNK_FORMAT: version, version of the
# compressor, flags, bytes of a value, of the chunk, of a block, and of the packed chunk.
_HEADER: Final = struct.Struct("<BBBBIII")
_VERSION: Final = 2
_FLAGS_AT: Final = 2
_UNPACKED: Final = 0x2
_BIT_SHUFFLED: Final = 0x4
_STAY_SHUFFLED: Final = 0xFF & ~_BIT_SHUFFLED
"""Bits stay shuffled where no flag says that they are."""


class Unpacker:
    """Unpacks chunks of one array and puts them where they belong.

    Parameters
    ----------
    chunk_shape, dtype
        Of every chunk.
    fill_value
        What a chunk that has not been written consists of.
    """

    def __init__(self, chunk_shape: tuple[int, ...], dtype: np.dtype, fill_value: Any) -> None:
        self._chunk = np.empty(chunk_shape, dtype)
        # whole words: the kernel takes them from the planes of bits
        self._room = np.empty(-(-self._chunk.nbytes // 8), np.uint64)
        self._fill_value = fill_value

    def unpack(
        self, content: np.ndarray, places: np.ndarray, boxes: np.ndarray, out: np.ndarray
    ) -> None:
        """Unpack chunks and write what is wanted of each to its place.

        Parameters
        ----------
        content : (B,) uint8
            Packed chunks; changed.
        places : (N, 2) int64
            Where each begins in there, and its length; what begins at -1 is fill values.
        boxes : (N, D, 3) int64
            What is wanted of each: where it begins in the chunk, where in ``out``, its lengths.
        out
            D dimensions, C-contiguous, of the chunks' dtype; changed in place.

        Raises
        ------
        RuntimeError
            If Blosc cannot read a chunk.
        """
        packed = [content[i : i + n] if i >= 0 else None for i, n in places.tolist()]
        planes = [0 if one is None else _bytes_of_planes(one, self._chunk) for one in packed]
        decompress = _address() if any(planes) else 0
        if decompress:
            self._at_once(decompress, content, places, planes, boxes, out)
            return
        for one, box in zip(packed, boxes, strict=True):
            if one is None:
                self._chunk[...] = self._fill_value
            else:
                unpack(one, self._chunk, self._room)
            cut, target = (tuple(map(slice, box[:, i], box[:, i] + box[:, 2])) for i in (0, 1))
            out[target] = self._chunk[cut]

    def _at_once(
        self, decompress: int, content: np.ndarray, places: np.ndarray, planes: list[int],
        boxes: np.ndarray, out: np.ndarray,
    ) -> None:  # fmt: skip
        from daskstem.kernels.packed import unpack_chunks

        for begin in places[np.array(planes) > 0, 0]:
            content[begin + _FLAGS_AT] &= _STAY_SHUFFLED
        bits = f"u{out.itemsize}"
        unread = unpack_chunks(
            decompress, content, places, np.array(planes), self._room,
            self._chunk.reshape(-1).view(bits),
            np.array(self._fill_value, out.dtype).reshape(1).view(bits)[0],
            boxes, np.array([self._chunk.shape, out.shape]), out.reshape(-1).view(bits),
        )  # fmt: skip
        if unread < len(places):
            raise RuntimeError("error during blosc decompression")


def unpack(packed: np.ndarray, values: np.ndarray, room: np.ndarray) -> None:
    """Fill an array with the values of a chunk.

    Parameters
    ----------
    packed
        Bytes of the chunk, changed in place.
    values
        C-contiguous; changed.
    room : uint64
        At least as many bytes as ``values``; changed.

    Raises
    ------
    RuntimeError
        If Blosc cannot read the chunk.
    """
    block_bytes = _bytes_of_planes(packed, values)
    if not block_bytes:
        blosc.decompress(packed, values)
        return
    # info reads without the compiler
    from daskstem.kernels.planes import join_planes

    packed[_FLAGS_AT] &= _STAY_SHUFFLED
    blosc.decompress(packed, room)
    planes = room[: values.nbytes // 8]
    join_planes(planes, block_bytes // 8, 0, values.reshape(-1).view(f"u{values.itemsize}"))


def _bytes_of_planes(packed: np.ndarray, values: np.ndarray) -> int:
    """Return the length of the blocks whose bits the kernel can put together, or 0."""
    if len(packed) < _HEADER.size:
        raise RuntimeError(f"{len(packed)} bytes do not hold a header of Blosc")
    version, _, flags, itemsize, n_bytes, block_bytes, n_packed = _HEADER.unpack_from(packed.data)
    if (n_bytes, n_packed) != (values.nbytes, len(packed)):
        found = f"{n_packed} bytes that hold {n_bytes}"
        raise RuntimeError(f"{len(packed)} bytes for {values.nbytes} say that they are {found}")
    planes = 8 * itemsize
    fits = (
        version == _VERSION
        and flags & _BIT_SHUFFLED
        and not flags & _UNPACKED
        and itemsize == values.itemsize
        # whole numbers of 64 bits in each plane, also of the last block
        and block_bytes % (8 * planes) == n_bytes % (8 * planes) == 0
    )
    return block_bytes if fits else 0


@cache
def _address() -> int:
    """Return where Blosc's function lies that unpacks a chunk; 0 where it does not show it."""
    try:
        function = ctypes.CDLL(blosc.__file__).blosc_decompress_ctx
    except (OSError, AttributeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
