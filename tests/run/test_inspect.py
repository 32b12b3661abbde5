import json

import pytest

from daskstem.io.store import begin_group, open_root
from daskstem.run.execute import run_step
from daskstem.run.inspect import inspected
from daskstem.schema.errors import InputError
from tests import stores


def test_only_parameters_that_differ_from_the_defaults_are_kept(tmp_path):
    store = stores.converted(tmp_path, (1, 9, 10, 16, 18))
    given = {"radius_px": 2, "corr_range": [0.85, 0.95], "edge_px": 1, "sigma_px": 1.0}
    run_step("prefilter", store, parameters=given, quiet=True, workers=1)
    attrs = inspected(store).groups["prefilter"].attrs
    assert attrs["parameters"].keys() <= {"radius_px", "edge_px", "sigma_px", "corr_range"}
    assert attrs["parameters"]["edge_px"] == 1
    stored = json.loads((store / "prefilter" / "zarr.json").read_text())["attributes"]
    assert len(stored["parameters"]) > len(attrs["parameters"])


def test_unfinished_groups_are_looked_at_too(tmp_path):
    store = stores.converted(tmp_path, (1, 5, 6, 8, 8))
    begin_group(open_root(store, mode="r+"), "half", {}, {}, {"step": "other"})
    groups = inspected(store).groups
    assert set(groups) == {"raw", "half"}
    assert groups["half"].attrs["finished"] is False


def test_a_damaged_coordinate_is_named(tmp_path):
    store = stores.converted(tmp_path, (1, 5, 6, 8, 8))
    chunk = store / "raw" / "scan_y" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-3] + b"rot")
    with pytest.raises(InputError, match="raw/scan_y is damaged"):
        inspected(store)
