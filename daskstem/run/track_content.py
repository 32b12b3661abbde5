"""What a report shows of the tracks, and of the particles extracted along them."""

from typing import Final

import numpy as np
import xarray as xr

from daskstem.schema import extract_variables, track_variables, variables
from daskstem.schema.dims import FRAME, PARTICLE, SCAN, TRACK, Q
from daskstem.view.content import ORDER, SHOWN, SHOWN_FRAME

MOST_ROWS: Final = 192
"""Rows and columns of the small maps of all frames: more than their pictures have pixels."""

MOST_PARTICLES: Final = 8
MOST_TILTS: Final = 7
"""Patterns shown of the extracted ones: a sheet of paper of them."""


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


def particles(extracted: xr.Dataset, tracks: xr.Dataset) -> xr.Dataset:
    """Return what a report shows of the extracted particles; empty if there are none.

    Parameters
    ----------
    extracted
        As ``extract`` makes it.
    tracks
        As ``tracks`` makes them; where a particle is one of them, its place is known.

    Returns
    -------
    Dataset with ``particle_number``, ``particle_n_positions``, ``particle_n_background`` and,
    where known, ``centroid_y`` and ``centroid_x`` (particle, frame), and ``particle_pattern``
    of up to MOST_PARTICLES particles at MOST_TILTS frames (order, shown, q_y, q_x); ``order``
    holds their places among the particles, ``shown_frame`` (order, shown) the frames'
    numbers, -1 beyond the last.
    """
    if extract_variables.particle_pattern.name not in extracted:
        return xr.Dataset()
    spec = extract_variables.particle_pattern.name
    rest = extracted.drop_vars(spec).compute()
    numbers = rest[extract_variables.particle_number.name].values
    sizes = rest[extract_variables.particle_n_positions.name].transpose(PARTICLE, FRAME).values
    # those that are there longest, and of these the largest
    order = np.lexsort((-sizes.sum(axis=1), -(sizes > 0).sum(axis=1)))[:MOST_PARTICLES]
    q = [extracted.sizes[dim] for dim in Q]
    stack = np.full((len(order), MOST_TILTS, *q), np.nan, np.float32)
    shown = np.full(stack.shape[:2], -1)
    for row, particle in enumerate(order):
        there = np.flatnonzero(sizes[particle])
        few = np.unique(np.linspace(0, there.size - 1, min(MOST_TILTS, there.size)).round())
        for column, frame in enumerate(there[few.astype(int)]):
            shown[row, column] = frame
            stack[row, column] = extracted[spec][int(particle), int(frame)].values
    made = rest.assign({SHOWN_FRAME: ((ORDER, SHOWN), shown), ORDER: (ORDER, order)})
    made[spec] = ((ORDER, SHOWN, *Q), stack)
    if dict(extracted.attrs.get("parameters", {})).get("masks"):
        # numbers of masks are not those of tracks
        return made
    for one in (track_variables.track_centroid_y, track_variables.track_centroid_x):
        if one.name in tracks and numbers.max(initial=-1) < tracks.sizes[TRACK]:
            values = tracks[one.name].transpose(TRACK, FRAME).values[numbers]
            made[one.name] = ((PARTICLE, FRAME), np.where(sizes > 0, values, np.nan))
    return made
