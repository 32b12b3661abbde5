"""A part of the scan or of the detector."""

from typing import Annotated

import dask.array as da
import xarray as xr

from daskstem.blocks.views import crop_patterns
from daskstem.schema import variables
from daskstem.schema.calibration import axes_of
from daskstem.schema.dims import FRAME, Q_X, Q_Y, SCAN_X, SCAN_Y
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Increasing
from daskstem.steps.step import step

Bounds = Annotated[tuple[int, int] | None, Increasing(0)]


@step
def crop(
    ds: xr.Dataset,
    *,
    scan_y: Bounds = None,
    scan_x: Bounds = None,
    q_y: Bounds = None,
    q_x: Bounds = None,
) -> xr.Dataset:
    """Patterns of a part of the scan, or a part of each pattern.

    Nothing is stored: the result is a view of the patterns.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x).
    scan_y, scan_x
        First position, and the one after the last, along the scan; all by default.
    q_y, q_x
        First pixel, and the one after the last, on the detector; all by default.

    Returns
    -------
    Dataset with ``patterns``, lazy, in their own dtype, and the coordinates that belong to
    what is left, calibration kept. Other variables are of the old size and are left out.

    Raises
    ------
    InputError
        If patterns are missing or a part is empty or reaches beyond them.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> ds = xr.Dataset({"patterns": (dims, np.ones((8, 8, 16, 16), "u2"))})
    >>> daskstem.crop(ds, scan_x=(2, 5), q_y=(4, 12))["patterns"].shape
    (8, 3, 8, 16)
    """
    patterns = variables.require(ds, variables.patterns)
    asked = {SCAN_Y: scan_y, SCAN_X: scan_x, Q_Y: q_y, Q_X: q_x}
    bounds = {FRAME: (0, patterns.sizes[FRAME])}
    for dim, pair in asked.items():
        bounds[dim] = (0, patterns.sizes[dim]) if pair is None else pair
        if bounds[dim][1] > patterns.sizes[dim]:
            raise InputError(
                f"{dim} = {pair} reaches beyond the {patterns.sizes[dim]} there are; "
                f"the second number is at most {patterns.sizes[dim]}"
            )
    parts = {dim: slice(*pair) for dim, pair in bounds.items()}
    view = crop_patterns(da.asarray(patterns.data), tuple(parts.values()), name="crop")
    kept = patterns.coords.to_dataset().isel(parts, missing_dims="ignore")
    for dim, axis in axes_of(ds).items():
        if dim in kept.coords and kept.sizes[dim] == 1:
            # of a single position or pixel, only this tells the calibration
            alone = kept[dim].assign_attrs(step=axis.step)
            kept = kept.assign_coords({dim: alone})
    return xr.Dataset(
        {variables.patterns.name: variables.patterns.wrap(view, **patterns.attrs)}, kept.coords
    )
