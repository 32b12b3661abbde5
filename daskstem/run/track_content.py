"""What a report shows of the tracks."""

from typing import Final

import numpy as np
import xarray as xr

from daskstem.schema import track_variables, variables
from daskstem.schema.dims import FRAME, SCAN

MOST_ROWS: Final = 192
"""Rows and columns of the small maps of all frames: more than their pictures have pixels."""


def computed_tracks(tracks: xr.Dataset, table: xr.Dataset) -> xr.Dataset:
    """Return all that is known of the tracks but their patterns; empty if not made."""
    if track_variables.track.name not in tracks.variables or not table:
        return xr.Dataset()
    return tracks.drop_vars(track_variables.track_pattern.name, errors="ignore").compute()


def track_numbers(
    label: np.ndarray, table: xr.Dataset, tracks: xr.Dataset, frame: int
) -> np.ndarray:
    """Paint the clusters of one frame with the numbers of their tracks.

    Parameters
    ----------
    label : (Y, X) int32
        Clusters of the frame; -1 for none.
    table
        ``frame`` and ``label`` (cluster) of all clusters.
    tracks
        ``track`` (cluster).
    frame
        Which frame it is.

    Returns
    -------
    (Y, X) int32, -1 for none.
    """
    here = table[variables.cluster_frame.name].values == frame
    numbers = table[variables.cluster_label.name].values[here]
    number = np.full(int(label.max(initial=-1)) + 2, -1, np.int32)
    number[numbers + 1] = tracks[track_variables.track.name].values[here]
    return number[label + 1]


def small_track_maps(
    segments: xr.Dataset, table: xr.Dataset, tracks: xr.Dataset
) -> xr.DataArray | None:
    """Paint every frame, thinned so that a picture of all frames has enough of them.

    Frames are read one by one. None if there are no labels or no tracks.
    """
    label = segments.get(variables.label.name)
    if label is None or not tracks:
        return None
    thinned = {dim: slice(None, None, -(-label.sizes[dim] // MOST_ROWS)) for dim in SCAN}
    maps = []
    for frame in range(label.sizes[FRAME]):
        one = label.isel({FRAME: [frame]})
        painted = track_numbers(one.values[0], table, tracks, frame)
        maps.append(one.copy(data=painted[np.newaxis]).isel(thinned))
    return xr.concat(maps, FRAME)
