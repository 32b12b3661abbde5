"""What a report says of the clusters: their table, their patterns, how alike each is inside."""

from typing import Final

import numpy as np
import xarray as xr

from daskstem.kernels.homogeneity import homogeneity, pairs_inside
from daskstem.kernels.similarity import NEIGHBORS
from daskstem.run.report_steps import as_seen
from daskstem.schema import variables
from daskstem.schema.dims import CLUSTER, FRAME, SCAN_X, SCAN_Y, Q
from daskstem.schema.variables import require
from daskstem.view.content import (
    BELOW_THRESHOLD,
    HOMOGENEITY,
    SEED_PATTERN,
    SMALL_PATTERN,
)

MOST_ROWS: Final = 240
"""Clusters in the table: each takes 2 to 3 kB of the page, and 240 are 10 sheets of paper."""

SMALL_PX: Final = 48

_SEED: Final = (variables.seed_y, variables.seed_x)
_BINS: Final = np.linspace(-0.2, 1.0, 121)


def cluster_table(clusters: xr.Dataset) -> xr.Dataset:
    """Return all that is known of each cluster but its pattern; empty if not made."""
    if not clusters.variables:
        return clusters
    for spec in (variables.cluster_frame, variables.cluster_label, variables.n_positions, *_SEED):
        require(clusters, spec)
    along = {name: v for name, v in clusters.variables.items() if v.dims == (CLUSTER,)}
    return xr.Dataset({name: v for name, v in along.items() if name != CLUSTER}).compute()


def inside(similarity: np.ndarray, label: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """Judge the clusters of one frame by the similarities of neighbors.

    Parameters
    ----------
    similarity : (Y, X, 8) float32
    label : (Y, X) int32
    threshold
        Least similarity that joined; NaN if each cluster had its own.

    Returns
    -------
    By the numbers of the labels: mean similarity inside, share of pairs below the threshold,
    and whether the cluster touches the scan's border.
    """
    count = int(label.max(initial=-1)) + 1
    mean, below = homogeneity(*pairs_inside(similarity, label, NEIGHBORS), count, threshold)
    return {HOMOGENEITY: mean, BELOW_THRESHOLD: below}


def at_border(label: np.ndarray) -> np.ndarray:
    """Whether each label (Y, X) touches the scan's border, by its number."""
    touched = np.zeros(int(label.max(initial=-1)) + 1, bool)
    edge = np.concatenate([label[[0, -1]].ravel(), label[:, [0, -1]].ravel()])
    touched[edge[edge >= 0]] = True
    return touched


def joined_counts(similarity: np.ndarray, label: np.ndarray) -> xr.Dataset:
    """Count the similarities of neighbors inside clusters, and of all others in the scan.

    Returns
    -------
    Dataset with ``inside`` and ``between`` (bin), and ``edge`` (edge): pairs in each bin.
    """
    _, alike = pairs_inside(similarity, label, NEIGHBORS)
    known = similarity[..., 4:]
    every = np.histogram(known[np.isfinite(known)].clip(_BINS[0], _BINS[-1]), _BINS)[0]
    among = np.histogram(alike.clip(_BINS[0], _BINS[-1]), _BINS)[0]
    return xr.Dataset(
        {"inside": ("bin", among), "between": ("bin", every - among), "edge": ("edge", _BINS)}
    )


def along_table(table: xr.Dataset, found: list[dict[str, np.ndarray]]) -> xr.Dataset:
    """Add to the table what was found of the labels of every frame, by their numbers."""
    if not table:
        return table
    frames = table[variables.cluster_frame.name].values
    labels = table[variables.cluster_label.name].values
    added = {}
    for name in {key for one in found for key in one}:
        values = np.full(len(frames), np.nan)
        for frame in np.unique(frames):
            here = frames == frame
            by_label = found[frame].get(name)
            if by_label is not None and labels[here].max(initial=-1) < len(by_label):
                values[here] = by_label[labels[here]]
        added[name] = ((CLUSTER,), values)
    return table.assign(added)


def largest_with_patterns(tree: xr.DataTree, table: xr.Dataset) -> xr.Dataset:
    """Return the table of the largest clusters with a small pattern of each, largest first.

    One block of the store is read at a time, and only binned copies are kept.
    """
    if not table or "clusters" not in tree.children:
        return xr.Dataset()
    order = np.argsort(-table[variables.n_positions.name].values, kind="stable")[:MOST_ROWS]
    means = require(tree["clusters"].to_dataset(), variables.pattern)
    if not order.size:
        return xr.Dataset()
    small: dict[int, np.ndarray] = {}
    stops = np.cumsum(means.chunksizes.get(CLUSTER, (means.sizes[CLUSTER],)))
    for start, stop in zip([0, *stops[:-1]], stops, strict=True):
        wanted = order[(order >= start) & (order < stop)]
        if wanted.size:
            block = means.isel({CLUSTER: slice(int(start), int(stop))}).values
            small |= {int(at): _small(block[at - start]) for at in wanted}
    stack = np.stack([small[int(at)] for at in order])
    return table.isel({CLUSTER: order}).assign({SMALL_PATTERN: ((CLUSTER, *Q), stack)})


def with_patterns(
    tree: xr.DataTree, clusters: xr.Dataset, places: np.ndarray, frame: int
) -> xr.Dataset:
    """Add to the table of some clusters their mean patterns and their seeds' single patterns.

    Parameters
    ----------
    tree
        A series.
    clusters
        Rows of the table, all of one frame.
    places
        Their places among all clusters.
    frame
        The frame.
    """
    if not places.size:
        return xr.Dataset()
    means = require(tree["clusters"].to_dataset(), variables.pattern)
    patterns = as_seen(tree, "clusters", frame)[variables.patterns.name].isel({FRAME: 0})
    # One by one: each is a few kilobytes from its own chunk, together they would be gathered
    # from whole shards.
    read = [means.isel({CLUSTER: int(place)}).values for place in places]
    seeds = zip(*(clusters[spec.name].values for spec in _SEED), strict=True)
    single = [patterns.isel({SCAN_Y: int(y), SCAN_X: int(x)}).values for y, x in seeds]
    q = {dim: patterns.coords[dim] for dim in Q if dim in patterns.coords}
    stacked = {variables.pattern.name: read, SEED_PATTERN: single}
    return clusters.assign(
        {name: ((CLUSTER, *Q), np.stack(arrays)) for name, arrays in stacked.items()}
    ).assign_coords(q)


def _small(pattern: np.ndarray) -> np.ndarray:
    """Bin a pattern (Qy, Qx) to at most SMALL_PX pixels along each side, float32."""
    factor = -(-max(pattern.shape) // SMALL_PX)
    rows, columns = (size // factor for size in pattern.shape)
    boxes = pattern[: rows * factor, : columns * factor]
    return boxes.reshape(rows, factor, columns, factor).mean(axis=(1, 3), dtype=np.float32)
