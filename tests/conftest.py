"""What all tests may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest

from daskstem.run import workers

# Dask's sampling profiler can lock up Python 3.11 for good (cpython#106883); the environment
# is for the schedulers and workers that tests start.
os.environ["DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"] = "false"
dask.config.set({"distributed.worker.profile.enabled": False})

# processes that run tests side by side would take the usual port from each other between asking
# and listening, and Dask leaves the socket open that found it taken
workers.DASHBOARD_PORT = 0

SHARED_DATA = Path(__file__).resolve().parents[1] / "../shared/data"


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real files, or skip where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder shared/data beside the repository is absent")
    return SHARED_DATA.resolve()


def _refuse(*_args: object, **_keywords: object) -> None:
    raise AssertionError("something was computed that should have stayed lazy")


@pytest.fixture
def nothing_computed() -> Iterator[None]:
    """Make every Dask computation fail."""
    with dask.config.set(scheduler=_refuse):
        yield
