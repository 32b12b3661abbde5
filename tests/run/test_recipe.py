import pytest

from daskstem.run.bundled import recipe_names
from daskstem.run.recipe import read_recipe, recipe_for_step
from daskstem.schema.errors import InputError
from tests import stores


def test_the_bundled_recipes_are_read():
    assert {"default", "reference"} <= set(recipe_names())
    for name in recipe_names():
        assert read_recipe(name).name == name


def test_steps_keep_the_order_of_their_tables(tmp_path):
    path = stores.recipe(tmp_path)
    steps = [call.step.name for call in read_recipe(path).calls]
    assert steps[:3] == ["summary", "virtual", "prefilter"]


def test_a_recipe_holds_every_parameter_also_those_left_to_their_defaults(tmp_path):
    path = stores.recipe(tmp_path)
    grow = next(call for call in read_recipe(path).calls if call.step.name == "grow")
    assert grow.parameters == {
        "threshold": 0.5,
        "min_size": 2,
        "linkage": "single",
        "convention": "daskstem",
    }


@pytest.mark.parametrize(
    ("text", "value"), [("0.75", 0.75), ("1", 1.0), ("-0.5", -0.5), ("1e-1", 0.1)]
)
def test_settings_are_numbers_as_in_toml(tmp_path, text, value):
    found = read_recipe(stores.recipe(tmp_path), [f"grow.threshold={text}"])
    assert dict((c.step.name, c.parameters) for c in found.calls)["grow"]["threshold"] == value


def test_bare_words_and_lists_in_settings(tmp_path):
    settings = ["average.of=filtered", "prefilter.corr_range=[0.1, 0.2]", "background.method=otsu"]
    calls = read_recipe(stores.recipe(tmp_path), settings).calls
    found = {call.step.name: call.parameters for call in calls}
    assert found["average"]["of"] == "filtered"
    assert found["prefilter"]["corr_range"] == (0.1, 0.2)
    assert found["background"]["method"] == "otsu"


@pytest.mark.parametrize("setting", ["grow", "grow=1", "=1", "grow.=1"])
def test_a_setting_that_is_none_says_what_one_looks_like(tmp_path, setting):
    with pytest.raises(InputError, match="expected step.parameter=value"):
        read_recipe(stores.recipe(tmp_path), [setting])


def test_a_single_step_comes_after_those_that_its_store_was_made_by():
    before = [{"step": "prefilter", "parameters": {"radius_px": 2}},
              {"step": "similarity", "parameters": {}},
              {"step": "grow", "parameters": {"threshold": 0.5}}]  # fmt: skip
    calls = recipe_for_step("similarity", {"blur_px": 1.0}, before).calls
    assert [call.step.name for call in calls] == ["prefilter", "similarity"]
    assert calls[0].parameters["radius_px"] == 2
    assert calls[1].parameters["blur_px"] == 1.0
