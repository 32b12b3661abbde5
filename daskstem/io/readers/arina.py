"""Dectris master files: one small HDF5 file with links to many chunk files of patterns."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin  # noqa: F401 - its import registers the filters that detectors compress with
import numpy as np

from daskstem.io.readers.options import Options
from daskstem.io.readers.scan import factorisations
from daskstem.io.readers.source import Found, Shape5
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region

_LINKS: Final = "entry/data"
_DETECTOR: Final = "entry/instrument/detector"
_SPECIFIC: Final = f"{_DETECTOR}/detectorSpecific"
_SAMPLED_PATTERNS: Final = 64


@dataclass(frozen=True)
class LinkedStack:
    """One of the datasets a master links to: ``count`` patterns."""

    path: str
    dataset: str
    count: int


@dataclass(frozen=True)
class LinkedStacks:
    """The patterns of all linked files, one after the other.

    The pixels ``dead``, each (q_y, q_x), read 0 wherever they hold ``dead_from`` or more.
    """

    stacks: tuple[LinkedStack, ...]
    pattern_shape: tuple[int, int]
    dtype: np.dtype
    dead: tuple[tuple[int, int], ...]
    dead_from: int

    @property
    def shape(self) -> Shape5:
        """One frame, one row of all patterns."""
        return 1, 1, sum(stack.count for stack in self.stacks), *self.pattern_shape

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``, opening only the files it touches."""
        wanted, *detector = region[2:]
        first = 0
        for stack in self.stacks:
            start, stop = max(wanted.start, first), min(wanted.stop, first + stack.count)
            if start < stop:
                inside = slice(start - first, stop - first)
                with h5py.File(stack.path, "r") as file:
                    out[0, 0, start - wanted.start : stop - wanted.start] = file[stack.dataset][
                        (inside, *detector)
                    ]
            first += stack.count
        self._silence_dead(detector[0], detector[1], out)

    def _silence_dead(self, rows: slice, columns: slice, out: np.ndarray) -> None:
        for row, column in self.dead:
            if rows.start <= row < rows.stop and columns.start <= column < columns.stop:
                pixel = out[..., row - rows.start, column - columns.start]
                pixel[pixel >= self.dead_from] = 0


def is_master(file: h5py.File) -> bool:
    """Whether an HDF5 file links to chunk files the way a Dectris master does."""
    links = file.get(_LINKS)
    return isinstance(links, h5py.Group) and any(map(_is_chunk_name, links))


def read_arina(path: Path, options: Options) -> Found:
    """Read a Dectris master (Arina, Eiger, Quadro, ...) and the files that it links to.

    The linked stacks are concatenated in the order of their numbers. The patterns keep
    their native dtype and values with one exception: a dead pixel, which the detector
    writes as the largest value of the dtype, becomes 0 wherever it has that value, so that
    it does not outshine everything. Dead are the pixels that the master's ``pixel_mask``
    flags. Where the patterns are the mask's detector binned by whole factors, those are dead
    that hold a flagged pixel, and their value is at least the largest one divided by the
    number of pixels averaged. Where the mask fits neither way (a cropped readout) or is
    absent, those are dead that have the largest value in all of up to 64 patterns taken
    evenly from the first linked file. ``metadata["dead_value"]`` is the value from which
    they are set to 0, ``metadata["n_dead_pixels"]`` their number, and
    ``metadata["dead_pixels_from"]`` the way they were found.

    Raises
    ------
    InputError
        If a linked file is missing or damaged, or the master does not give the scan shape
        without doubt.
    """
    with h5py.File(path, "r") as master:
        links = master[_LINKS]
        names = sorted(filter(_is_chunk_name, links), key=_chunk_number)
        targets = [_target(links.get(name, getlink=True), path, name) for name in names]
        metadata = _metadata(master)
        mask = (
            master[f"{_SPECIFIC}/pixel_mask"][:] if f"{_SPECIFIC}/pixel_mask" in master else None
        )
        announced = _announced(master)
    opened = [_inspected(target, dataset, path) for target, dataset in targets]
    stacks = tuple(stack for stack, _, _ in opened)
    shapes = {(shape, dtype) for _, shape, dtype in opened}
    if len(shapes) != 1:
        raise InputError(f"the files that {path} links to differ in detector or dtype: {shapes}")
    (pattern_shape, dtype) = shapes.pop()
    stored = _with_dead_pixels(LinkedStacks(stacks, pattern_shape, dtype, (), 0), mask, metadata)
    files = tuple(dict.fromkeys((path, *(Path(stack.path) for stack in stacks))))
    scan_shape = options.scan_shape or _scan_shape(path, stored.shape[2], announced)
    return Found(stored, files, scan_shape, metadata=metadata)


def _is_chunk_name(name: str) -> bool:
    return re.fullmatch(r"data_\d+", name) is not None


def _chunk_number(name: str) -> int:
    return int(name.removeprefix("data_"))


def _target(link: Any, master: Path, name: str) -> tuple[Path, str]:
    """Return file and dataset that a link of the master leads to."""
    if isinstance(link, h5py.ExternalLink):
        return master.parent / link.filename, link.path
    return master, f"{_LINKS}/{name}"


