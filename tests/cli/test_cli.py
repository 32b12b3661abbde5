import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from daskstem.cli.main import main
from daskstem.schema.parameters import parameters_of
from daskstem.steps.registry import STEPS
from tests import stores

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (2, 12, 10, 16, 18)


def ran(*arguments):
    """Run a command in this process and return what it printed."""
    result = CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def started(*arguments, **given):
    """Start the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "daskstem", *map(str, arguments)], start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"}, **given,
    )  # fmt: skip


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_says_what_it_does(command):
    told = ran(command, "--help")
    assert "Usage: " in told
    assert (main.commands[command].help or "").splitlines()[0].split(";")[0][:40] in told


@pytest.mark.parametrize("name", [n for n, step in STEPS.items() if step.kind != "view"])
def test_every_step_is_a_command_with_its_parameters(name):
    told = ran("step", name, "--help")
    for parameter in parameters_of(STEPS[name].function):
        assert "--" + parameter.replace("_", "-") in told
    assert name in ran("step", "--help")


def test_help_comes_without_loading_the_compilers():
    heavy = "{'numba', 'dask', 'distributed', 'xarray', 'zarr', 'matplotlib'}"
    code = f"import daskstem.cli.main, sys; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_whole_way_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    stores.scan_file(tmp_path, SHAPE)
    stores.recipe(tmp_path)
    ran("convert", "series.npy", "s.zarr", "--frame-dim", "time", "--frame-values", "0,13",
        "--workers", 1)  # fmt: skip
    assert "to do" in ran("plan", "small.toml", "s.zarr")
    told = ran("run", "small.toml", "s.zarr", "--workers", 1)
    assert re.search(r"reduction +[0-9]+ x", told)
    assert "to do" not in ran("plan", "small.toml", "s.zarr")
    assert "2 x 12 x 10 x 16 x 18" in ran("info", "s.zarr")
    ran("step", "grow", "s.zarr", "--threshold", "0.7", "--min-size", "1", "--workers", 1)
    assert "report: " in ran("report", "s.zarr")
    assert (tmp_path / "s_report.html").is_file()


def test_a_simulation_takes_its_shape_from_the_command_line(tmp_path):
    store = tmp_path / "s.zarr"
    told = ran("simulate", store, "--shape", 1, 16, 17, 24, 24, "--seed", 2, "--workers", 1)
    assert str(store) in told
    assert stores.arrays(store)["raw/patterns"].shape == (1, 16, 17, 24, 24)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_keyboard_interrupt_ends_everything_with_one_line(tmp_path, workers):
    store = tmp_path / "s.zarr"
    process = started(
        "simulate", store, "--shape", 40, 64, 64, 64, 64, "--workers", workers,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (store / "raw" / "patterns" / "c" / "0").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert told.split() == [
        "daskstem:",
        "stopped;",
        "the",
        "same",
        "command",
        "continues",
        "where",
        "it",
        "was",
    ]
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_terminal_shows_percent_rate_and_time_left(tmp_path):
    ours, theirs = pty.openpty()
    process = started(
        "simulate", tmp_path / "s.zarr", "--shape", 3, 48, 48, 64, 64, "--workers", 1,
        stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    told = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        told += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told.decode())
    assert re.search(r"simulate .* +[0-9]+% [0-9.]+ [MG]B/s [0-9:-]+", text), text
    assert "3 of 3 frames in" in text
