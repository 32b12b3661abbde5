"""Products joined with what they were made from, as the next step sees both."""

import xarray as xr

from daskstem.schema.dims import FRAME


def updated(ds: xr.Dataset, made: xr.Dataset) -> xr.Dataset:
    """Add a step's product; what no longer fits its dims or coordinates is dropped."""
    stale = [
        dim
        for dim in made.sizes
        if dim != FRAME and dim in ds.sizes and not _same_axis(ds, made, str(dim))
    ]
    return ds.drop_dims(stale).merge(made, compat="override", join="override")


def _same_axis(ds: xr.Dataset, made: xr.Dataset, dim: str) -> bool:
    if ds.sizes[dim] != made.sizes[dim]:
        return False
    both = dim in ds.coords and dim in made.coords
    return not both or bool((ds.coords[dim].values == made.coords[dim].values).all())
