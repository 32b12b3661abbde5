"""Masks and other arrays that a user keeps in a file."""

from pathlib import Path

import numpy as np
import xarray as xr

from daskstem.schema.dims import FRAME
from daskstem.schema.errors import InputError


def mask_from_file(
    path: str,
    ds: xr.Dataset,
    dims: tuple[str, str],
    *,
    kinds: str,
    expected: str,
    each_frame: bool = True,
) -> np.ndarray:
    """Read a .npy file with one mask for all frames, or one for each.

    Parameters
    ----------
    path
        The file.
    ds
        Says the sizes of ``dims``, and by its frame coordinate which frames it holds: they
        may be some of a series.
    dims
        The mask's rows and columns.
    kinds
        Kinds of dtype that are allowed (numpy letters).
    expected
        These kinds in words.
    each_frame
        Whether there may be a mask for each frame.

    Returns
    -------
    (frame, rows, columns), the masks of the frames in ``ds``, of the file's dtype.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or it holds something else.
    """
    found = array_from_file(path, expected)
    shape = (ds.sizes[dims[0]], ds.sizes[dims[1]])
    frames = np.asarray(ds[FRAME].values)
    single = found.shape == shape
    each = found.ndim == 3 and found.shape[1:] == shape and len(found) > frames.max()
    if found.dtype.kind not in kinds or not (single or (each and each_frame)):
        or_each = " or one such mask for each frame" if each_frame else ""
        raise InputError(
            f"{path} holds {found.shape} of {found.dtype}, expected {expected} of shape "
            f"{shape}{or_each}"
        )
    return np.broadcast_to(found, (len(frames), *shape)) if single else found[frames]


def array_from_file(path: str, expected: str) -> np.ndarray:
    """Read the array in a .npy file.

    Parameters
    ----------
    path
        The file.
    expected
        What it should hold, in words.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    if not Path(path).is_file():
        raise InputError(f"no file {path}; give the path of a .npy file of {expected}")
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is not a .npy file of {expected} ({error})") from error
    if not isinstance(found, np.ndarray):
        raise InputError(f"{path} is an archive of arrays; save one with numpy.save")
    return found
