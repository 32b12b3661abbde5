"""The explorer's benchmark on a small store: it runs, and nothing takes long."""

import pytest

from tests.benchmarks.explorer import measured
from tests.explorer import series
from tests.explorer.browser import chromium

BUSY = 8
"""How much slower a machine may be on which other tests run."""


@pytest.mark.slow
def test_the_explorer_answers_soon(tmp_path):
    chromium()
    store = series.with_all_steps(series.measured(tmp_path))
    lines = {line.name: line for line in measured(store, samples=10, openings=1)}
    assert {"first useful picture", "pattern under the cursor", "threshold slider"} <= set(lines)
    assert "frame change, label" in lines
    for line in lines.values():
        print(line)
        assert line.found_ms < BUSY * line.limit_ms
