from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskstem.chunks.tiling import (
    FEWEST_BLOCKS,
    INNER_SIDE,
    LARGEST_HALOED_BYTES,
    LARGEST_SIDE,
    SMALLEST_SIDE,
    TARGET_BLOCK_BYTES,
    halo_factor,
    joined_blocks,
    tiling,
    window,
    windows,
)

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=5)
scans = st.tuples(st.integers(1, 2000), st.integers(1, 2000))


@given(scan=scans, pattern_bytes=st.integers(1, 2**24))
def test_blocks_cover_the_scan_and_hold_whole_inner_chunks(scan, pattern_bytes):
    plan = tiling(scan, pattern_bytes)
    for size, side, chunks, n_blocks in zip(
        scan, plan.side, plan.chunks, plan.blocks, strict=True
    ):
        assert sum(chunks) == size
        assert len(chunks) == n_blocks
        assert set(chunks[:-1]) <= {side}
        assert side % INNER_SIDE == 0
        assert side <= LARGEST_SIDE


@given(scan=scans, pattern_bytes=st.integers(1, 2**24))
def test_blocks_keep_to_the_target_where_the_smallest_side_allows(scan, pattern_bytes):
    rows, columns = tiling(scan, pattern_bytes).side
    if max(rows, columns) > SMALLEST_SIDE:
        assert rows * columns * pattern_bytes <= TARGET_BLOCK_BYTES


def test_a_frame_of_the_design_has_blocks_of_32():
    plan = tiling((512, 512), 192 * 192 * 2)
    assert plan.side == (32, 32)
    assert plan.blocks == (16, 16)


@pytest.mark.parametrize("scan", [(1, 1), (1, 300), (300, 1), (3, 5)])
def test_narrow_scans_are_cut_too(scan):
    plan = tiling(scan, 100)
    assert tuple(map(sum, plan.chunks)) == scan


@given(rows=sizes, columns=sizes, depth=st.integers(0, 12))
def test_windows_cover_every_position_once(rows, columns, depth):
    computed = [
        p
        for _, w in windows((rows, columns), depth)
        for p in product(range(w.start[0], w.stop[0]), range(w.start[1], w.stop[1]))
    ]
    assert sorted(computed) == list(product(range(sum(rows)), range(sum(columns))))


@given(rows=sizes, columns=sizes, depth=st.integers(0, 12))
def test_windows_reach_the_depth_or_the_border(rows, columns, depth):
    scan = (sum(rows), sum(columns))
    for _, w in windows((rows, columns), depth):
        for axis in (0, 1):
            assert w.haloed_start[axis] == max(0, w.start[axis] - depth)
            assert w.haloed_stop[axis] == min(scan[axis], w.stop[axis] + depth)
            assert w.margin[axis] + w.shape[axis] <= w.haloed_shape[axis]
            region = w.region[axis]
            assert region.stop - region.start == w.haloed_shape[axis]


@given(rows=sizes, columns=sizes)
def test_windows_are_numbered_in_scan_order(rows, columns):
    indices = [index for index, _ in windows((rows, columns), 2)]
    assert indices == list(product(range(len(rows)), range(len(columns))))


def test_window_is_cut_off_at_the_border_of_the_scan():
    w = window((0, 4), (4, 8), 3, (10, 9))
    assert w.region == (slice(0, 7), slice(1, 9))
    assert w.margin == (0, 3)
    assert w.shape == (4, 4)


def test_halo_factor_is_one_without_halo_or_with_one_block():
    assert halo_factor(((4, 4), (3, 3)), 0) == 1
    assert halo_factor(((8,), (6,)), 5) == 1


def test_halo_factor_of_a_block_within_the_scan():
    # nine blocks of 4 x 4 with a halo of 1: (5 + 6 + 5)^2 positions are read for 12^2
    assert halo_factor(((4, 4, 4), (4, 4, 4)), 1) == pytest.approx(16**2 / 12**2)


@given(rows=sizes, columns=sizes, depth=st.integers(0, 12))
def test_halo_factor_counts_what_the_windows_read(rows, columns, depth):
    read = sum(w.haloed_shape[0] * w.haloed_shape[1] for _, w in windows((rows, columns), depth))
    wanted = read / (sum(rows) * sum(columns))
    assert halo_factor((rows, columns), depth) == pytest.approx(wanted, rel=1e-12)


@given(scan=scans, depth=st.integers(0, 9), pattern_bytes=st.integers(1, 2**18))
def test_joined_blocks_are_whole_blocks_and_read_no_more(scan, depth, pattern_bytes):
    chunks = tiling(scan, pattern_bytes).chunks
    joined = joined_blocks(chunks, depth, pattern_bytes)
    for before, after in zip(chunks, joined, strict=True):
        assert set(np.cumsum(after)) <= set(np.cumsum(before))
        # stored arrays have chunks of one size, the last one excepted
        assert len(set(after[:-1])) <= 1
        assert after[-1] <= after[0]
    assert halo_factor(joined, depth) <= halo_factor(chunks, depth)
    if joined != chunks:
        assert len(joined[0]) * len(joined[1]) >= FEWEST_BLOCKS
        largest = max(w.haloed_shape[0] * w.haloed_shape[1] for _, w in windows(joined, depth))
        assert largest * pattern_bytes <= LARGEST_HALOED_BYTES
