"""A series as the explorer sees it: patterns and products, read when they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, Final

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.pieces import source_of
from daskstem.explorer.choices import CHOICES, CUT, FLAT, OUTSIDE, TRACK, Choice
from daskstem.kernels.hierarchy import Tree
from daskstem.kernels.similarity import flat_positions
from daskstem.schema import track_variables, variables
from daskstem.schema.dims import CLUSTER, FRAME, FRAME_COORDS, SCAN, SERIES, Q
from daskstem.schema.errors import InputError
from daskstem.schema.variables import Variable, require
from daskstem.steps.correct import correct
from daskstem.steps.registry import STEPS
from daskstem.steps.replay import as_seen, longest_recipe
from daskstem.view.wording import in_frame_units

_HELD: Final = 64
"""Maps that are kept: a frame of 512 x 512 positions has 1 MB each."""

TREE: Final = (
    variables.merge_first, variables.merge_second, variables.merge_similarity, variables.rank,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Series:
    """A tree of lazy arrays, looked at frame by frame.

    Attributes
    ----------
    name
        What the page calls it.
    seen
        Patterns and maps as the last step of the recipe saw them: cropped, rebinned or
        corrected if it said so.
    groups
        Every group of the tree.
    unfinished
        Names of the groups that a stopped run has left half-made.
    """

    name: str
    seen: xr.Dataset
    groups: Mapping[str, xr.Dataset]
    unfinished: tuple[str, ...] = ()
    _maps: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def of(cls, tree: xr.DataTree, *, name: str) -> "Series":
        """Look at a tree.

        Raises
        ------
        InputError
            If it holds no patterns, or they have no frame dimension.
        """
        if "raw" not in tree.children:
            raise InputError(
                f"no group 'raw' in {name} (it has {sorted(tree.children)}); give a tree from "
                f"daskstem.open_series"
            )
        groups = {key: child.to_dataset() for key, child in tree.children.items()}
        patterns = groups["raw"].get(variables.patterns.name)
        if patterns is not None and patterns.dims == SERIES[1:]:
            raise InputError(
                f"the patterns of {name} have no dimension {FRAME!r}; choose a frame with "
                f"isel(frame=[0]), which keeps it"
            )
        require(groups["raw"], variables.patterns)
        steps = longest_recipe(ds.attrs for ds in groups.values())
        seen = as_seen(groups["raw"], steps, groups.get)
        return cls(name, seen, groups, tuple(tree.attrs.get("unfinished", ())))

    @property
    def patterns(self) -> da.Array:
        """(frame, scan_y, scan_x, q_y, q_x)."""
        return da.asarray(self.seen[variables.patterns.name].data)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.seen.sizes[FRAME]

    @property
    def scan(self) -> tuple[int, int]:
        """Rows and columns of positions."""
        return self.seen.sizes[SCAN[0]], self.seen.sizes[SCAN[1]]

    @property
    def detector(self) -> tuple[int, int]:
        """Rows and columns of detector pixels."""
        return self.seen.sizes[Q[0]], self.seen.sizes[Q[1]]

    @cached_property
    def recipe(self) -> list[dict[str, Any]]:
        """Steps, with their parameters, that the furthest product was made by."""
        return longest_recipe(ds.attrs for ds in self.groups.values())

    def parameters(self, group: str) -> Mapping[str, Any]:
        """Return the parameters that a group was made with; empty if it is not there."""
        found = self.groups[group].attrs.get("parameters", {}) if group in self.groups else {}
        return dict(found)

    def frame_text(self, frame: int) -> str:
        """Say what a frame is: its number, and what the series is counted in."""
        parts = [
            in_frame_units(self.seen.coords[name].isel({FRAME: frame}), name)
            for name in FRAME_COORDS
            if name in self.seen.coords and self.seen.coords[name].dtype.kind in "iuf"
        ]
        return ", ".join([f"{frame + 1} of {self.n_frames}", *parts])

    def missing(self, choice: Choice) -> str:
        """Return the step to run before there is such a map; empty if there is one."""
        return self._missing[choice.key]

    @cached_property
    def _missing(self) -> dict[str, str]:
        every = CHOICES.values()
        there = {c.key: c.spec is None or self._variable(c) is not None for c in every}
        return {choice.key: "" if there[choice.key] else choice.step for choice in every}

    def scan_map(self, choice: Choice, frame: int) -> np.ndarray:
        """Return the values of a map (scan_y, scan_x) that is stored, kept for the next time."""
        key = (choice.key, frame)
        found = self._maps.get(key)
        if found is None:
            found = self._read(choice, frame)
            # pages share a series, and each has threads
            with self._lock:
                while len(self._maps) >= _HELD:
                    self._maps.pop(next(iter(self._maps)))
                self._maps[key] = found
        return found

    def tree(self, frame: int) -> Tree:
        """Return the clusters of all thresholds of one frame."""
        ds = self.groups[STEPS[variables.rank.made_by].group]
        return Tree(*(frame_values(require(ds, spec), frame) for spec in TREE))

    def table(self, frame: int) -> dict[str, np.ndarray]:
        """Return the stored table of a frame's clusters, a column each; empty if not made.

        ``row`` is the row of the stored patterns; ``track`` is there where tracks are.
        """
        ds = self.groups.get(STEPS[variables.pattern.made_by].group)
        if ds is None or variables.cluster_label.name not in ds.variables:
            return {}
        rows = np.flatnonzero(ds[variables.cluster_frame.name].values == frame)
        columns = {
            str(name): variable.values[rows]
            for name, variable in ds.variables.items()
            if variable.dims == (CLUSTER,) and name not in (CLUSTER, FRAME)
        }
        tracks = self._tracks()
        if tracks is not None:
            columns[TRACK] = tracks[rows]
        return {"row": rows, **columns}

    def cluster_patterns(self, rows: np.ndarray) -> np.ndarray:
        """Return stored mean patterns (len(rows), q_y, q_x) by their rows in the table."""
        ds = self.groups[STEPS[variables.pattern.made_by].group]
        return np.asarray(ds[variables.pattern.name].isel({CLUSTER: rows}).values)

    def neighbor_similarity(self, frame: int) -> np.ndarray | None:
        """Return the similarity with the eight neighbors (scan_y, scan_x, 8), or None."""
        found = self.seen.get(variables.similarity.name)
        return None if found is None else frame_values(found, frame)

    def detector_map(self, spec: Variable, frame: int) -> np.ndarray | None:
        """Return what is known of every detector pixel (q_y, q_x), or None."""
        found = self.seen.get(spec.name)
        return None if found is None else frame_values(found, frame)

    @cached_property
    def is_centered(self) -> bool:
        """Whether the patterns are seen with their beam moved to the middle."""
        return any(entry["step"] == correct.__name__ for entry in self.recipe)

    def weights(self, frame: int, y: int, x: int) -> np.ndarray | None:
        """Return the footprint weights of one position, or None if they are not made."""
        found = self.seen.get(variables.weights.name)
        if found is None:
            return None
        return frame_values(found, frame, (slice(y, y + 1), slice(x, x + 1)))[0, 0]

    def position_value(self, spec: Variable, frame: int, y: int, x: int) -> float | None:
        """Return a map's value at one position, or None if there is no such map."""
        found = self.seen.get(spec.name)
        if found is None:
            return None
        return float(frame_values(found, frame, (slice(y, y + 1), slice(x, x + 1)))[0, 0])

    def _variable(self, choice: Choice) -> xr.DataArray | None:
        if choice.spec is None:
            return None
        ds = self.groups.get(choice.group)
        if choice.key == TRACK:
            label = self.seen.get(variables.label.name)
            return label if self._tracks() is not None and self.table(0) else None
        if ds is None or choice.spec.name not in ds.variables:
            return None
        array = ds[choice.spec.name]
        fits = tuple(array.sizes[dim] for dim in SCAN) == self.scan
        return array if fits else None

    def _read(self, choice: Choice, frame: int) -> np.ndarray:
        array = self._variable(choice)
        if array is None or choice.key == CUT:
            raise InputError(f"there is no {choice.title}; run {choice.step!r} first")
        values = frame_values(array, frame)
        if choice.key == OUTSIDE:
            return ~values
        if choice.key == FLAT:
            return flat_positions(values)
        if choice.key == TRACK:
            return self._painted_with_tracks(values, frame)
        return values

    @property
    def n_tracks(self) -> int:
        """Number of tracks in the series; 0 if not made."""
        tracks = self._tracks()
        return 0 if tracks is None else int(tracks.max(initial=-1)) + 1

    def frames_of_track(self, track: int) -> np.ndarray:
        """Return the frames in which a track is seen."""
        ds = self.groups[STEPS[variables.pattern.made_by].group]
        found = ds[variables.cluster_frame.name].values[self._tracks() == track]
        return np.unique(found)

    def _tracks(self) -> np.ndarray | None:
        ds = self.groups.get(STEPS[track_variables.track.made_by].group)
        if ds is None or track_variables.track.name not in ds.variables:
            return None
        # `tracks` names a dimension after them too, so the variable's dims tell which it is
        return np.asarray(ds.variables[track_variables.track.name].values)

    def _painted_with_tracks(self, label: np.ndarray, frame: int) -> np.ndarray:
        table = self.table(frame)
        number = np.full(int(label.max(initial=-1)) + 2, -1, np.int32)
        number[table[variables.cluster_label.name] + 1] = table[TRACK]
        return number[label + 1]


def frame_values(
    array: xr.DataArray, frame: int, window: tuple[slice, ...] | None = None
) -> np.ndarray:
    """Return one frame of a variable whose first dimension is the frame, or a part of it."""
    whole = tuple(slice(0, n) for n in array.shape[1:])
    region = (slice(frame, frame + 1), *(window or ()), *whole[len(window or ()) :])
    source = source_of(array.data) if isinstance(array.data, da.Array) else None
    # a stored map is there in a millisecond; a Dask graph of it takes ten
    found = source.read(region) if source is not None else np.asarray(array[region].values)
    return np.asarray(found[0])