def _inspected(
    path: Path, dataset: str, master: Path
) -> tuple[LinkedStack, tuple[int, int], np.dtype]:
    if not path.exists():
        raise InputError(
            f"{master} links to {path}, which is missing; put all files of the acquisition "
            f"into one folder under their original names"
        )
    try:
        with h5py.File(path, "r") as file:
            stack = file[dataset]
            if stack.ndim != 3 or 0 in stack.shape:
                raise InputError(
                    f"{dataset} in {path} has the shape {stack.shape}, expected a stack of "
                    f"patterns (n, q_y, q_x)"
                )
            count, height, width = stack.shape
            return LinkedStack(str(path), dataset, count), (height, width), stack.dtype
    except (OSError, KeyError) as error:
        raise InputError(
            f"cannot read {path}, which {master} links to: {error}; copy it again from the "
            f"detector"
        ) from error


def _with_dead_pixels(
    stored: LinkedStacks, mask: np.ndarray | None, metadata: dict[str, Any]
) -> LinkedStacks:
    """Return the stacks with their dead pixels, and describe these in ``metadata``."""
    if stored.dtype.kind not in "iu":
        return stored
    largest = int(np.iinfo(stored.dtype).max)
    dead, n_averaged = _flagged(mask, stored.pattern_shape)
    found_by = "pixel_mask"
    if dead is None:
        dead, found_by = _always_largest(stored.stacks[0], stored.pattern_shape, largest), "values"
    pixels = tuple((int(row), int(column)) for row, column in np.argwhere(dead))
    dead_from = largest // n_averaged
    metadata["dead_value"] = dead_from
    metadata |= {"n_dead_pixels": len(pixels), "dead_pixels_from": found_by}
    return replace(stored, dead=pixels, dead_from=dead_from)


def _flagged(mask: np.ndarray | None, shape: tuple[int, int]) -> tuple[np.ndarray | None, int]:
    """Return the flagged pixels and how many of the mask each is the mean of, or None."""
    if mask is None or mask.ndim != 2 or mask.shape[0] % shape[0] or mask.shape[1] % shape[1]:
        return None, 1
    by_rows, by_columns = mask.shape[0] // shape[0], mask.shape[1] // shape[1]
    blocks = (mask != 0).reshape(shape[0], by_rows, shape[1], by_columns)
    return blocks.any(axis=(1, 3)), by_rows * by_columns


def _always_largest(stack: LinkedStack, shape: tuple[int, int], largest: int) -> np.ndarray:
    dead = np.ones(shape, bool)
    picked = np.linspace(0, stack.count - 1, min(stack.count, _SAMPLED_PATTERNS)).astype(int)
    with h5py.File(stack.path, "r") as file:
        # One at a time: reading all would be a 27th of the data before anything is asked for.
        for index in picked:
            dead &= file[stack.dataset][index] == largest
    return dead


def _announced(master: h5py.File) -> tuple[int, int] | None:
    """Return the numbers of triggers and of patterns for each."""
    names = (f"{_SPECIFIC}/ntrigger", f"{_SPECIFIC}/nimages")
    if not all(name in master for name in names):
        return None
    triggers, patterns = (int(master[name][()]) for name in names)
    return triggers, patterns


def _scan_shape(path: Path, n_patterns: int, announced: tuple[int, int] | None) -> tuple[int, int]:
    if announced is not None and announced[0] * announced[1] != n_patterns:
        raise InputError(
            f"{path} announces {announced[0]} x {announced[1]} patterns, but the linked files "
            f"hold {n_patterns}; give scan_shape as rows and columns, such as "
            f"{factorisations(n_patterns)}"
        )
    side = round(n_patterns**0.5)
    possible = {(side, side)} if side * side == n_patterns else set()
    # One trigger for each scan row is the other usual way to run the detector.
    if announced is not None and min(announced) > 1:
        possible.add(announced)
    if len(possible) == 1:
        return possible.pop()
    raise InputError(
        f"{path} holds {n_patterns} patterns and does not say without doubt how they were "
        f"scanned; give scan_shape as rows and columns, such as {factorisations(n_patterns)}"
    )


def _metadata(master: h5py.File) -> dict[str, Any]:
    told = {
        "beam_energy_kev": (f"{_SPECIFIC}/photon_energy", 1e-3),
        "exposure_time_s": (f"{_DETECTOR}/count_time", 1.0),
        "frame_time_s": (f"{_DETECTOR}/frame_time", 1.0),
        "saturation_value": (f"{_DETECTOR}/saturation_value", 1.0),
    }
    metadata: dict[str, Any] = {
        key: float(master[name][()]) * factor
        for key, (name, factor) in told.items()
        if name in master
    }
    texts = {"detector": f"{_DETECTOR}/description"}
    texts["acquired"] = f"{_SPECIFIC}/data_collection_date"
    for key, name in texts.items():
        if name in master:
            text = master[name][()]
            metadata[key] = text.decode() if isinstance(text, bytes) else str(text)
    return metadata
