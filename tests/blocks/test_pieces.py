import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.blocks.pieces import pattern_blocks, source_of, values_of
from daskstem.blocks.sources import map_patterns, measure_patterns
from tests.scenes import stored

VALUES = np.random.default_rng(0).integers(0, 99, (2, 9, 10, 4, 3)).astype("u2")


@pytest.fixture(scope="module")
def lazy(tmp_path_factory):
    """Return the values as a stored array whose blocks have four chunks or fewer."""
    folder = tmp_path_factory.mktemp("pieces")
    return stored(VALUES, folder, chunks=(1, 2, 2, 4, 3), shards=(1, 4, 4, 4, 3))


def run(task, **arrays):
    """Call a Dask task, its keys replaced by blocks of the arrays of that name."""
    function, *inputs = task
    found = [arrays[i[0]].blocks[i[1:]].compute() if isinstance(i, tuple) else i for i in inputs]
    return function(*found)


def put_together(pieces):
    """Return the pieces' values where they lie, and how many pieces there were."""
    values, count = np.full(VALUES.shape, 10_000, "i8"), 0
    for where, piece in pieces:
        assert piece.flags.c_contiguous
        assert piece.dtype.isnative
        assert (values[where] == 10_000).all()
        values[where] = piece
        count += 1
    return values, count


def cuts(size):
    borders = st.sets(st.integers(1, size - 1), max_size=3)
    return borders.map(lambda b: tuple(np.diff([0, *sorted(b), size]).tolist()))


@settings(max_examples=30, deadline=None)
@given(chunks=st.tuples(st.sampled_from([(2,), (1, 1)]), cuts(9), cuts(10)))
def test_any_block_arrives_whole_from_a_store_and_from_dask(lazy, chunks):
    computed = lazy + np.uint16(0)
    for array, from_store in ((lazy, True), (computed, False), (computed.astype(">u2"), False)):
        blocks = pattern_blocks(array, chunks)
        assert (blocks.source is not None) == from_store
        for index in np.ndindex(*map(len, chunks)):
            task = blocks.task(put_together, index)
            values, count = run(task, **{blocks.array.name: blocks.array})
            region = blocks.region(index)
            np.testing.assert_array_equal(values[region], VALUES[region])
            assert (values != 10_000).sum() == VALUES[region].size
            assert from_store or count == 1


@pytest.mark.parametrize(("at_once", "expected"), [(1, 4), (2**20, 2)])
def test_a_stored_block_arrives_in_its_chunks_or_rows_of_them(
    lazy, monkeypatch, at_once, expected
):
    monkeypatch.setattr("daskstem.io.shards._PIECE", at_once)
    _, count = run(pattern_blocks(lazy).task(put_together, (0, 0, 0)))
    assert count == expected
    _, count = run(pattern_blocks(lazy).task(put_together, (1, 2, 2)))
    assert count == 1


def test_values_of_stored_maps_need_no_task(lazy):
    def none(*_, **__):
        raise AssertionError("a task was run")

    with dask.config.set(scheduler=none):
        one, part = values_of(lazy, lazy[1:, 2:5])
    np.testing.assert_array_equal(one, VALUES)
    np.testing.assert_array_equal(part, VALUES[1:, 2:5])
    for found in values_of(lazy, lazy + np.uint16(1)), values_of(da.from_array(VALUES)):
        np.testing.assert_array_equal(found[0], VALUES)


def _plus_place(patterns, region, maps, wholes):
    rows = np.arange(region[1].start, region[1].stop)[:, None, None, None]
    frames = region[0]
    assert maps.shape == patterns.shape[:3]
    assert wholes.shape == (frames.stop - frames.start, 4, 3)
    return patterns + rows + maps[..., None, None] + wholes[:, None, None]


def _sums(patterns, _region):
    return patterns.sum(axis=(3, 4))[..., np.newaxis]


@pytest.mark.parametrize("held", [True, False], ids=["maps in memory", "maps computed"])
def test_views_hand_out_the_pieces_of_what_they_view(lazy, held):
    maps, wholes = np.arange(180).reshape(2, 9, 10), np.arange(24).reshape(2, 4, 3)
    cropped = lazy[:, 1:, :9, 1:]
    mapped = map_patterns(
        _plus_place, lazy,
        maps=[maps if held else da.from_array(maps, chunks=3) + 0], wholes=[wholes],
        pattern_shape=(4, 3), dtype=np.int64, name="mapped",
    )  # fmt: skip
    expected = VALUES + np.arange(9)[:, None, None, None] + maps[..., None, None]
    expected = expected + wholes[:, None, None]
    assert (source_of(mapped) is not None) == held
    np.testing.assert_array_equal(mapped, expected)
    for view, values in ((cropped, VALUES[:, 1:, :9, 1:]), (mapped, expected)):
        found = measure_patterns(_sums, view, channels=1, dtype=np.int64, name="sums")
        np.testing.assert_array_equal(found[..., 0], values.sum(axis=(3, 4)))
