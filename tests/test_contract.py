"""What holds for every step of the registry on its way through a store."""

import warnings
from pathlib import Path

import distributed
import numpy as np
import pytest
import xarray as xr
import zarr

import daskstem
from daskstem.chunks import tiling
from daskstem.run.execute import run_step
from daskstem.schema import variables
from daskstem.schema.dims import FRAME, MAP, PATTERN, SCAN, Q
from daskstem.schema.parameters import parameters_of
from daskstem.steps.registry import STEPS
from tests import stores

SHAPE = (2, 21, 18, 16, 18)
PARAMETERS = {
    "crop": {"scan_y": [3, 20], "q_x": [1, 17]},
    "rebin": {"scan": 1},
    "correct": {},
    "prefilter": {"sigma_px": 1.0, "edge_px": 1, "radius_px": 2, "corr_range": [0.3, 0.9]},
    "similarity": {"q_inner_px": 1.5},
    "background": {"method": "none"},
    "hierarchy": {"min_size": 2, "levels": [0.3, 0.5]},
    "grow": {"threshold": 0.5, "min_size": 2},
    "average": {"of": "filtered"},
    "tracks": {"least_similarity": 0.2},
    "kmeans": {"k": [2, 3], "where": "clusters"},
}
ALL = {name: PARAMETERS.get(name, {}) for name in STEPS}
VIEWS = [name for name, step in STEPS.items() if step.kind == "view"]
STORED = {name: table for name, table in ALL.items() if name not in VIEWS}
ROUNDED = {
    "pattern", "residual", "inertia", "track_pattern", "particle_pattern", "intensity",
}  # fmt: skip
MEASURED = {"link_score", "rotation"}


def ran(folder, tables, *, store="series.zarr", **available):
    """Run a recipe of these tables on a fresh series and return the store."""
    made = stores.converted(folder, SHAPE, store)
    path = folder / "recipe.toml"
    path.write_text(stores.toml(tables))
    daskstem.run_recipe(path, made, quiet=True, **available)
    return made


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return a store with the product of every step that needs no view."""
    return ran(tmp_path_factory.mktemp("stored"), STORED, workers=1)


@pytest.fixture(scope="module")
def viewed(tmp_path_factory):
    """Return a store with the product of every step, views before the others."""
    return ran(tmp_path_factory.mktemp("viewed"), ALL, workers=1)


def test_worker_processes_make_the_same_bytes(viewed, tmp_path):
    stores.assert_same_store(ran(tmp_path, ALL, workers=2), viewed)


def test_a_running_scheduler_makes_the_same_bytes(viewed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        # a relative path means this folder, not the workers'
        made = ran(Path(), ALL, scheduler=cluster.scheduler_address)
    stores.assert_same_store(made, viewed)


@pytest.mark.parametrize("side", [8, 12, 32])
def test_blocks_of_any_size_make_the_same(viewed, tmp_path, monkeypatch, side):
    monkeypatch.setattr(tiling, "LARGEST_SIDE", side)
    monkeypatch.setattr(tiling, "SMALLEST_SIDE", side)
    expected = stores.arrays(viewed)
    found = stores.arrays(ran(tmp_path, ALL, workers=1))
    assert found.keys() == expected.keys()
    for name, values in found.items():
        if name.rpartition("/")[2] in ROUNDED or name == "summary/mean_pattern":
            # sums in another order: the last bits of float32
            np.testing.assert_allclose(values, expected[name], rtol=1e-6)
        elif name.rpartition("/")[2] in MEASURED:
            # scores and degrees from patterns that differ by that much
            np.testing.assert_allclose(values, expected[name], atol=1e-4)
        else:
            np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_steps_one_by_one_make_what_the_recipe_makes(stored, tmp_path):
    made = stores.converted(tmp_path, SHAPE)
    for name, table in STORED.items():
        run_step(name, made, parameters=table, quiet=True, workers=1)
    one, other = stores.files(made), stores.files(stored)
    assert one.keys() == other.keys()
    assert [n for n in one if one[n] != other[n] and not n.endswith("zarr.json")] == []


def used(step):
    """Return what the step uses with the parameters of the recipe."""
    defaults = {name: p.default for name, p in parameters_of(step.function).items()}
    return step.used({**defaults, **ALL[step.name]})


def dependents(name):
    """Return the groups that hold the step's product or anything made from it."""
    made, groups = {spec.name for spec in STEPS[name].makes}, {STEPS[name].group}
    if STEPS[name].kind == "series":
        # the classes' label and patterns are not those that other steps mean
        return groups
    for step in list(STEPS.values())[list(STEPS).index(name) + 1 :]:
        if step.kind == "view" or not made & {spec.name for spec in used(step)}:
            continue
        groups.add(step.group)
        if step.kind != "series":
            made |= {spec.name for spec in step.makes}
    return groups


CHANGES = {
    "virtual": {"bright_radius_px": 3.0},
    "similarity": {"q_inner_px": 2.5},
    "grow": {"min_size": 3},
    "average": {"of": "raw"},
    "kmeans": {"seed": 1},
}


def test_a_changed_parameter_remakes_what_depends_on_it_and_nothing_else(tmp_path):
    made = ran(tmp_path, STORED, workers=1)
    tables = dict(STORED)
    for name, change in CHANGES.items():
        before = stores.stamps(made)
        tables[name] = {**tables[name], **change}
        (tmp_path / "recipe.toml").write_text(stores.toml(tables))
        daskstem.run_recipe(tmp_path / "recipe.toml", made, quiet=True, workers=1)
        after = stores.stamps(made)
        changed = {p for p in before if before[p] != after.get(p)}
        touched = {p.removeprefix(f"{made}/").split("/")[0] for p in changed}
        assert touched == dependents(name)
        assert before.keys() == after.keys()
    before = stores.stamps(made)
    daskstem.run_recipe(tmp_path / "recipe.toml", made, quiet=True, workers=1)
    assert stores.stamps(made) == before


