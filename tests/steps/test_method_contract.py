"""What holds for every step of the method, from patterns to clusters."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskstem
from daskstem.schema.errors import InputError
from tests import scenes

SCAN = (9, 11)
DETECTOR = (14, 15)
ROUNDED = ("pattern", "residual")
DTYPES = ("uint8", "uint32", "int16", "int32", "float32", "float64", ">f4", ">u2")
# every native dtype costs some seconds of compiling; swapped ones run as their native twins
COMPARED_DTYPES = ("uint8", "int32", ">f4", ">u2")

PREFILTER = {"sigma_px": 1.0, "edge_px": 1, "radius_px": 2, "corr_range": (0.3, 0.9)}
STEPS = {
    "prefilter": partial(daskstem.prefilter, **PREFILTER),
    "prefilter as published": partial(
        daskstem.prefilter, **PREFILTER, convention="published", self_weight=2.0, noise="none"
    ),
    "similarity": partial(daskstem.similarity, q_inner_px=1.5, blur_px=0.5),
    "similarity of raw patterns": lambda ds: daskstem.similarity(
        ds.drop_vars("weights"), noise="none"
    ),
    "background": partial(daskstem.background, method="otsu", min_object=3),
    "background by signal": partial(daskstem.background, min_object=3),
    "hierarchy": partial(daskstem.hierarchy, min_size=2),
    "grow": partial(daskstem.grow, threshold=0.5, min_size=2),
    "grow by single pairs": partial(daskstem.grow, threshold=0.5, linkage="single"),
    "grow at its own threshold": partial(daskstem.grow, threshold="auto", min_size=2),
    "grow by branches": partial(daskstem.grow, threshold="branches", min_size=2),
    "grow as published": partial(daskstem.grow, threshold=0.5, convention="published"),
    "average": daskstem.average,
    "average of filtered patterns": partial(daskstem.average, of="filtered"),
}
HALO = {
    "prefilter": 3, "prefilter as published": 2, "similarity": 3,
    "similarity of raw patterns": 1, "average of filtered patterns": 2,
}  # fmt: skip
every_step = pytest.mark.parametrize("name", STEPS)


def all_variables(patterns):
    """Return patterns and what the steps before the last make of them, in memory."""
    ds = scenes.dataset(patterns)
    ds = ds.assign(STEPS["prefilter"](ds).compute())
    ds = ds.assign(STEPS["similarity"](ds).compute())
    ds = ds.assign(STEPS["background"](ds).compute())
    return ds.assign(STEPS["grow"](ds).compute())


@pytest.fixture(scope="module")
def series():
    """Return two frames with all that the steps need, in memory."""
    frames = [scenes.counts(SCAN, DETECTOR, dose=2.0, seed=seed) for seed in (1, 2)]
    return xr.concat([all_variables(patterns) for patterns in frames], "frame")


@pytest.fixture(scope="module")
def expected(series):
    """Return every step's result for the series in one chunk per frame."""
    return {name: make(series).compute() for name, make in STEPS.items()}


def assert_same(found, expected):
    assert set(found.variables) == set(expected.variables)
    for name, variable in expected.variables.items():
        values = found[name].values
        assert found[name].dims == variable.dims
        assert values.dtype == variable.dtype
        if name in ROUNDED:
            # sums in float64, joined in another order: the last bit of float32
            np.testing.assert_allclose(values, variable.values, rtol=2.4e-7)
        else:
            np.testing.assert_array_equal(values, variable.values)


def parts(size):
    """Return any cut of ``size`` positions into chunks."""
    borders = st.sets(st.integers(1, size - 1), max_size=4)
    return borders.map(lambda cuts: tuple(np.diff([0, *sorted(cuts), size]).tolist()))


@every_step
@settings(max_examples=8, deadline=None)
@given(rows=parts(SCAN[0]), columns=parts(SCAN[1]), frames=st.sampled_from([1, 2]),
       detector=st.sampled_from([5, 14]))  # fmt: skip
def test_any_chunking_gives_the_same_or_says_what_to_do(
    series, expected, name, rows, columns, frames, detector
):
    ds = series.chunk(frame=frames, scan_y=rows, scan_x=columns, q_y=detector)
    depth = HALO.get(name, 0)
    if any(len(cut) > 1 and max(cut) < depth for cut in (rows, columns)):
        with pytest.raises(InputError, match="halo of . positions does not fit .*rechunk"):
            STEPS[name](ds)
        return
    assert_same(STEPS[name](ds), expected[name])


