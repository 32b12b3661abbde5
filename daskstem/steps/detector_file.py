"""Detector masks that a user keeps in a file."""

from pathlib import Path

import numpy as np

from daskstem.schema.errors import InputError


def detector_array(
    path: str, *, shapes: tuple[tuple[int, ...], ...], kinds: str, expected: str
) -> np.ndarray:
    """Read a .npy file that has one of the given shapes.

    Parameters
    ----------
    path
        The file.
    shapes
        Shapes that are allowed.
    kinds
        Kinds of dtype that are allowed (numpy letters).
    expected
        These kinds in words.

    Returns
    -------
    The array as it is in the file.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or it holds something else.
    """
    if not Path(path).is_file():
        raise InputError(f"no mask file {path}; give the path of a .npy file of {expected}")
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is not a .npy file of {expected} ({error})") from error
    if not isinstance(found, np.ndarray):
        raise InputError(f"{path} is an archive of arrays; save the mask with numpy.save")
    if found.shape not in shapes or found.dtype.kind not in kinds:
        allowed = " or ".join(str(shape) for shape in shapes)
        raise InputError(
            f"{path} holds {found.shape} of {found.dtype}, expected {expected} of shape {allowed}"
        )
    return found
