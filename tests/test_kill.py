"""A run that is killed at any moment, given again, ends in the bytes of one left alone."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import stores

ROOT = Path(__file__).resolve().parents[1]


def started(module, *arguments):
    """Start a module of Python in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def killed_before(changes, store, *command):
    """Run a command, killed before its n-th change of the store for every n, then whole."""
    process = started("tests.killing", store, json.dumps(changes), *command)
    told, problems = process.communicate(timeout=120)
    assert process.returncode == 0, problems[-2000:]
    return json.loads(told.splitlines()[-1])


def moments(total, number):
    """Return a few moments of a run: the first, some spread over it, some by chance."""
    chance = random.Random()  # noqa: S311
    spread = [total * (n + 1) // (number + 2) for n in range(number)]
    found = [1, *(chance.randint(max(2, n // 2), n) for n in spread[: number // 2 + 1])]
    print("killed before the changes", found)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return a folder with a series, its store, the same with all products, and a recipe."""
    folder = tmp_path_factory.mktemp("undisturbed")
    stores.scan_file(folder)
    stores.recipe(folder, kmeans={"k": 2, "where": "clusters"})
    given = (folder / "series.npy", folder / "raw.zarr", "--workers", 1)
    ends = {"convert": killed_before([], folder / "raw.zarr", "convert", *given)[-1]}
    shutil.copytree(folder / "raw.zarr", folder / "run.zarr")
    given = (folder / "small.toml", folder / "run.zarr", "--workers", 1)
    ends["run"] = killed_before([], folder / "run.zarr", "run", *given)[-1]
    return folder, ends


def test_a_killed_conversion_is_continued_to_the_same_bytes(undisturbed, tmp_path):
    folder, changes = undisturbed
    store = tmp_path / "raw.zarr"
    given = (folder / "series.npy", store, "--workers", 1)
    at = [1, 2, 3, 5, *moments(changes["convert"], 6)]
    ends = killed_before(at, store, "convert", *given)
    assert ends.count("killed") >= 6
    stores.assert_same_store(store, folder / "raw.zarr")


def test_a_killed_run_is_continued_to_the_same_bytes(undisturbed, tmp_path):
    folder, changes = undisturbed
    store = shutil.copytree(folder / "raw.zarr", tmp_path / "run.zarr")
    given = (folder / "small.toml", store, "--workers", 1)
    total = changes["run"]
    # the last ones fall into the table and into what records the end
    ends = killed_before([*moments(total, 7), total // 6, total // 30, 9], store, "run", *given)
    assert ends.count("killed") >= 5
    stores.assert_same_store(store, folder / "run.zarr")


def test_a_killed_replacement_is_continued_to_the_same_bytes(undisturbed, tmp_path):
    folder, _ = undisturbed
    store = shutil.copytree(folder / "run.zarr", tmp_path / "run.zarr")
    expected = shutil.copytree(folder / "run.zarr", tmp_path / "expected.zarr")
    change = ("--set", "grow.threshold=0.7", "--workers", 1)
    recipe = folder / "small.toml"
    total = killed_before([], expected, "run", recipe, expected, *change)[-1]
    # while old products are moved away, while they are deleted, while new ones are made
    ends = killed_before([3, 40, total // 2], store, "run", recipe, store, *change)
    assert ends.count("killed") >= 2
    stores.assert_same_store(store, expected)


@pytest.mark.slow
def test_killed_processes_leave_nothing_running_or_locked(undisturbed, tmp_path):
    folder, _ = undisturbed
    store = shutil.copytree(folder / "raw.zarr", tmp_path / "run.zarr")
    command = ("run", folder / "small.toml", store, "--workers", 2)
    process = started("daskstem", *command)
    wait_for(store / "prefilter" / "weights" / "c" / "0", process)
    workers = psutil.Process(process.pid).children(recursive=True)
    before = stores.stamps(store)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    again = started("daskstem", *command)
    _, told = again.communicate(timeout=60)
    assert again.returncode == 0, told
    assert before.items() <= stores.stamps(store).items()
    stores.assert_same_store(store, folder / "run.zarr")


def wait_for(path, process):
    """Wait until a file is there."""
    until = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.002)
