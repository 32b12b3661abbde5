"""A file as a source of patterns, whatever its format."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from daskstem.schema.calibration import Axis
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region

Shape5 = tuple[int, int, int, int, int]
_DAMAGED: Final = (OSError, EOFError, KeyError, RuntimeError, ValueError)
"""What libraries raise when a file no longer holds what it held when it was opened."""

FrameCoords = dict[str, tuple[list[Any], str]]
"""Values and unit of each coordinate along frame."""


class Stored(Protocol):
    """Patterns as they lie in a file: what every format has to provide.

    A stack of patterns without a scan has the shape (1, 1, n, q_y, q_x). Instances are
    small, picklable and hold no open file.
    """

    @property
    def shape(self) -> Shape5:
        """Sizes of frame, scan_y, scan_x, q_y, q_x, as the file is laid out."""

    @property
    def dtype(self) -> np.dtype:
        """As it is in the file, in any byte order."""

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``, which has the region's shape."""


@dataclass(frozen=True)
class Found:
    """What a reader finds in a file; ``scan_shape`` is None where the file leaves it open."""

    stored: Stored
    files: tuple[Path, ...]
    scan_shape: tuple[int, int] | None
    axes: dict[str, Axis] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    frame_coords: FrameCoords = field(default_factory=dict)


@dataclass(frozen=True)
class FileSource:
    """Patterns of one file or of the files that one acquisition is split into.

    Keeps :class:`daskstem.schema.source.PatternSource`; ``frame_coords`` maps what the
    frames are counted in (time, depth, source_file, ...) to its values and unit.
    """

    path: str
    stored: Stored
    shape: Shape5
    dtype: np.dtype
    axes: dict[str, Axis]
    metadata: dict[str, Any]
    frame_coords: FrameCoords
    fingerprint: str

    def read(self, region: Region) -> np.ndarray:
        """Return the patterns of a region, C-contiguous, in ``dtype``.

        Raises
        ------
        InputError
            If the file is gone or damaged.
        """
        out = np.empty(region_shape(region, self.shape), self.dtype)
        try:
            fill_regrouped(self.stored, self.shape, region, out)
        except InputError:
            raise
        except _DAMAGED as error:
            raise InputError(
                f"cannot read patterns from {self.path}: {error}; check that the file is "
                f"complete and still in its place"
            ) from error
        return out


def region_shape(region: Region, shape: Shape5) -> Shape5:
    """Return the sizes of a region, or raise ValueError if it leaves ``shape``."""
    if len(region) != len(shape):
        raise ValueError(f"a region has {len(shape)} slices, got {len(region)}")
    for part, size in zip(region, shape, strict=True):
        if part.step not in (None, 1) or not 0 <= part.start <= part.stop <= size:
            raise ValueError(f"{region} does not lie in {shape}")
    frames, rows, columns, detector_rows, detector_columns = (p.stop - p.start for p in region)
    return frames, rows, columns, detector_rows, detector_columns


def lifted(shape: tuple[int, ...], name: str) -> Shape5:
    """Return the five sizes of an array with 3 (a stack), 4 or 5 dimensions.

    Raises
    ------
    InputError
        If it is no diffraction series.
    """
    if not 3 <= len(shape) <= 5 or 0 in shape:
        raise InputError(
            f"{name} has the shape {tuple(shape)}: not a diffraction series; expected "
            f"(scan_y, scan_x, q_y, q_x), with frame before it, or a stack (n, q_y, q_x)"
        )
    padded = (1,) * (5 - len(shape)) + tuple(int(size) for size in shape)
    return padded[0], padded[1], padded[2], padded[3], padded[4]


def native_dtype(dtype: np.dtype, name: str) -> np.dtype:
    """Return the dtype in which patterns of ``dtype`` are handed on.

    Byte order becomes native, bool becomes uint8, float16 float32.

    Raises
    ------
    InputError
        If such values are no intensities.
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "iuf":
        raise InputError(
            f"{name} holds {dtype} values: not intensities; expected integers or floats"
        )
    if dtype.kind == "f" and dtype.itemsize == 2:
        return np.dtype(np.float32)
    return dtype.newbyteorder("=")


def fill_regrouped(stored: Stored, shape: Shape5, region: Region, out: np.ndarray) -> None:
    """Fill ``out`` with a region of ``stored`` seen under another scan shape.

    Both shapes count the same patterns in the same order.
    """
    if out.size == 0:
        return
    if shape == stored.shape:
        stored.fill(region, out)
        return
    flat = out.reshape(-1, *out.shape[3:])
    filled = 0
    for start, stop in _runs(region, shape):
        for frame, row, first, last in _stored_rows(start, stop, stored.shape):
            part = flat[filled : filled + last - first]
            where = (slice(frame, frame + 1), slice(row, row + 1), slice(first, last))
            stored.fill((*where, *region[3:]), part[np.newaxis, np.newaxis])
            filled += last - first


def _runs(region: Region, shape: Shape5) -> Iterator[tuple[int, int]]:
    """Yield start and stop of the runs of consecutive patterns that a region consists of."""
    frames, rows, columns = region[:3]
    _, n_rows, n_columns, _, _ = shape
    whole_rows = columns.start == 0 and columns.stop == n_columns
    for frame in range(frames.start, frames.stop):
        if whole_rows:
            first = frame * n_rows * n_columns
            yield first + rows.start * n_columns, first + rows.stop * n_columns
            continue
        for row in range(rows.start, rows.stop):
            first = (frame * n_rows + row) * n_columns
            yield first + columns.start, first + columns.stop


def _stored_rows(start: int, stop: int, shape: Shape5) -> Iterator[tuple[int, int, int, int]]:
    """Yield (frame, row, first column, last column + 1) of a run of patterns."""
    _, n_rows, n_columns, _, _ = shape
    while start < stop:
        row, first = divmod(start, n_columns)
        last = min(n_columns, first + stop - start)
        yield row // n_rows, row % n_rows, first, last
        start += last - first
