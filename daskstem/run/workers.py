"""A Dask client: one made for this machine, or a running one."""

import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Final

import dask
import zarr
from dask.utils import parse_bytes
from distributed import Client, LocalCluster, Security
from distributed.utils import silence_logging_cmgr
from threadpoolctl import threadpool_limits

from daskstem.schema.errors import InputError

PATIENCE: Final = "10s"
"""How long a running scheduler may take to answer."""
DASHBOARD_PORT: Final = 8787
"""Where Dask shows its dashboard as a rule, if nothing else listens there."""
MESSAGES_WAIT_S: Final = 0.001
"""How long what is to go to a worker waits for more to go with it. A frame's maps are a chain of
tasks, and each of them waits: 5.6 ms with Dask's 5 ms, 3.0 with this."""
_ENVIRONMENT: Final = "distributed.nanny.pre-spawn-environ"
CORES_PER_WORKER: Final = 8
"""Threads of one process share its memory and compiled kernels; beyond these they queue."""


@dataclass(frozen=True)
class Resources:
    """What a run may use.

    Attributes
    ----------
    workers
        Worker processes; with one, tasks run in threads of this process.
    threads
        Threads of each worker.
    memory_limit
        Bytes over all processes together, this one included.
    scheduler
        Address of a running scheduler, which then decides all of this.
    """

    workers: int
    threads: int
    memory_limit: int
    scheduler: str | None = None


def resources(
    *, workers: int | None = None, memory_limit: str | None = None, scheduler: str | None = None
) -> Resources:
    """Work out what a run may use from what the user said and this machine has.

    Raises
    ------
    InputError
        If the memory limit is not a size, or workers is not positive.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: expected 1 or more")
    count = workers or max(1, cores // CORES_PER_WORKER)
    return Resources(count, max(1, cores // count), _bytes(memory_limit), scheduler)


@contextmanager
def connected(available: Resources, threads: int | None = None) -> Iterator[Client]:
    """Yield a client; what was started for it ends with the context.

    Everything listens on localhost only.
    """
    # what goes wrong is said once, by the exception, and not by every process it passes
    with silence_logging_cmgr(logging.CRITICAL):
        if available.scheduler is not None:
            with _running(available.scheduler) as client:
                yield client
            return
        with (
            _one_thread_per_task(),
            _local_cluster(available, threads or available.threads) as cluster,
            Client(cluster) as client,
        ):
            yield client


@contextmanager
def _one_thread_per_task() -> Iterator[None]:
    """Keep BLAS and Zarr from starting threads of their own beside those of the tasks.

    Blosc needs no word: outside the main thread it works in the thread that calls it.
    """
    with (
        threadpool_limits(limits=1),
        zarr.config.set({"threading.max_workers": 1}),
        # for worker processes, which Dask keeps from BLAS's threads already
        dask.config.set({f"{_ENVIRONMENT}.ZARR_THREADING__MAX_WORKERS": 1}),
    ):
        yield


@contextmanager
def _local_cluster(available: Resources, threads: int) -> Iterator[LocalCluster]:
    own_processes = available.workers > 1
    key = "distributed.dashboard.link"
    settings = {
        # the link names the machine otherwise, on whose address nothing listens
        key: str(dask.config.get(key)).replace("{host}", "127.0.0.1"),
        # sampling other threads' frames can lock up Python 3.11 for good (cpython#106883)
        "distributed.worker.profile.enabled": sys.version_info >= (3, 12),
        # how late its loop is, a cluster asks itself 50 times a second: on two cores, of which
        # the tasks need both, that costs a tenth of the time
        "distributed.admin.tick.interval": "200ms",
        # a laptop that slept would find its workers given up, and wait for ever; what ends a
        # worker closes its connection, and that is seen
        "distributed.scheduler.worker-ttl": None,
    }
    with dask.config.set(settings), warnings.catch_warnings():
        # without a free port for the dashboard distributed takes another one and says so
        warnings.filterwarnings("ignore", message="Port .* is already in use")
        with _interrupts_kept_from_children():
            cluster = LocalCluster(
                n_workers=available.workers,
                threads_per_worker=threads,
                processes=own_processes,
                # blocks are planned to fit: spilling and pausing at the limit would only stall
                memory_limit=0,
                host="127.0.0.1" if own_processes else None,
                dashboard_address=f"127.0.0.1:{_free_port()}",
                # a worker in this process has no host to bind to and would listen everywhere
                worker_dashboard_address=None if own_processes else "127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
        for stream in cluster.scheduler.stream_comms.values():
            stream.interval = MESSAGES_WAIT_S
        try:
            yield cluster
        finally:
            # a worker that has died may be about to start again, and Dask cannot end it then;
            # what it raises would stand where the user is told why workers were lost
            with suppress(AssertionError):
                cluster.close()


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Let processes started within, and by threads started within, not hear of Ctrl-C.

    A terminal sends it to all processes; only this one is to answer, and ends the others.
    """
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    # started by the first child otherwise, whose thread it leaves with signals unblocked
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _running(address: str) -> Iterator[Client]:
    certified = Security().get_connection_args("client").get("ssl_context") is not None
    if address.startswith("tls://") and not certified:
        raise InputError(
            f"{address} wants TLS and no certificates are configured; set "
            f"DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__TLS__CLIENT__CERT and ..__TLS__CLIENT__KEY"
        )
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no scheduler answers at {address}; start one with 'dask scheduler', "
            f"or leave --scheduler out to use this machine"
        ) from error
    with client:
        yield client


def _free_port() -> int:
    """Return the dashboard's port if it is free, else 0, which takes any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DASHBOARD_PORT))
        except OSError:
            return 0
    return DASHBOARD_PORT


def _bytes(text: str | None) -> int:
    if text is None:
        return int(0.8 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        size = int(parse_bytes(text))
    except ValueError as error:
        raise InputError(
            f"--memory-limit {text}: expected a size such as 4GiB or 800MB"
        ) from error
    if size <= 0:
        raise InputError(f"--memory-limit {text}: expected a size above zero")
    return size
