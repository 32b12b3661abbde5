import dask.array as da
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daskstem.blocks.pieces import source_of
from tests.stored import stored

PATTERNS = np.random.default_rng(0).integers(0, 99, (2, 7, 9, 6, 8))
CHUNKS = (1, 3, 4, 6, 8)


@st.composite
def indices(draw, shape):
    """Draw an index of slices, whole numbers and new dimensions that leaves something."""
    index = []
    for size in shape:
        if draw(st.booleans()) and draw(st.booleans()):
            index.append(None)
        start = draw(st.integers(0, size - 1))
        stop = draw(st.integers(start + 1, size))
        index.append(draw(st.sampled_from([start, slice(None), slice(start, stop)])))
    return tuple(index)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_box_of_a_box_is_read_from_the_store(data):
    lazy, _ = stored(PATTERNS, CHUNKS)
    view, expected = lazy, PATTERNS
    for _ in range(2):
        index = data.draw(indices(expected.shape))
        view, expected = view[index], expected[index]
        assume(expected.ndim)
    source = source_of(view)
    assert (source.shape, source.dtype) == (expected.shape, expected.dtype)
    whole = tuple(slice(0, n) for n in expected.shape)
    np.testing.assert_array_equal(source.read(whole), expected)
    out = np.empty_like(expected)
    source.read_into(whole, out)
    np.testing.assert_array_equal(out, expected)
    found = np.zeros_like(expected)
    for where, values in source.pieces(whole):
        found[where] = values
    np.testing.assert_array_equal(found, expected)


def test_regions_are_read_and_nothing_around_them():
    lazy, source = stored(PATTERNS, CHUNKS)
    box = source_of(lazy[1, 2:, 3:][np.newaxis])
    region = (slice(0, 1), slice(1, 4), slice(0, 2), slice(0, 6), slice(2, 3))
    np.testing.assert_array_equal(box.read(region), PATTERNS[1:, 3:6, 3:5, :, 2:3])
    assert source.regions[-1] == (
        slice(1, 2), slice(3, 6), slice(3, 5), slice(0, 6), slice(2, 3)
    )  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        lambda a: a[:, ::2],
        lambda a: a[:, :, ::-1],
        lambda a: a[:, [1, 2]],
        lambda a: a[:, a[0, :, 0, 0, 0].compute() > 40],
        lambda a: a + 1,
        lambda a: a.transpose(0, 2, 1, 3, 4),
        lambda a: da.concatenate([a[:1], a[:1]]),
        lambda a: a[:, 0:0],
        lambda a: da.concatenate([a, da.from_array(PATTERNS, chunks=CHUNKS)])[1:3],
    ],
)
def test_what_is_no_box_is_no_source(other):
    assert source_of(other(stored(PATTERNS, CHUNKS)[0])) is None
    assert source_of(other(da.from_array(PATTERNS, chunks=CHUNKS))) is None
