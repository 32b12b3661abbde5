from functools import partial

import dask.array as da
import numpy as np
import pytest

from daskstem.blocks.pieces import source_of
from daskstem.blocks.views import bin_patterns, crop_patterns
from tests.stored import stored

PATTERNS = np.random.default_rng(0).integers(0, 99, (2, 7, 9, 6, 8))
BOX = (slice(0, 2), slice(1, 6), slice(3, 9), slice(0, 6), slice(2, 7))


def boxes(patterns, factors):
    kept = patterns[
        tuple(slice(0, n // f * f) for n, f in zip(patterns.shape, factors, strict=True))
    ]
    for axis, f in enumerate(factors):
        shape = (*kept.shape[:axis], kept.shape[axis] // f, f, *kept.shape[axis + 1 :])
        kept = kept.reshape(shape).sum(axis=axis + 1)
    return kept


@pytest.mark.parametrize("chunks", [(1, 3, 4, 6, 8), (2, 7, 2, 3, 8), (1, 1, 1, 6, 8)])
@pytest.mark.parametrize("factors", [(1, 2, 2, 3, 2), (1, 3, 3, 1, 1), (1, 7, 5, 1, 8)])
def test_binning_gives_the_same_from_a_store_and_from_dask(chunks, factors):
    expected = boxes(PATTERNS, factors)
    lazy, _ = stored(PATTERNS, chunks)
    for array in (lazy, da.from_array(PATTERNS, chunks=chunks)):
        function = partial(boxes, factors=factors)
        found = bin_patterns(function, array, factors, dtype=PATTERNS.dtype, name="bin")
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
        assert (source_of(found) is None) == (array is not lazy)


def test_a_crop_reads_only_what_is_left():
    lazy, source = stored(PATTERNS, (1, 3, 4, 6, 8))
    view = crop_patterns(lazy, BOX, name="crop")
    expected = PATTERNS[BOX]
    np.testing.assert_array_equal(view, expected)
    for region in source.regions:
        for part, box in zip(region, BOX, strict=True):
            assert box.start <= part.start <= part.stop <= box.stop


def test_a_crop_of_a_binned_crop_reads_regions_of_the_store():
    lazy, source = stored(PATTERNS, (1, 3, 4, 6, 8))
    factors = (1, 2, 2, 2, 1)
    view = crop_patterns(lazy, BOX, name="crop")
    function = partial(boxes, factors=factors)
    view = bin_patterns(function, view, factors, dtype=PATTERNS.dtype, name="bin")
    view = view[1:, :2, 1:3, :3, :5]
    expected = boxes(PATTERNS[BOX], factors)[1:, :, 1:]
    found = source_of(view).read(tuple(slice(0, n) for n in view.shape))
    np.testing.assert_array_equal(found, expected)
    assert source.regions[-1][:3] == (slice(1, 2), slice(1, 5), slice(5, 9))
    np.testing.assert_array_equal(view, expected)
