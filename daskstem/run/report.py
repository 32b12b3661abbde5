"""Gather what a report needs from a store, and write the page."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from daskstem.io.store import open_series
from daskstem.run.track_content import computed_tracks, small_track_maps, track_numbers
from daskstem.schema import variables
from daskstem.schema.calibration import Axis
from daskstem.schema.dims import (
    CLUSTER,
    FRAME,
    FRAME_COORDS,
    NEIGHBOR,
    SCAN,
    SCAN_X,
    SCAN_Y,
    TRACK,
    Q,
)
from daskstem.schema.errors import InputError
from daskstem.schema.variables import Variable, require
from daskstem.testing.compare import adjusted_rand_index
from daskstem.view.content import (
    ADJUSTED_RAND,
    CLASS_LABEL,
    N_ASSIGNED,
    N_AT_BORDER,
    N_FLAT,
    SEED_PATTERN,
    TRUTH_LABEL,
    FrameContent,
    ReportContent,
)
from daskstem.view.wording import in_order_made

MOST_FRAMES: Final = 12
"""Up to so many frames all are shown; of more, a few: nobody looks at a hundred pictures, and
each frame adds 0.3 to 0.6 MB to the page."""

FEW_FRAMES: Final = 6

MOST_CLUSTERS: Final = 6
_SEED: Final = (variables.seed_y, variables.seed_x)

_MAPS: Final[tuple[tuple[str, Variable, str], ...]] = (
    ("virtual", variables.dark_field, variables.dark_field.name),
    ("similarity", variables.mean_similarity, variables.mean_similarity.name),
    ("background", variables.mask, variables.mask.name),
    ("segments", variables.label, variables.label.name),
    ("truth", variables.truth_label, TRUTH_LABEL),
    ("kmeans", variables.class_label, CLASS_LABEL),
)

_CURVES: Final = (variables.cluster_count, variables.cover, variables.suggested_threshold)

_THRESHOLDS: Final[tuple[tuple[str, Variable], ...]] = (
    ("background", variables.background_threshold),
    ("segments", variables.used_threshold),
    ("hierarchy", variables.suggested_threshold),
)


def write_report(store: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a store as one web page.

    Parameters
    ----------
    store
        Path or URL of a store; any of its steps may be missing.
    out
        The page to write; ``<name of the store>_report.html`` beside the store if None.

    Returns
    -------
    Path of the page. It is complete or absent.

    Raises
    ------
    InputError
        If the store cannot be opened or holds no patterns, or the page cannot be written.
    """
    target = _target(store, out)
    content = gather(open_series(store), store=str(store))
    # matplotlib takes a second to import; a wrong path is refused before that.
    from daskstem.view.report import page

    _write(target, page(content))
    return target


def gather(tree: xr.DataTree, *, store: str) -> ReportContent:
    """Compute what a report shows.

    Parameters
    ----------
    tree
        A series: ``raw`` and the groups of its steps, lazy.
    store
        Name of the store, for the page.

    Returns
    -------
    ReportContent. The 2D maps are read frame by frame and only those of the frames shown
    are kept; of the patterns, only the largest clusters' and their seeds' are read.

    Raises
    ------
    InputError
        If there is no group ``raw`` with patterns.
    """
    if "raw" not in tree.children:
        raise InputError(
            f"no group 'raw' in {store} (it has {sorted(tree.children)}); "
            f"convert a source into it first"
        )
    patterns = require(tree["raw"].to_dataset(), variables.patterns)
    numbers = [_frame_numbers(tree, frame) for frame in range(patterns.sizes[FRAME])]
    per_frame = xr.Dataset(
        {
            name: ((FRAME,), np.array([found.get(name, np.nan) for found in numbers]))
            for name in dict.fromkeys(key for found in numbers for key in found)
        },
        coords={
            FRAME: np.arange(len(numbers)),
            **{n: patterns.coords[n] for n in FRAME_COORDS if n in patterns.coords},
        },
    )
    table = _cluster_table(tree)
    tracks = computed_tracks(_group(tree, "tracks"), table)
    chosen = chosen_frames(patterns.sizes[FRAME])
    means = _group(tree, "clusters").get(variables.pattern.name)
    return ReportContent(
        store=store,
        shape=patterns.shape,  # type: ignore[arg-type]
        dtype=patterns.dtype,
        raw=_raw_coordinates(tree, patterns),
        per_frame=per_frame,
        frames=tuple(_frame_content(tree, table, tracks, patterns, frame) for frame in chosen),
        groups=_group_attributes(tree),
        unfinished=tuple(tree.attrs.get("unfinished", ())),
        cluster_bytes=None if means is None else means.nbytes,
        n_positions=table[variables.n_positions.name].values if table else np.empty(0, int),
        tracks=tracks,
        track_maps=small_track_maps(_group(tree, "segments"), table, tracks),
        classes=_group(tree, "kmeans")
        .drop_vars(variables.class_label.name, errors="ignore")
        .load(),
    )


