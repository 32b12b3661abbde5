"""What everything that delivers patterns looks like: a file, a simulation, a store."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from daskstem.schema.calibration import Axis

Region = tuple[slice, ...]
"""One slice per dimension, with explicit start and stop and no step."""
Piece = tuple[Region, np.ndarray]
"""A part of an array: where it lies in the whole, and its values."""


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
