import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import blosc

from daskstem.io.unpacking import unpack


def unpacked(packed, like):
    values = np.full_like(like, 1)
    room = np.empty(-(-values.nbytes // 8), np.uint64)
    unpack(np.frombuffer(bytearray(packed), np.uint8), values, room)
    return values


@settings(max_examples=100, deadline=None)
@given(dtype=st.sampled_from(["u1", "u2", "i2", "i4", "u4", "f4", "f8", "?"]),
       n_values=st.one_of(st.integers(1, 300), st.integers(1, 700).map(lambda n: 64 * n)),
       compressor=st.sampled_from([b"lz4", b"zstd", b"blosclz"]), shuffle=st.integers(0, 2),
       level=st.sampled_from([0, 1, 5, 9]), block_bytes=st.sampled_from([0, 1024, 5000, 65536]),
       mean=st.sampled_from([0.05, 3.0, 60000.0]))  # fmt: skip
def test_what_blosc_packs_comes_back(
    dtype, n_values, compressor, shuffle, level, block_bytes, mean
):
    dtype = np.dtype(dtype)
    values = np.random.default_rng(0).poisson(mean, n_values).astype(dtype)
    packed = blosc.compress(
        values, compressor, level, shuffle, block_bytes, typesize=dtype.itemsize
    )
    np.testing.assert_array_equal(unpacked(packed, values), values)


def test_patterns_come_back_in_their_shape():
    values = np.random.default_rng(0).poisson(2, (1, 4, 4, 192, 192)).astype("u2")
    packed = blosc.compress(values, b"lz4", 5, blosc.BITSHUFFLE, typesize=2)
    np.testing.assert_array_equal(unpacked(packed, values), values)


def test_values_packed_as_if_they_were_others_come_back():
    values = np.arange(640, dtype="u4")
    packed = blosc.compress(values, b"lz4", 5, blosc.BITSHUFFLE, typesize=2)
    np.testing.assert_array_equal(unpacked(packed, values), values)


@pytest.mark.parametrize("length", [0, 3, 15])
def test_what_is_no_chunk_of_blosc_is_refused(length):
    values = np.arange(640, dtype="u2")
    packed = blosc.compress(values, b"lz4", 5, blosc.BITSHUFFLE, typesize=2)[:length]
    with pytest.raises(RuntimeError, match="header"):
        unpacked(packed, values)
