"""How every kernel is compiled."""

from functools import partial
from typing import Final

from numba import njit

REASSOCIATE: Final = {"reassoc", "contract", "nsz"}
"""Allows sums in vector lanes; without 'nnan', which may treat NaN, our outside, as a number."""

# nogil: Dask's threads scale, one per task. cache: compiled once per machine, not per run.
# error_model: numpy's division needs no branch in the loop.
kernel = partial(njit, nogil=True, cache=True, error_model="numpy", fastmath=REASSOCIATE)
