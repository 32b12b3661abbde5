import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.blocks.rows import mean_rows

N, Q = 13, (3, 4)
TABLE = np.random.default_rng(0).random((N, *Q)).astype(np.float32)


@st.composite
def frames(draw):
    """Return rows of the table shared out to frames, some of them for the same target."""
    of = draw(st.lists(st.integers(0, 2), min_size=N, max_size=N))
    targets = np.array(draw(st.lists(st.integers(0, 5), min_size=N, max_size=N)))
    sizes = np.array(draw(st.lists(st.integers(1, 9), min_size=N, max_size=N)))
    parts = []
    for frame in range(3):
        rows = np.flatnonzero(np.array(of) == frame)
        totals = np.bincount(targets[rows], sizes[rows], minlength=6)
        parts.append((rows, targets[rows], sizes[rows] / totals[targets[rows]]))
    return parts


def expected(parts):
    out = np.full((6, len(parts), *Q), np.nan)
    for frame, (rows, targets, weights) in enumerate(parts):
        for target in np.unique(targets):
            of = targets == target
            out[target, frame] = np.tensordot(weights[of], TABLE[rows[of]].astype(float), axes=1)
    return out


@settings(max_examples=40, deadline=None)
@given(parts=frames(), chunk=st.integers(1, N), block_rows=st.integers(1, 7))
def test_any_chunks_give_the_weighted_means(parts, chunk, block_rows):
    table = da.from_array(TABLE, chunks=(chunk, 2, 3))
    made = mean_rows(table, parts, n_targets=6, block_rows=block_rows, name="t")
    assert made.dtype == np.float32
    assert made.chunks[0] == tuple(min(block_rows, 6 - n) for n in range(0, 6, block_rows))
    # one rounding to single precision
    np.testing.assert_allclose(made.compute(), expected(parts), rtol=1e-6)


def test_a_single_row_is_taken_to_the_bit():
    rows = np.arange(N)
    parts = [(rows, rows, np.ones(N))]
    made = mean_rows(da.from_array(TABLE, chunks=4), parts, n_targets=N, block_rows=5, name="t")
    np.testing.assert_array_equal(made.compute()[:, 0], TABLE)


def test_only_the_blocks_that_are_needed_are_computed():
    read = []

    def noted(block, block_info=None):
        read.append(block_info[0]["chunk-location"][0])
        return block

    table = da.from_array(TABLE, chunks=(4, *Q)).map_blocks(noted, dtype=np.float32, meta=TABLE)
    parts = [(np.array([5, 6]), np.array([0, 1]), np.ones(2))]
    read.clear()
    mean_rows(table, parts, n_targets=2, block_rows=2, name="t").compute(scheduler="sync")
    assert set(read) == {1}


@pytest.mark.parametrize("n_targets", [0, 3])
def test_a_table_without_rows_is_possible(n_targets):
    none = np.empty(0, np.int64)
    table = da.zeros((0, *Q), dtype=np.float32)
    made = mean_rows(table, [(none, none, none.astype(float))] * 2, n_targets=n_targets,
                     block_rows=2, name="t")  # fmt: skip
    assert made.shape == (n_targets, 2, *Q)
    assert np.isnan(made.compute()).all()