@every_step
@pytest.mark.parametrize("shard", [(1, 4, 6), (2, 10, 4)])
def test_a_stored_series_gives_the_same(tmp_path, series, expected, name, shard):
    stored = {}
    for key, variable in series.data_vars.items():
        shards = (*shard, *variable.shape[3:])[: variable.ndim]
        chunks = (1, 2, 2, *variable.shape[3:])[: variable.ndim]
        values = np.ascontiguousarray(variable.values)
        (tmp_path / key).mkdir()
        lazy = scenes.stored(values, tmp_path / key, chunks=chunks, shards=shards)
        stored[key] = (variable.dims, lazy)
    assert_same(STEPS[name](series.assign(stored)), expected[name])


@every_step
@pytest.mark.parametrize("frame", [0, 1])
def test_a_frame_alone_gives_what_it_gives_in_the_series(series, expected, name, frame):
    found = STEPS[name](series.isel(frame=frame))
    within = expected[name]
    if "cluster" in within.dims:
        within = within.isel(cluster=within["frame"].values == frame)
        assert (found["frame"].values == 0).all()
        found, within = found.drop_vars("frame"), within.drop_vars("frame")
    else:
        within = within.isel(frame=frame)
    assert_same(found, within)


@every_step
def test_a_series_of_one_frame_keeps_its_dimension(series, name):
    made = STEPS[name](series.isel(frame=[0]))
    assert "cluster" in made.dims or made.sizes["frame"] == 1


@pytest.mark.parametrize("name", [name for name in STEPS if not name.startswith("average")])
@pytest.mark.usefixtures("nothing_computed")
def test_nothing_is_computed_before_it_is_asked_for(series, name):
    ds = series.chunk(frame=1, scan_y=5, scan_x=5)
    # chunking a Dataset makes its few offsets lazy too; they are needed to plan
    footprint = {key: series[key] for key in ("offset_y", "offset_x")}
    made = STEPS[name](ds.assign_coords(footprint))
    assert all(variable.chunks is not None for variable in made.data_vars.values())


@pytest.mark.parametrize("name", [name for name in STEPS if name.startswith("average")])
def test_averaging_computes_the_maps_but_reads_no_pattern(series, name):
    def refuse(block):
        if block.size:
            raise AssertionError("patterns were read")
        return block

    ds = series.chunk(frame=1, scan_y=5, scan_x=5)
    patterns = ds["patterns"].data
    guarded = patterns.map_blocks(refuse, dtype=patterns.dtype, meta=np.empty((0,) * 5, "u2"))
    ds["patterns"] = ds["patterns"].copy(data=guarded)
    made = STEPS[name](ds)
    assert made["pattern"].chunks is not None
    with pytest.raises(AssertionError, match="patterns were read"):
        made["pattern"].compute()


@every_step
def test_the_input_is_left_as_it_was(series, name):
    before = series.copy(deep=True)
    STEPS[name](series).compute()
    xr.testing.assert_identical(series, before)


@every_step
def test_only_what_was_made_is_returned(series, name):
    made = STEPS[name](series.drop_vars([]))
    assert not {"patterns"} & set(made.variables)
    assert all(variable.attrs.get("units") for variable in made.data_vars.values())


@every_step
def test_equal_calls_have_equal_task_names(series, name):
    ds = series.chunk(frame=1, scan_y=5)
    once, again = STEPS[name](ds), STEPS[name](ds)
    for key, variable in once.data_vars.items():
        assert variable.data.name == again[key].data.name


@pytest.mark.parametrize("scan", [(1, 9), (9, 1), (4, 4), (1, 5)])
def test_the_method_works_on_narrow_and_small_scans(scan):
    patterns = scenes.counts(scan, DETECTOR, n_domains=1, dose=5.0)
    whole = all_variables(patterns)
    for name, make in STEPS.items():
        alone = make(whole).compute()
        if name not in HALO:
            continue
        cut = make(whole.chunk(scan_y=3, scan_x=3))
        assert_same(cut, alone)


def labeled(dtype):
    patterns = scenes.counts((4, 5), DETECTOR, dose=5.0).astype(dtype)
    label = np.arange(20).reshape(4, 5) // 7
    return scenes.dataset(patterns, label=label, mean_similarity=np.ones((4, 5), np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
def test_means_of_patterns_do_not_depend_on_their_dtype(dtype):
    assert_same(daskstem.average(labeled(dtype)), daskstem.average(labeled("uint16")).compute())


@pytest.mark.parametrize("dtype", COMPARED_DTYPES)
def test_weights_and_similarity_do_not_depend_on_the_dtype(dtype):
    # all of these hold the counts exactly, so with the noise left in they agree to the bit
    results = []
    for ds in (labeled(dtype), labeled("uint16")):
        weights = daskstem.prefilter(ds, **{**PREFILTER, "radius_px": 1}, noise="none").compute()
        similar = daskstem.similarity(ds.assign(weights), noise="none").compute()
        results.append(weights.merge(similar))
    assert_same(*results)
