"""Coarser patterns, or fewer of them."""

from functools import partial
from typing import Annotated

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.views import bin_patterns
from daskstem.kernels.binning import bin_boxes, binned_dtype
from daskstem.schema import variables
from daskstem.schema.calibration import axes_of
from daskstem.schema.dims import SCAN, SERIES, Q
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between
from daskstem.steps.step import step


@step
def rebin(
    ds: xr.Dataset,
    *,
    scan: Annotated[int, Between(1)] = 1,
    q: Annotated[int, Between(1)] = 1,
) -> xr.Dataset:
    """Patterns summed over boxes of positions, of detector pixels, or of both.

    Rows and columns at the end that do not fill a box are left out. Nothing is stored: the
    result is a view of the patterns.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x).
    scan
        Side of a box in positions.
    q
        Side of a box in detector pixels.

    Returns
    -------
    Dataset with ``patterns``, lazy: sums over scan x scan x q x q values, in the smallest
    integer dtype of their kind that holds any of them (uint8 becomes uint16 or uint32; 64
    bits stay), floats in at least 32 bits. The coordinates are the means of the boxes.
    Other variables are of the old size and are left out.

    Raises
    ------
    InputError
        If patterns are missing, or a box is larger than scan or detector.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> ds = xr.Dataset({"patterns": (dims, np.ones((5, 8, 16, 16), "u1"))})
    >>> coarse = daskstem.rebin(ds, scan=2, q=4)["patterns"]
    >>> coarse.shape, coarse.dtype, int(coarse.max())
    ((2, 4, 4, 4), dtype('uint16'), 64)
    """
    patterns = variables.require(ds, variables.patterns)
    factors = dict(zip(SERIES, (1, scan, scan, q, q), strict=True))
    for dim, factor in factors.items():
        if factor > patterns.sizes[dim]:
            name = "scan" if dim in SCAN else "q"
            raise InputError(
                f"{name} = {factor} is more than the {patterns.sizes[dim]} along {dim}; "
                f"choose at most {patterns.sizes[dim]}"
            )
    array = da.asarray(patterns.data)
    if scan > 1 or q > 1:
        array = bin_patterns(
            partial(bin_boxes, scan=scan, q=q), array, tuple(factors.values()),
            dtype=binned_dtype(patterns.dtype, scan**2 * q**2), name="rebin",
        )  # fmt: skip
    coords = _means(ds, patterns, {dim: factors[dim] for dim in (*SCAN, *Q)})
    return xr.Dataset(
        {variables.patterns.name: variables.patterns.wrap(array, **patterns.attrs)}, coords
    )


def _means(
    ds: xr.Dataset, patterns: xr.DataArray, factors: dict[str, int]
) -> dict[str, xr.Variable]:
    """Coordinates of the boxes; those that are not along one dimension are left out."""
    steps = axes_of(ds)
    coords: dict[str, xr.Variable] = {}
    for name, coordinate in patterns.coords.items():
        binned = [dim for dim in coordinate.dims if factors.get(str(dim), 1) > 1]
        if not binned:
            coords[str(name)] = coordinate.variable
        elif len(coordinate.dims) == 1 and coordinate.dtype.kind in "iuf":
            dim, n = str(binned[0]), factors[str(binned[0])]
            size = coordinate.size // n
            values = np.asarray(coordinate.values[: size * n]).reshape(size, n).mean(axis=1)
            attrs = dict(coordinate.attrs)
            if name == dim and size == 1:
                attrs["step"] = n * steps[dim].step
            coords[str(name)] = xr.Variable((dim,), values, attrs)
    return coords