def test_products_after_views_have_the_coordinates_of_what_they_saw(viewed):
    tree = daskstem.open_series(viewed)
    raw = tree["raw"].dataset
    prefilter, clusters = tree["prefilter"].dataset, tree["clusters"].dataset
    np.testing.assert_array_equal(prefilter["scan_y"], raw["scan_y"][3:20])
    np.testing.assert_array_equal(prefilter["scan_x"], raw["scan_x"])
    np.testing.assert_array_equal(clusters["q_x"], raw["q_x"][1:17])
    assert prefilter["signal"].shape == (2, 17, 18)
    assert clusters["pattern"].shape[1:] == (16, 16)


def test_binned_patterns_make_binned_products(tmp_path):
    tables = {"rebin": {"scan": 3, "q": 2}, "summary": {}, "virtual": {}}
    tree = daskstem.open_series(ran(tmp_path, tables, workers=1))
    raw, made = tree["raw"].dataset, tree["virtual"].dataset
    np.testing.assert_allclose(made["scan_y"], raw["scan_y"].values.reshape(7, 3).mean(1))
    plain = daskstem.rebin(raw, scan=3, q=2)["patterns"]
    found = tree["summary"].dataset["mean_pattern"]
    np.testing.assert_allclose(found, plain.mean(SCAN).compute(), rtol=1e-5)
    np.testing.assert_array_equal(found["q_y"], plain["q_y"])


SHAPES = {
    "one frame": (1, 9, 10, 16, 18), "one row": (2, 1, 13, 16, 18),
    "one column": (1, 13, 1, 16, 18), "4D": (7, 6, 16, 18), "one position": (1, 1, 1, 16, 18),
}  # fmt: skip


@pytest.mark.parametrize("what", SHAPES)
def test_every_step_takes_narrow_and_single_scans(tmp_path, what):
    shape = SHAPES[what]
    path = tmp_path / "scan.npy"
    np.save(path, np.random.default_rng(0).poisson(3.0, shape).astype("u2"))
    made = daskstem.convert(path, tmp_path / "s.zarr", quiet=True, workers=1)
    tables = {name: {} if name in VIEWS else t for name, t in ALL.items()}
    if max(shape[-4:-2]) == 1:
        # one pattern is not two classes
        del tables["kmeans"]
    if min(shape[-4:-2]) == 1:
        tables["prefilter"] = {**tables["prefilter"], "radius_px": max(shape[-4:-2]) // 2}
    (tmp_path / "r.toml").write_text(stores.toml(tables))
    daskstem.run_recipe(tmp_path / "r.toml", made, quiet=True, workers=1)
    tree = daskstem.open_series(made)
    made = {STEPS[name].group for name in tables if STEPS[name].kind != "view"}
    assert set(tree.children) == {"raw", *made}
    assert tree["segments"].dataset["label"].shape == (*(1,) * (5 - len(shape)), *shape)[:3]


def specs_of(name):
    """Return the variables that a step stores, by name."""
    extra = variables.cluster_table if STEPS[name].kind == "table" else ()
    return {spec.name: spec for spec in (*STEPS[name].makes, *extra)}


@pytest.mark.parametrize("name", [n for n in STEPS if n not in VIEWS])
def test_every_group_opens_with_plain_xarray_as_the_schema_says(viewed, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = xr.open_zarr(viewed, group=STEPS[name].group).load()
        ours = daskstem.open_series(viewed)[STEPS[name].group].to_dataset().load()
    assert ours.data_vars
    for key, found in ours.variables.items():
        np.testing.assert_array_equal(found.values, plain[key].values)
        assert found.dims == plain[key].dims
        assert found.attrs.get("units") == plain[key].attrs.get("units")
    assert set(plain.coords) == set(ours.coords)
    for key, spec in specs_of(name).items():
        if key not in ours.variables:
            continue
        assert ours[key].dims == spec.dims
        assert ours[key].dtype.kind in spec.kinds
        assert ours[key].attrs["units"] == spec.units
    for dim in (*SCAN, *Q):
        if dim in ours.dims:
            assert "units" in ours.coords[dim].attrs
    if any(spec.dims in (MAP, PATTERN) for spec in specs_of(name).values()):
        assert FRAME in ours.coords


@pytest.mark.parametrize("name", [n for n in STEPS if n not in VIEWS])
def test_every_product_says_where_it_came_from(viewed, name):
    attrs = daskstem.open_series(viewed)[STEPS[name].group].attrs
    assert attrs["step"] == name
    assert set(ALL[name]) <= set(attrs["parameters"])
    assert attrs["finished"] is True
    assert {"version", "time", "host", "source", "key"} <= set(attrs)
    assert [entry["step"] for entry in attrs["recipe"]][-1] == name


def test_raw_patterns_are_what_the_file_held(viewed):
    found = daskstem.open_series(viewed)["raw"].dataset["patterns"]
    np.testing.assert_array_equal(found, np.load(viewed.parent / "series.npy"))
    array = zarr.open_array(viewed / "raw" / "patterns", mode="r")
    assert array.shards is not None
    assert array.dtype == np.uint16
