import dask.array as da
import numpy as np
import pytest

from daskstem.blocks.frames import map_frames, reduce_frames
from daskstem.blocks.tree import FAN_IN

MAPS = np.random.default_rng(0).random((3, 7, 9))


@pytest.mark.parametrize("chunks", [(1, 7, 9), (3, 2, 4), (2, 7, 1)])
def test_maps_of_a_frame_arrive_whole(chunks):
    def centred(maps, level):
        assert maps.shape == (7, 9)
        assert level.shape == ()
        return maps - level

    level = da.from_array(MAPS[:, 0, 0], chunks=2)
    found = map_frames(
        centred, da.from_array(MAPS, chunks=chunks), level,
        shape=(7, 9), dtype=np.float64, name="centred",
    )  # fmt: skip
    assert found.chunks == ((1, 1, 1), (7,), (9,))
    np.testing.assert_array_equal(found.compute(), MAPS - MAPS[:, :1, :1])


def test_a_number_per_frame_is_a_line():
    found = map_frames(np.mean, da.from_array(MAPS), shape=(), dtype=np.float64, name="mean")
    assert found.chunks == ((1, 1, 1),)
    np.testing.assert_allclose(found.compute(), MAPS.mean(axis=(1, 2)))


@pytest.mark.usefixtures("nothing_computed")
def test_is_lazy():
    map_frames(np.mean, da.from_array(MAPS), shape=(), dtype=np.float64, name="mean")


@pytest.mark.parametrize("chunks", [(1, 7, 9, 2, 3), (3, 1, 1, 1, 3), (2, 4, 5, 2, 1)])
def test_reduction_joins_all_blocks_of_a_frame(chunks):
    values = np.random.default_rng(1).integers(0, 99, (3, 7, 9, 2, 3))
    found = reduce_frames(
        lambda pieces: sum(block.sum(axis=(0, 1, 2)) for _, block in pieces),
        lambda parts: np.sum(list(parts), axis=0),
        da.from_array(values, chunks=chunks), shape=(2, 3), dtype=values.dtype, name="sum",
    )  # fmt: skip
    assert found.chunks == ((1, 1, 1), (2,), (3,))
    np.testing.assert_array_equal(found.compute(), values.sum(axis=(1, 2)))


def test_reduction_is_a_tree():
    values = da.zeros((1, 30, 30, 2, 2), chunks=(1, 1, 1, 2, 2))
    seen = []

    def joined(parts):
        seen.append(len(parts))
        return sum(parts)

    reduce_frames(
        lambda pieces: np.float64(len(list(pieces))),
        joined,
        values,
        shape=(),
        dtype=float,
        name="count",
    ).compute(scheduler="synchronous")
    assert max(seen) <= FAN_IN
    assert len(seen) > 900 // FAN_IN
