"""NanoMEGAS TopSpin (.app5): one small HDF5 dataset for each pattern."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from daskstem.io.readers.options import Options
from daskstem.io.readers.source import Found, Shape5
from daskstem.schema.calibration import Axis, calibrated
from daskstem.schema.dims import Q_X, Q_Y, SCAN_X, SCAN_Y
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_Position = tuple[float, float]


@dataclass(frozen=True)
class NumberedPatterns:
    """Patterns kept as ``group/0/Data``, ``group/1/Data``, ..."""

    path: str
    group: str
    count: int
    pattern_shape: tuple[int, int]
    dtype: np.dtype

    @property
    def shape(self) -> Shape5:
        """One frame, one row of all patterns."""
        return 1, 1, self.count, *self.pattern_shape

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``."""
        wanted, *detector = region[2:]
        with h5py.File(self.path, "r") as file:
            group = file[self.group]
            for row, number in enumerate(range(wanted.start, wanted.stop)):
                out[0, 0, row] = group[f"{number}/Data"][tuple(detector)]


def is_topspin(file: h5py.File) -> bool:
    """Whether an HDF5 file was written by TopSpin."""
    return "Version" in file and any(_GUID.fullmatch(name) for name in file)


def read_topspin(path: Path, options: Options) -> Found:
    """Read the 4D scan of a TopSpin file; ``dataset`` names one where there are several."""
    with h5py.File(path, "r") as file:
        scans = _scans(file)
        name = _chosen(scans, path, options)
        group = file[name]
        data = group["0/Data"]
        stored = NumberedPatterns(str(path), name, len(group), data.shape, data.dtype)
        axes = _detector_axes(group["0/Metadata"][()])
        scan_shape: tuple[int, int] | None = None
        scan_axes: dict[str, Axis] = {}
        if options.scan_shape is None:
            scan_shape, scan_axes = _raster(group, path)
        experiment = group.parent.get("Metadata")
        metadata = {
            "dataset": name,
            **_metadata(experiment[()] if experiment is not None else b""),
        }
        return Found(stored, (path,), scan_shape, {**axes, **scan_axes}, metadata)


def _scans(file: h5py.File) -> list[str]:
    experiments = [file] if "Metadata" in file else [file[n] for n in file if _GUID.fullmatch(n)]
    return [
        f"{experiment.name.rstrip('/')}/{name}"
        for experiment in experiments
        if isinstance(experiment, h5py.Group)
        for name in experiment
        if _GUID.fullmatch(name)
        and isinstance(experiment[name], h5py.Group)
        and "0/Data" in experiment[name]
    ]


def _chosen(scans: list[str], path: Path, options: Options) -> str:
    wanted = options.dataset
    matching = scans if wanted is None else [n for n in scans if wanted.strip("/") in n]
    if len(matching) != 1:
        raise InputError(
            f"{path} has {len(matching)} scans{f' named {wanted!r}' if wanted else ''}, expected "
            f"one; name it with dataset: it has {', '.join(scans) or 'only images'}"
        )
    return matching[0]


def _parsed(metadata: bytes) -> ElementTree.Element:
    # Decoded first: the XML calls itself UTF-16, but its bytes are UTF-8.
    return ElementTree.fromstring(metadata.decode())


def _detector_axes(metadata: bytes) -> dict[str, Axis]:
    calibration = _parsed(metadata).find("Calibration")
    axes = {}
    for dim, tag in ((Q_Y, "Y"), (Q_X, "X")):
        axis = None if calibration is None else calibration.find(tag)
        if axis is not None:
            axes[dim] = calibrated(
                dim,
                step=float(axis.findtext("Scale", "0")),
                origin=float(axis.findtext("Offset", "0")),
                units=axis.findtext("Type/Text"),
            )
    return axes


def _raster(group: h5py.Group, path: Path) -> tuple[tuple[int, int], dict[str, Axis]]:
    """Return scan shape and axes from the beam positions of the first row and the next."""
    count = len(group)
    start = _position(group, 0)
    columns = next((i for i in range(1, count) if _position(group, i)[0] != start[0]), count)
    if count % columns or (columns < count and _position(group, columns)[1] != start[1]):
        raise InputError(
            f"the beam positions in {path} are no raster of whole rows; give scan_shape"
        )
    rows = count // columns
    axes = {}
    if columns > 1:
        step = (_position(group, columns - 1)[1] - start[1]) / (columns - 1)
        axes[SCAN_X] = calibrated(SCAN_X, step=step, origin=start[1], units="m")
    if rows > 1:
        step = (_position(group, count - 1)[0] - start[0]) / (rows - 1)
        axes[SCAN_Y] = calibrated(SCAN_Y, step=step, origin=start[0], units="m")
    return (rows, columns), axes


def _position(group: h5py.Group, number: int) -> _Position:
    root = _parsed(group[f"{number}/Metadata"][()])
    for item in root.iter("Item"):
        value = item.find("Value")
        if item.findtext("Name") == "RequestedBeamPosition" and value is not None:
            return float(value.findtext("Y", "nan")), float(value.findtext("X", "nan"))
    raise InputError(f"pattern {number} of {group.name} has no beam position; give scan_shape")


def _metadata(experiment: bytes) -> dict[str, Any]:
    if not experiment:
        return {}
    root = _parsed(experiment)
    metadata: dict[str, Any] = {}
    acquired = root.findtext("CreatedDateTime")
    if acquired:
        metadata["acquired"] = acquired
    for item in root.iter("Item"):
        if item.findtext("Name") == "HighVoltage":
            metadata["beam_energy_kev"] = float(item.findtext("Value", "nan")) * 1e-3
    return metadata
