import pytest

import daskstem
from daskstem.run.execute import plan_recipe
from daskstem.run.plan import fitting_threads
from daskstem.run.workers import Resources
from daskstem.schema.errors import InputError
from tests import stores

GIB = 2**30


@pytest.fixture
def series(tmp_path):
    return stores.converted(tmp_path, (2, 20, 18, 16, 18))


def test_a_plan_writes_and_computes_nothing(series, tmp_path, nothing_computed):  # noqa: ARG001
    before = stores.files(series)
    plan = plan_recipe(stores.recipe(tmp_path), series)
    assert stores.files(series) == before
    assert [stage.done for stage in plan.stages] == [False] * len(plan.stages)


def test_a_plan_counts_what_the_halo_costs(series, tmp_path):
    plan = plan_recipe(stores.recipe(tmp_path), series)
    stages = {stage.name: stage for stage in plan.stages}
    # four blocks of 16 x 16, 16 x 2, 4 x 16, 4 x 2 positions, each with three rows around
    fused = stages["prefilter + similarity + background + grow"]
    assert fused.halo == pytest.approx((20 * 18 + 4 * 1) / (20 * 18), rel=1.0)
    assert fused.read_bytes == pytest.approx(fused.halo * 2 * 20 * 18 * 16 * 18 * 2, rel=1e-3)
    assert stages["summary"].halo == 1


def test_a_plan_says_what_is_there(series, tmp_path):
    daskstem.run_recipe(stores.recipe(tmp_path), series, quiet=True, workers=1)
    plan = plan_recipe(tmp_path / "small.toml", series, settings=["grow.threshold=0.6"])
    left = [stage.name for stage in plan.stages if not stage.done]
    assert left == ["grow", "average"]
    assert {stage.name: stage.read_bytes for stage in plan.stages}["grow"] == 0


def test_disk_that_cannot_hold_the_products_is_refused(series, tmp_path, monkeypatch):
    monkeypatch.setattr("daskstem.run.plan._free_bytes", lambda _: 1000)
    with pytest.raises(InputError, match="of disk, 0.00 GB are free"):
        plan_recipe(stores.recipe(tmp_path), series)


def test_threads_are_as_many_as_fit():
    available = Resources(workers=1, threads=8, memory_limit=8 * GIB)
    assert fitting_threads({"a": GIB, "b": 2 * GIB}, available)[0] == 3
    assert fitting_threads({"a": 1}, available)[0] == 8
    assert fitting_threads({}, available)[0] == 8
    threads, memory = fitting_threads({"b": 2 * GIB}, available)
    assert memory <= available.memory_limit
    with pytest.raises(InputError, match="'b' needs .* raise --memory-limit or use fewer"):
        fitting_threads({"a": 1, "b": 9 * GIB}, available)
