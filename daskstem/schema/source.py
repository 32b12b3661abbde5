"""What everything that delivers patterns looks like: a file, a simulation, a store."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from daskstem.schema.calibration import Axis

Region = tuple[slice, ...]
"""One slice per dimension, with explicit start and stop and no step."""
Piece = tuple[Region, np.ndarray]
"""A part of an array: where it lies in the whole, and its values."""


def within(region: Sequence[slice], start: Sequence[int]) -> Region:
    """Return where a region lies in a box that begins at ``start``.

    Examples
    --------
    >>> within((slice(5, 7), slice(8, 9)), (4, 8))
    (slice(1, 3, None), slice(0, 1, None))
    """
    both = zip(region, start, strict=True)
    return tuple(slice(part.start - low, part.stop - low) for part, low in both)


class BlockSource(Protocol):
    """What a lazy array may be an untouched view of: it can be read piece by piece."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the values."""

    def read(self, region: Region) -> np.ndarray:
        """Return the values of a region given by slices with explicit bounds."""

    def read_into(self, region: Region, out: np.ndarray) -> None:
        """Write the values of a region to a C-contiguous array of its shape."""

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield a region in pieces that fit in the processor's cache, if the source can.

        Otherwise the region is the only piece. The order depends on nothing but the region.
        A piece is gone when the next one is asked for: all may come in the same buffer.
        """


class PatternSource(Protocol):
    """Patterns to be converted: shape and calibration now, numbers only when read.

    Sources are small, picklable and hold no open file: ``read`` is called inside tasks,
    from several threads and processes at once.
    """

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of frame, scan_y, scan_x, q_y, q_x."""

    @property
    def dtype(self) -> np.dtype:
        """Integer or float dtype of the patterns, in native byte order."""

    @property
    def axes(self) -> Mapping[str, Axis]:
        """Calibration of scan_y, scan_x, q_y, q_x; a missing axis is in pixels."""

    @property
    def frame_coords(self) -> Mapping[str, tuple[Sequence[Any], str]]:
        """What counts the frames: values and unit by name (time, tilt, ..., source_file)."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What else the source knows (JSON-like): beam_energy_kev, exposure_time_s, ..."""

    @property
    def fingerprint(self) -> str:
        """A hash that changes when the source's content does."""

    def read(self, region: Region) -> np.ndarray:
        """Return the patterns of a region, C-contiguous, in ``dtype``."""
