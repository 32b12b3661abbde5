"""In which dtype values are summed so that nothing is lost."""

from typing import Final

import numpy as np

ROWS_AT_ONCE: Final = 2**15
"""Values of 16 bits that a sum of 32 bits holds without overflow, signed or not."""


def sum_dtype(dtype: np.dtype) -> np.dtype:
    """Return the fastest dtype that sums ``ROWS_AT_ONCE`` values exactly.

    Floats, and integers of 64 bits, which no detector fills, are summed in float64.

    Examples
    --------
    >>> sum_dtype(np.dtype("uint16")), sum_dtype(np.dtype("int32"))
    (dtype('uint32'), dtype('int64'))
    >>> sum_dtype(np.dtype("float32"))
    dtype('float64')
    """
    if dtype.kind not in "iu" or dtype.itemsize == 8:
        return np.dtype(np.float64)
    return np.dtype(f"{dtype.kind}{4 if dtype.itemsize < 4 else 8}")
