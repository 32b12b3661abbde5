"""Whole-frame readings beside the same in plain NumPy, for any chunks, and cut short."""

import threading
from concurrent.futures import ThreadPoolExecutor

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskstem.explorer import reading
from daskstem.explorer.reading import (
    CountFrom,
    DetectorSum,
    Patterns,
    Readers,
    coarse_stride,
    growing_image,
    growing_means,
    sampled_block,
)
from daskstem.io.store import open_series
from tests import scenes, stores


@pytest.fixture(scope="module")
def readers():
    with ThreadPoolExecutor(2) as threads:
        yield Readers(threads, 2)


def chunked(array, data):
    sizes = [data.draw(st.integers(1, n)) for n in array.shape[1:3]]
    return da.from_array(array, chunks=(1, *sizes, -1, -1))


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(0, 1))
def test_images_and_means_do_not_depend_on_chunks(readers, data, frame):
    counts = np.stack([scenes.counts((7, 9), (6, 5), seed=seed) for seed in (0, 1)])
    patterns = Patterns.of(chunked(counts, data), readers)
    seen = np.random.default_rng(0).random((6, 5)) < 0.5
    *_, image = growing_image(patterns, frame, DetectorSum.of(seen))
    np.testing.assert_array_equal(image.values, counts[frame][:, :, seen].sum(axis=-1))
    assert image.share == 1
    *_, image = growing_image(patterns, frame, CountFrom(5))
    np.testing.assert_array_equal(image.values, (counts[frame] >= 5).sum(axis=(2, 3)))
    groups = np.random.default_rng(1).integers(-1, 3, (7, 9))
    *_, means = growing_means(patterns, frame, groups, 4)
    for number in range(3):
        expected = counts[frame][groups == number].mean(axis=0)
        np.testing.assert_allclose(means.patterns[number], expected, rtol=1e-12)
    assert np.isnan(means.patterns[3]).all()
    assert means.counts.tolist() == [int((groups == n).sum()) for n in range(4)]


def test_a_stored_frame_is_read_as_it_was_written(tmp_path, readers):
    store = stores.converted(tmp_path)
    array = open_series(store)["raw/patterns"]
    patterns = Patterns.of(array.data, readers)
    counts = array.values
    *_, image = growing_image(patterns, 2, DetectorSum.of(np.ones((16, 18), bool)))
    np.testing.assert_array_equal(image.values, counts[2].sum(axis=(2, 3)))
    np.testing.assert_array_equal(patterns.pattern(1, 3, 17), counts[1, 3, 17])
    around = patterns.around(0, slice(2, 5), slice(4, 9))
    np.testing.assert_array_equal(around, counts[0, 2:5, 4:9])


def test_a_sample_has_the_value_of_a_chunk_near_by():
    counts = scenes.counts((16, 20), (6, 5))[np.newaxis]
    region = (slice(0, 1), slice(0, 16), slice(0, 20), slice(0, 6), slice(0, 5))
    measure = DetectorSum.of(np.ones((6, 5), bool))
    source = da.from_array(counts)
    from daskstem.explorer.reading import ComputedSource

    _, cells = sampled_block(ComputedSource(source), region, measure=measure, stride=2)
    sums = counts[0].sum(axis=(2, 3))
    for y in range(0, 16, 8):
        for x in range(0, 20, 8):
            expected = sums[y : y + 4, x : x + 4].mean()
            np.testing.assert_allclose(cells[y : y + 8, x : x + 8], expected)


def test_large_frames_are_sampled_first_and_small_ones_are_not(readers):
    def stride(scan, detector):
        array = da.zeros((1, *scan, *detector), chunks=(1, 32, 32, -1, -1), dtype=np.uint16)
        return coarse_stride(Patterns.of(array, readers))

    assert stride((64, 64), (96, 96)) == 1
    assert stride((256, 256), (192, 192)) > 1
    assert stride((512, 512), (192, 192)) >= stride((256, 256), (192, 192))
    assert stride((4096, 4096), (192, 192)) == 8


def test_a_growing_image_is_coarse_first_and_exact_at_last(readers, monkeypatch):
    counts = scenes.counts((16, 20), (6, 5))[np.newaxis]
    monkeypatch.setattr(reading, "_SAMPLE_BYTES", counts.nbytes / 4)
    monkeypatch.setattr(reading, "_EVERY_S", 0.0)
    patterns = Patterns.of(da.from_array(counts, chunks=(1, 8, 10, -1, -1)), readers)
    first, *between, last = growing_image(patterns, 0, DetectorSum.of(np.ones((6, 5), bool)))
    sums = counts[0].sum(axis=(2, 3))
    assert first.share == 0
    assert sums.min() <= first.values.min() <= first.values.max() <= sums.max()
    assert [image.share for image in (*between, last)] == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_array_equal(last.values, sums)


def test_blocks_without_wanted_positions_are_not_read(readers):
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"][1:3])
        return np.ones((1, 4, 4, 3, 3))

    array = da.map_blocks(block, chunks=((1,), (4, 4), (4, 4), (3,), (3,)), dtype=float,
                          meta=np.empty((0,) * 5))  # fmt: skip
    groups = np.full((8, 8), -1)
    groups[5, 6] = 0
    *_, means = growing_means(Patterns.of(array, readers), 0, groups, 1)
    assert set(read) == {(1, 1)}
    assert means.counts.tolist() == [1]


def test_a_reading_that_is_stopped_leaves_most_of_its_blocks_unread():
    started, go = [], threading.Event()

    def slow(number):
        started.append(number)
        assert go.wait(10)
        return number

    with ThreadPoolExecutor(2) as threads:
        results = Readers(threads, 2).each(slow, range(100))
        go.set()
        next(results)
        results.close()
    assert len(started) < 12


def test_two_readings_at_once_share_the_threads():
    order = []
    with ThreadPoolExecutor(1) as threads:
        readers = Readers(threads, 1)
        first = readers.each(lambda n: order.append(("first", n)), range(50))
        next(first)
        second = readers.each(lambda n: order.append(("second", n)), range(3))
        list(second)
        list(first)
    # the second need not wait for what is left of the first
    assert order.index(("second", 2)) < 20
