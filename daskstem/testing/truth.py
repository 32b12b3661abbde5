"""What a simulated series really holds, known without a single pattern."""

from typing import Final

import numpy as np
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.dims import FRAME, SCAN_X, SCAN_Y
from daskstem.testing.series import SimulatedSeries
from daskstem.testing.tilt import TiltSeries

_TILE: Final = 64


def truth_of(series: SimulatedSeries) -> xr.Dataset:
    """Return the grain at every position, its orientation and strain, and the detector's faults.

    Parameters
    ----------
    series
        What `simulated_series` returned.

    Returns
    -------
    Dataset with ``label`` (frame, scan_y, scan_x) int32, the grain with the largest share of
    the probe, the same number in every frame, -1 for the film; ``purity`` float32, that share,
    in (0, 1]; ``orientation`` (frame, grain, row, column) and ``strain`` (grain, row, column)
    float64; ``descan_y`` and ``descan_x`` (frame, scan_y, scan_x) float32, the beam's centre in
    detector pixels; ``bad_pixel`` (frame, q_y, q_x) bool, the hot pixels. A grain that has not
    appeared yet has an orientation too, so rows of ``orientation`` may be without positions.
    Of a tilt series also ``reflection_intensity`` (frame, grain, reflection), and
    ``reflection_vector`` (reflection, column), the reciprocal vectors in crystal axes, float32.

    Examples
    --------
    >>> from daskstem.testing import simulated_series
    >>> dict(truth_of(simulated_series((2, 8, 8, 24, 24))).label.sizes)
    {'frame': 2, 'scan_y': 8, 'scan_x': 8}
    """
    n_frames = series.shape[0]
    maps = [_maps(series, frame) for frame in range(n_frames)]
    orientation = [series.orientations(frame) for frame in range(n_frames)]
    shift = series.beam_shift(*np.indices(series.shape[1:3]))
    center = ((np.array(series.shape[3:]) - 1) / 2 + shift).astype(np.float32)
    data = {
        variables.truth_label: np.stack([label for label, _ in maps]),
        variables.truth_purity: np.stack([purity for _, purity in maps]),
        variables.truth_orientation: np.stack(orientation),
        variables.truth_strain: series.scene.strain,
        variables.descan_y: np.broadcast_to(center[..., 0], series.shape[:3]),
        variables.descan_x: np.broadcast_to(center[..., 1], series.shape[:3]),
        variables.bad_pixel: np.tile(series.hot_values > 0, (n_frames, 1, 1)),
    }
    if isinstance(series, TiltSeries):
        data |= {
            variables.truth_intensity: np.stack(
                [series.reflection_intensities(frame) for frame in range(n_frames)]
            ).astype(np.float32),
            variables.truth_reflection: series.reflections.vectors.astype(np.float32),
        }
    coords = {
        FRAME: np.arange(n_frames),
        variables.GRAIN: np.arange(series.scene.n_grains),
        **{
            dim: series.axes[dim].coordinate(dim, size)
            for dim, size in zip((SCAN_Y, SCAN_X), series.shape[1:3], strict=True)
        },
    }
    return xr.Dataset({spec.name: spec.wrap(values) for spec, values in data.items()}, coords)


def _maps(series: SimulatedSeries, frame: int) -> tuple[np.ndarray, np.ndarray]:
    label = np.empty(series.shape[1:3], np.int32)
    purity = np.empty(series.shape[1:3], np.float32)
    for y in range(0, series.shape[1], _TILE):
        rows = range(y, min(y + _TILE, series.shape[1]))
        for x in range(0, series.shape[2], _TILE):
            columns = range(x, min(x + _TILE, series.shape[2]))
            tile = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            present, share, _ = series.shares(frame, rows, columns)
            label[tile] = present[share.argmax(axis=-1)]
            purity[tile] = share.max(axis=-1).clip(max=1.0)
    return label, purity
