"""Vendor formats through rosettasciio: what a file says, and patterns where it must read them."""

import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from daskstem.io.readers.options import Options
from daskstem.io.readers.source import Found, FrameCoords, Shape5, lifted
from daskstem.schema.calibration import Axis, calibrated
from daskstem.schema.dims import FRAME_COORDS, SCAN, Q
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region

Signal = Mapping[str, Any]
"""One dataset as rosettasciio describes it: data, axes, metadata, original_metadata."""

_TOLD: Final = {
    "Acquisition_instrument.TEM.beam_energy": ("beam_energy_kev", 1.0),
    "Acquisition_instrument.TEM.Stage.tilt_alpha": ("tilt_alpha_deg", 1.0),
    "Acquisition_instrument.TEM.Detector.Camera.exposure": ("exposure_time_s", 1.0),
    "Acquisition_instrument.dwell_time": ("exposure_time_s", 1.0),
    "Acquisition_instrument.TEM.rotation": ("scan_rotation_deg", 1.0),
}


@dataclass(frozen=True)
class RosettaArray:
    """A lazy rosettasciio array, opened anew for every region and never computed whole.

    ``order`` brings the file's dimensions into slow-to-fast order.
    """

    path: str
    plugin: str
    index: int
    order: tuple[int, ...]
    array_shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def shape(self) -> Shape5:
        """Sizes of the five dimensions."""
        return lifted(self.array_shape, self.path)

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``."""
        # Not through signals(): warning filters belong to the process, and this runs in threads.
        data = _reader(self.plugin)(self.path, lazy=True)[self.index]["data"]
        part = data.transpose(self.order)[region[5 - len(self.order) :]]
        # Synchronous: this runs inside a task, where more threads would only compete.
        out[...] = part.compute(scheduler="synchronous") if hasattr(part, "compute") else part


def signals(path: Path, plugin: str, **keywords: Any) -> list[Signal]:
    """Return what a rosettasciio plugin finds in a file, with lazy data.

    Raises
    ------
    InputError
        If it cannot read the file, or not without loading it whole.
    """
    reader = _reader(plugin)
    with warnings.catch_warnings():
        # Its mrc reader leaves the file object to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        # What its readers warn of (unknown signature, sizes that do not fit) is a bad file.
        warnings.simplefilter("error", UserWarning)
        try:
            return _released(reader, path, keywords)
        except NotImplementedError as error:
            raise InputError(
                f"{path} can only be loaded whole ({error}); export it as HDF5 or .npy"
            ) from error
        except UserWarning as warning:
            raise InputError(f"{path} is damaged or no {plugin} file: {warning}") from warning


def _reader(plugin: str) -> Callable[..., list[Signal]]:
    reader: Callable[..., list[Signal]] = import_module(f"rsciio.{plugin}").file_reader
    return reader


def _released(
    reader: Callable[..., list[Signal]], path: Path, keywords: Mapping[str, Any]
) -> list[Signal]:
    try:
        return reader(str(path), lazy=True, **keywords)
    except Exception as error:
        # The traceback would keep the reader's open file alive, on Windows even locked.
        traceback.clear_frames(error.__traceback__)
        raise


def rosetta_reader(plugin: str) -> Callable[[Path, Options], Found]:
    """Return a reader for any rosettasciio plugin that can read lazily."""
    return partial(_read, plugin=plugin)


def _read(path: Path, options: Options, *, plugin: str) -> Found:
    found = signals(path, plugin)
    index = _chosen(found, path, options)
    signal = found[index]
    axes = signal["axes"]
    scanned = [i for i, axis in enumerate(axes) if axis.get("navigate")]
    detector = [i for i, axis in enumerate(axes) if not axis.get("navigate")]
    order = (*scanned, *detector) if len(detector) == 2 else tuple(range(len(axes)))
    shape = tuple(int(signal["data"].shape[i]) for i in order)
    stored = RosettaArray(str(path), plugin, index, order, shape, signal["data"].dtype)
    _, rows, columns, _, _ = stored.shape
    ordered = [axes[i] for i in order]
    return Found(
        stored,
        (path,),
        None if len(shape) == 3 else (rows, columns),
        axes=axes_of_signal(ordered),
        metadata=metadata_of_signal(signal),
        frame_coords=frames_of_signal(ordered),
    )


def _chosen(found: list[Signal], path: Path, options: Options) -> int:
    titles = [str(lookup(s, "metadata.General.title") or i) for i, s in enumerate(found)]
    if options.dataset is not None:
        if options.dataset not in titles:
            raise InputError(f"{path} has no dataset {options.dataset!r}; it has {titles}")
        return titles.index(options.dataset)
    least = 3 if options.scan_shape else 4
    candidates = [i for i, s in enumerate(found) if s["data"].ndim >= least]
    if len(found) == 1:
        return 0
    if len(candidates) != 1:
        listed = [f"{t} {s['data'].shape}" for t, s in zip(titles, found, strict=True)]
        raise InputError(
            f"{path} has {len(candidates)} datasets that may be a diffraction series; name one "
            f"with dataset: it has {', '.join(listed) or 'none'}"
        )
    return candidates[0]


def axes_of_signal(axes: Sequence[Mapping[str, Any]]) -> dict[str, Axis]:
    """Calibrate the scan (if there is one) and the detector from axes in array order."""
    dims = (*SCAN, *Q)[-len(axes) :] if len(axes) != 3 else Q
    told = axes[-len(dims) :]
    return {
        dim: calibrated(
            dim,
            step=number(axis.get("scale", 1.0)),
            origin=number(axis.get("offset", 0.0)),
            units=str(axis["units"]) if axis.get("units") else None,
        )
        for dim, axis in zip(dims, told, strict=True)
    }


def frames_of_signal(axes: Sequence[Mapping[str, Any]]) -> FrameCoords:
    """Return what the frames of a 5D signal are counted in, if its unit tells."""
    if len(axes) != 5:
        return {}
    units = str(axes[0].get("units") or "").replace("sec", "s").replace("°", "deg")
    kind = next((kind for kind, unit in FRAME_COORDS.items() if units == unit), None)
    if kind is None:
        return {}
    step, start = number(axes[0].get("scale", 1.0)), number(axes[0].get("offset", 0.0))
    return {kind: ([start + step * i for i in range(int(axes[0]["size"]))], units)}


def metadata_of_signal(signal: Signal) -> dict[str, Any]:
    """Return energy, exposure, tilt and date, JSON-like, as far as a file has them."""
    metadata: dict[str, Any] = {}
    for place, (key, factor) in _TOLD.items():
        value = lookup(signal["metadata"], place)
        if value is not None:
            metadata[key] = number(value) * factor
    for origin, (place, convert) in (signal.get("mapping") or {}).items():
        value = lookup(signal["original_metadata"], origin)
        if value is not None and place in _TOLD:
            key, factor = _TOLD[place]
            metadata[key] = number(convert(value) if convert else value) * factor
    date, time = (lookup(signal["metadata"], f"General.{part}") for part in ("date", "time"))
    if date:
        metadata["acquired"] = f"{date}T{time}" if time else str(date)
    return metadata


def number(value: Any) -> float:
    """Return a number that a file may keep as text, NumPy scalar or array of one."""
    return float(np.asarray(value).ravel()[0])


def lookup(tree: Any, place: str) -> Any:
    """Return what lies at a dotted place in nested mappings, or None."""
    for name in place.split("."):
        if not isinstance(tree, Mapping) or name not in tree:
            return None
        tree = tree[name]
    return tree
