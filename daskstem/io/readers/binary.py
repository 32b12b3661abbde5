"""Binary vendor formats: rosettasciio reads the headers, patterns are read by position."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from daskstem.io.readers.options import Options
from daskstem.io.readers.records import RecordFile, Records, require_bytes
from daskstem.io.readers.rosetta import (
    Signal,
    axes_of_signal,
    frames_of_signal,
    lookup,
    metadata_of_signal,
    number,
    signals,
)
from daskstem.io.readers.source import Found
from daskstem.schema.calibration import Axis, calibrated
from daskstem.schema.dims import Q_X, Q_Y, SCAN_X, SCAN_Y
from daskstem.schema.errors import InputError

_EMPAD_ROWS: Final = 130  # 128 of the detector and two of telemetry
_EMPAD_PATTERN: Final = (128, 128)


def read_blockfile(path: Path, options: Options) -> Found:
    """Read a NanoMEGAS blockfile (.blo)."""
    options.refuse_dataset(path)
    (signal,) = signals(path, "blockfile")
    header = signal["original_metadata"]["blockfile_header"]
    side = int(header["DP_SZ"])
    scan_shape = (int(header["NY"]), int(header["NX"]))
    # Each pattern follows 6 bytes: AA 55 and its number.
    record_bytes = 6 + side * side
    start, count = int(header["Data_offset_2"]), scan_shape[0] * scan_shape[1]
    require_bytes(path, start + count * record_bytes)
    stored = Records(
        (RecordFile(str(path), start, count),), record_bytes, 6, (side, side), np.dtype(np.uint8)
    )
    axes = axes_of_signal(signal["axes"]) if len(signal["axes"]) == 4 else {}
    return Found(stored, (path,), scan_shape, axes, metadata_of_signal(signal))


def read_merlin(path: Path, options: Options) -> Found:
    """Read a Quantum Detectors Merlin acquisition (.mib, with its .hdr if there is one).

    Where neither the header nor the user knows the scan shape, the pauses between rows in
    the patterns' time stamps give it. The detector counts its rows from below.
    """
    options.refuse_dataset(path)
    path = path.with_suffix(".mib") if path.suffix.lower() == ".hdr" else path
    given = options.scan_shape
    told_shape = {} if given is None else {"navigation_shape": given[::-1]}
    (signal,) = signals(path, "quantumdetector", **told_shape)
    told = signal["original_metadata"]["mib_properties"]
    dtype = np.dtype(told["dtype"]).newbyteorder(">")
    height, width = (int(size) for size in told["merlin_size"])
    header_bytes = int(told["head_size"])
    record_bytes = header_bytes + height * width * dtype.itemsize
    count = _merlin_count(path, record_bytes, signal, options)
    stored = Records(
        (RecordFile(str(path), 0, count),),
        record_bytes,
        header_bytes,
        (height, width),
        dtype,
        True,
    )
    shape = signal["data"].shape
    # A row of one position is what rosettasciio falls back to: the time stamps told nothing.
    known = len(shape) == 4 and (shape[1] > 1 or count == 1)
    header = path.with_suffix(".hdr")
    files = (path, header) if header.exists() else (path,)
    return Found(
        stored, files, (shape[0], shape[1]) if known else None, {}, metadata_of_signal(signal)
    )


def _merlin_count(path: Path, record_bytes: int, signal: Signal, options: Options) -> int:
    """Return the number of patterns, or say that the file breaks off."""
    size = path.stat().st_size
    count, rest = divmod(size, record_bytes)
    announced = int(
        lookup(signal["original_metadata"], "hdr_file.Frames in Acquisition (Number)") or 0
    )
    expected = max(announced, count + (rest > 0)) * record_bytes
    if size >= expected:
        return count
    # Whole rows of an acquisition that was stopped are good data, if the user says so.
    if options.scan_shape is not None:
        wanted = options.scan_shape[0] * options.scan_shape[1]
        if count - options.scan_shape[1] < wanted <= count:
            return wanted
    raise InputError(
        f"{path} is truncated: found {size} bytes, expected {expected}; it holds {count} whole "
        f"patterns: give scan_shape with the whole rows to read those"
    )


def read_empad(path: Path, options: Options) -> Found:
    """Read an EMPAD acquisition: the .xml names the .raw beside it."""
    options.refuse_dataset(path)
    (signal,) = signals(path, "empad")
    root = signal["original_metadata"]["root"]
    raw = path.parent / Path(root["raw_file"]["filename"]).name
    if not raw.exists():
        raise InputError(f"{path} describes {raw}, which is missing; put them into one folder")
    record_bytes = _EMPAD_ROWS * _EMPAD_PATTERN[1] * 4
    shape = signal["data"].shape
    count = int(np.prod(shape[:-2]))
    require_bytes(raw, count * record_bytes)
    stored = Records(
        (RecordFile(str(raw), 0, count),), record_bytes, 0, _EMPAD_PATTERN, np.dtype("<f4")
    )
    metadata = metadata_of_signal(signal)
    voltage = lookup(root, "iom_measurements.source.get_voltage")
    if voltage is not None:
        metadata["beam_energy_kev"] = number(float(voltage)) * 1e-3
    if "exposure_time" in root:
        metadata["exposure_time_s"] = float(root["exposure_time"]) * 1e-3
    scan_shape = (shape[0], shape[1]) if len(shape) == 4 else None
    return Found(stored, (path, raw), scan_shape, axes_of_signal(signal["axes"]), metadata)


def read_mrc(path: Path, options: Options) -> Found:
    """Read an MRC stack, such as a Direct Electron movie (with its info file if present)."""
    options.refuse_dataset(path)
    (signal,) = signals(path, "mrc")
    told = signal["original_metadata"].get("de_metadata", {})
    if told.get("Scan - Enable") == "Enable" and told.get("Scan - Type", "Raster") != "Raster":
        raise InputError(
            f"{path} was scanned in the order {told['Scan - Type']!r}, expected 'Raster'; bring "
            f"the patterns into rows with rosettasciio and save them as HDF5"
        )
    header = signal["original_metadata"]["std_header"]
    width, height, count = (int(header[name]) for name in ("NX", "NY", "NZ"))
    start = 1024 + int(header["NEXT"])
    dtype = signal["data"].dtype
    if count < 2:
        raise InputError(f"{path} holds one {height} x {width} image: not a diffraction series")
    record_bytes = width * height * dtype.itemsize
    require_bytes(path, start + count * record_bytes)
    stored = Records(
        (RecordFile(str(path), start, count),), record_bytes, 0, (height, width), dtype
    )
    shape = signal["data"].shape
    scan_shape = (shape[0], shape[1]) if len(shape) == 4 else None
    coords = frames_of_signal(signal["axes"])
    return Found(
        stored,
        (path,),
        scan_shape,
        _direct_electron_axes(told),
        metadata_of_signal(signal),
        coords,
    )


def _direct_electron_axes(told: dict[str, Any]) -> dict[str, Axis]:
    # Read here: rosettasciio replaces every calibrated step by 1. The camera writes -1
    # for what was never calibrated.
    places = {
        SCAN_Y: ("Specimen Pixel Size Y (nanometers)", "nm"),
        SCAN_X: ("Specimen Pixel Size X (nanometers)", "nm"),
        Q_Y: ("Diffraction Pixel Size Y", "1/nm"),
        Q_X: ("Diffraction Pixel Size X", "1/nm"),
    }
    return {
        dim: calibrated(dim, step=float(told[name]), origin=0.0, units=units)
        for dim, (name, units) in places.items()
        if float(told.get(name, -1)) > 0
    }
