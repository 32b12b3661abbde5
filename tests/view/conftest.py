"""Figures that tests open are closed again."""

from collections.abc import Iterator

import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def no_figures_left() -> Iterator[None]:
    """Close what pyplot keeps: it warns of many open figures."""
    yield
    pyplot.close("all")
