"""From a stack of patterns to a scan."""

import math
from pathlib import Path

from daskstem.io.readers.options import Options
from daskstem.io.readers.source import Found, Shape5
from daskstem.schema.errors import InputError


def scanned_shape(path: Path, found: Found, options: Options) -> Shape5:
    """Return the five sizes of a file's patterns under the scan shape given or found.

    Raises
    ------
    InputError
        If nobody knows the scan shape, or it does not fit the number of patterns.
    """
    frames, rows, columns, *detector = found.stored.shape
    scan_shape = options.scan_shape or found.scan_shape
    n_patterns = rows * columns
    if scan_shape is None:
        raise InputError(
            f"{path} is a stack of {n_patterns} patterns and does not say how they were "
            f"scanned; give scan_shape as rows and columns, such as {factorisations(n_patterns)}"
        )
    if scan_shape[0] * scan_shape[1] != n_patterns:
        raise InputError(
            f"scan_shape {scan_shape[0]} x {scan_shape[1]} needs "
            f"{scan_shape[0] * scan_shape[1]} patterns, but {path} holds {n_patterns}"
            f"{' in each frame' if frames > 1 else ''}; give one that fits, such as "
            f"{factorisations(n_patterns)}"
        )
    return frames, *scan_shape, detector[0], detector[1]


def factorisations(n_patterns: int) -> str:
    """Name the scan shapes of so many patterns, the squarest first.

    Examples
    --------
    >>> factorisations(32)
    '4 x 8, 8 x 4, 2 x 16, 16 x 2'
    """
    pairs: list[tuple[int, int]] = []
    for rows in range(math.isqrt(n_patterns), 0, -1):
        if n_patterns % rows == 0:
            columns = n_patterns // rows
            pairs += [(rows, columns)] if rows == columns else [(rows, columns), (columns, rows)]
        if len(pairs) >= 4:
            break
    return ", ".join(f"{rows} x {columns}" for rows, columns in pairs[:4])
