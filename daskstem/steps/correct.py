"""Patterns as an ideal detector would have seen them."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.sources import map_patterns
from daskstem.kernels.correcting import (
    good_neighbors,
    replace_pixels,
    shift_linear,
    shift_whole,
)
from daskstem.schema import variables
from daskstem.schema.dims import Q
from daskstem.steps.step import step

_PLANE = (variables.descan_y, variables.descan_x)
_MEASURED = (variables.beam_y, variables.beam_x)


@step
def correct(
    ds: xr.Dataset,
    *,
    replace_bad: bool = True,
    descan: Literal["plane", "measured", "none"] = "plane",
    interpolation: Literal["nearest", "linear"] = "nearest",
) -> xr.Dataset:
    """Patterns with bad pixels replaced and the direct beam in the detector's middle.

    A bad pixel becomes the median of the good pixels among its 8 neighbors, of the 24
    around it if there are none, and so on; for integers rounded, halves to even. Then the
    pattern is moved so that the beam comes to ((Q_y - 1) / 2, (Q_x - 1) / 2); what comes
    from outside the detector is 0. Nothing is stored: the result is a view of the patterns.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x); to replace bad pixels
        ``bad_pixel`` ([frame,] q_y, q_x); to move patterns ``descan_y`` and ``descan_x``,
        and for ``measured`` also ``beam_y`` and ``beam_x`` ([frame,] scan_y, scan_x).
    replace_bad
        Whether bad pixels are replaced.
    descan
        Move each pattern by the fitted ``plane``, by what was ``measured`` for it (the
        plane where nothing was), or not at all (``none``).
    interpolation
        ``nearest`` moves by whole pixels and keeps counts as they are; ``linear`` moves by
        parts of pixels, mixing four of them.

    Returns
    -------
    Dataset with ``patterns`` of the same shape, lazy; in their own dtype, except that moving
    with ``linear`` gives float32.

    Raises
    ------
    InputError
        If a variable is missing.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> scan, q = ("scan_y", "scan_x"), ("q_y", "q_x")
    >>> counts = np.full((2, 2, 3, 3), 7, "u2"); counts[..., 1, 1] = 999
    >>> ds = xr.Dataset({
    ...     "patterns": ((*scan, *q), counts),
    ...     "bad_pixel": (q, counts[0, 0] == 999),
    ...     "descan_y": (scan, np.full((2, 2), 2.0, "f4")),
    ...     "descan_x": (scan, np.full((2, 2), 1.0, "f4")),
    ... })
    >>> daskstem.correct(ds)["patterns"][0, 0].values.tolist()
    [[7, 7, 7], [7, 7, 7], [0, 0, 0]]
    """
    original = variables.require(ds, variables.patterns)
    patterns = da.asarray(original.data)
    moved = {"plane": _PLANE, "measured": (*_PLANE, *_MEASURED), "none": ()}[descan]
    maps = [variables.require(ds, spec).data for spec in moved]
    wholes = [variables.require(ds, variables.bad_pixel).data] if replace_bad else []
    if maps or wholes:
        linear = interpolation == "linear" and bool(maps)
        patterns = map_patterns(
            partial(_corrected, n_maps=len(maps), linear=linear),
            patterns,
            maps=maps,
            wholes=wholes,
            pattern_shape=(ds.sizes[Q[0]], ds.sizes[Q[1]]),
            dtype=np.dtype(np.float32) if linear else patterns.dtype.newbyteorder("="),
            name="correct",
        )
    corrected = variables.patterns.wrap(patterns, **original.attrs)
    return xr.Dataset({variables.patterns.name: corrected})


def _corrected(
    patterns: np.ndarray,
    _region: tuple[slice, ...],
    *sides: np.ndarray,
    n_maps: int,
    linear: bool,
) -> np.ndarray:
    """Correct one block, a row of positions at a time: the copies stay small."""
    maps, bad = sides[:n_maps], sides[n_maps:]
    q_shape = patterns.shape[3:]
    corrected = np.empty(patterns.shape, np.float32 if linear else patterns.dtype)
    shifts = _shifts(maps, q_shape)
    for frame, rows in enumerate(patterns):
        replaced = good_neighbors(bad[0][frame]) if bad else None
        for y, row in enumerate(rows):
            out = corrected[frame, y]
            copied = np.array(row, order="C")
            if replaced is not None:
                flat = copied.reshape(len(copied), -1)
                whole = copied.dtype.kind != "f" and not linear
                replace_pixels(flat, *replaced, whole, flat)
            if shifts is None:
                out[...] = copied
            elif linear:
                shift_linear(copied, shifts[frame, y], out)
            else:
                shift_whole(copied, np.floor(shifts[frame, y] + 0.5).astype(np.int64), out)
    return corrected


def _shifts(maps: Sequence[np.ndarray], q_shape: tuple[int, ...]) -> Any:
    """Shift (frame, scan_y, scan_x, 2) that brings the beam to the middle, or None."""
    if not maps:
        return None
    beam = np.stack(maps[:2], axis=-1).astype(np.float64)
    if len(maps) > 2:
        measured = np.stack(maps[2:], axis=-1)
        beam = np.where(np.isfinite(measured), measured, beam)
    return np.nan_to_num(beam - (np.array(q_shape) - 1) / 2)
