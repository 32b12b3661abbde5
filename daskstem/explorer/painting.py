"""Maps of clusters as colors and as outlines along the positions' edges."""

import numpy as np

from daskstem.view.palette import class_colors, label_colors


def painted(label: np.ndarray, *, by_number: bool = False) -> np.ndarray:
    """Paint a map of clusters or classes.

    Parameters
    ----------
    label : (Y, X) integer
        Negative is none.
    by_number
        Whether a number always has the same color; else neighbors never share one.

    Returns
    -------
    (Y, X) uint32
        Red, green, blue, opaque, from the lowest byte on, as the browser draws it.
    """
    return packed(class_colors(label) if by_number else label_colors(label))


def packed(colors: np.ndarray) -> np.ndarray:
    """Pack colors (..., 3) uint8 into (...) uint32, opaque."""
    red, green, blue = (colors[..., i].astype(np.uint32) for i in range(3))
    return red | green << 8 | blue << 16 | np.uint32(0xFF000000)


def edges(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trace where clusters end, along the edges of their positions.

    Parameters
    ----------
    label : (Y, X) integer
        Negative is none, and has no outline of its own.

    Returns
    -------
    x, y : (3 N,) float32
        Ends of straight lines, each followed by NaN, which breaks the drawn line. Position
        (0, 0) reaches from -0.5 to 0.5.
    """
    framed = np.pad(np.maximum(label, -1), 1, constant_values=-1)
    upright = framed[1:-1, 1:] != framed[1:-1, :-1]
    level = framed[1:, 1:-1] != framed[:-1, 1:-1]
    column, top, bottom = _runs(upright.T)
    row, left, right = _runs(level)
    x = np.concatenate([_broken(column, column), _broken(left, right)])
    y = np.concatenate([_broken(top, bottom), _broken(row, row)])
    return x - np.float32(0.5), y - np.float32(0.5)


def _runs(along: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return line, start and stop of every stretch of True, line by line."""
    steps = np.diff(np.pad(along, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    line, start = np.nonzero(steps == 1)
    _, stop = np.nonzero(steps == -1)
    return line, start, stop


def _broken(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    ends = np.full((len(first), 3), np.nan, np.float32)
    ends[:, 0], ends[:, 1] = first, last
    return ends.ravel()
