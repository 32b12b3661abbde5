"""The whole way on a simulated series, with the truth to compare with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from daskstem.io.store import open_series
from daskstem.run.execute import RunSummary, run_recipe
from daskstem.run.report import write_report
from daskstem.run.simulate import TRUTH, simulate
from daskstem.schema import variables
from daskstem.testing import adjusted_rand_index

SHAPE: Final = (3, 64, 64, 96, 96)
SEED: Final = 1


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration made.

    Attributes
    ----------
    agreement
        Adjusted Rand index of clusters and grains over the grains' positions, for each
        frame.
    """

    summary: RunSummary
    agreement: tuple[float, ...]
    report: Path

    @property
    def verdict(self) -> str:
        """The agreement with the truth in words."""
        each = ", ".join(f"{value:.3f}" for value in self.agreement)
        mean = float(np.mean(self.agreement))
        return f"adjusted Rand index against the simulated grains: {mean:.3f} (frames: {each})"


def run_demo(out: str | Path, **available: Any) -> DemoResult:
    """Simulate a series, run the default recipe on it, compare and report.

    Parameters
    ----------
    out
        Folder for the store and the report.
    available
        ``workers``, ``memory_limit`` and ``scheduler``, as for ``run_recipe``.

    Returns
    -------
    DemoResult

    Raises
    ------
    InputError
        If the folder cannot be written or holds something else.
    """
    store = Path(out) / "demo.zarr"
    simulate(store, shape=SHAPE, seed=SEED, quiet=False, **available)
    summary = run_recipe("default", store, **available)
    return DemoResult(summary, agreement_with_truth(store), write_report(store))


def agreement_with_truth(store: str | Path) -> tuple[float, ...]:
    """Return the adjusted Rand index over the grains' positions, for each frame."""
    tree = open_series(store)
    truth = tree[TRUTH].dataset[variables.truth_label.name].values
    found = tree["segments"].dataset[variables.label.name].values
    return tuple(
        adjusted_rand_index(grains, clusters, where=grains >= 0)
        for grains, clusters in zip(truth, found, strict=True)
    )
