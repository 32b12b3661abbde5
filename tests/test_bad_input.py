"""Every mistake and every failure outside: one clear line, code 2, nothing half-written."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from daskstem.cli.main import entry
from daskstem.schema.provenance import SCHEMA_VERSION
from tests import stores

ROOT = Path(__file__).resolve().parents[1]
SHAPE = (2, 12, 10, 16, 18)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a series, its store with all products, and a recipe."""
    import daskstem

    folder = tmp_path_factory.mktemp("finished")
    stores.converted(folder, SHAPE)
    stores.recipe(folder)
    daskstem.run_recipe(folder / "small.toml", folder / "series.zarr", quiet=True, workers=1)
    return folder


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    """Return a copy of that folder, the current one."""
    copy = shutil.copytree(finished, tmp_path / "here")
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that runs a command line in this process: code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["daskstem", *map(str, arguments)])
        code = 0
        try:
            entry()
        except SystemExit as end:
            code = end.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def assert_refused(ended, *expected):
    """Check that a command ended with one line that holds the expected words."""
    code, out, problems = ended
    assert code == 2, problems
    lines = problems.splitlines()
    assert [line for line in lines if line.startswith("daskstem: ")] == lines[-1:]
    assert "Traceback" not in problems
    assert not out
    for words in expected:
        assert words in lines[-1]
    return lines


def assert_refused_at_once(ended, *expected):
    """Check the same, and that nothing else was said: it ended before anything ran."""
    assert len(assert_refused(ended, *expected)) == 1


def wrong_scan(path):
    np.save(path / "flat.npy", np.zeros((30, 8, 8), "u2"))
    return ["flat.npy", "new.zarr", "--scan-shape", "4,5"]


def a_picture(path):
    np.save(path / "picture.npy", np.zeros((8, 8)))
    return ["picture.npy", "new.zarr"]