def chosen_frames(count: int) -> list[int]:
    """Return all frames of a short series, of a long one the first, the last and some between.

    Examples
    --------
    >>> chosen_frames(3), chosen_frames(101)
    ([0, 1, 2], [0, 20, 40, 60, 80, 100])
    """
    if count <= MOST_FRAMES:
        return list(range(count))
    return [round(i * (count - 1) / (FEW_FRAMES - 1)) for i in range(FEW_FRAMES)]


def _map(tree: xr.DataTree, group: str, spec: Variable, frame: int) -> xr.DataArray | None:
    """One frame of a map, or None if there is no such map."""
    ds = _group(tree, group)
    if spec.name not in ds:
        return None
    return spec.check(ds[spec.name]).isel({FRAME: frame}).compute()


def _group(tree: xr.DataTree, name: str) -> xr.Dataset:
    return tree[name].to_dataset() if name in tree.children else xr.Dataset()


def _frame_numbers(tree: xr.DataTree, frame: int) -> dict[str, float]:
    numbers: dict[str, float] = {}
    label = _map(tree, "segments", variables.label, frame)
    if label is not None:
        values = label.values
        edge = np.concatenate([values[[0, -1]].ravel(), values[:, [0, -1]].ravel()])
        numbers[variables.n_clusters.name] = np.unique(values[values >= 0]).size
        numbers[N_ASSIGNED] = int((values >= 0).sum())
        numbers[N_AT_BORDER] = np.unique(edge[edge >= 0]).size
        truth = _map(tree, "truth", variables.truth_label, frame)
        if truth is not None:
            grains = truth.values >= 0
            numbers[ADJUSTED_RAND] = adjusted_rand_index(truth.values, values, where=grains)
    mean = _map(tree, "similarity", variables.mean_similarity, frame)
    if mean is not None:
        numbers[N_FLAT] = _flat_positions(tree, mean.values, frame)
    for group, spec in _THRESHOLDS:
        threshold = _group(tree, group).get(spec.name)
        if threshold is not None:
            numbers[spec.name] = float(threshold[frame])
    return numbers


def _flat_positions(tree: xr.DataTree, mean_similarity: np.ndarray, frame: int) -> int:
    # All zero means a zero mean: most frames need not read their eight maps of similarity.
    if not (mean_similarity == 0).any():
        return 0
    similarity = _map(tree, "similarity", variables.similarity, frame)
    if similarity is None:
        return int((mean_similarity == 0).sum())
    values = similarity.transpose(SCAN_Y, SCAN_X, NEIGHBOR).values
    outside = np.isnan(values)
    return int((((values == 0) | outside).all(axis=-1) & ~outside.all(axis=-1)).sum())


