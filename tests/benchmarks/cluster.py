"""A scheduler and workers as on a cluster, in processes of their own on this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.contest import ROOT

PATIENCE_S = 60


@dataclass(frozen=True)
class Cluster:
    """Where the scheduler listens, and its process."""

    address: str
    scheduler: psutil.Process


@contextmanager
def cluster(folder: Path, *, workers: int, threads: int) -> Iterator[Cluster]:
    """Start a scheduler and workers that listen on this machine only; end them after."""
    told = folder / "scheduler.json"
    told.unlink(missing_ok=True)
    common = ["--scheduler-file", str(told), "--no-dashboard"]
    with ExitStack() as stack:
        scheduler = stack.enter_context(
            _process("scheduler", "--host", "127.0.0.1", "--port", "0", *common)
        )
        _wait_for(told, scheduler)
        for _ in range(workers):
            stack.enter_context(
                _process("worker", "--host", "127.0.0.1", "--nthreads", str(threads),
                         "--no-nanny", "--memory-limit", "0", *common)
            )  # fmt: skip
        address = json.loads(told.read_text())["address"]
        yield Cluster(address, psutil.Process(scheduler.pid))


@contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # sampling other threads' frames can lock up Python 3.11 for good (cpython#106883)
    settings = {"PYTHONPATH": path, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *command], env={**os.environ, **settings},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(told: Path, scheduler: subprocess.Popen[bytes]) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not (told.exists() and told.read_text().strip().endswith("}")):
        if scheduler.poll() is not None or time.monotonic() > patience:
            raise SystemExit("the scheduler did not start")
        time.sleep(0.05)