def truncated_npy(path):
    whole = (path / "series.npy").read_bytes()
    (path / "cut.npy").write_bytes(whole[: len(whole) // 2])
    return ["cut.npy", "new.zarr"]


def truncated_hdf5(path):
    with h5py.File(path / "whole.h5", "w") as file:
        file["patterns"] = np.ones((4, 5, 16, 16), "u2")
    (path / "cut.h5").write_bytes((path / "whole.h5").read_bytes()[:4000])
    return ["cut.h5", "new.zarr"]


def of_text(path):
    (path / "notes.txt").write_text("thickness 40 nm")
    return ["notes.txt", "new.zarr"]


SOURCES = {
    "a missing file": (lambda _: ["missing.h5", "new.zarr"], "missing.h5"),
    "a pattern without files": (lambda _: ["no*.mib", "new.zarr"], "no*.mib"),
    "an empty file": (lambda p: (p / "e.mib").touch() or ["e.mib", "new.zarr"], "empty"),
    "a truncated array": (truncated_npy, "cut.npy"),
    "a truncated HDF5 file": (truncated_hdf5, "cut.h5"),
    "a wrong scan": (wrong_scan, "30"),
    "a picture": (a_picture, "not a diffraction series"),
    "a text": (of_text, "notes.txt"),
    "an unknown reader": (lambda _: ["series.npy", "new.zarr", "--reader", "x"], "'x'"),
    "no number": (lambda _: ["series.npy", "new.zarr", "--scan-shape", "a,b"], "'a,b'"),
    "too few values": (
        lambda _: ["series.npy", "new.zarr", "--frame-dim", "tilt", "--frame-values", "1"], "1"),
}  # fmt: skip


@pytest.mark.parametrize("what", SOURCES)
def test_a_source_that_is_none_leaves_no_store(folder, command, what):
    make, words = SOURCES[what]
    assert_refused_at_once(command("convert", *make(folder)), words)
    assert not (folder / "new.zarr").exists()


WRONG = {
    "grow.treshold=0.5": ("treshold", "it has threshold"),
    "nope.x=1": ("no step 'nope'",),
    "grow.threshold=high": ("'high'", "a number"),
    "grow.threshold=nan": ("not a number",),
    "prefilter.sigma_px=inf": ("not a number",),
    "grow.threshold=1.5": ("<= 1",),
    "prefilter.radius_px=2.5": ("a whole number",),
    "prefilter.corr_range=[-0.1, 0.9]": (">= 0",),
    "prefilter.corr_range=[0.9, 0.5]": ("increasing",),
    "prefilter.radius_px=50": ("larger than the scan",),
    "prefilter.edge_px=9": ("leaves nothing",),
    "similarity.q_inner_px=40.0": ("select no pixel",),
    "background.method=number": ("a threshold goes with",),
    "background.threshold=0.5": ("a threshold goes with",),
    "background.method=mask": ("a mask file goes with",),
    "grow.threshold": ("expected step.parameter=value",),
}


@pytest.mark.parametrize("setting", WRONG)
@pytest.mark.parametrize("name", ["run", "plan"])
def test_a_wrong_parameter_changes_nothing(finished, command, name, setting):
    before = stores.stamps(finished / "series.zarr")
    given = (finished / "small.toml", finished / "series.zarr", "--set", setting)
    assert_refused_at_once(command(name, *given), *WRONG[setting])
    assert stores.stamps(finished / "series.zarr") == before
    assert len(before) > 20


RECIPES = {
    "[similarty]": "no step 'similarty'",
    "x = 1": "stands outside a step's table",
    "[grow": "is not TOML",
    "": "has no steps",
    "[grow]\nthreshold = [1]": "is not a number",
    "[grow]": "similarity",
}


@pytest.mark.parametrize("text", RECIPES)
def test_a_wrong_recipe_is_refused(folder, command, text):
    (folder / "r.toml").write_text(text)
    shutil.rmtree(folder / "series.zarr" / "similarity")
    before = stores.files(folder / "series.zarr")
    assert_refused_at_once(command("run", "r.toml", "series.zarr"), RECIPES[text])
    assert stores.files(folder / "series.zarr") == before


def test_a_recipe_of_bytes_and_one_that_is_not_there(folder, command):
    (folder / "r.toml").write_bytes(b"\xff\xfe\x00")
    assert_refused_at_once(command("run", "r.toml", "series.zarr"), "r.toml")
    assert_refused_at_once(
        command("run", "nope", "series.zarr"), "one of default, kmeans, reference"
    )


USAGE = (
    ((), "run"), (("small.toml",), "run"), (("--nope",), "run"), (("x",), "nope"),
    (("series.zarr", "--threshold"), "step", "grow"), (("series.zarr",), "step", "crop"),
    (("small.toml", "series.zarr", "--workers", "0"), "run"),
    (("small.toml", "series.zarr", "--workers", "many"), "run"),
    (("small.toml", "series.zarr", "--memory-limit", "much"), "run"),
    (("small.toml", "series.zarr", "--memory-limit", "-1GB"), "plan"),
    (("new.zarr", "--shape", "1", "2"), "simulate"),
    (("new.zarr", "--shape", "1", "0", "4", "8", "8"), "simulate"),
)  # fmt: skip


@pytest.mark.parametrize("case", USAGE, ids=str)
def test_a_wrong_command_line_is_one_line_too(folder, command, case):
    arguments, *names = case
    assert_refused_at_once(command(*names, *arguments))
    assert not (folder / "new.zarr").exists()


def test_memory_for_not_even_one_task_is_refused_before_anything_is_written(folder, command):
    given = ("--memory-limit", "1MB")
    ended = command("run", "small.toml", "series.zarr", "--set", "summary=1", *given)
    assert_refused_at_once(ended)
    shutil.rmtree(folder / "series.zarr" / "prefilter")
    ended = command("run", "small.toml", "series.zarr", *given)
    assert_refused_at_once(ended, "--memory-limit", "the limit is 0.00 GiB")
    assert not (folder / "series.zarr" / "prefilter").exists()
    assert_refused_at_once(command("convert", "series.npy", "new.zarr", *given), "--memory-limit")
    assert not (folder / "new.zarr").exists()


def test_no_scheduler_at_the_address(folder, command, monkeypatch):
    monkeypatch.setattr("daskstem.run.workers.PATIENCE", "1s")
    address = "tcp://127.0.0.1:9"
    ended = command("convert", "series.npy", "new.zarr", "--scheduler", address)
    assert_refused_at_once(ended, "no scheduler answers", address)
    assert not (folder / "new.zarr").exists()
    assert_refused_at_once(
        command("run", "small.toml", "series.zarr", "--set", "grow.threshold=0.4",
                "--scheduler", "nonsense"), "no scheduler answers", "nonsense",
    )  # fmt: skip
    assert (folder / "series.zarr" / "segments").exists()


TARGETS = {
    "below a file": ("series.npy/new.zarr", "cannot write"),
    "a file": ("small.toml", "exists and is not a daskstem store"),
    "a folder of other things": ("other", "exists and is not a daskstem store"),
    "a Zarr store of others": ("theirs.zarr", "not a daskstem store"),
    "the kernel's": ("/proc/new.zarr", "cannot write"),
    "a store of other patterns": ("series.zarr", "patterns of another source"),
    "a URL": ("https://example.org/new.zarr", "is a URL"),
}


@pytest.mark.parametrize("what", TARGETS)
def test_a_target_that_is_taken_or_cannot_be_written_stays_as_it_is(folder, command, what):
    target, words = TARGETS[what]
    np.save(folder / "new.npy", np.ones((3, 4, 8, 8), "u2"))
    (folder / "other").mkdir()
    (folder / "other" / "notes").write_text("mine")
    zarr.open_group(folder / "theirs.zarr", mode="w")
    before = stores.files(folder)
    assert_refused(command("convert", "new.npy", target), words, target)
    assert stores.files(folder) == before


def test_a_store_from_a_newer_version_is_not_touched(folder, command):
    document = folder / "series.zarr" / "zarr.json"
    content = json.loads(document.read_text())
    content["attributes"]["daskstem_schema"] = SCHEMA_VERSION + 1
    document.write_text(json.dumps(content))
    for arguments in (("info",), ("run", "small.toml"), ("report",)):
        assert_refused_at_once(command(*arguments, "series.zarr"), "upgrade daskstem")
    assert_refused_at_once(command("convert", "series.npy", "series.zarr"), "upgrade daskstem")


@pytest.mark.parametrize("name", ["info", "report"])
@pytest.mark.usefixtures("folder")
def test_no_store_at_all(command, name):
    assert_refused_at_once(command(name, "missing.zarr"), "no store", "daskstem convert")
    assert_refused_at_once(command(name, "series.npy"), "no store")


def test_an_unfinished_conversion_says_how_to_continue(folder, command):
    document = folder / "series.zarr" / "raw" / "zarr.json"
    content = json.loads(document.read_text())
    content["attributes"] |= {"finished": False, "finished_frames": [0]}
    document.write_text(json.dumps(content))
    for arguments in (("run", "small.toml"), ("plan", "small.toml"), ("step", "grow")):
        ended = command(*arguments, "series.zarr")
        assert_refused_at_once(ended, "1 of 2 frames", "run the same convert")
    assert command("info", "series.zarr")[0] == 0


def damaged(folder, group, flip):
    """Damage a file, or the last one of a folder, and return its name in that folder."""
    place = folder / "series.zarr" / group
    path = place if place.is_file() else max(p for p in place.rglob("*") if p.is_file())
    if flip is None:
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[int(flip * (len(content) - 1))] ^= 0xFF
        path.write_bytes(content)
    return str(path.relative_to(folder / "series.zarr" / group))


@pytest.mark.parametrize("flip", [0.0, 0.3, 0.7, 1.0, None])
def test_a_rotten_or_lost_chunk_of_patterns_is_named_and_mended_by_convert(folder, command, flip):
    name = damaged(folder, "raw/patterns/c", flip)
    shutil.rmtree(folder / "series.zarr" / "summary")
    ended = command("run", "small.toml", "series.zarr", "--workers", 1)
    assert_refused(ended, f"chunk c/{name}", "raw/patterns", "convert")
    (folder / "series.zarr" / "raw" / "patterns" / "c" / name).unlink(missing_ok=True)
    assert command("convert", "series.npy", "series.zarr", "--workers", 1)[0] == 0
    assert command("run", "small.toml", "series.zarr", "--workers", 1)[0] == 0


LOST = {
    "similarity/similarity/c": ("chunk c/1/0/0/0", "grow.min_size=3"),
    "segments/n_clusters/c": ("chunk c/1", "average.of=filtered"),
    "similarity/neighbor_y/zarr.json": ("zarr.json below", "grow.min_size=3"),
    "segments/zarr.json": ("zarr.json below", "average.of=filtered"),
}


@pytest.mark.parametrize("place", LOST)
@pytest.mark.parametrize("flip", [0.5, None])
def test_a_rotten_or_lost_product_is_named_and_can_be_made_again(folder, command, place, flip):
    words, change = LOST[place]
    damaged(folder, place, 0.0 if flip and "json" in place else flip)
    given = ("run", "small.toml", "series.zarr", "--workers", 1, "--set", change)
    if flip is not None or "json" not in place:
        assert_refused(command(*given), words, "delete th", place.split("/")[0])
        shutil.rmtree(folder / "series.zarr" / place.split("/")[0])
    assert command(*given)[0] == 0


def disk_full(*_args, **_keywords):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("after", [0, 3, 30])
def test_a_disk_that_fills_up_is_said_and_the_run_goes_on_afterwards(
    folder, command, monkeypatch, after
):
    shutil.rmtree(folder / "series.zarr" / "prefilter")
    put, count = zarr.storage._local._put, 0

    def limited(*args, **keywords):
        nonlocal count
        count += 1
        return disk_full() if count > after else put(*args, **keywords)

    with monkeypatch.context() as full:
        full.setattr("zarr.storage._local._put", limited)
        ended = command("run", "small.toml", "series.zarr", "--workers", 1)
        assert_refused(ended, "the disk is full", "run the same command again")
    assert command("run", "small.toml", "series.zarr", "--workers", 1)[0] == 0


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 300 kB, or skip."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "daskstem-test", str(place)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_ends_a_conversion_with_one_line(small_disk, tmp_path, command):
    noise = np.random.default_rng(0).integers(0, 60000, (2, 20, 20, 32, 32)).astype("u2")
    np.save(tmp_path / "noise.npy", noise)
    ended = command("convert", tmp_path / "noise.npy", small_disk / "new.zarr")
    assert_refused(ended, "the disk is full", "free some space")
    assert_refused_at_once(command("run", "default", small_disk / "new.zarr"), "half-written")


@pytest.mark.usefixtures("folder")
def test_two_writers_at_once_are_refused(command):
    from daskstem.io.store import open_root
    from daskstem.io.writing import sole_writer

    with sole_writer(open_root("series.zarr")):
        ended = command("run", "small.toml", "series.zarr", "--set", "grow.threshold=0.4")
        assert_refused_at_once(ended, "another process is writing")
    assert command("run", "small.toml", "series.zarr")[0] == 0


def test_worker_processes_do_not_add_lines_of_their_own(folder):
    damaged(folder, "raw/patterns/c", 0.5)
    shutil.rmtree(folder / "series.zarr" / "summary")
    ended = subprocess.run(
        [sys.executable, "-m", "daskstem", "run", "small.toml", "series.zarr", "--workers", "2"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = assert_refused((ended.returncode, ended.stdout, ended.stderr), "is damaged")
    assert len(lines) == 2
    assert lines[0].startswith("dashboard: ")
