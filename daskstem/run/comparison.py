"""Two runs on one scan, compared."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from daskstem.kernels.agreement import FIRST_ONLY, MOVED, SAME, SECOND_ONLY, what_moved
from daskstem.run.report_content import chosen_frames
from daskstem.run.report_steps import steps_of
from daskstem.schema import variables
from daskstem.schema.dims import FRAME, FRAME_COORDS, SCAN
from daskstem.schema.errors import InputError
from daskstem.schema.variables import require
from daskstem.testing.compare import adjusted_rand_index
from daskstem.view.content import MOVES, ComparedFrame, ComparisonContent
from daskstem.view.wording import in_order_made

_CODES = (SAME, MOVED, FIRST_ONLY, SECOND_ONLY)


def compared(
    first: xr.DataTree, second: xr.DataTree, stores: tuple[str, str]
) -> ComparisonContent:
    """Compare the clusters of two stores of the same scan, frame by frame.

    Parameters
    ----------
    first, second
        The series, lazy.
    stores
        Their names, for the page.

    Returns
    -------
    ComparisonContent. One frame's maps are in memory at a time, and those of the frames shown.

    Raises
    ------
    InputError
        If one of them has no clusters, or their scans have different shapes.
    """
    trees = (first, second)
    labels = [_labels(tree, store) for tree, store in zip(trees, stores, strict=True)]
    shapes = [tuple(label.shape) for label in labels]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{stores[0]} has label maps of {_size(shapes[0])}, {stores[1]} of "
            f"{_size(shapes[1])}; two runs are compared on one scan, with the same crop and rebin"
        )
    count = shapes[0][0]
    shown = chosen_frames(count)
    numbers, frames = [], []
    sizes: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for frame in range(count):
        maps = [label.isel({FRAME: frame}).values for label in labels]
        moved = what_moved(*maps)
        for found, one in zip(sizes, maps, strict=True):
            found.append(np.unique(one[one >= 0], return_counts=True)[1])
        numbers.append(_numbers(maps, (sizes[0][-1].size, sizes[1][-1].size), moved))
        if frame in shown:
            frames.append(ComparedFrame(frame, _maps(maps, moved, labels[1])))
    raw = second["raw"].to_dataset()
    per_frame = xr.Dataset(
        {name: ((FRAME,), np.array([one[name] for one in numbers])) for name in numbers[0]},
        coords={
            FRAME: np.arange(count),
            **{n: raw.coords[n] for n in FRAME_COORDS if n in raw.coords},
        },
    )
    return ComparisonContent(
        stores=stores,
        same_patterns=_key(first) == _key(second) if _key(first) else None,
        per_frame=per_frame,
        frames=tuple(frames),
        steps=(_steps(first), _steps(second)),
        sizes=(np.concatenate(sizes[0]), np.concatenate(sizes[1])),
        curves=(_curves(first), _curves(second)),
    )


def _labels(tree: xr.DataTree, store: str) -> xr.DataArray:
    if "segments" not in tree.children:
        raise InputError(
            f"{store} has no clusters to compare (it has {sorted(tree.children)}); "
            f"run 'daskstem run default {store}' first"
        )
    return require(tree["segments"].to_dataset(), variables.label)


def _numbers(
    maps: list[np.ndarray], n_clusters: tuple[int, int], moved: np.ndarray
) -> dict[str, float]:
    both = (maps[0] >= 0) & (maps[1] >= 0)
    return {
        "first_clusters": float(n_clusters[0]),
        "second_clusters": float(n_clusters[1]),
        "first_assigned": float((maps[0] >= 0).sum()),
        "second_assigned": float((maps[1] >= 0).sum()),
        "adjusted_rand": adjusted_rand_index(*maps),
        "adjusted_rand_inside": adjusted_rand_index(*maps, where=both) if both.any() else np.nan,
        **{name: float((moved == code).sum()) for name, code in zip(MOVES, _CODES, strict=True)},
    }


def _maps(maps: list[np.ndarray], moved: np.ndarray, like: xr.DataArray) -> xr.Dataset:
    coords = {dim: like.coords[dim] for dim in SCAN if dim in like.coords}
    named = zip(("first", "second", "moved"), (*maps, moved), strict=True)
    return xr.Dataset({name: (SCAN, values) for name, values in named}, coords=coords)


def _steps(tree: xr.DataTree) -> Mapping[str, Mapping[str, Any]]:
    groups = {name: one.attrs for name, one in tree.children.items() if name != "raw"}
    return {one.name: one.parameters for one in steps_of(in_order_made(groups))}


def _curves(tree: xr.DataTree) -> xr.Dataset:
    """Return what every threshold would find in the first frame; empty if not made."""
    if "hierarchy" not in tree.children:
        return xr.Dataset()
    names = [spec.name for spec in (variables.cluster_count, variables.cover)]
    return tree["hierarchy"].to_dataset()[names].isel({FRAME: 0}).compute()


def _key(tree: xr.DataTree) -> str:
    return str(tree["raw"].attrs.get("key", ""))


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) + " (frame, scan_y, scan_x)"
