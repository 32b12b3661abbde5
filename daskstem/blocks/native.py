"""Blocks as compiled kernels want them."""

from typing import Any

import numpy as np


def native(block: Any) -> np.ndarray:
    """Return a block in native byte order and without gaps, itself where it is so already.

    Compiled kernels know no other byte order, and are compiled again for other strides.
    """
    values = np.asarray(block)
    return values.astype(values.dtype.newbyteorder("="), order="C", copy=False)
