"""Gather what a report needs from a store."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr

from daskstem.run.report_clusters import (
    along_table,
    at_border,
    cluster_table,
    inside,
    joined_counts,
    largest_with_patterns,
    with_patterns,
)
from daskstem.run.report_steps import at_limits, filtering, steps_of, versions
from daskstem.run.track_content import computed_tracks, particles, small_track_maps, track_numbers
from daskstem.schema import variables
from daskstem.schema.calibration import Axis
from daskstem.schema.dims import CLUSTER, FRAME, FRAME_COORDS, NEIGHBOR, SCAN, TRACK, Q
from daskstem.schema.errors import InputError
from daskstem.schema.variables import Variable, require
from daskstem.testing.compare import adjusted_rand_index
from daskstem.view.content import (
    ADJUSTED_RAND,
    AT_BORDER,
    CLASS_LABEL,
    LARGEST_COUNT,
    N_ASSIGNED,
    N_AT_BORDER,
    N_BAD,
    N_FLAT,
    N_MASKED,
    N_SATURATED,
    TRUTH_LABEL,
    Example,
    FrameContent,
    ReportContent,
)
from daskstem.view.wording import in_order_made

MOST_FRAMES: Final = 12
"""Up to so many frames all are shown; of more, a few: nobody looks at a hundred pictures, and
each frame adds 0.3 to 0.6 MB to the page."""

FEW_FRAMES: Final = 6

MOST_CLUSTERS: Final = 6

_MAPS: Final[tuple[tuple[str, Variable, str], ...]] = (
    ("virtual", variables.bright_field, variables.bright_field.name),
    ("virtual", variables.dark_field, variables.dark_field.name),
    ("prefilter", variables.signal, variables.signal.name),
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

_MADE_FIRST: Final = ("segments", "kmeans", "background", "similarity", "virtual")
"""Of the groups with maps, the first that is there says what the scan is: an earlier one may
have been made before the scan was cut."""


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
    are kept; of the patterns, only the largest clusters', their seeds' and one position's
    neighbors are read.

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
    judged = [_judged(tree, frame) for frame in range(patterns.sizes[FRAME])]
    per_frame = _per_frame(patterns, [numbers for numbers, _ in judged])
    table = along_table(cluster_table(_group(tree, "clusters")), [found for _, found in judged])
    tracks = computed_tracks(_group(tree, "tracks"), table)
    frames = tuple(
        _frame_content(tree, table, tracks, frame) for frame in chosen_frames(len(judged))
    )
    means = _group(tree, "clusters").get(variables.pattern.name)
    groups = _group_attributes(tree)
    steps = steps_of(groups)
    return ReportContent(
        store=store,
        shape=patterns.shape,  # type: ignore[arg-type]
        dtype=patterns.dtype,
        raw=_raw_coordinates(tree, patterns),
        per_frame=per_frame,
        frames=frames,
        groups=groups,
        unfinished=tuple(tree.attrs.get("unfinished", ())),
        cluster_bytes=None if means is None else means.nbytes,
        n_positions=table[variables.n_positions.name].values if table else np.empty(0, int),
        tracks=tracks,
        track_maps=small_track_maps(_group(tree, "segments"), table, tracks),
        classes=_group(tree, "kmeans")
        .drop_vars(variables.class_label.name, errors="ignore")
        .load(),
        steps=steps,
        at_limits=at_limits(steps),
        example=_example(tree, frames, per_frame),
        table=table,
        largest=largest_with_patterns(tree, table),
        particles=particles(_group(tree, "extract"), tracks),
        versions=versions(),
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


def map_of(tree: xr.DataTree, group: str, spec: Variable, frame: int) -> xr.DataArray | None:
    """Read one frame of a map; None if there is no such map, or it is of another scan."""
    ds = _group(tree, group)
    if spec.name not in ds:
        return None
    found = spec.check(ds[spec.name]).isel({FRAME: frame})
    return found.compute() if [found.sizes[d] for d in SCAN] == _scan_shape(tree) else None


def _scan_shape(tree: xr.DataTree) -> list[int]:
    for name in (*_MADE_FIRST, "raw"):
        sizes = _group(tree, name).sizes
        if set(SCAN) <= set(sizes):
            break
    return [sizes[dim] for dim in SCAN]


def _group(tree: xr.DataTree, name: str) -> xr.Dataset:
    return tree[name].to_dataset() if name in tree.children else xr.Dataset()


def _per_frame(patterns: xr.DataArray, numbers: list[dict[str, float]]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: ((FRAME,), np.array([found.get(name, np.nan) for found in numbers]))
            for name in dict.fromkeys(key for found in numbers for key in found)
        },
        coords={
            FRAME: np.arange(len(numbers)),
            **{n: patterns.coords[n] for n in FRAME_COORDS if n in patterns.coords},
        },
    )


def _judged(tree: xr.DataTree, frame: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return one frame's numbers, and its clusters' by their labels."""
    numbers: dict[str, float] = {}
    for group, spec in _THRESHOLDS:
        threshold = _group(tree, group).get(spec.name)
        if threshold is not None:
            numbers[spec.name] = float(threshold[frame])
    numbers |= _detector_numbers(tree, frame)
    mask = map_of(tree, "background", variables.mask, frame)
    if mask is not None:
        numbers[N_MASKED] = int(mask.values.sum())
    mean = map_of(tree, "similarity", variables.mean_similarity, frame)
    similarity = _neighbors(tree, frame)
    if mean is not None:
        numbers[N_FLAT] = _flat_positions(similarity, mean.values)
    label = map_of(tree, "segments", variables.label, frame)
    if label is None:
        return numbers, {}
    found = {AT_BORDER: at_border(label.values)}
    if similarity is not None:
        used = numbers.get(variables.used_threshold.name, np.nan)
        found |= inside(similarity, label.values, used)
    return numbers | _label_numbers(tree, label.values, found[AT_BORDER], frame), found


