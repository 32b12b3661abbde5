import dask.array as da
import numpy as np
import pytest

from daskstem.blocks.halo import map_with_halo
from daskstem.blocks.pieces import source_of
from daskstem.blocks.sources import map_patterns, measure_patterns
from tests.stored import stored

SHAPE = (2, 5, 7, 4, 6)
RNG = np.random.default_rng(0)
PATTERNS = RNG.integers(0, 99, SHAPE).astype(np.uint16)
MAP = RNG.integers(0, 9, SHAPE[:3]).astype(np.float32)
WHOLE = RNG.integers(0, 9, (2, 4, 6))
EXPECTED = PATTERNS[..., :3] * MAP[..., None, None] + WHOLE[:, None, None, :, :3]


def scaled(patterns, region, maps, wholes):
    assert patterns.shape[:3] == tuple(s.stop - s.start for s in region) == maps.shape
    assert wholes.shape == (len(patterns), 4, 6)
    assert patterns.dtype.isnative
    return patterns[..., :3] * maps[..., None, None] + wholes[:, None, None, :, :3]


def mapped(patterns, at, whole):
    return map_patterns(
        scaled, patterns, maps=[at], wholes=[whole], pattern_shape=(4, 3), dtype=float, name="m"
    )


@pytest.mark.parametrize("chunks", [(1, 2, 3, 4, 6), (2, 5, 2, 2, 3), (2, 1, 7, 4, 6)])
def test_mapped_patterns_see_the_maps_and_wholes_of_their_block(chunks):
    patterns = da.from_array(PATTERNS.astype(">u2"), chunks=chunks)
    at = da.from_array(MAP, chunks=(2, 3, 2))
    whole = da.from_array(WHOLE, chunks=(1, 2, 6))
    np.testing.assert_array_equal(mapped(patterns, at, whole), EXPECTED)


def test_a_mapped_store_with_stored_sides_is_read_directly():
    lazy, source = stored(PATTERNS, (1, 2, 3, 4, 6))
    at, _ = stored(MAP, (1, 5, 7))
    view = mapped(lazy, at, WHOLE)
    found = source_of(view)
    region = (slice(1, 2), slice(1, 4), slice(2, 7), slice(1, 4), slice(0, 2))
    np.testing.assert_array_equal(found.read(region), EXPECTED[region])
    out = np.empty_like(EXPECTED[region])
    found.read_into(region, out)
    np.testing.assert_array_equal(out, EXPECTED[region])
    assert [r[:3] for r in source.regions] == 2 * [region[:3]]
    np.testing.assert_array_equal(view, EXPECTED)


def test_a_mapped_store_with_computed_sides_gives_the_same():
    lazy, _ = stored(PATTERNS, (1, 2, 3, 4, 6))
    view = mapped(lazy, da.from_array(MAP, chunks=2) + 0, WHOLE)
    assert source_of(view) is None
    np.testing.assert_array_equal(view, EXPECTED)


def test_views_of_views_read_blocks_with_their_halo():
    lazy, source = stored(PATTERNS, (1, 2, 4, 4, 6))
    twice = map_patterns(_twice, lazy, pattern_shape=(4, 6), dtype=np.uint16, name="twice")
    twice = map_patterns(_twice, twice, pattern_shape=(4, 6), dtype=np.uint16, name="twice")
    out = map_with_halo(_inner, twice, depths=[1], channels=1, dtype=int, name="sum")
    np.testing.assert_array_equal(out[..., 0], 4 * PATTERNS.sum(axis=(3, 4)))
    # two rows of blocks are joined to have less halo
    assert (slice(0, 5), slice(0, 5)) in [r[1:3] for r in source.regions]


@pytest.mark.parametrize("chunks", [(1, 2, 3, 4, 6), (2, 5, 2, 2, 3)])
def test_measured_numbers_do_not_depend_on_chunks(chunks):
    patterns = da.from_array(PATTERNS, chunks=chunks)
    found = measure_patterns(
        _sum_and_whole, patterns, wholes=[WHOLE], channels=2, dtype=int, name="measure"
    )
    np.testing.assert_array_equal(found[..., 0], PATTERNS.sum(axis=(3, 4)))
    per_frame = np.broadcast_to(WHOLE.sum(axis=(1, 2))[:, None, None], SHAPE[:3])
    np.testing.assert_array_equal(found[..., 1], per_frame)


def _twice(patterns, _region):
    return 2 * patterns


def _inner(haloed, windows):
    (top, left), (rows, columns) = windows[0].margin, windows[0].shape
    return haloed.sum(axis=(2, 3))[top : top + rows, left : left + columns, None]


def _sum_and_whole(patterns, _region, whole):
    per_frame = np.broadcast_to(whole.sum(axis=(1, 2))[:, None, None], patterns.shape[:3])
    return np.stack([patterns.sum(axis=(3, 4)), per_frame], axis=-1)
