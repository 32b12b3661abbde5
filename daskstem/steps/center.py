"""Where the direct beam is at every position, and how it moves with the scan."""

from functools import partial
from typing import Annotated

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.frames import map_frames
from daskstem.blocks.sources import measure_patterns
from daskstem.kernels.centering import beam_centers, direct_beam, fit_planes
from daskstem.schema import variables
from daskstem.schema.dims import SCAN, Q
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between
from daskstem.steps.step import step


@step
def center(
    ds: xr.Dataset,
    *,
    radius_px: Annotated[float | None, Between(1)] = None,
    guess: tuple[float, float] | None = None,
) -> xr.Dataset:
    """Centre of the direct beam at every position, and the plane through it: the descan.

    In the frame's mean pattern the direct beam is the brightest disk. From there the
    centre of mass in a disk is taken for each pattern, and again where that lies, until
    the disk rests; Bragg disks stay outside it. The plane is fitted by least squares
    without outliers (beyond three robust standard deviations).

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x), ``mean_pattern`` ([frame,]
        q_y, q_x) and, if known, ``bad_pixel`` ([frame,] q_y, q_x).
    radius_px
        Radius of the disk; by default 1.2 times the beam's in the mean pattern, plus 1. If
        the beam moves by more than its diameter, the mean pattern shows it too large: give
        a little more than the true radius then.
    guess
        Row and column of the beam in the mean pattern, in pixels, if it is not the
        brightest there.

    Returns
    -------
    Dataset with ``beam_y`` and ``beam_x`` ([frame,] scan_y, scan_x) float32, rows and
    columns from the first pixel's centre, NaN where no counts lie in the disk, and
    ``descan_y`` and ``descan_x``, the planes through them, float32, never NaN; all lazy. In
    a frame without any counts the planes are the detector's middle.

    Raises
    ------
    InputError
        If a variable is missing, or the guess lies off the detector.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> counts = np.zeros((4, 4, 32, 32), "u2")
    >>> counts[:, :, 12:17, 16:21] = 50
    >>> ds = xr.Dataset({"patterns": (dims, counts)})
    >>> made = daskstem.center(ds.merge(daskstem.summary(ds)))
    >>> [round(float(made[name].mean()), 3) for name in ("descan_y", "descan_x")]
    [14.0, 18.0]
    """
    patterns = da.asarray(variables.require(ds, variables.patterns).data)
    mean = da.asarray(variables.require(ds, variables.mean_pattern).data)
    q_shape = (ds.sizes[Q[0]], ds.sizes[Q[1]])
    if guess is not None and not all(0 <= g < n for g, n in zip(guess, q_shape, strict=True)):
        raise InputError(
            f"guess = {guess} lies off a detector of {q_shape[0]} x {q_shape[1]} pixels; "
            f"give row and column of the direct beam"
        )
    bad = []
    if variables.bad_pixel.name in ds:
        bad = [da.asarray(variables.require(ds, variables.bad_pixel).data)]
    beam = map_frames(
        partial(direct_beam, guess=guess), mean, *bad,
        shape=(3,), dtype=np.float64, name="direct-beam",
    )  # fmt: skip
    centers = measure_patterns(
        partial(_centers, radius_px=radius_px),
        patterns,
        wholes=[beam, *bad],
        channels=2,
        dtype=np.float32,
        name="center",
    )
    middle = ((q_shape[0] - 1) / 2, (q_shape[1] - 1) / 2)
    planes = map_frames(
        partial(_planes, otherwise=middle), centers,
        shape=(*(ds.sizes[dim] for dim in SCAN), 2), dtype=np.float32, name="descan",
    )  # fmt: skip
    specs = (variables.beam_y, variables.beam_x, variables.descan_y, variables.descan_x)
    maps = (centers[..., 0], centers[..., 1], planes[..., 0], planes[..., 1])
    return xr.Dataset(
        {spec.name: spec.wrap(found) for spec, found in zip(specs, maps, strict=True)}
    )


def _centers(
    patterns: np.ndarray,
    _region: tuple[slice, ...],
    beams: np.ndarray,
    *bad: np.ndarray,
    radius_px: float | None,
) -> np.ndarray:
    q_shape = patterns.shape[3:]
    found = np.empty((*patterns.shape[:3], 2), np.float32)
    for frame, (y, x, beam_radius) in enumerate(beams):
        wide = 1.2 * beam_radius + 1.0
        last = wide if radius_px is None else radius_px
        unusable = bad[0][frame] if bad else np.zeros(q_shape, bool)
        single = np.ascontiguousarray(patterns[frame]).reshape(-1, *q_shape)
        centers = beam_centers(single, unusable, (y, x), (max(wide, last), last))
        found[frame] = centers.reshape(*patterns.shape[1:3], 2)
    return found


def _planes(centers: np.ndarray, *, otherwise: tuple[float, float]) -> np.ndarray:
    return fit_planes(centers, otherwise=otherwise).astype(np.float32)