def _label_numbers(
    tree: xr.DataTree, label: np.ndarray, border: np.ndarray, frame: int
) -> dict[str, float]:
    numbers = {
        variables.n_clusters.name: float(np.unique(label[label >= 0]).size),
        N_ASSIGNED: float((label >= 0).sum()),
        N_AT_BORDER: float(border.sum()),
    }
    truth = map_of(tree, "truth", variables.truth_label, frame)
    if truth is not None:
        grains = truth.values >= 0
        numbers[ADJUSTED_RAND] = adjusted_rand_index(truth.values, label, where=grains)
    return numbers


def _detector_numbers(tree: xr.DataTree, frame: int) -> dict[str, float]:
    """Count the detector's pixels at the highest value of the frame, and the bad ones."""
    numbers: dict[str, float] = {}
    bad = _group(tree, "bad_pixels").get(variables.bad_pixel.name)
    if bad is not None:
        numbers[N_BAD] = float(bad.isel({FRAME: frame}, missing_dims="ignore").sum())
    largest = _group(tree, "summary").get(variables.max_pattern.name)
    if largest is None:
        return numbers
    values = largest.isel({FRAME: frame}).values
    numbers[LARGEST_COUNT] = float(values.max(initial=0))
    numbers[N_SATURATED] = float((values == values.max(initial=0)).sum())
    return numbers


def _neighbors(tree: xr.DataTree, frame: int) -> np.ndarray | None:
    found = map_of(tree, "similarity", variables.similarity, frame)
    return None if found is None else found.transpose(*SCAN, NEIGHBOR).values


def _flat_positions(similarity: np.ndarray | None, mean_similarity: np.ndarray) -> int:
    if similarity is None:
        return int((mean_similarity == 0).sum())
    outside = np.isnan(similarity)
    return int((((similarity == 0) | outside).all(axis=-1) & ~outside.all(axis=-1)).sum())


def _frame_content(
    tree: xr.DataTree, table: xr.Dataset, tracks: xr.Dataset, frame: int
) -> FrameContent:
    maps = {
        name: array
        for group, spec, name in _MAPS
        if (array := map_of(tree, group, spec, frame)) is not None
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
        shown = with_patterns(tree, clusters.isel({CLUSTER: largest}), places[largest], frame)
    tree_of_all = _group(tree, "hierarchy")
    names = [spec.name for spec in _CURVES if spec.name in tree_of_all]
    curves = tree_of_all[names].isel({FRAME: frame}, missing_dims="ignore").compute()
    bare = {name: array.drop_vars(list(array.coords)) for name, array in maps.items()}
    return FrameContent(frame, xr.Dataset(bare, coords=_scan(tree)), clusters, shown, curves)


def _scan(tree: xr.DataTree) -> dict[str, xr.DataArray]:
    """Return the scan's coordinates, of the groups with maps or else of the patterns."""
    for name in (*_MADE_FIRST, "raw"):
        ds = _group(tree, name)
        if [ds.sizes.get(d) for d in SCAN] == _scan_shape(tree) and set(SCAN) <= set(ds.coords):
            return {dim: ds.coords[dim] for dim in SCAN}
    return {}


def _example(
    tree: xr.DataTree, frames: tuple[FrameContent, ...], per_frame: xr.Dataset
) -> Example:
    """Look closer at the frame with the most positions in clusters, of those shown."""
    numbers = [frame.number for frame in frames]
    sizes = per_frame[N_ASSIGNED].values[numbers] if N_ASSIGNED in per_frame else np.zeros(1)
    frame = frames[int(np.nanargmax(np.nan_to_num(sizes, nan=-1)))]
    similarity, label = _neighbors(tree, frame.number), frame.maps.get(variables.label.name)
    pairs = xr.Dataset()
    if similarity is not None and label is not None:
        pairs = joined_counts(similarity, label.values)
    rows, columns = _scan_shape(tree)
    position = (rows // 2, columns // 2)
    if frame.shown:
        seed = frame.shown.isel({CLUSTER: 0})
        position = (int(seed[variables.seed_y.name]), int(seed[variables.seed_x.name]))
    summary, beam = (
        _group(tree, name).isel({FRAME: frame.number}, missing_dims="ignore").load()
        for name in ("summary", "center")
    )
    return Example(
        frame.number, filtering(tree, frame.number, position), pairs, means=summary, beam=beam
    )


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
