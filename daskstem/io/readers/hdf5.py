"""Arrays in HDF5 files: by path, or found by themselves, with EMD calibration beside them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - its import registers the filters that detectors compress with
import numpy as np

from daskstem.io.readers.choice import only_candidate
from daskstem.io.readers.options import Options
from daskstem.io.readers.source import Found, FrameCoords, Shape5, lifted
from daskstem.schema.calibration import Axis, calibrated
from daskstem.schema.dims import FRAME_COORDS, SERIES
from daskstem.schema.errors import InputError
from daskstem.schema.source import Region


@dataclass(frozen=True)
class Hdf5Arrays:
    """One dataset, or several of the same shape that are one frame each.

    ``transposed`` says that the file counts its dimensions from the fastest one.
    """

    path: str
    datasets: tuple[str, ...]
    array_shape: tuple[int, ...]
    dtype: np.dtype
    transposed: bool = False

    @property
    def shape(self) -> Shape5:
        """Sizes of the five dimensions."""
        frames, *rest = lifted(self.array_shape, self.path)
        return frames * len(self.datasets), rest[0], rest[1], rest[2], rest[3]

    def fill(self, region: Region, out: np.ndarray) -> None:
        """Write a region's patterns into ``out``."""
        with h5py.File(self.path, "r") as file:
            if len(self.datasets) == 1:
                out[...] = self._part(file[self.datasets[0]], region)
                return
            for row, frame in enumerate(range(region[0].start, region[0].stop)):
                one = (slice(0, 1), *region[1:])
                out[row] = self._part(file[self.datasets[frame]], one)

    def _part(self, dataset: h5py.Dataset, region: Region) -> np.ndarray:
        where = region[5 - len(self.array_shape) :]
        if self.transposed:
            return dataset[where[::-1]].T
        return dataset[where]


def read_hdf5(path: Path, options: Options) -> Found:
    """Read a dataset of an HDF5 file: the named one, or the only one that can be meant."""
    with h5py.File(path, "r") as file:
        names = _datasets(file, path, options)
        first = file[names[0]]
        transposed = _counts_from_fastest(first)
        shape = first.shape[::-1] if transposed else first.shape
        stored = Hdf5Arrays(str(path), names, shape, first.dtype, transposed)
        _, rows, columns, _, _ = stored.shape
        return Found(
            stored,
            (path,),
            None if len(shape) == 3 else (rows, columns),
            axes=_emd_axes(first, transposed),
            metadata=_metadata(file, names),
            frame_coords=_frame_coords(file, first, names, transposed),
        )


def _datasets(file: h5py.File, path: Path, options: Options) -> tuple[str, ...]:
    """Return the dataset to read, or all that are one frame of a series each."""
    if options.dataset is not None:
        found = file.get(options.dataset)
        inner = ("data", "datacube", "counted_datacube")
        if isinstance(found, h5py.Group):
            found = next((found[name] for name in inner if name in found), None)
        if isinstance(found, h5py.Dataset):
            return (found.name,)
    shapes: dict[str, tuple[int, ...]] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and len(item.shape or ()) >= 3:
            shapes[name] = item.shape

    file.visititems(collect)
    if options.dataset is not None:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
        raise InputError(f"{path} has no dataset {options.dataset!r}; it has {listed}")
    cubes = sorted(name for name, shape in shapes.items() if len(shape) == 4)
    # Prismatic writes one group per exit depth: CBED_array_depth0000, CBED_array_depth0001.
    stems = {re.sub(r"\d{4}(?=/[^/]+$)", "", name) for name in cubes}
    if len(cubes) > 1 and len(stems) == 1 and len({shapes[name] for name in cubes}) == 1:
        return tuple(cubes)
    return (only_candidate(shapes, path, options, "datasets"),)


def _counts_from_fastest(dataset: h5py.Dataset) -> bool:
    """Whether an EMD file numbers its dimensions from the fastest, as NCEM's version does."""
    group = dataset.parent
    return (
        "emd_group_type" in group.attrs
        and "dim0" not in group
        and "dim1" in group
        and not dataset.name.endswith("datacube")
    )


def _emd_axes(dataset: h5py.Dataset, transposed: bool) -> dict[str, Axis]:
    # A py4DSTEM "Rx" is the slow axis of its array: the array's order decides, not the name.
    names = SERIES[5 - dataset.ndim :] if dataset.ndim > 3 else ("", *SERIES[3:])
    axes = {}
    for position, dim in enumerate(names):
        vector = _dim_vector(dataset, position, transposed)
        if vector is not None and dim in SERIES[1:]:
            values, units = vector
            step = values[1] - values[0] if len(values) > 1 else 0.0
            axes[dim] = calibrated(dim, step=step, origin=values[0], units=units)
    return axes


def _dim_vector(
    dataset: h5py.Dataset, position: int, transposed: bool
) -> tuple[list[float], str] | None:
    """Return values and unit of the EMD vector beside a dataset that belongs to an axis."""
    group = dataset.parent
    number = dataset.ndim - 1 - position if transposed else position
    vector = group.get(f"dim{number if 'dim0' in group else number + 1}")
    if not isinstance(vector, h5py.Dataset) or vector.dtype.kind not in "iuf" or not vector.size:
        return None
    units = vector.attrs.get("units", "")
    spelled = units.decode() if isinstance(units, bytes) else str(units)
    # EMD wraps its units: [n_m^-1] is nm^-1.
    spelled = re.sub(r"[\[\]_]", "", spelled)
    return [float(value) for value in np.ravel(vector[:2] if position else vector[:])], spelled


def _frame_coords(
    file: h5py.File, first: h5py.Dataset, names: tuple[str, ...], transposed: bool
) -> FrameCoords:
    if len(names) > 1:
        return _depths(file, len(names))
    vector = _dim_vector(first, 0, transposed) if first.ndim == 5 else None
    if vector is None or len(vector[0]) != lifted(first.shape, first.name)[0]:
        return {}
    values, units = vector
    kind = next((name for name, unit in FRAME_COORDS.items() if unit == units), None)
    return {} if kind is None else {kind: (values, units)}


def _depths(file: h5py.File, n_frames: int) -> FrameCoords:
    """Return the exit depths of a prismatic simulation, in nm, if its parameters give them."""
    simulated = _simulation_parameters(file)
    step = float(simulated.get("ns", 0)) * float(simulated.get("s", 0))
    cell, tiles = simulated.get("c"), simulated.get("t")
    if not step or cell is None or tiles is None:
        return {}
    # Its z axis is uniform only if the slices fill the cell: otherwise the depths are unknown.
    if not np.isclose(float(cell[2]) * float(tiles[2]), step * n_frames, rtol=1e-4):
        return {}
    # Output zero is behind the first group of slices, not at the entrance.
    start = float(simulated.get("zs", 0)) or step
    return {"depth": ([0.1 * (start + step * i) for i in range(n_frames)], "nm")}


def _simulation_parameters(file: h5py.File) -> dict[str, Any]:
    where = "4DSTEM_simulation/metadata/metadata_0/original/simulation_parameters"
    return dict(file[where].attrs) if where in file else {}


def _metadata(file: h5py.File, names: tuple[str, ...]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"dataset": names[0]}
    simulated = _simulation_parameters(file)
    if "E" in simulated:
        metadata["beam_energy_kev"] = float(simulated["E"])
    return metadata
