import os
import signal
import time
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import get_worker

from daskstem.io.stored import StoredArray
from daskstem.run.tasks import FrameJob, run_frames, write_block, write_job
from daskstem.run.workers import connected, resources
from daskstem.schema.errors import InputError


@pytest.fixture(scope="module")
def client():
    with connected(resources(workers=1), 2) as found:
        yield found


def finished(client, jobs, on_task=lambda _: None):
    """Run jobs and return the frames in the order in which they were finished."""
    done = []
    run_frames(client, jobs, on_task=on_task, on_frame=lambda job, _: done.append(job.frame))
    return done


def job_of(frame, *functions):
    return FrameJob(
        frame, {(f"f{frame}", n): (f,) for n, f in enumerate(functions)},
        {(f"f{frame}", n): 10 for n in range(len(functions))},
    )  # fmt: skip


@pytest.mark.parametrize("sizes", [[0], [0, 0, 0], [2, 0], [0, 2], [1, 0, 0, 3], [2] * 5, []])
def test_frames_are_finished_in_order_also_those_without_tasks(client, sizes):
    counted = []
    jobs = [job_of(n, *[int] * size) for n, size in enumerate(sizes)]
    assert finished(client, iter(jobs), counted.append) == list(range(len(sizes)))
    assert sum(counted) == 10 * sum(sizes)


def test_only_a_few_frames_are_under_way_at_once(client):
    begun, done = [], []

    def jobs():
        for n in range(6):
            begun.append(n)
            assert len(begun) - len(done) <= 2
            yield job_of(n, int)

    run_frames(client, jobs(), on_task=lambda _: None, on_frame=lambda job, _: done.append(job))
    assert len(done) == 6


def test_what_a_job_has_done_here_is_done_while_its_tasks_run(client, tmp_path):
    seen = tmp_path / "seen"

    def wait():
        until = time.monotonic() + 20
        while not seen.exists() and time.monotonic() < until:
            time.sleep(0.01)
        return seen.exists()

    found = []
    run_frames(
        client, [replace(job_of(0, wait), meanwhile=seen.touch)], on_task=lambda _: None,
        on_frame=lambda _, futures: found.extend(client.gather(list(futures.values()))),
    )  # fmt: skip
    assert found == [True]


def test_the_reason_of_a_failure_is_raised(client):
    def refuse():
        raise InputError("chunk c/0 is damaged")

    with pytest.raises(InputError, match="chunk c/0 is damaged"):
        finished(client, [job_of(0, int), job_of(1, int, refuse)])


@pytest.mark.slow
def test_workers_that_die_again_and_again_are_said_to():
    def die():
        get_worker()
        os.kill(os.getpid(), signal.SIGKILL)

    lost = pytest.raises(InputError, match="workers were lost, .* continue")
    with connected(resources(workers=2), 1) as client, lost:
        finished(client, [job_of(0, die)])


def test_every_block_of_a_job_is_written_once(client, tmp_path):
    target = zarr.create_array(
        tmp_path / "a.zarr", shape=(3, 5, 6), chunks=(1, 2, 3), dtype="f4", fill_value=-1
    )
    values = np.arange(30, dtype="f4").reshape(1, 5, 6)
    job = write_job(1, {"x": da.from_array(values, (1, 2, 3))}, {"x": target}, 1000)
    assert len(job.keys) == 6
    assert sum(job.keys.values()) == pytest.approx(1000, abs=6)
    assert finished(client, [job]) == [1]
    np.testing.assert_array_equal(target[1], values[0])
    assert (target[0] == -1).all()


def test_a_block_that_cannot_be_written_names_the_array(tmp_path):
    target = zarr.create_array(tmp_path / "a.zarr", shape=(1, 4), chunks=(1, 4), dtype="f4")
    (tmp_path / "a.zarr" / "c").write_text("in the way")
    with pytest.raises(InputError, match="cannot write to .*a.zarr"):
        write_block(StoredArray.whole(target), (slice(0, 1), slice(0, 4)), np.ones((1, 4), "f4"))
