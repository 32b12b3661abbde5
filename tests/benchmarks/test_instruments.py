"""The instruments of the benchmarks measure what they say."""

import os
import subprocess
import sys
import time

import pytest

from tests.benchmarks.contest import Answer, Timing, contender, interleaved
from tests.benchmarks.page_cache import drop, resident_share, warm
from tests.benchmarks.table import Row, compared, printed
from tests.benchmarks.watching import Memory, measured, watched


def test_memory_is_added_up_over_all_processes():
    # each of the two holds 150 MiB for a second
    hold = "import time; held = b'1' * (150 * 2**20); time.sleep(1)"
    both = f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {hold!r}])\n"
    found = measured("two", [sys.executable, "-c", f"{both}{hold}\nchild.wait()"])
    assert 300 * 2**20 < found.peak_bytes < 400 * 2**20
    assert found.seconds > 1


def test_a_command_that_fails_ends_the_measurement():
    with pytest.raises(SystemExit, match="ended with 3"):
        measured("fails", [sys.executable, "-c", "raise SystemExit(3)"])


def test_peaks_are_those_of_equal_stretches_of_time():
    memory = Memory([0.0, 1.0, 2.0, 9.0, 10.0], [5, 7, 6, 1, 2])
    assert memory.peaks(2) == [7, 2]
    assert memory.peak_bytes == 7


def test_watching_ends_with_the_process():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    with watched(child.pid) as memory:
        child.wait()
        time.sleep(0.2)
    assert memory.peak_bytes >= 0


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="only Linux drops pages on request")
def test_dropped_files_are_gone_from_memory_and_read_ones_are_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(4 * 2**20))
    assert warm([tmp_path]) == 1.0
    if drop([tmp_path]) > 0:
        pytest.skip("files of this folder live in memory only")
    assert resident_share([path]) == 0.0
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        file.read(2**20)
    assert 0.2 < resident_share([path]) < 0.9


def answering(works):
    return f"""import json, sys
from tests.benchmarks.answering import answer
print("a library that talks")
answer({works}, about=json.loads(sys.argv[1])["name"])
"""


def test_contenders_are_asked_in_turns(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(answering("{'work': lambda: print('more') or 7}"))
    order = []
    with contender(str(script), name="a") as a, contender(str(script), name="b") as b:
        assert (a.about, b.about) == ("a", "b")
        turns = {"a": (a, "work"), "b": (b, "work")}
        found = interleaved(turns, 3, before=lambda: order.append("before"), once=["b"])
    assert len(order) == 4
    assert [len(found[name].answers) for name in "ab"] == [3, 1]
    assert found["a"].found == 7
    assert found["a"].peak_bytes > 2**20


def test_the_reason_of_a_contender_that_breaks_down_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(answering("{'work': lambda: 1 / 0}"))
    with (
        contender(str(script), name="a") as a,
        pytest.raises(RuntimeError, match="ZeroDivisionError"),
    ):
        a.ask("work")


def test_ratio_is_how_many_times_as_fast():
    answers = {name: _timing(seconds) for name, seconds in (("fast", [2, 1, 9]), ("slow", [8]))}
    row = compared("work", answers["fast"], "slow", answers["slow"], wanted=5)
    assert row.ratio == 4
    assert row.verdict == "MISSED"
    assert "4 x" in printed([row])
    assert Row("memory", 2**30, "limit", 2**31, wanted=2, unit="bytes").verdict == "met"


def _timing(seconds):
    return Timing(tuple(Answer(s, None, 0) for s in seconds))
