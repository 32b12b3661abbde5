"""Several sources as one: a series, frame after frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, Final

import numpy as np

from daskstem.io.readers.source import FileSource, FrameCoords, Shape5, region_shape
from daskstem.schema.calibration import Axis
from daskstem.schema.dims import FRAME_COORDS, SCAN, Q
from daskstem.schema.errors import InputError
from daskstem.schema.ordering import natural_order
from daskstem.schema.provenance import digest
from daskstem.schema.source import Region

_STEP_TOLERANCE: Final = 1e-3
_ORIGIN_TOLERANCE_PX: Final = 0.5


@dataclass(frozen=True)
class SeriesSource:
    """Sources stacked along frame; calibration and metadata are the first one's."""

    parts: tuple[FileSource, ...]
    frame_coords: FrameCoords

    @property
    def shape(self) -> Shape5:
        """Sizes of frame, scan_y, scan_x, q_y, q_x."""
        return sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """That of every part."""
        return self.parts[0].dtype

    @property
    def axes(self) -> dict[str, Axis]:
        """Calibration of the first part."""
        return self.parts[0].axes

    @property
    def metadata(self) -> dict[str, Any]:
        """What the first part knows."""
        return self.parts[0].metadata

    @property
    def fingerprint(self) -> str:
        """A hash of all parts' fingerprints, in their order, and of the frame coordinates."""
        parts = [part.fingerprint for part in self.parts]
        return digest({"parts": parts, "frames": self.frame_coords})

    def read(self, region: Region) -> np.ndarray:
        """Return the patterns of a region, C-contiguous, in ``dtype``."""
        out = np.empty(region_shape(region, self.shape), self.dtype)
        wanted, first = region[0], 0
        for part in self.parts:
            n_frames = part.shape[0]
            start, stop = max(wanted.start, first), min(wanted.stop, first + n_frames)
            if start < stop:
                inside = (slice(start - first, stop - first), *region[1:])
                out[start - wanted.start : stop - wanted.start] = part.read(inside)
            first += n_frames
        return out


def expanded(paths: Sequence[str | Path]) -> list[Path]:
    """Return the files that paths and patterns such as ``frame_*.mib`` mean.

    Paths keep their order; what one pattern finds is in natural order.

    Raises
    ------
    InputError
        If a pattern finds nothing.
    """
    found: list[Path] = []
    for path in paths:
        # A file whose name happens to hold brackets is itself before it is a pattern.
        if not any(sign in str(path) for sign in "*?[") or Path(path).exists():
            found.append(Path(path))
            continue
        # pathlib's glob takes no absolute pattern.
        matches = natural_order(glob(str(path)))  # noqa: PTH207
        if not matches:
            raise InputError(f"no file is called like {path}; check the pattern and the folder")
        found += matches
    return found


def stacked(
    parts: Sequence[FileSource],
    frame_dim: str | None,
    frame_values: Sequence[float] | None,
) -> SeriesSource:
    """Return sources as one series.

    Raises
    ------
    InputError
        If they do not belong together, or the frame values do not fit the frames.
    """
    for part in parts[1:]:
        _require_same(parts[0], part)
    n_frames = sum(part.shape[0] for part in parts)
    return SeriesSource(tuple(parts), _frame_coords(parts, n_frames, frame_dim, frame_values))


def _require_same(first: FileSource, other: FileSource) -> None:
    differing = next(
        (
            f"{what} {ours} and {theirs}"
            for what, ours, theirs in (
                ("scan shapes", first.shape[1:3], other.shape[1:3]),
                ("detector shapes", first.shape[3:], other.shape[3:]),
                ("dtypes", first.dtype, other.dtype),
            )
            if ours != theirs
        ),
        None,
    )
    if differing is None:
        differing = _differing_axis(first, other)
    if differing is not None:
        raise InputError(
            f"{first.path} and {other.path} cannot be one series: they have {differing}; convert "
            f"them separately, or name only the files that belong together"
        )


def _differing_axis(first: FileSource, other: FileSource) -> str | None:
    for dim in (*SCAN, *Q):
        ours, theirs = first.axes.get(dim, Axis()), other.axes.get(dim, Axis())
        same = ours.units == theirs.units and math.isclose(
            ours.step, theirs.step, rel_tol=_STEP_TOLERANCE
        )
        # Where a scan starts follows the specimen's drift from frame to frame; the detector
        # stays where it is.
        if dim in Q:
            shift_px = abs(ours.origin - theirs.origin) / abs(ours.step)
            same = same and shift_px <= _ORIGIN_TOLERANCE_PX
        if not same:
            return f"the calibrations {ours} and {theirs} of {dim}"
    return None


def _frame_coords(
    parts: Sequence[FileSource],
    n_frames: int,
    frame_dim: str | None,
    frame_values: Sequence[float] | None,
) -> FrameCoords:
    shared = set.intersection(*(set(part.frame_coords) for part in parts))
    coords: FrameCoords = {
        name: (
            [value for part in parts for value in part.frame_coords[name][0]],
            parts[0].frame_coords[name][1],
        )
        for name in parts[0].frame_coords
        if name in shared
    }
    if frame_dim is None and frame_values is None:
        return coords
    if frame_dim not in FRAME_COORDS:
        raise InputError(
            f"frame_dim = {frame_dim!r} is unknown; frames are counted in one of "
            f"{', '.join(FRAME_COORDS)}"
        )
    if frame_values is None:
        if frame_dim in coords:
            return coords
        raise InputError(
            f"the files do not say the {frame_dim} of their frames; give {n_frames} frame_values"
        )
    values = [float(value) for value in frame_values]
    if len(values) != n_frames or not np.isfinite(values).all():
        raise InputError(
            f"found {len(values)} frame_values for {n_frames} frames; give one finite number "
            f"for each frame"
        )
    return {**coords, frame_dim: (values, FRAME_COORDS[frame_dim])}
