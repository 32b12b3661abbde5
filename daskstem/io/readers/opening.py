"""Open one file, or several as a series."""

import struct
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from daskstem.io.readers.fingerprint import fingerprint
from daskstem.io.readers.options import Options
from daskstem.io.readers.registry import READERS, reader_name
from daskstem.io.readers.scan import scanned_shape
from daskstem.io.readers.series import SeriesSource, expanded, stacked
from daskstem.io.readers.source import FileSource, native_dtype
from daskstem.schema.calibration import GivenCalibration
from daskstem.schema.errors import InputError

_UNREADABLE: Final = (
    OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError,
    struct.error, zipfile.BadZipFile, ElementTree.ParseError,
)  # fmt: skip
"""What parsers of foreign files raise when the bytes are not what they expect."""


def open_source(
    path: str | Path,
    *,
    scan_shape: tuple[int, int] | None = None,
    dataset: str | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: str | None = None,
    offset_bytes: int = 0,
    reader: str | None = None,
    calibration: GivenCalibration | None = None,
) -> FileSource:
    """Open a file of diffraction patterns without reading them.

    Parameters
    ----------
    path
        A file, or the folder of a Zarr store.
    scan_shape
        Rows and columns of the scan, where the file does not know or is mistaken.
    dataset
        Which array of a container (.npz, HDF5, Zarr, HyperSpy, TopSpin).
    shape, dtype, offset_bytes
        Of raw binary: 3 to 5 sizes slow to fast (or q_y and q_x beside ``scan_shape``), a
        NumPy dtype such as ``">u2"``, and the bytes before the patterns.
    reader
        Name of a reader, instead of the choice by suffix and content.
    calibration
        Axes and beam energy that stand above what the file says.

    Returns
    -------
    FileSource
        Shape (frame, scan_y, scan_x, q_y, q_x); one 4D scan is one frame.

    Raises
    ------
    InputError
        If the file is missing, damaged, of an unknown format, no diffraction series, or
        the options do not fit it.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> np.save(f"{folder.name}/scan.npy", np.zeros((6, 8, 8), np.uint16))
    >>> open_source(f"{folder.name}/scan.npy", scan_shape=(2, 3)).shape
    (1, 2, 3, 8, 8)
    >>> folder.cleanup()
    """
    options = Options(scan_shape, dataset, shape, dtype, offset_bytes, reader)
    given = calibration or GivenCalibration()
    path = Path(path)
    if not path.exists():
        raise InputError(f"there is no {path}; check the name and the folder")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path} is empty: found 0 bytes; copy it again from the microscope")
    try:
        name = reader_name(path, options)
        if name != "raw" and (shape is not None or dtype is not None or offset_bytes):
            raise InputError(
                f"shape, dtype and offset_bytes are for raw binary, but {path} is read as "
                f"{name}; leave them out, or say reader = 'raw'"
            )
        found = READERS[name](path, options)
        native = native_dtype(found.stored.dtype, str(path))
        full_shape = scanned_shape(path, found, options)
        mark = fingerprint(found.files, {**options.as_dict(), **asdict(given)})
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(
            f"cannot read {path}: {error or type(error).__name__}; it is damaged, incomplete or "
            f"of another format than its name says"
        ) from error
    sources = ([path.name] * full_shape[0], "")
    return FileSource(
        path=str(path),
        stored=found.stored,
        shape=full_shape,
        dtype=native,
        axes={**found.axes, **given.axes(full_shape)},
        metadata={"reader": name, **found.metadata, **given.metadata},
        frame_coords={**found.frame_coords, "source_file": sources},
        fingerprint=mark,
    )


def open_series_of_sources(
    paths: Sequence[str | Path],
    *,
    scan_shape: tuple[int, int] | None = None,
    dataset: str | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: str | None = None,
    offset_bytes: int = 0,
    reader: str | None = None,
    calibration: GivenCalibration | None = None,
    frame_dim: str | None = None,
    frame_values: Sequence[float] | None = None,
) -> SeriesSource:
    """Open files as one series, each after the other along frame.

    Parameters
    ----------
    paths
        Files in the order of their frames, or patterns such as ``"frame_*.mib"``, whose
        files come in natural order (``frame_2`` before ``frame_10``).
    scan_shape, dataset, shape, dtype, offset_bytes, reader, calibration
        As in :func:`open_source`, the same for every file.
    frame_dim
        What the frames are counted in: time, tilt, temperature, dose or depth.
    frame_values
        One number for each frame, in the unit of ``frame_dim``; may be left out where the
        files have the values.

    Returns
    -------
    SeriesSource
        A 4D file is one frame, a 5D file all of its own.

    Raises
    ------
    InputError
        If two files differ in scan shape, detector shape, dtype or calibration (steps by
        more than 0.1 %, detector origins by more than half a pixel), if the frame values
        do not fit, or for what :func:`open_source` refuses.
    """
    files = expanded(paths)
    if not files:
        raise InputError("a series needs at least one file, got none")
    parts = [
        open_source(
            file,
            scan_shape=scan_shape,
            dataset=dataset,
            shape=shape,
            dtype=dtype,
            offset_bytes=offset_bytes,
            reader=reader,
            calibration=calibration,
        )
        for file in files
    ]
    return stacked(parts, frame_dim, frame_values)
