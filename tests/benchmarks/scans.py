"""Simulated scans at a given dose, as far as their similarities, for the benchmarks."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

import daskstem
from daskstem.schema.dims import SCAN, Q
from daskstem.testing import adjusted_rand_index, simulated_series, truth_of


@dataclass(frozen=True)
class Scan:
    """One frame: the maps that growing needs, and the truth."""

    maps: xr.Dataset
    truth: np.ndarray

    def agreement(self, label: np.ndarray) -> float:
        """Adjusted Rand index over the positions of grains; rejected ones are a part too."""
        return adjusted_rand_index(self.truth, label, where=self.truth >= 0)


def compared(dose: float, seed: int, side: int, *, noise: str = "auto", known: bool) -> Scan:
    """Simulate a scan and compare its patterns.

    Parameters
    ----------
    dose
        Beam electrons per detector pixel and pattern.
    seed
        Of the simulation.
    side
        Positions along each scan axis; the detector has 96 x 96 pixels.
    noise
        As for the steps prefilter and similarity.
    known
        Whether the mask is the truth's, or that of the step background.
    """
    shape = (1, side, side, 96, 96)
    series = simulated_series(shape, seed=seed, counts_per_pixel=dose)
    truth = truth_of(series)["label"].values[0]
    patterns = series.read(tuple(slice(0, size) for size in shape))[0]
    ds = xr.Dataset({"patterns": ((*SCAN, *Q), patterns)})
    ds = ds.merge(daskstem.prefilter(ds, noise=noise).compute())
    ds = ds.merge(daskstem.similarity(ds, noise=noise).compute())
    mask = (SCAN, truth >= 0) if known else daskstem.background(ds).compute()["mask"]
    return Scan(ds.assign(mask=mask)[["similarity", "mean_similarity", "mask"]], truth)
