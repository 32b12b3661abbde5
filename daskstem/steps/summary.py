"""Mean and largest pattern of a frame: the first look at the data."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.frames import map_frames, reduce_frames
from daskstem.kernels.imaging import add_patterns
from daskstem.schema import variables
from daskstem.schema.dims import SCAN, Q
from daskstem.schema.source import Piece
from daskstem.steps.step import step


@step
def summary(ds: xr.Dataset) -> xr.Dataset:
    """Mean and largest pattern of every frame, in one reading of the patterns.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x).

    Returns
    -------
    Dataset with ``mean_pattern`` ([frame,] q_y, q_x) float32, the mean over all positions,
    summed in float64, and ``max_pattern`` ([frame,] q_y, q_x) in the dtype of the patterns,
    each pixel's largest value; both lazy. NaN in a pattern makes the mean NaN.

    Raises
    ------
    InputError
        If patterns are missing.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> counts = np.arange(24, dtype="u2").reshape(2, 3, 2, 2)
    >>> made = daskstem.summary(xr.Dataset({"patterns": (dims, counts)}))
    >>> made["mean_pattern"].values.tolist()
    [[10.0, 11.0], [12.0, 13.0]]
    >>> made["max_pattern"].values.tolist()
    [[20, 21], [22, 23]]
    """
    patterns = da.asarray(variables.require(ds, variables.patterns).data)
    q_shape = tuple(ds.sizes[dim] for dim in Q)
    n_positions = int(np.prod([ds.sizes[dim] for dim in SCAN]))
    dtype = patterns.dtype.newbyteorder("=")
    both = reduce_frames(
        _sum_and_largest, _join, patterns, shape=(2, *q_shape), dtype=np.float64, name="summary"
    )
    mean = map_frames(
        partial(_mean, n_positions=n_positions),
        both,
        shape=q_shape,
        dtype=np.float32,
        name="mean-pattern",
    )
    largest = map_frames(
        partial(_largest, dtype=dtype),
        both,
        shape=q_shape,
        dtype=dtype,
        name="max-pattern",
    )
    return xr.Dataset(
        {
            variables.mean_pattern.name: variables.mean_pattern.wrap(mean),
            variables.max_pattern.name: variables.max_pattern.wrap(largest),
        }
    )


def _sum_and_largest(pieces: Iterator[Piece]) -> np.ndarray:
    _, first = next(pieces)
    q_shape = first.shape[3:]
    size = q_shape[0] * q_shape[1]
    total, largest = np.zeros(size), first[0, 0, 0].flatten()
    for _, patterns in chain([((), first)], pieces):
        add_patterns(patterns.reshape(-1, size), total, largest)
    return np.stack([total, largest]).reshape(2, *q_shape)


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    total = np.sum([part[0] for part in parts], axis=0)
    return np.stack([total, np.max([part[1] for part in parts], axis=0)])


def _mean(both: np.ndarray, *, n_positions: int) -> np.ndarray:
    return (both[0] / n_positions).astype(np.float32)


def _largest(both: np.ndarray, *, dtype: np.dtype) -> np.ndarray:
    return both[1].astype(dtype)
