"""Detector pixels that are not to be used."""

from functools import partial
from typing import Annotated

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.frames import map_frames
from daskstem.kernels.bad_pixels import find_bad_pixels
from daskstem.schema import variables
from daskstem.schema.dims import SCAN, Q
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between, File
from daskstem.steps.mask_file import mask_from_file
from daskstem.steps.step import step


@step
def bad_pixels(
    ds: xr.Dataset,
    *,
    mask: Annotated[str | None, File()] = None,
    n_sigma: Annotated[float, Between(0, open_low=True)] = 8.0,
    window: Annotated[int, Between(3)] = 7,
) -> xr.Dataset:
    """Hot and dead detector pixels, found in each frame's mean pattern or read from a file.

    A hot pixel stands far above the good pixels around it, and alone: the direct beam,
    Bragg disks and their sharp edges have neighbors as bright and are kept. A dead pixel
    counts nothing amid pixels that count. Single bad pixels, pairs and small clusters are
    found. Whole rows or columns, and patterns with spots one or two pixels wide, want a
    mask file.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x), of which only shape and dtype
        are used, and ``mean_pattern`` ([frame,] q_y, q_x); with ``mask``, patterns alone.
    mask
        Path of a .npy file (q_y, q_x) or (frame, q_y, q_x) of booleans, True for bad; no
        pixel is searched for then.
    n_sigma
        How many standard deviations above its surroundings a pixel is hot: their robust
        spread and, for integer patterns, the Poisson noise of the mean.
    window
        Side of the surroundings in pixels, odd.

    Returns
    -------
    Dataset with ``bad_pixel`` ([frame,] q_y, q_x) bool, lazy.

    Raises
    ------
    InputError
        If a variable is missing, the window is even, or the mask does not fit.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> counts = np.random.default_rng(0).poisson(2, (8, 8, 32, 32)).astype("u2")
    >>> counts[:, :, 5, 7] = 900
    >>> ds = xr.Dataset({"patterns": (dims, counts)})
    >>> bad = daskstem.bad_pixels(ds.merge(daskstem.summary(ds)))["bad_pixel"]
    >>> np.argwhere(bad.values).tolist()
    [[5, 7]]
    """
    patterns = variables.require(ds, variables.patterns)
    q_shape = (ds.sizes[Q[0]], ds.sizes[Q[1]])
    if mask is not None:
        found = mask_from_file(mask, ds, Q, kinds="b", expected="booleans")
        bad = da.from_array(found, chunks=(1, -1, -1))
        return xr.Dataset({variables.bad_pixel.name: variables.bad_pixel.wrap(bad)})
    if window % 2 == 0:
        raise InputError(f"window = {window} has no middle pixel; choose an odd number")
    mean = da.asarray(variables.require(ds, variables.mean_pattern).data)
    n_positions = int(np.prod([ds.sizes[dim] for dim in SCAN]))
    counting = variables.is_counts(patterns.dtype)
    find = partial(
        _found, n_positions=n_positions if counting else 0, n_sigma=n_sigma, window=window
    )
    bad = map_frames(find, mean, shape=q_shape, dtype=bool, name="bad-pixels")
    return xr.Dataset({variables.bad_pixel.name: variables.bad_pixel.wrap(bad)})


def _found(mean: np.ndarray, *, n_positions: int, n_sigma: float, window: int) -> np.ndarray:
    return np.asarray(find_bad_pixels(mean, n_positions, n_sigma, window))
