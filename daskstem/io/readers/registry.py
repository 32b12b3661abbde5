"""Which reader reads what: a new format is one file and one line here."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import h5py

from daskstem.io.readers.arina import is_master, read_arina
from daskstem.io.readers.arrays import read_npy, read_npz, read_raw
from daskstem.io.readers.binary import read_blockfile, read_empad, read_merlin, read_mrc
from daskstem.io.readers.hdf5 import read_hdf5
from daskstem.io.readers.hyperspy import is_hyperspy, read_hspy, read_zspy
from daskstem.io.readers.options import Options
from daskstem.io.readers.rosetta import rosetta_reader
from daskstem.io.readers.source import Found
from daskstem.io.readers.tia import read_tia
from daskstem.io.readers.topspin import is_topspin, read_topspin
from daskstem.io.readers.tvips import read_tvips
from daskstem.io.readers.zarr_store import opened, read_zarr
from daskstem.schema.errors import InputError

Reader = Callable[[Path, Options], Found]

READERS: Final[dict[str, Reader]] = {
    "npy": read_npy,
    "npz": read_npz,
    "raw": read_raw,
    "hdf5": read_hdf5,
    "arina": read_arina,
    "topspin": read_topspin,
    "hspy": read_hspy,
    "zspy": read_zspy,
    "zarr": read_zarr,
    "blockfile": read_blockfile,
    "merlin": read_merlin,
    "empad": read_empad,
    "mrc": read_mrc,
    "tvips": read_tvips,
    "tia": read_tia,
    "digitalmicrograph": rosetta_reader("digitalmicrograph"),
    "pantarhei": rosetta_reader("pantarhei"),
}
"""Every reader by the name that ``reader=`` takes."""

_BY_SUFFIX: Final = {
    "npy": (".npy",),
    "npz": (".npz",),
    "raw": (".raw", ".bin", ".dat"),
    "hdf5": (".h5", ".hdf5", ".hdf", ".nxs", ".emd", ".de5", ".hspy", ".app5"),
    "zarr": (".zarr", ".zspy"),
    "blockfile": (".blo",),
    "merlin": (".mib", ".hdr"),
    "empad": (".xml",),
    "mrc": (".mrc",),
    "tvips": (".tvips",),
    "tia": (".emi", ".ser"),
    "digitalmicrograph": (".dm3", ".dm4"),
    "pantarhei": (".prz",),
}


def reader_name(path: Path, options: Options) -> str:
    """Return the name of the reader for a file: the given one, else by suffix and content.

    Raises
    ------
    InputError
        If the given reader or the suffix is unknown.
    """
    if options.reader is not None:
        if options.reader not in READERS:
            raise InputError(f"no reader {options.reader!r}; there are {', '.join(READERS)}")
        return options.reader
    suffix = path.suffix.lower()
    name = next((name for name, suffixes in _BY_SUFFIX.items() if suffix in suffixes), None)
    if name is None and options.shape is not None and options.dtype is not None:
        return "raw"
    if name is None:
        known = " ".join(suffix for suffixes in _BY_SUFFIX.values() for suffix in suffixes)
        raise InputError(
            f"the format of {path} is unknown; known are {known}; choose one with reader, or "
            f"give shape and dtype if it is raw binary"
        )
    if name == "hdf5":
        return _hdf5_kind(path, options)
    if name == "zarr":
        with opened(path) as root:
            return "zspy" if is_hyperspy(root) else "zarr"
    return name


def _hdf5_kind(path: Path, options: Options) -> str:
    with h5py.File(path, "r") as file:
        # Who names a dataset of a master does not want the linked files.
        if options.dataset is None and is_master(file):
            return "arina"
        if is_topspin(file):
            return "topspin"
        return "hspy" if is_hyperspy(file) else "hdf5"
