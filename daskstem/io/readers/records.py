"""Patterns of one size at equal distances in one or more binary files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daskstem.io.readers.source import Shape5
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region


@dataclass(frozen=True)
class RecordFile:
    """A file with ``count`` records from ``offset_bytes`` on."""

    path: str
    offset_bytes: int
    count: int


@dataclass(frozen=True)
class Records:
    """A stack of patterns, each at ``skip_bytes`` into a record of ``record_bytes``.

    ``flipped`` turns the detector rows upside down, for cameras that count from below.
    """

    files: tuple[RecordFile, ...]
    record_bytes: int
    skip_bytes: int
    pattern_shape: tuple[int, int]
    dtype: np.dtype
    flipped: bool = False

    @property
    def shape(self) -> Shape5:
        """One frame, one row of all patterns."""
        return 1, 1, sum(file.count for file in self.files), *self.pattern_shape

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``."""
        wanted, detector_rows, detector_columns = region[2:]
        if self.flipped:
            height = self.pattern_shape[0]
            detector_rows = slice(height - detector_rows.stop, height - detector_rows.start)
        first = 0
        for file in self.files:
            start, stop = max(wanted.start, first), min(wanted.stop, first + file.count)
            if start < stop:
                stack = self._mapped(file)[start - first : stop - first]
                patterns = stack[:, detector_rows, detector_columns]
                part = out[0, 0, start - wanted.start : stop - wanted.start]
                part[...] = patterns[:, ::-1] if self.flipped else patterns
            first += file.count

    def _mapped(self, file: RecordFile) -> np.ndarray:
        record = np.dtype(
            {
                "names": ["pattern"],
                "formats": [(self.dtype, self.pattern_shape)],
                "offsets": [self.skip_bytes],
                "itemsize": self.record_bytes,
            }
        )
        needed = file.offset_bytes + file.count * self.record_bytes
        require_bytes(Path(file.path), needed)
        mapped = np.memmap(file.path, record, "r", file.offset_bytes, (file.count,))
        return mapped["pattern"]


def require_bytes(path: Path, expected: int) -> None:
    """Raise InputError if a file is shorter than expected."""
    found = path.stat().st_size
    if found < expected:
        raise InputError(
            f"{path} is truncated: found {found} bytes, expected {expected}; copy it again "
            f"from the microscope"
        )
