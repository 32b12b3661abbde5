"""HyperSpy's own formats: .hspy (HDF5) and .zspy (Zarr) share one layout."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import zarr

from daskstem.io.readers.hdf5 import Hdf5Arrays
from daskstem.io.readers.options import Options
from daskstem.io.readers.rosetta import axes_of_signal, frames_of_signal
from daskstem.io.readers.source import Found, Stored
from daskstem.io.readers.zarr_store import ZarrArray, opened
from daskstem.schema.errors import InputError

_EXPERIMENTS: Final = "Experiments"


def is_hyperspy(root: Any) -> bool:
    """Whether an open HDF5 file or Zarr group was written by HyperSpy."""
    return not isinstance(root, zarr.Array) and _EXPERIMENTS in root


def read_hspy(path: Path, options: Options) -> Found:
    """Read a signal of an .hspy file; ``dataset`` names one where there are several."""
    with h5py.File(path, "r") as file:
        signal, name = _signal(file, path, options)
        data = signal["data"]
        stored = Hdf5Arrays(str(path), (f"{name}/data",), data.shape, data.dtype)
        return _found(signal, name, stored, path)


def read_zspy(path: Path, options: Options) -> Found:
    """Read a signal of a .zspy store; ``dataset`` names one where there are several."""
    with opened(path) as root:
        signal, name = _signal(root, path, options)
        data = signal["data"]
        stored = ZarrArray(str(path), f"{name}/data", data.shape, data.dtype)
        return _found(signal, name, stored, path)


def _signal(root: Any, path: Path, options: Options) -> tuple[Any, str]:
    names = sorted(root[_EXPERIMENTS].keys())
    if options.dataset is not None:
        inner = options.dataset.strip("/").removeprefix(f"{_EXPERIMENTS}/").removesuffix("/data")
        chosen = [name for name in names if name == inner]
    else:
        least = 3 if options.scan_shape else 4
        chosen = [n for n in names if len(root[_EXPERIMENTS][n]["data"].shape) >= least]
    if len(chosen) != 1:
        listed = ", ".join(f"{n} {root[_EXPERIMENTS][n]['data'].shape}" for n in names) or "none"
        raise InputError(
            f"{path} has {len(chosen)} signals that may be meant, expected one; name it with "
            f"dataset, give scan_shape if it is a stack of patterns: it has {listed}"
        )
    name = f"{_EXPERIMENTS}/{chosen[0]}"
    return root[name], name


def _found(signal: Any, name: str, stored: Stored, path: Path) -> Found:
    ndim = len(signal["data"].shape)
    axes = [_plain(dict(signal[f"axis-{i}"].attrs)) for i in range(ndim) if f"axis-{i}" in signal]
    calibrated_axes = axes_of_signal(axes) if len(axes) == ndim else {}
    frames = frames_of_signal(axes) if len(axes) == ndim else {}
    _, rows, columns, _, _ = stored.shape
    scan_shape = None if ndim == 3 else (rows, columns)
    return Found(stored, (path,), scan_shape, calibrated_axes, _metadata(signal, name), frames)


def _metadata(signal: Any, name: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"dataset": name}
    place = "metadata/Acquisition_instrument/TEM"
    told = _plain(dict(signal[place].attrs)) if place in signal else {}
    if told.get("beam_energy") is not None:
        metadata["beam_energy_kev"] = float(told["beam_energy"])
    return metadata


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with HyperSpy's spellings of None and of undefined as None."""
    return {
        key: None if isinstance(value, str) and value in ("_None_", "<undefined>") else value
        for key, value in attributes.items()
    }
