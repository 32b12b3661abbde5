"""Weights with which each position's neighbors enter its filtered pattern."""

from typing import Annotated, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.halo import map_with_halo
from daskstem.schema import variables
from daskstem.schema.parameters import Between, Increasing
from daskstem.steps.comparing import (
    NoiseModel,
    WeightsOfBlock,
    footprint_comparison,
    wrap_weights,
)
from daskstem.steps.step import step


@step
def prefilter(
    ds: xr.Dataset,
    *,
    sigma_px: Annotated[float | None, Between(0)] = None,
    radius_px: Annotated[int, Between(0)] = 4,
    corr_range: Annotated[tuple[float, float], Increasing(0, 1)] = (0.65, 0.95),
    edge_px: Annotated[int | None, Between(0)] = None,
    self_weight: Annotated[float, Between(0, open_low=True)] = 1.0,
    noise: NoiseModel = "auto",
    gain: Annotated[float, Between(0, open_low=True)] = 1.0,
    center: tuple[float, float] | None = None,
    convention: Literal["daskstem", "published"] = "daskstem",
) -> xr.Dataset:
    """Weights of each position's footprint in its filtered pattern.

    Patterns are blurred and weighted by r^2 only to be compared; the filtered pattern is
    the weighted mean of the raw patterns of those neighbors that correlate. It is linear in
    them, so the weights are all there is to keep: see ``filtered_patterns``.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x).
    sigma_px
        Gaussian blur in detector pixels; by default 1/64 of the detector's shorter side,
        from 1 to 3.
    radius_px
        Radius of the footprint in positions; 4 gives 69 offsets, 0 the pattern alone.
    corr_range
        Correlation where a neighbor's weight begins, and where it reaches 1.
    edge_px
        Width of the detector's frame that is not compared; by default 1/16 of the shorter
        side, at most 12.
    self_weight
        Weight of the pattern itself, before normalisation.
    noise
        ``poisson`` takes the counting noise out of the patterns' norms, so that a
        correlation means the same at every dose; ``none`` leaves it in; ``auto`` is
        ``poisson`` for integer patterns and ``none`` for others.
    gain
        Detector counts per electron, for ``noise``.
    center
        Row and column of the beam on the detector, in pixels; its middle by default.
    convention
        ``published``: neighbors in the scan's first row or column are never used, and
        weights <= 1e-3 stay in the normalisation.

    Returns
    -------
    Dataset, lazy, float32, with ``weights`` ([frame,] scan_y, scan_x, offset), each row of
    which sums to 1 (offsets outside the scan weigh 0), and ``signal`` ([frame,] scan_y,
    scan_x), the energy of the weighted pattern in counts^2, noise taken out as ``noise``
    says. Coordinates ``offset_y`` and ``offset_x``.

    Raises
    ------
    InputError
        If patterns are missing, a parameter is not allowed, or the radius exceeds the scan.

    Notes
    -----
    Lee et al., arXiv:2601.17262, doi 10.1093/mam/ozag044.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> counts = np.random.default_rng(0).poisson(2, (8, 8, 32, 32)).astype("u2")
    >>> made = daskstem.prefilter(xr.Dataset({"patterns": (dims, counts)}), radius_px=2)
    >>> made["weights"].shape
    (8, 8, 21)
    """
    patterns = variables.require(ds, variables.patterns)
    compare = footprint_comparison(
        ds,
        sigma_px=sigma_px,
        radius_px=radius_px,
        corr_range=corr_range,
        edge_px=edge_px,
        self_weight=self_weight,
        noise=noise,
        gain=gain,
        center=center,
        convention=convention,
    )
    found = map_with_halo(
        WeightsOfBlock(compare),
        da.asarray(patterns.data),
        depths=[compare.depth],
        channels=len(compare.offsets) + 1,
        dtype=np.float32,
        name="prefilter",
    )
    return wrap_weights(found, compare.offsets)
