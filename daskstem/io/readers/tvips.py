"""TVIPS recordings (.tvips): one stream of patterns, split into numbered files."""

import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from daskstem.io.readers.options import Options
from daskstem.io.readers.records import RecordFile, Records
from daskstem.io.readers.source import Found
from daskstem.schema.calibration import Axis, calibrated
from daskstem.schema.dims import Q_X, Q_Y
from daskstem.schema.errors import InputError

# The layout is that of rosettasciio's reader, whose lazy array hashes and rechunks memory
# maps of all files; reading by position touches only what a region needs.
_HEADER: Final = np.dtype(
    [
        *((name, "<u4") for name in ("size", "version", "dimx", "dimy", "bitsperpixel")),
        *((name, "<u4") for name in ("offsetx", "offsety", "binx", "biny", "pixelsize")),
        *((name, "<u4") for name in ("ht", "magtotal", "frameheaderbytes")),
        ("written_by", "S204"),
    ]
)
_MODE_AT: Final = 24
_DIFFRACTION: Final = 2
_FIRST_VERSION_BYTES: Final = 12


def read_tvips(path: Path, options: Options) -> Found:
    """Read a TVIPS recording from its first file, ``..._000.tvips``."""
    options.refuse_dataset(path)
    if not path.stem.endswith("_000"):
        first = re.sub(r"_\d{3}$", "_000", path.stem)
        raise InputError(f"{path} is a later part of a recording; open {first}{path.suffix}")
    header = _header(path)
    width, height = int(header["dimx"]), int(header["dimy"])
    dtype = np.dtype(f"<u{int(header['bitsperpixel']) // 8}")
    skip_bytes = _FIRST_VERSION_BYTES
    if int(header["version"]) == 2:
        skip_bytes = int(header["frameheaderbytes"])
    record_bytes = skip_bytes + width * height * dtype.itemsize
    parts = _parts(path)
    files = tuple(
        _record_file(part, int(header["size"]) if part == path else 0, record_bytes)
        for part in parts
    )
    stored = Records(files, record_bytes, skip_bytes, (height, width), dtype)
    metadata: dict[str, Any] = {"detector_pixel_nm": float(header["pixelsize"])}
    # Volt by the recorder's description; files with kilovolt exist too.
    tension = float(header["ht"])
    metadata["beam_energy_kev"] = tension * 1e-3 if tension > 5000 else tension
    return Found(stored, parts, None, _axes(path, header), metadata)


def _header(path: Path) -> np.void:
    with path.open("rb") as file:
        content = file.read(_HEADER.itemsize)
    if len(content) < _HEADER.itemsize:
        raise InputError(
            f"{path} is truncated: found {len(content)} bytes, expected a header of "
            f"{_HEADER.itemsize}"
        )
    header = np.frombuffer(content, _HEADER)[0]
    if int(header["version"]) not in (1, 2) or int(header["bitsperpixel"]) not in (8, 16, 32):
        raise InputError(f"{path} is no TVIPS recording: version {header['version']}")
    return header


def _parts(path: Path) -> tuple[Path, ...]:
    """Return all files of a recording, or name the first that is missing."""
    stem = path.stem.removesuffix("_000")
    numbered = re.compile(re.escape(stem) + r"_(\d{3})")
    found = {
        int(match[1]): other
        for other in path.parent.iterdir()
        if other.suffix == path.suffix and (match := numbered.fullmatch(other.stem))
    }
    missing = set(range(max(found) + 1)) - set(found)
    if missing:
        raise InputError(
            f"the recording {path} lacks {stem}_{min(missing):03d}{path.suffix}; put all parts "
            f"into one folder"
        )
    return tuple(found[number] for number in sorted(found))


def _record_file(path: Path, start: int, record_bytes: int) -> RecordFile:
    size = path.stat().st_size
    count, rest = divmod(size - start, record_bytes)
    if rest:
        raise InputError(
            f"{path} is truncated: found {size} bytes, expected "
            f"{start + (count + 1) * record_bytes} for {count + 1} patterns"
        )
    return RecordFile(str(path), start, count)


def _axes(path: Path, header: np.void) -> dict[str, Axis]:
    with path.open("rb") as file:
        file.seek(int(header["size"]) + _MODE_AT)
        mode = int.from_bytes(file.read(4), "little")
    # The recorder keeps the sensor's pixel in nm there, which says nothing about q; only
    # HyperSpy's writer puts a calibration in its place.
    if mode != _DIFFRACTION or not header["written_by"].startswith(b"HYPERSPY"):
        return {}
    step = float(header["pixelsize"])
    return {
        Q_Y: calibrated(Q_Y, step=step, origin=float(header["offsety"]), units="1/nm"),
        Q_X: calibrated(Q_X, step=step, origin=float(header["offsetx"]), units="1/nm"),
    }
