import json

import numpy as np
import pytest

import daskstem
from daskstem.schema.errors import InputError
from tests import stores

SHAPE = (2, 18, 17, 24, 24)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    one, other, third = (
        daskstem.simulate(tmp_path / f"{n}.zarr", shape=SHAPE, seed=seed, workers=1)
        for n, seed in enumerate((3, 3, 4))
    )
    stores.assert_same_store(one, other)
    assert stores.files(one) != stores.files(third)


def test_the_truth_lies_beside_the_patterns(tmp_path):
    tree = daskstem.open_series(daskstem.simulate(tmp_path / "s.zarr", shape=SHAPE, workers=1))
    assert tree["truth"].dataset["label"].shape == SHAPE[:3]
    assert tree["raw"].dataset["patterns"].shape == SHAPE
    assert tree["truth"].attrs["step"] == "simulate"


def test_a_truth_that_was_never_finished_is_written_by_the_same_call(tmp_path):
    store = daskstem.simulate(tmp_path / "s.zarr", shape=SHAPE, workers=1)
    expected = stores.arrays(store)
    document = store / "truth" / "zarr.json"
    content = json.loads(document.read_text())
    content["attributes"]["finished"] = False
    document.write_text(json.dumps(content))
    assert "truth" not in daskstem.open_series(store).children
    daskstem.simulate(store, shape=SHAPE, workers=1)
    assert "truth" in daskstem.open_series(store).children
    for name, values in stores.arrays(store).items():
        np.testing.assert_array_equal(values, expected[name])


def test_another_simulation_does_not_overwrite(tmp_path):
    store = daskstem.simulate(tmp_path / "s.zarr", shape=SHAPE, seed=1, workers=1)
    with pytest.raises(InputError, match="choose another target"):
        daskstem.simulate(store, shape=SHAPE, seed=2, workers=1)
