"""What the report says of steps, on a small store that was cut and binned on the way."""

import re
import tomllib

import numpy as np
import pytest

import daskstem
from daskstem.cli.main import main
from daskstem.run.recipe import read_recipe
from daskstem.run.report import write_report
from daskstem.run.report_content import gather
from daskstem.run.report_steps import as_seen, at_limits, filtering, steps_of
from daskstem.schema.errors import InputError
from tests.commands import checked

RECIPE = """
[summary]
[crop]
scan_y = [2, 22]
scan_x = [0, 20]
[rebin]
q = 2
[virtual]
[prefilter]
radius_px = 2
[similarity]
[background]
[grow]
threshold = 0.8
min_size = 1
[average]
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    recipe = folder / "cut.toml"
    recipe.write_text(RECIPE)
    made = daskstem.simulate(folder / "cut.zarr", shape=(2, 24, 24, 32, 32), seed=4)
    daskstem.run_recipe(recipe, made, quiet=True)
    return made


@pytest.fixture(scope="module")
def tree(store):
    return daskstem.open_series(store)


def test_patterns_are_seen_as_the_step_saw_them(tree):
    raw = tree["raw/patterns"].values[1, 2:22, 0:20].astype(np.int64)
    binned = raw.reshape(20, 20, 16, 2, 16, 2).sum(axis=(3, 5))
    np.testing.assert_array_equal(as_seen(tree, "clusters", 1)["patterns"].values[0], binned)
    # the summary was made before
    assert as_seen(tree, "summary", 1)["patterns"].shape == (1, 24, 24, 32, 32)


def test_the_pattern_after_the_filter_is_the_mean_of_that_position_alone(tree):
    ds = as_seen(tree, "background", 0)
    for position in ((0, 0), (9, 12), (19, 19)):
        label = np.full((1, 20, 20), -1, np.int32)
        label[0][position] = 0
        alone = ds.assign(label=(("frame", "scan_y", "scan_x"), label))
        expected = daskstem.average(alone, of="filtered")["pattern"].values[0]
        found = filtering(tree, 0, position)
        np.testing.assert_array_equal(found["single"], ds["patterns"].values[0][position])
        # the step's are float32
        np.testing.assert_allclose(found["filtered"], expected, rtol=2e-5, atol=1e-4)
    weights = tree["prefilter/weights"].values[0].astype(float)
    np.testing.assert_allclose(found["n_averaged"], 1 / (weights**2).sum(-1), rtol=1e-5)


def test_the_recipe_on_the_page_makes_the_same_keys(tree, store, tmp_path):
    text = write_report(store, tmp_path / "page.html").read_text()
    recipe = re.search(r"<pre>(.*?)</pre>", text, re.DOTALL)[1].replace("&quot;", '"')
    assert list(tomllib.loads(recipe)) == list(tomllib.loads(RECIPE))
    again = tmp_path / "recipe.toml"
    again.write_text(recipe)
    assert [c.parameters for c in read_recipe(again).calls] == [
        c.parameters for c in read_recipe(store.parent / "cut.toml").calls
    ]
    before = {name: child.attrs["key"] for name, child in tree.children.items()}
    summary = daskstem.run_recipe(again, store, quiet=True)
    # nothing was made anew
    assert not any(summary.seconds.values())
    after = daskstem.open_series(store)
    assert {name: child.attrs["key"] for name, child in after.children.items()} == before


def test_maps_of_another_scan_are_left_out(tree):
    content = gather(tree, store="cut.zarr")
    assert "truth_label" not in content.frames[0].maps
    assert content.frames[0].maps["label"].shape == (20, 20)
    assert content.frames[0].maps["scan_y"].values[0] == tree["segments/scan_y"].values[0]
    assert content.frames[0].shown["pattern"].shape[1:] == (16, 16)


def test_each_step_says_what_was_chosen(tree):
    steps = {one.name: one for one in steps_of({n: c.attrs for n, c in tree.children.items()})}
    assert list(steps) == list(tomllib.loads(RECIPE))
    assert steps["grow"].chosen == {"threshold": 0.8, "min_size": 1}
    assert steps["crop"].group == ""
    assert steps["average"].chosen == {}
    limits = [(one.step, one.parameter) for one in at_limits(tuple(steps.values()))]
    assert limits == [("grow", "min_size")]


def test_the_table_is_that_of_the_store(tree):
    content = gather(tree, store="cut.zarr")
    clusters = tree["clusters"].to_dataset()
    order = np.argsort(-clusters["n_positions"].values, kind="stable")[
        : content.largest.sizes["cluster"]
    ]
    np.testing.assert_array_equal(content.largest["n_positions"], clusters["n_positions"][order])
    # 16 pixels are fewer than a small pattern may have: nothing is binned
    np.testing.assert_allclose(content.largest["small_pattern"], clusters["pattern"].values[order])
    label = tree["segments/label"].values
    for row in range(clusters.sizes["cluster"]):
        inside = label[int(clusters["frame"][row])] == int(clusters["label"][row])
        touches = inside[[0, -1]].any() or inside[:, [0, -1]].any()
        assert bool(content.table["at_border"][row]) == touches


def test_two_runs_are_compared(store, tmp_path):
    other = daskstem.simulate(tmp_path / "other.zarr", shape=(2, 24, 24, 32, 32), seed=4)
    recipe = tmp_path / "other.toml"
    recipe.write_text(RECIPE.replace("threshold = 0.8", "threshold = 0.97"))
    daskstem.run_recipe(recipe, other, quiet=True)
    page = write_report(other, compare=store)
    assert page == tmp_path / "other_comparison.html"
    text = page.read_text()
    assert "<td>threshold</td><td>0.8</td><td>0.97</td>" in text
    assert "<td>min_size</td>" not in text
    assert "Patterns</th><td>the same" in text
    labels = [daskstem.open_series(s)["segments/label"].values for s in (store, other)]
    counts = [sum(len(np.unique(m[m >= 0])) for m in label) for label in labels]
    assert f"The first run found {counts[0]:,} clusters, the second {counts[1]:,}" in text
    assert "http" not in text


def test_a_run_equals_itself(store, tmp_path):
    text = write_report(store, tmp_path / "same.html", compare=store).read_text()
    assert "adjusted Rand index is 1.000" in text
    assert "100 % are in the same cluster in both" in text
    assert "None: both runs had the same steps and parameters." in text


def test_scans_of_other_shapes_are_not_compared(store, tmp_path):
    other = daskstem.simulate(tmp_path / "other.zarr", shape=(1, 24, 24, 32, 32), seed=4)
    with pytest.raises(InputError, match="has no clusters to compare .* run 'daskstem run"):
        write_report(store, compare=other)
    daskstem.run_recipe("default", other, quiet=True)
    with pytest.raises(InputError, match=r"2 x 20 x 20 .* 1 x 24 x 24 .* compared on one scan"):
        write_report(other, compare=store)
    assert not (tmp_path / "other_comparison.html").exists()


def test_the_command_takes_a_store_to_compare_with():
    checked("daskstem report --compare former.zarr scan.zarr")
    assert "--compare" in {o for p in main.commands["report"].params for o in p.opts}
