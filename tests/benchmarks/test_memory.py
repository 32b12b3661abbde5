"""The memory benchmark, small: a series larger than what a task may hold stays in the limit."""

from tests.benchmarks.running import printed_by


def test_converting_and_running_stay_in_the_memory_limit(tmp_path):
    printed = printed_by(
        "memory", "--shape", 1, 96, 96, 96, 96, "--files", 3, "--memory-limit", "1GiB",
        "--folder", tmp_path,
    )  # fmt: skip
    assert "of the limit" in printed
