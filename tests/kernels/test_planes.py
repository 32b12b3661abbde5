import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.kernels.planes import join_planes


def planes_of(values, block_values):
    """Return blocks of planes, by NumPy: bit b of all values of a block, then bit b + 1."""
    n_planes = 8 * values.itemsize
    blocks = []
    for start in range(0, len(values), block_values):
        block = values[start : start + block_values].astype(np.uint64)
        bits = (block >> np.arange(n_planes, dtype=np.uint64)[:, np.newaxis]) & np.uint64(1)
        blocks.append(np.packbits(bits.astype(np.uint8), axis=1, bitorder="little").ravel())
    return np.concatenate(blocks).view("<u8")


@settings(max_examples=60, deadline=None)
@given(dtype=st.sampled_from(["u1", "u2", "u4", "u8"]), words=st.integers(1, 300),
       block_words=st.integers(1, 150), bits=st.integers(0, 64),
       seed=st.integers(0, 99))  # fmt: skip
def test_values_come_back_from_the_planes_of_their_bits(dtype, words, block_words, bits, seed):
    dtype = np.dtype(dtype)
    random = np.random.default_rng(seed)
    values = random.integers(0, 2 ** min(bits, 8 * dtype.itemsize), 64 * words, np.uint64)
    values[random.integers(len(values))] = 0
    values = values.astype(dtype) if bits else np.zeros(64 * words, dtype)
    planes = planes_of(values, 64 * block_words)
    first, stop = sorted(random.integers(0, words + 1, 2))
    for part in slice(None), slice(64 * first, 64 * stop):
        joined = np.full_like(values[part], 3)
        join_planes(planes, block_words * 8 * dtype.itemsize, part.start or 0, joined)
        np.testing.assert_array_equal(joined, values[part])


@pytest.mark.parametrize("place", [0, 4095, 4096, 9999])
def test_one_high_value_among_low_ones_is_kept(place):
    values = np.ones(10048, "u2")
    values[place] = 65535
    joined = np.empty_like(values)
    join_planes(planes_of(values, 8192), 2048, 0, joined)
    np.testing.assert_array_equal(joined, values)
