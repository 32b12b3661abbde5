"""Groups of a store as lazy Datasets, whole or for a range of frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr

from daskstem.io.metadata import group_arrays
from daskstem.io.stored import StoredArray
from daskstem.schema.dims import FRAME

if TYPE_CHECKING:
    import xarray as xr

FINISHED: Final = "finished"


@dataclass(frozen=True, eq=False)
class OpenedGroup:
    """A group with its metadata and its arrays of one dimension, which have been read.

    Attributes
    ----------
    attrs
        What is written beside the group.
    arrays
        Its arrays by name.
    values
        Values of those of at most one dimension.
    """

    attrs: Mapping[str, Any]
    arrays: Mapping[str, zarr.Array]
    values: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, root: zarr.Group, name: str) -> "OpenedGroup":
        """Read the metadata and the arrays of one dimension of a group."""
        group, arrays = group_arrays(root, name)
        attrs = dict(group.attrs)
        finished = bool(attrs.get(FINISHED, False))
        lines = {key: array for key, array in arrays.items() if array.ndim < 2}
        return cls(attrs, arrays, {key: _read(array, finished) for key, array in lines.items()})

    def dataset(self, frames: slice | None = None) -> "xr.Dataset":
        """Return the group lazily, whole or for a range of frames.

        Arrays of several dimensions are Dask arrays with one block per stored file.
        """
        import xarray as xr

        variables: dict[str, xr.Variable] = {}
        coordinates: set[str] = set()
        for key, array in self.arrays.items():
            dims = dims_of(array)
            attrs = dict(array.attrs)
            coordinates.update(str(attrs.pop("coordinates", "")).split())
            window = frames if dims[:1] == (FRAME,) else None
            variables[key] = xr.Variable(dims, self._data(key, array, window), attrs)
        coordinates |= {key for key, variable in variables.items() if variable.dims == (key,)}
        ds = xr.Dataset(variables, attrs=dict(self.attrs))
        return ds.set_coords([name for name in coordinates if name in variables])

    def _data(self, key: str, array: zarr.Array, window: slice | None) -> Any:
        if key in self.values:
            return self.values[key] if window is None else self.values[key][window]
        start, stop = (0, array.shape[0]) if window is None else (window.start, window.stop)
        return StoredArray(array, start, stop).lazy()


@dataclass(frozen=True, eq=False)
class OpenedStore:
    """A store whose finished groups are opened once, when they are first asked for."""

    root: zarr.Group
    _groups: dict[str, OpenedGroup] = field(default_factory=dict)

    def dataset(self, name: str, *, frames: slice | None = None) -> "xr.Dataset":
        """Return a group lazily, whole or for a range of frames."""
        if name not in self._groups:
            self._groups[name] = OpenedGroup.of(self.root, name)
        return self._groups[name].dataset(frames)


def open_group(root: zarr.Group, name: str, *, frames: slice | None = None) -> "xr.Dataset":
    """Open one group lazily, whole or for a range of frames.

    Arrays of one dimension are read; all others are Dask arrays with one block per
    stored file.
    """
    return OpenedGroup.of(root, name).dataset(frames)


def dims_of(array: zarr.Array) -> tuple[str, ...]:
    """Return the names of an array's dimensions."""
    return tuple(str(d) for d in array.metadata.dimension_names or ())  # type: ignore[union-attr]


def _read(array: zarr.Array, finished: bool) -> np.ndarray:
    if not array.ndim:
        return np.asarray(array[()])
    # in an unfinished group chunks may be missing by right
    values = StoredArray.whole(array)[:] if finished else np.asarray(array[:])
    return np.array(values.tolist(), dtype=str) if values.dtype.kind == "T" else values
