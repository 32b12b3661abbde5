import operator
import socket
import sys
import threading
import time
import urllib.request

import psutil
import pytest
import zarr
from distributed import LocalCluster
from threadpoolctl import threadpool_info

from daskstem.run import workers
from daskstem.run.workers import connected, resources
from daskstem.schema.errors import InputError


def listening():
    """Return the addresses this process and its children listen on."""
    here = psutil.Process()
    return {
        connection.laddr.ip
        for process in (here, *here.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_everything_listens_on_this_machine_only_and_the_dashboard_answers(workers):
    before = listening()
    with connected(resources(workers=workers), 2) as client:
        assert listening() - before <= {"127.0.0.1"}
        assert client.dashboard_link.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(client.dashboard_link, timeout=10) as page:  # noqa: S310
            assert page.status == 200
        assert set(client.nthreads().values()) == {2}
        assert len(client.nthreads()) == workers
        seen = client.gather(client.map(lambda _: threading.get_ident(), range(20), pure=False))
    commands = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    # Python keeps one process that looks after semaphores, as long as this one lives
    assert [c for c in commands if not any("resource_tracker" in word for word in c)] == []
    assert len(set(seen)) <= 2 * workers


def test_a_chosen_link_to_the_dashboard_is_kept():
    import dask

    link = "/proxy/{port}/status"
    available = resources(workers=1)
    with dask.config.set({"distributed.dashboard.link": link}), connected(available) as client:
        assert client.dashboard_link.startswith("/proxy/")


@pytest.mark.parametrize("limit", ["much", "-1GB", "0", "4 apples"])
def test_a_memory_limit_that_is_no_size_is_refused(limit):
    with pytest.raises(InputError, match="--memory-limit"):
        resources(memory_limit=limit)


def test_what_may_be_used_is_what_was_said():
    found = resources(workers=2, memory_limit="4GiB")
    assert (found.workers, found.memory_limit) == (2, 4 * 2**30)
    assert resources().memory_limit < psutil.virtual_memory().total
    with pytest.raises(InputError, match="--workers 0"):
        resources(workers=0)


def test_tls_without_certificates_says_what_to_set():
    available = resources(scheduler="tls://127.0.0.1:9")
    with pytest.raises(InputError, match="TLS__CA_FILE"), connected(available):
        pass


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="mended in Python 3.12")
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_samples_the_frames_of_other_threads(workers):
    with connected(resources(workers=workers), threads=1) as client:
        sampling = client.run(lambda dask_worker: "profile" in dask_worker.periodic_callbacks)
        assert sampling
        assert not any(sampling.values())


def threads_of_libraries():
    blas = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    return blas, zarr.config.get("threading.max_workers")


@pytest.mark.parametrize("workers", [1, 2])
def test_libraries_start_no_threads_beside_those_of_the_tasks(workers):
    before = threads_of_libraries()
    with connected(resources(workers=workers), 2) as client:
        assert client.submit(threads_of_libraries).result() == ({1}, 1)
    assert threads_of_libraries() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_machine_that_slept_has_its_workers_still(workers):
    with connected(resources(workers=workers), 1) as client:
        scheduler = client.cluster.scheduler

        async def asleep():
            for worker in scheduler.workers.values():
                worker.last_seen -= 86400
            if "worker-ttl" in scheduler.periodic_callbacks:
                await scheduler.check_worker_ttl()

        client.sync(asleep)
        assert client.submit(int, "7").result(timeout=30) == 7
        assert len(scheduler.workers) == workers


def test_a_chain_of_tasks_waits_less_than_dask_lets_it():
    with connected(resources(workers=1)) as client:
        times = []
        for turn in range(5):
            chain = {(turn, n): (operator.neg, (turn, n - 1)) for n in range(1, 41)}
            started = time.perf_counter()
            assert client.get({(turn, 0): 1, **chain}, (turn, 40)) == 1
            times.append((time.perf_counter() - started) / len(chain))
    assert min(times) < 0.005


def test_the_dashboard_leaves_a_taken_port_to_whom_it_belongs(monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(workers, "DASHBOARD_PORT", taken)
        with connected(resources(workers=1)) as client:
            assert f":{taken}/" not in client.dashboard_link
    with connected(resources(workers=1)) as client:
        assert f":{taken}/" in client.dashboard_link


def test_a_cluster_that_cannot_end_a_worker_hides_no_reason(monkeypatch):
    ended = LocalCluster.close

    def close(cluster):
        ended(cluster)
        raise AssertionError("can only join a started process")

    monkeypatch.setattr(LocalCluster, "close", close)
    with pytest.raises(InputError, match="workers were lost"), connected(resources(workers=1)):
        raise InputError("workers were lost")
