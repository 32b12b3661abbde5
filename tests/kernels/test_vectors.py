import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from daskstem.kernels.compiled import kernel
from daskstem.kernels.vectors import (
    LANES,
    add_totals,
    aligned,
    aligned_zeros,
    apart,
    load,
    multiply_add,
    plus,
    splat,
    store,
    times,
    total,
    transpose,
)

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@kernel(cache=False)
def copied(array, start, out):
    store(out, 0, load(array, start))


@kernel(cache=False)
def calculated(a, b, c, out):
    x, y, z = load(a, 0), load(b, 0), load(c, 0)
    store(out, 0, plus(x, y))
    store(out, LANES, times(x, y))
    store(out, 2 * LANES, multiply_add(x, y, z))
    store(out, 3 * LANES, splat(a[1]))
    return total(x)


@kernel(cache=False)
def summed(rows, out, start):
    n = LANES
    add_totals(
        out,
        start,
        (
            load(rows, 0), load(rows, n), load(rows, 2 * n), load(rows, 3 * n),
            load(rows, 4 * n), load(rows, 5 * n), load(rows, 6 * n), load(rows, 7 * n),
            load(rows, 8 * n), load(rows, 9 * n), load(rows, 10 * n), load(rows, 11 * n),
            load(rows, 12 * n), load(rows, 13 * n), load(rows, 14 * n), load(rows, 15 * n),
        ),
    )  # fmt: skip


@kernel(cache=False)
def turned(square, at, step, out, to, line):
    transpose(square, at, step, out, to, line)


@pytest.mark.parametrize("dtype", DTYPES)
def test_load_converts_as_numpy_does(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        array = RNG.normal(size=3 * LANES).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        array = RNG.integers(limits.min, limits.max, 3 * LANES, dtype, endpoint=True)
    out = np.zeros(LANES, np.float32)
    copied(array, 5, out)
    np.testing.assert_array_equal(out, array[5 : 5 + LANES].astype(np.float32))


def test_store_leaves_what_is_around_it():
    out = np.full(3 * LANES, 7, np.float32)
    copied(np.arange(LANES, dtype=np.float32), 0, out[LANES : 2 * LANES])
    assert (out[:LANES] == 7).all()
    assert (out[2 * LANES :] == 7).all()


def test_arithmetic_is_that_of_float32_and_multiply_add_rounds_once():
    a, b, c = RNG.normal(size=(3, LANES)).astype(np.float32)
    out = np.empty(4 * LANES, np.float32)
    found = calculated(a, b, c, out)
    sums, products, both, everywhere = out.reshape(4, LANES)
    np.testing.assert_array_equal(sums, a + b)
    np.testing.assert_array_equal(products, a * b)
    # a product of two float32 is exact in float64, and so nearly always is its sum with a third
    np.testing.assert_array_equal(both, (a.astype(float) * b + c).astype(np.float32))
    np.testing.assert_array_equal(everywhere, a[1])
    assert found == pytest.approx(a.sum(dtype=float), rel=1e-5)


def test_totals_are_added_in_the_order_of_the_vectors():
    # whole numbers this small are summed exactly
    rows = RNG.integers(-1000, 1000, (16, LANES)).astype(np.float32)
    out = np.full(20, 0.5, np.float32)
    summed(rows.ravel(), out, 2)
    np.testing.assert_array_equal(out[2:18], 0.5 + rows.sum(axis=1))
    assert out[[0, 1, 18, 19]].tolist() == [0.5] * 4


def test_transpose_writes_columns_as_rows_and_leaves_what_is_around_them():
    values = RNG.normal(size=(LANES + 3, LANES + 5)).astype(np.float32)
    out = np.full((LANES + 2, LANES + 7), 7, np.float32)
    turned(values.ravel(), 2 * (LANES + 5) + 4, LANES + 5, out.ravel(), LANES + 7 + 3, LANES + 7)
    expected = np.full_like(out, 7)
    expected[1 : 1 + LANES, 3 : 3 + LANES] = values[2 : 2 + LANES, 4 : 4 + LANES].T
    np.testing.assert_array_equal(out, expected)


def test_vectors_come_from_contiguous_arrays_only():
    with pytest.raises(TypeError, match="contiguous"):
        copied(np.zeros(64, np.float32)[::2], 0, np.zeros(LANES, np.float32))
    with pytest.raises(TypeError, match="float32"):
        copied(np.zeros(64, np.float32), 0, np.zeros(LANES))


@pytest.mark.parametrize("size", [1, 16, 100, 10816])
def test_memory_begins_with_a_line_of_the_cache_and_zeros_with_a_large_page(size):
    assert aligned(size).shape == (size,)
    assert aligned(size).ctypes.data % 64 == 0
    zeros = aligned_zeros((3, size))
    assert zeros.shape == (3, size)
    assert zeros.ctypes.data % 2**21 == 0
    assert not zeros.any()


@pytest.mark.parametrize("size", [1, 15, 16, 17, 104 * 104, 168 * 168])
def test_rows_lie_an_odd_number_of_lines_apart_with_two_vectors_between(size):
    lines, rest = divmod(apart(size), 16)
    assert rest == 0
    assert lines % 2 == 1
    assert size + 2 * LANES <= apart(size) < size + 6 * 16


FOR_REGISTERS = """
import llvmlite.binding, numpy as np, sys
features = llvmlite.binding.get_host_cpu_features()
features.update(CHANGES)
llvmlite.binding.get_host_cpu_features = lambda: features
from daskstem.kernels import filtering, prefilter, sampling, vectors
rng = np.random.default_rng(1)
patterns = rng.poisson(3, (6, 7, 55, 58)).astype(np.uint16)
offsets = prefilter.footprint(2)
products, energy, sums = prefilter.neighbor_products(
    patterns, sampling.radial_sampling((55, 58), 2.75, 2), offsets[11:]
)
flat = patterns.reshape(6, 7, -1)
weights = rng.random((2, 3, 21)).astype(np.float32)
inside = np.ones(flat.shape[2], np.float32)
dots = filtering.neighbor_dots(flat, flat.mean(axis=2), weights, offsets, (2, 2), inside)
lanes = vectors.LANES
np.savez(sys.argv[1], lanes=lanes, products=products, energy=energy, sums=sums, dots=dots)
"""


def test_narrow_registers_find_the_same(tmp_path):
    found = []
    for features in ({"avx512f": False}, {}):
        folder = tmp_path / str(len(features))
        folder.mkdir()
        # compiled code is kept by processor, which is the same for both
        cache = {"NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)}
        script = FOR_REGISTERS.replace("CHANGES", str(features))
        command = [sys.executable, "-c", script, str(folder / "found.npz")]
        subprocess.run(command, check=True, env={**os.environ, **cache})
        found.append(np.load(folder / "found.npz"))
    narrow, wide = found
    assert narrow["lanes"] == 8
    for name in set(wide) - {"lanes"}:
        scale = np.abs(wide[name]).max()
        # sums of float32 in another order
        np.testing.assert_allclose(narrow[name], wide[name], atol=1e-6 * scale, err_msg=name)
