"""Chunks packed by Blosc, unpacked with its slowest part done by this processor's best means.

Blosc as it is installed puts bit-shuffled values together by instructions that every x86-64
has, which takes longer than lz4 itself; the kernel here is compiled for the machine.
"""

import struct
from typing import Final

import numpy as np
from numcodecs import blosc

# The header of a chunk, as Blosc describes it in README_CHUNK_FORMAT: version, version of the
# compressor, flags, bytes of a value, of the chunk, of a block, and of the packed chunk.
_HEADER: Final = struct.Struct("<BBBBIII")
_VERSION: Final = 2
_FLAGS_AT: Final = 2
_UNPACKED: Final = 0x2
_BIT_SHUFFLED: Final = 0x4


def unpack(packed: np.ndarray, values: np.ndarray, room: np.ndarray) -> None:
    """Fill an array with the values of a chunk.

    Parameters
    ----------
    packed
        Bytes of the chunk, changed in place.
    values, room
        C-contiguous, of the same shape and dtype; both are changed.

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

    # bits stay shuffled where no flag says that they are
    packed[_FLAGS_AT] &= ~_BIT_SHUFFLED & 0xFF
    blosc.decompress(packed, room)
    planes = room.reshape(-1).view(np.uint64)
    join_planes(planes, block_bytes // 8, values.reshape(-1).view(f"u{values.itemsize}"))


def _bytes_of_planes(packed: np.ndarray, values: np.ndarray) -> int:
    """Return the length of the blocks whose bits the kernel can put together, or 0."""
    if len(packed) < _HEADER.size:
        raise RuntimeError(f"{len(packed)} bytes do not hold a header of Blosc")
    version, _, flags, itemsize, n_bytes, block_bytes, _ = _HEADER.unpack_from(packed.data)
    planes = 8 * itemsize
    fits = (
        version == _VERSION
        and flags & _BIT_SHUFFLED
        and not flags & _UNPACKED
        and itemsize == values.itemsize
        and n_bytes == values.nbytes
        # whole numbers of 64 bits in each plane, also of the last block
        and block_bytes % (8 * planes) == n_bytes % (8 * planes) == 0
    )
    return block_bytes if fits else 0
