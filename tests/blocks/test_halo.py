from functools import partial

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.blocks.halo import map_with_halo, place
from daskstem.schema.errors import InputError
from tests import scenes

SHAPE = (2, 9, 11, 2, 3)
VALUES = np.arange(np.prod(SHAPE), dtype=np.float64).reshape(SHAPE)


def parts(size):
    """Return every way to cut ``size`` positions into chunks."""
    return st.lists(st.booleans(), min_size=size - 1, max_size=size - 1).map(
        lambda cuts: tuple(
            np.diff([0, *(i + 1 for i, cut in enumerate(cuts) if cut), size]).tolist()
        )
    )


def neighborhood_sums(haloed, windows, depth):
    """Sum over the (2 depth + 1)^2 positions around each, and where it lies."""
    window = windows[0]
    out = np.empty((*window.shape, 3))
    assert haloed.shape[:2] == window.haloed_shape
    for y, x in np.ndindex(window.shape):
        row, column = y + window.margin[0], x + window.margin[1]
        box = haloed[max(0, row - depth) : row + depth + 1, max(0, column - depth) :][
            :, : min(column, depth) + depth + 1
        ]
        out[y, x] = box.sum(), y + window.start[0], x + window.start[1]
    return out


def literal_sums(values, depth):
    out = np.empty((*values.shape[:3], 3))
    for frame, y, x in np.ndindex(values.shape[:3]):
        rows = slice(max(0, y - depth), y + depth + 1)
        columns = slice(max(0, x - depth), x + depth + 1)
        out[frame, y, x] = values[frame, rows, columns].sum(), y, x
    return out


def sums(array, depth):
    return map_with_halo(
        partial(neighborhood_sums, depth=depth), array,
        depths=[depth], channels=3, dtype=np.float64, name="sums",
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(rows=parts(9), columns=parts(11), frames=parts(2), depth=st.integers(0, 4))
def test_any_chunking_gives_the_same_or_says_what_to_do(rows, columns, frames, depth):
    array = da.from_array(VALUES, chunks=(frames, rows, columns, (1, 1), (2, 1)))
    too_small = any(len(cut) > 1 and max(cut) < depth for cut in (rows, columns))
    if too_small:
        with pytest.raises(InputError, match=f"halo of {depth} .*rechunk"):
            sums(array, depth)
        return
    found = sums(array, depth)
    np.testing.assert_array_equal(
        found.compute(scheduler="synchronous"), literal_sums(VALUES, depth)
    )


@pytest.mark.parametrize("depth", [0, 2, 7])
def test_a_stored_array_gives_the_same_with_one_task_per_block(tmp_path, depth):
    array = scenes.stored(VALUES, tmp_path, chunks=(1, 2, 2, 2, 3), shards=(1, 4, 4, 2, 3))
    found = sums(array, depth)
    # a depth above the chunk's size is no obstacle where tasks read for themselves
    np.testing.assert_array_equal(found.compute(), literal_sums(VALUES, depth))
    # blocks of one frame are joined to 2 x 2 where that saves halo
    assert len(dict(found.dask)) == 2 * (3 * 3 if depth == 0 else 2 * 2)


@pytest.mark.parametrize("shape", [(1, 1, 7, 2, 2), (1, 7, 1, 2, 2), (3, 1, 1, 2, 2)])
def test_narrow_scans_work(shape):
    values = np.random.default_rng(0).random(shape)
    found = sums(da.from_array(values, chunks=(1, 3, 3, 2, 2)), 2)
    np.testing.assert_allclose(found.compute(), literal_sums(values, 2), rtol=1e-12)


def test_arrays_with_halos_of_their_own_arrive_together():
    maps = VALUES.sum(axis=(3, 4))

    def both(patterns, values, windows):
        (wide, narrow), (top, left) = windows, windows[0].margin
        assert patterns.shape[:2] == wide.haloed_shape
        assert values.shape == narrow.haloed_shape
        rows, columns = wide.shape
        own = patterns[top : top + rows, left : left + columns].sum(axis=(2, 3))
        top, left = narrow.margin
        return np.stack([own, values[top : top + rows, left : left + columns]], axis=-1)

    array = da.from_array(VALUES, chunks=(1, 4, 5, 2, 3))
    found = map_with_halo(
        both, array, da.from_array(maps, chunks=(2, 9, 3)),
        depths=[2, 1], channels=2, dtype=np.float64, name="both",
    ).compute()  # fmt: skip
    np.testing.assert_array_equal(found[..., 0], maps)
    np.testing.assert_array_equal(found[..., 1], maps)


def test_kernels_get_native_byte_order():
    def order(haloed, windows):
        assert len(windows) == 1
        assert haloed.dtype.isnative
        return haloed[..., :1, 0]

    swapped = VALUES.astype(VALUES.dtype.newbyteorder())
    found = map_with_halo(
        order, da.from_array(swapped), depths=[0], channels=1, dtype=np.float64, name="order"
    )
    np.testing.assert_array_equal(found.compute(), VALUES[..., :1, 0])


def test_equal_calls_have_equal_names_and_others_not():
    array = da.from_array(VALUES, chunks=(1, 4, 4, 2, 3))
    assert sums(array, 1).name == sums(array, 1).name
    assert sums(array, 1).name != sums(array, 2).name
    assert sums(array, 1).name != sums(array + 1, 1).name


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    sums(da.from_array(VALUES, chunks=(1, 4, 4, 2, 3)), 1)


def test_blocks_are_those_of_the_first_array():
    array = da.from_array(VALUES, chunks=(2, 4, 5, 2, 3))
    placed = place([array, da.zeros((2, 9, 11), chunks=(1, 9, 11))], [1, 2])
    # the last chunk of each axis is smaller than the halo of 2: it joins the one before
    assert placed.scan_chunks == ((4, 5), (5, 6))
    assert [block.index for block in placed.blocks(0)][:2] == [(0, 0), (0, 1)]
