"""The model of scaling against closed forms, and the benchmark of it, small."""

from dataclasses import replace

import pytest

from tests.benchmarks.model import (
    MOST_CORES,
    Kind,
    Machine,
    cores_for,
    one_frame,
    scaled,
    series,
)
from tests.benchmarks.running import printed_by

FAST = Machine(1, file_system=1e15, stream=1e15, network=1e15, scheduler_s=0.0)


def test_computing_falls_with_the_cores_until_each_has_one_task():
    kinds = [Kind("s", "block", tasks=256, compute_s=0.5)]
    for cores, waves in ((1, 256), (2, 128), (16, 16), (100, 3), (256, 1), (1000, 1)):
        taken = one_frame(kinds, replace(FAST, cores=cores))
        assert taken.seconds == pytest.approx(0.5 * waves)


def test_a_single_task_is_not_helped_by_cores():
    kinds = [Kind("s", "block", 64, 1.0), Kind("s", "grow", 1, 3.0, per_block=False)]
    assert one_frame(kinds, replace(FAST, cores=64)).seconds == pytest.approx(1 + 3)


def test_reading_is_bound_by_the_stream_and_then_by_the_file_system():
    kinds = [Kind("s", "block", 64, 0.0, read_bytes=1e9)]
    slow = replace(FAST, stream=1e9, file_system=4e9)
    assert one_frame(kinds, replace(slow, cores=2)).read == pytest.approx(32)
    for cores in (4, 16, 64):
        taken = one_frame(kinds, replace(slow, cores=cores))
        assert taken.read == pytest.approx(64e9 / 4e9)
        assert taken.bound == "reading"


def test_the_scheduler_bounds_many_small_tasks():
    kinds = [Kind("s", "block", 1000, 0.001)]
    taken = one_frame(kinds, replace(FAST, cores=100, scheduler_s=0.002))
    assert taken.seconds == pytest.approx(2.0)
    assert taken.bound == "the scheduler"


def test_results_cross_the_network_only_where_there_is_more_than_one_core():
    kinds = [Kind("s", "block", 4, 1.0, moved_bytes=5e9)]
    slow = replace(FAST, network=1e9)
    assert one_frame(kinds, slow).transfer == 0
    assert one_frame(kinds, replace(slow, cores=4)).transfer == pytest.approx(5)


def test_a_larger_frame_has_more_blocks_and_longer_single_tasks():
    block, grow = scaled(
        [Kind("s", "block", 64, 1.0, 7.0, 10.0), Kind("s", "grow", 1, 2.0, per_block=False)], 4
    )
    assert (block.tasks, block.compute_s, block.read_bytes, block.moved_bytes) == (256, 1, 7, 40)
    assert (grow.tasks, grow.compute_s) == (1, 8)


def test_frames_together_take_as_long_as_one_where_cores_grow_with_them():
    kinds = [Kind("s", "block", 256, 0.5)]
    one = one_frame(kinds, replace(FAST, cores=16)).seconds
    assert series(kinds, replace(FAST, cores=64), 4).seconds == pytest.approx(one)
    # two frames are under way at once: single tasks are done two at a time
    alone = [Kind("s", "grow", 1, 1.0, per_block=False)]
    assert series(alone, replace(FAST, cores=64), 4).seconds == pytest.approx(2)


@pytest.mark.parametrize("seconds", [128.0, 64.0, 3.0, 0.5])
def test_enough_cores_are_the_fewest(seconds):
    kinds = [Kind("s", "block", 256, 0.5)]
    cores = cores_for(kinds, FAST, seconds)
    assert one_frame(kinds, replace(FAST, cores=cores)).seconds <= seconds
    if cores > 1:
        assert one_frame(kinds, replace(FAST, cores=cores - 1)).seconds > seconds


def test_no_number_of_cores_beats_the_longest_single_task():
    assert cores_for([Kind("s", "grow", 1, 20.0)], FAST, 13.0) is None
    assert MOST_CORES >= 4096


@pytest.mark.slow
def test_scaling_is_measured_and_modelled(tmp_path):
    # what is missed at this size is said, and is no failure of the benchmark
    printed = printed_by(
        "scaling", "--size", "32x32", "--frames", 6, "--repeats", 1, "--work", tmp_path,
        statuses=(0, 1),
    )  # fmt: skip
    for said in ("efficiency", "tasks a frame", "prefilter-similarity", "  256 ", "13 s"):
        assert said in printed
