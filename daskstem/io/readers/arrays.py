"""Plain arrays: .npy, .npz and raw binary."""

import atexit
import getpass
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from daskstem.io.readers.choice import only_candidate
from daskstem.io.readers.fingerprint import fingerprint
from daskstem.io.readers.options import Options
from daskstem.io.readers.records import require_bytes
from daskstem.io.readers.source import Found, Shape5, lifted
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region


@dataclass(frozen=True)
class FlatArray:
    """An uncompressed array of 3 to 5 dimensions at an offset in a file."""

    path: str
    offset_bytes: int
    array_shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool = False

    @property
    def shape(self) -> Shape5:
        """Sizes of the five dimensions."""
        return lifted(self.array_shape, self.path)

    @property
    def end_bytes(self) -> int:
        """Where the array ends in the file."""
        return self.offset_bytes + int(np.prod(self.array_shape)) * self.dtype.itemsize

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``."""
        require_bytes(Path(self.path), self.end_bytes)
        order: Literal["F", "C"] = "F" if self.fortran_order else "C"
        mapped = np.memmap(self.path, self.dtype, "r", self.offset_bytes, self.array_shape, order)
        out[...] = mapped[region[5 - mapped.ndim :]]


@dataclass(frozen=True)
class PackedArray:
    """A compressed member of an .npz, unpacked to a temporary .npy when first read.

    The temporary file is looked for, and made where it is missing, in every process: a
    task may run on another machine than the one that opened the source.
    """

    path: str
    member: str
    key: str
    array_shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def shape(self) -> Shape5:
        """Sizes of the five dimensions."""
        return lifted(self.array_shape, self.path)

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``."""
        _npy_array(_unpacked(Path(self.path), self.member, self.key)).fill(region, out)


def read_npy(path: Path, options: Options) -> Found:
    """Read an .npy file in place."""
    options.refuse_dataset(path)
    array = _npy_array(path)
    require_bytes(path, array.end_bytes)
    return _found(array, path)


def read_npz(path: Path, options: Options) -> Found:
    """Read one array of an .npz: in place, or through a temporary file if compressed."""
    with zipfile.ZipFile(path) as archive:
        headers = {}
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as stream:
                    headers[info.filename] = _npy_header(stream, path)
        member = _chosen(headers, path, options)
        info = archive.getinfo(member)
    shape, fortran_order, dtype = headers[member]
    if info.compress_type == zipfile.ZIP_STORED:
        # The local header may be longer than the directory's copy of it: read its lengths.
        with path.open("rb") as file:
            file.seek(info.header_offset + 26)
            lengths = np.frombuffer(file.read(4), "<u2")
            file.seek(info.header_offset + 30 + int(lengths.sum()))
            _npy_header(file, path)
            array = FlatArray(str(path), file.tell(), shape, dtype, fortran_order)
        require_bytes(path, array.end_bytes)
        return _found(array, path)
    packed = PackedArray(str(path), member, fingerprint([path], {"member": member}), shape, dtype)
    found = _found(packed, path)
    _unpacked(path, member, packed.key)
    return found


def read_raw(path: Path, options: Options) -> Found:
    """Read raw binary of a given shape and dtype."""
    options.refuse_dataset(path)
    if options.shape is None or options.dtype is None:
        raise InputError(
            f"{path} is raw binary and says nothing about itself; give shape and dtype "
            f"(an EMPAD scan: open the .xml beside it)"
        )
    try:
        dtype = np.dtype(options.dtype)
    except TypeError as error:
        raise InputError(
            f"dtype = {options.dtype!r} is unknown; give one such as uint16 or >u2"
        ) from error
    shape = options.shape
    if len(shape) == 2 and options.scan_shape is not None:
        shape = (*options.scan_shape, *shape)
    array = FlatArray(str(path), options.offset_bytes, shape, dtype)
    found = path.stat().st_size
    if found != array.end_bytes:
        raise InputError(
            f"{path} has {found} bytes, expected {array.end_bytes} for shape {shape} of {dtype} "
            f"after {options.offset_bytes} bytes; it is truncated or not of this shape and dtype"
        )
    return _found(array, path)


def _found(array: FlatArray | PackedArray, path: Path) -> Found:
    _, rows, columns, _, _ = array.shape
    scan_shape = None if len(array.array_shape) == 3 else (rows, columns)
    return Found(array, (path,), scan_shape)


def _npy_array(path: Path) -> FlatArray:
    with path.open("rb") as file:
        shape, fortran_order, dtype = _npy_header(file, path)
        return FlatArray(str(path), file.tell(), shape, dtype, fortran_order)


def _npy_header(stream: IO[bytes], path: Path) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise InputError(f"{path} is of .npy version {version}; save it again with numpy.save")


def _chosen(
    headers: dict[str, tuple[tuple[int, ...], bool, np.dtype]], path: Path, options: Options
) -> str:
    shapes = {name.removesuffix(".npy"): shape for name, (shape, _, _) in headers.items()}
    if options.dataset is None:
        return only_candidate(shapes, path, options, "arrays") + ".npy"
    name = options.dataset.removesuffix(".npy")
    if name not in shapes:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
        raise InputError(f"{path} has no array {name!r}; it has {listed}")
    return f"{name}.npy"


def _unpacked(path: Path, member: str, key: str) -> Path:
    """Return the temporary .npy of a member, streamed there if it is not yet."""
    folder = _temporary_folder()
    target = folder / f"{key}.npy"
    if target.exists():
        return target
    handle, partial = tempfile.mkstemp(suffix=".part", dir=folder)
    try:
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(path) as archive,
            archive.open(member) as stream,
        ):
            shutil.copyfileobj(stream, file, 2**20)
        # Renamed when whole: another task may be waiting for the same file.
        Path(partial).replace(target)
    except (OSError, zlib.error, zipfile.BadZipFile) as error:
        Path(partial).unlink(missing_ok=True)
        raise InputError(
            f"cannot unpack {member} of {path} into {folder}: {error}; point TMPDIR to a disk "
            f"with room for it, or save the array as .npy"
        ) from error
    atexit.register(target.unlink, missing_ok=True)
    return target


def _temporary_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"daskstem-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # A shared temporary folder: a stranger's file there must never be taken for the data.
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise InputError(f"{folder} belongs to another user; set TMPDIR to a folder of yours")
    return folder
