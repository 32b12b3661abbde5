"""Images of the scan from parts of the detector."""

from functools import partial
from typing import Annotated

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.sources import measure_patterns
from daskstem.kernels.imaging import detector_runs, detector_sums
from daskstem.kernels.similarity import annulus
from daskstem.schema import variables
from daskstem.schema.dims import Q
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between, File
from daskstem.steps.mask_file import mask_from_file
from daskstem.steps.step import step


@step
def virtual(
    ds: xr.Dataset,
    *,
    bright_radius_px: Annotated[float | None, Between(0)] = None,
    dark_inner_px: Annotated[float | None, Between(0)] = None,
    dark_outer_px: Annotated[float | None, Between(0, open_low=True)] = None,
    center: tuple[float, float] | None = None,
    mask: Annotated[str | None, File()] = None,
) -> xr.Dataset:
    """Bright-field, dark-field and other virtual images, in one reading of the patterns.

    Patterns that move with the scan want ``correct`` first.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x).
    bright_radius_px
        Radius of the bright-field disk; by default 1/16 of the detector's shorter side,
        which holds the direct beam of a nearly parallel probe and no reflection.
    dark_inner_px, dark_outer_px
        Radii of the dark-field annulus, both within it; by default from 1/8 of the shorter
        side, or the bright-field disk where that is larger, to 1/2 of it: the largest ring
        that lies on the detector all around.
    center
        Row and column of the beam on the detector, in pixels; its middle by default.
    mask
        Path of a .npy file (q_y, q_x) of booleans or weights, for an image more.

    Returns
    -------
    Dataset with ``bright_field`` and ``dark_field`` and, with a mask, ``masked`` ([frame,]
    scan_y, scan_x) float32, lazy: sums of counts on the disk, on the annulus, and weighted
    by the mask, summed in float64.

    Raises
    ------
    InputError
        If patterns are missing, disk or annulus hold no pixel, or the mask does not fit.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> ds = xr.Dataset({"patterns": (dims, np.ones((2, 3, 16, 16), "u2"))})
    >>> made = daskstem.virtual(ds, bright_radius_px=2, dark_inner_px=3)
    >>> made["bright_field"].values.tolist()
    [[12.0, 12.0, 12.0], [12.0, 12.0, 12.0]]
    """
    patterns = da.asarray(variables.require(ds, variables.patterns).data)
    q_shape = (ds.sizes[Q[0]], ds.sizes[Q[1]])
    shorter = min(q_shape)
    bright = max(1.0, shorter / 16) if bright_radius_px is None else bright_radius_px
    inner = max(shorter / 8, bright) if dark_inner_px is None else dark_inner_px
    outer = shorter / 2 if dark_outer_px is None else dark_outer_px
    detectors = {
        variables.bright_field: _ring(q_shape, 0.0, bright, center),
        variables.dark_field: _ring(q_shape, inner, outer, center),
    }
    if mask is not None:
        found = mask_from_file(mask, ds, Q, kinds="biuf", expected="weights", each_frame=False)[0]
        if not np.isfinite(found).all():
            raise InputError(f"{mask} holds NaN or infinite weights; weights must be numbers")
        detectors[variables.masked] = found
    weights = np.stack([d.ravel() for d in detectors.values()]).astype(np.float64)
    images = measure_patterns(
        partial(_detected, detectors=weights, runs=detector_runs(weights)),
        patterns,
        channels=len(weights),
        dtype=np.float32,
        name="virtual",
    )
    return xr.Dataset({spec.name: spec.wrap(images[..., m]) for m, spec in enumerate(detectors)})


def _detected(
    patterns: np.ndarray, _region: tuple[slice, ...], *, detectors: np.ndarray, runs: np.ndarray
) -> np.ndarray:
    flat = patterns.reshape(-1, detectors.shape[1])
    sums = detector_sums(flat, detectors, runs).astype(np.float32)
    return sums.reshape(*patterns.shape[:3], len(detectors))


def _ring(
    q_shape: tuple[int, int], inner: float, outer: float, center: tuple[float, float] | None
) -> np.ndarray:
    ring = annulus(q_shape, inner, outer, center)
    if not ring.any():
        raise InputError(
            f"no pixel of a detector of {q_shape[0]} x {q_shape[1]} lies {inner:g} to {outer:g} "
            f"pixels from the beam; choose radii that do, the inner one smaller"
        )
    return ring