def _frame_content(
    tree: xr.DataTree, table: xr.Dataset, tracks: xr.Dataset, patterns: xr.DataArray, frame: int
) -> FrameContent:
    scan = {dim: patterns.coords[dim] for dim in (SCAN_Y, SCAN_X) if dim in patterns.coords}
    maps = {
        name: array.drop_vars(list(array.coords))
        for group, spec, name in _MAPS
        if (array := _map(tree, group, spec, frame)) is not None
    }
    label = maps.get(variables.label.name)
    if tracks and label is not None:
        maps[TRACK] = label.copy(data=track_numbers(label.values, table, tracks, frame))
    clusters, shown = xr.Dataset(), xr.Dataset()
    if table:
        places = np.flatnonzero(table[variables.cluster_frame.name].values == frame)
        clusters = table.isel({CLUSTER: places})
        order = np.argsort(-clusters[variables.n_positions.name].values, kind="stable")
        largest = order[:MOST_CLUSTERS]
        shown = _shown(tree, clusters.isel({CLUSTER: largest}), patterns, places[largest])
    tree_of_all = _group(tree, "hierarchy")
    names = [spec.name for spec in _CURVES if spec.name in tree_of_all]
    curves = tree_of_all[names].isel({FRAME: frame}, missing_dims="ignore").compute()
    return FrameContent(frame, xr.Dataset(maps, coords=scan), clusters, shown, curves)


def _shown(
    tree: xr.DataTree, clusters: xr.Dataset, patterns: xr.DataArray, places: np.ndarray
) -> xr.Dataset:
    """Add to the table of some clusters their mean patterns and their seeds' raw patterns."""
    if not places.size:
        return xr.Dataset()
    means = require(_group(tree, "clusters"), variables.pattern)
    seeds = zip(*(clusters[spec.name].values for spec in _SEED), strict=True)
    frames = clusters[variables.cluster_frame.name].values
    # One by one: each is a few kilobytes from its own chunk, together they would be gathered
    # from whole shards.
    read = [means.isel({CLUSTER: int(place)}).values for place in places]
    raw = [
        patterns.isel({FRAME: int(frame), SCAN_Y: int(y), SCAN_X: int(x)}).values
        for frame, (y, x) in zip(frames, seeds, strict=True)
    ]
    q = {dim: patterns.coords[dim] for dim in Q if dim in patterns.coords}
    stacked = {variables.pattern.name: read, SEED_PATTERN: raw}
    return clusters.assign(
        {name: ((CLUSTER, *Q), np.stack(arrays)) for name, arrays in stacked.items()}
    ).assign_coords(q)


def _cluster_table(tree: xr.DataTree) -> xr.Dataset:
    """Return all that is known of each cluster but its pattern; empty if not made."""
    ds = _group(tree, "clusters")
    if not ds.variables:
        return ds
    for spec in (variables.cluster_frame, variables.cluster_label, variables.n_positions, *_SEED):
        require(ds, spec)
    along = {name: v for name, v in ds.variables.items() if v.dims == (CLUSTER,)}
    return xr.Dataset({name: v for name, v in along.items() if name != CLUSTER}).compute()


def _raw_coordinates(tree: xr.DataTree, patterns: xr.DataArray) -> xr.Dataset:
    """Return the coordinates of the patterns; an axis without any is counted in pixels."""
    known = patterns.coords.to_dataset().assign_attrs(tree["raw"].attrs)
    missing = [dim for dim in (*SCAN, *Q) if dim not in known.coords]
    return known.assign_coords({d: Axis().coordinate(d, patterns.sizes[d]) for d in missing})


def _group_attributes(tree: xr.DataTree) -> dict[str, Mapping[str, Any]]:
    """Return the attributes of the derived groups, in the order they were made."""
    return in_order_made(
        {name: child.attrs for name, child in tree.children.items() if name != "raw"}
    )


def _target(store: str | Path, out: str | Path | None) -> Path:
    if out is None and "://" in str(store):
        raise InputError(f"{store} is not a local folder; say where to write with out")
    target = Path(store).with_name(f"{Path(store).stem}_report.html") if out is None else Path(out)
    if target.is_dir():
        raise InputError(f"{target} is a folder; give the name of a page to write")
    if not target.resolve().parent.is_dir():
        raise InputError(f"no folder {target.parent}; create it, or write the report elsewhere")
    return target


def _write(target: Path, text: str) -> None:
    """Write a text file at once: whoever looks finds the former one or the whole new one."""
    handle, name = tempfile.mkstemp(dir=target.resolve().parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes files that only their owner can read; a report is for others too.
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
