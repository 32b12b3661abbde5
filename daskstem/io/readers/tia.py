"""FEI/Thermo Fisher TIA: series of patterns (.ser) and their description (.emi)."""

import re
import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from daskstem.io.readers.options import Options
from daskstem.io.readers.records import RecordFile, Records, require_bytes
from daskstem.io.readers.source import Found
from daskstem.schema.calibration import Axis, calibrated
from daskstem.schema.dims import Q_X, Q_Y, SCAN_X, SCAN_Y
from daskstem.schema.errors import InputError

# The layout of both files is that of rosettasciio's reader, which loads a series whole.
_IMAGES: Final = 0x4122
_SERIES_ID: Final = 0x0197
_WIDE_OFFSETS_FROM: Final = 0x0220
_ELEMENT: Final = struct.Struct("<ddiddihii")
_DTYPES: Final = {
    1: "<u1", 2: "<u2", 3: "<u4", 4: "<i1", 5: "<i2", 6: "<i4", 7: "<f4", 8: "<f8",
}  # fmt: skip


@dataclass(frozen=True)
class _Dimension:
    size: int
    origin: float
    step: float
    units: str


def read_tia(path: Path, options: Options) -> Found:
    """Read the patterns of a .ser, or of the only .ser that an .emi describes.

    A series without a scan becomes one row, in the order of acquisition.
    """
    series = _series(path, options) if path.suffix.lower() == ".emi" else path
    described = _description(_emi(series))
    with series.open("rb") as file:
        dimensions, offsets = _series_header(file, series)
        first = offsets[0]
        file.seek(first)
        element = _ELEMENT.unpack(file.read(_ELEMENT.size))
    height, width = element[8], element[7]
    if element[6] not in _DTYPES:
        raise InputError(f"{series} holds values of TIA type {element[6]}: not intensities")
    dtype = np.dtype(_DTYPES[element[6]])
    distances = set(np.diff(offsets).tolist())
    if len(distances) > 1:
        raise InputError(f"the patterns in {series} differ in size; export them as .npy")
    pattern_bytes = _ELEMENT.size + height * width * dtype.itemsize
    record_bytes = int(distances.pop()) if distances else pattern_bytes
    count = len(offsets)
    # The last pattern need not be followed by what lies between the others.
    require_bytes(series, int(first) + (count - 1) * record_bytes + pattern_bytes)
    stored = Records(
        (RecordFile(str(series), int(first), count),),
        record_bytes,
        _ELEMENT.size,
        (height, width),
        dtype,
        flipped=True,
    )
    scan_shape, axes = _scan(dimensions, count)
    axes |= _detector_axes(element, described.get("units"))
    emi = _emi(series)
    files = (series, emi) if emi.exists() else (series,)
    metadata = {key: value for key, value in described.items() if key != "units"}
    return Found(stored, files, scan_shape, axes, metadata)


def _emi(series: Path) -> Path:
    return series.with_name(re.sub(r"_\d+$", "", series.stem) + ".emi")


def _series(emi: Path, options: Options) -> Path:
    found = sorted(
        path
        for path in emi.parent.iterdir()
        if path.suffix.lower() == ".ser" and _emi(path) == emi.with_suffix(".emi")
    )
    if options.dataset is not None:
        found = [path for path in found if path.name == options.dataset]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{emi} describes {len(found)} series ({names}); open the .ser itself")
    return found[0]


def _series_header(file: IO[bytes], path: Path) -> tuple[list[_Dimension], np.ndarray]:
    """Return the dimensions of a series and the offset of each of its patterns."""
    _, series_id, version = struct.unpack("<HHH", file.read(6))
    data_type, _, _, valid = struct.unpack("<IIII", file.read(16))
    if series_id != _SERIES_ID:
        raise InputError(f"{path} is no TIA series: it starts with {series_id:#06x}")
    if data_type != _IMAGES or valid == 0:
        raise InputError(
            f"{path} holds {'spectra' if valid else 'no data'}: not a diffraction series"
        )
    wide = version >= _WIDE_OFFSETS_FROM
    table, n_dimensions = struct.unpack("<QI" if wide else "<II", file.read(12 if wide else 8))
    dimensions = []
    for _ in range(n_dimensions):
        size, origin, step, _, length = struct.unpack("<IddII", file.read(28))
        file.seek(length, 1)
        (length,) = struct.unpack("<I", file.read(4))
        units = file.read(length).decode("utf-8", "replace")
        dimensions.append(_Dimension(size, origin, step, units))
    item = "<u8" if wide else "<u4"
    require_bytes(path, table + valid * np.dtype(item).itemsize)
    file.seek(table)
    offsets = np.frombuffer(file.read(valid * np.dtype(item).itemsize), item)
    return dimensions, offsets.astype(np.int64)


def _scan(dimensions: list[_Dimension], count: int) -> tuple[tuple[int, int], dict[str, Axis]]:
    # TIA names the fast dimension first. A scan that was stopped counts fewer patterns than
    # its dimensions promise: its shape is then left to the user.
    whole = int(np.prod([dimension.size for dimension in dimensions]))
    if len(dimensions) != 2 or whole != count:
        return (1, count), {}
    fast, slow = dimensions
    axes = {
        dim: calibrated(dim, step=one.step, origin=one.origin, units=_metres(one.units))
        for dim, one in ((SCAN_Y, slow), (SCAN_X, fast))
    }
    return (slow.size, fast.size), axes


def _metres(units: str) -> str:
    return units.replace("meters", "m")


def _detector_axes(element: tuple[Any, ...], units: str | None) -> dict[str, Axis]:
    axes = {}
    for dim, (origin, step, reference) in ((Q_X, element[:3]), (Q_Y, element[3:6])):
        first = origin - reference * step
        axes[dim] = calibrated(dim, step=step, origin=first, units=units)
    return axes


def _description(emi: Path) -> dict[str, Any]:
    """Return energy, exposure, tilt and the detector's unit, as far as the .emi has them."""
    if not emi.exists():
        return {}
    match = re.search(rb"<ObjectInfo>.*?</ObjectInfo>", emi.read_bytes(), re.DOTALL)
    if match is None:
        return {}
    root = ElementTree.fromstring(match[0])
    told = {
        data.findtext("Label", ""): data.findtext("Value", "")
        for data in root.findall("ExperimentalDescription/Root/Data")
    }
    described: dict[str, Any] = {}
    mode = told.get("Mode", "")
    camera = root.find("AcquireInfo/CameraNamePath") is not None
    # A camera in STEM mode, or any detector in diffraction mode, records reciprocal space.
    if "Diffraction" in mode or ("STEM" in mode and camera):
        described["units"] = "1/m"
    numbers = {
        "beam_energy_kev": told.get("High tension"),
        "tilt_alpha_deg": told.get("Stage A"),
        "exposure_time_s": root.findtext("AcquireInfo/DwellTimePath"),
    }
    described |= {key: float(text) for key, text in numbers.items() if text}
    acquired = root.findtext("AcquireDate")
    return {**described, "acquired": acquired} if acquired else described
