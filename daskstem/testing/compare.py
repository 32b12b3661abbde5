"""How well two label maps agree, whatever their numbers."""

import numpy as np

from daskstem.schema.errors import InputError


def adjusted_rand_index(
    truth: np.ndarray, found: np.ndarray, *, where: np.ndarray | None = None
) -> float:
    """Agreement of two partitions: 1 if equal, 0 on average if one was drawn at random.

    Every value of a label is a part, -1 too; ``where`` says which positions count, such as
    those of grains (``truth >= 0``) with a share of the probe that the caller asks for.

    Parameters
    ----------
    truth, found : integers of the same shape
        The two label maps.
    where : bool of that shape, optional
        Positions that count; all by default.

    Returns
    -------
    float
        At most 1; below 0 if the agreement is worse than by chance. Two partitions that are
        both trivial in the same way (one part, or all parts single) agree: 1.

    Raises
    ------
    InputError
        If the shapes differ.

    Notes
    -----
    Hubert, Arabie, Journal of Classification 2 (1985) 193, eq. 5.

    Examples
    --------
    >>> adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([5, 5, 3, 3]))
    1.0
    >>> round(adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])), 3)
    0.571
    """
    check_shapes(np.shape(truth), np.shape(found))
    first, second = _counted(truth, where), _counted(found, where)
    _, row = np.unique(first, return_inverse=True)
    names, column = np.unique(second, return_inverse=True)
    _, both = np.unique(row.astype(np.int64) * len(names) + column, return_counts=True)
    together = _pairs(both)
    in_first, in_second = _pairs(np.bincount(row)), _pairs(np.bincount(column))
    everything = _pairs(np.array([row.size]))
    if everything == 0:
        return 1.0
    expected = in_first * in_second / everything
    highest = (in_first + in_second) / 2
    return 1.0 if highest == expected else (together - expected) / (highest - expected)


def partition_equal(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two label maps differ only in the numbers of their labels; -1 stays -1.

    Parameters
    ----------
    first, second : integers of the same shape
        The two label maps.

    Raises
    ------
    InputError
        If the shapes differ.

    Examples
    --------
    >>> partition_equal(np.array([-1, 0, 1]), np.array([-1, 7, 3]))
    True
    >>> partition_equal(np.array([-1, 0, 1]), np.array([2, 7, 3]))
    False
    """
    first, second = np.asarray(first), np.asarray(second)
    check_shapes(first.shape, second.shape)
    if not np.array_equal(first == -1, second == -1):
        return False
    pairs = np.unique(np.stack([first.ravel(), second.ravel()]), axis=1)
    return all(len(np.unique(side)) == pairs.shape[1] for side in pairs)


def _counted(label: np.ndarray, where: np.ndarray | None) -> np.ndarray:
    label = np.asarray(label)
    if where is None:
        return label.ravel()
    check_shapes(label.shape, np.shape(where))
    return label[np.asarray(where, dtype=bool)]


def check_shapes(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    """Refuse label maps of different shapes.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    if first != second:
        raise InputError(
            f"maps of shapes {first} and {second} cannot be compared; give the same frames of "
            f"the same scan"
        )


def _pairs(sizes: np.ndarray) -> float:
    return float(np.sum(sizes.astype(np.float64) * (sizes - 1.0)) / 2)
