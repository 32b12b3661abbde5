"""A store's content, for looking at."""

import numpy as np
import zarr

from daskstem.io.metadata import group_arrays
from daskstem.io.opened import dims_of
from daskstem.schema.content import ArrayContent, GroupContent
from daskstem.schema.errors import InputError, first_line


def group_content(root: zarr.Group, name: str) -> GroupContent:
    """Return a group's metadata and coordinates, whether it is finished or not.

    Raises
    ------
    InputError
        If the group's metadata or coordinates are damaged.
    """
    group, found = group_arrays(root, name)
    arrays = {}
    for key, array in found.items():
        values = _values(array) if array.ndim < 2 else None
        attrs = dict(array.attrs)
        arrays[key] = ArrayContent(dims_of(array), array.shape, array.dtype, attrs, values)
    return GroupContent(dict(group.attrs), arrays)


def _values(array: zarr.Array) -> np.ndarray:
    try:
        return np.asarray(array[...])
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(
            f"{array.store_path} is damaged ({first_line(error)}); restore it from a copy, "
            f"or make the store again"
        ) from error
