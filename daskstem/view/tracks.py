"""Tracks in pictures: maps in colors that stay, growth curves, lineage."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from daskstem.schema import track_variables as names
from daskstem.schema import variables
from daskstem.schema.dims import FRAME, FRAME_COORDS, MAP, SCAN, TRACK
from daskstem.schema.errors import InputError
from daskstem.schema.variables import Variable
from daskstem.view.drawing import axes_or_new, bare, draw_image
from daskstem.view.palette import BACKGROUND, colors_through
from daskstem.view.scale import draw_scale_bar, scan_grid

MOST_LINES: Final = 60
"""Tracks in one picture: of more, those seen in the most frames are drawn."""

_EVENT_MARKS: Final = {
    "birth": ("o", "white"),
    "death": ("x", "#16161a"),
    "split": ("^", "#16161a"),
    "merge": ("v", "#16161a"),
}
_MOST_NUMBERS: Final = 80
"""Of more tracks in a map the numbers would hide the map."""


def track_labels(label: xr.DataArray, tracks: xr.Dataset) -> xr.DataArray:
    """Paint every cluster with the number of its track.

    Parameters
    ----------
    label
        (frame, scan_y, scan_x) integer, as ``grow`` makes it.
    tracks
        ``track`` (cluster), as ``tracks`` makes it of these labels.

    Returns
    -------
    (frame, scan_y, scan_x) int32, computed; -1 where there is no cluster.

    Raises
    ------
    InputError
        If the labels hold other clusters than ``track``.
    """
    label = label.transpose(*MAP)
    track = tracks[names.track.name].values
    painted = np.full(label.shape, -1, np.int32)
    first = 0
    for frame in range(len(painted)):
        values = label.isel({FRAME: frame}).values
        numbers = np.unique(values[values >= 0])
        if first + len(numbers) <= len(track):
            rows = first + np.searchsorted(numbers, values[values >= 0])
            painted[frame][values >= 0] = track[rows]
        first += len(numbers)
    if first != len(track):
        raise InputError(
            f"the labels hold {first} clusters, {names.track.name!r} {len(track)}; run "
            f"{names.track.made_by!r} on these labels first"
        )
    return label.copy(data=painted).rename(names.track.name)


def track_colors(maps: xr.DataArray | Sequence[xr.DataArray], n_tracks: int) -> np.ndarray:
    """Choose a color for every track, other than those of the tracks it ever lies next to.

    Parameters
    ----------
    maps
        Maps of track numbers (scan_y, scan_x), or one (frame, scan_y, scan_x).
    n_tracks
        Number of tracks.

    Returns
    -------
    (n_tracks, 3) uint8 red, green, blue.
    """
    return colors_through([np.asarray(one.values) for one in maps], n_tracks)


def track_map(
    track: xr.DataArray,
    *,
    colors: np.ndarray | None = None,
    numbered: bool = True,
    axes: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw the tracks of one frame, each in its color.

    Parameters
    ----------
    track
        (scan_y, scan_x) integer, from ``track_labels``; negative is background.
    colors
        From ``track_colors``, so that a track keeps its color through the frames; by default
        those of this frame alone.
    numbered
        Whether to write the tracks' numbers into the map.
    axes
        Where to draw; a new figure if None.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.
    """
    if set(track.dims) != set(SCAN):
        raise InputError(
            f"{track.name!r} has the dims {track.dims}, a map needs {SCAN}; select one frame "
            f"first, e.g. with .isel(frame=0)"
        )
    track, axes = track.transpose(*SCAN), axes_or_new(axes)
    values, grid = track.values, scan_grid(track)
    if colors is None:
        colors = track_colors([track], int(values.max(initial=-1)) + 1)
    table = np.concatenate([np.array([BACKGROUND], np.uint8), colors])
    draw_image(axes, table[values + 1], grid)
    present = np.unique(values[values >= 0]).tolist()
    if numbered and len(present) <= _MOST_NUMBERS:
        for number in present:
            y, x = np.nonzero(values == number)
            axes.annotate(
                str(number), (x.mean() * grid.step_x, y.mean() * grid.step_y), fontsize=6,
                color="white" if _is_dark(colors[number]) else "black", ha="center", va="center",
            )  # fmt: skip
    draw_scale_bar(axes, grid, pixel_name="positions")
    return bare(axes, title)


def growth_curves(
    tracks: xr.Dataset,
    *,
    of: str | None = None,
    only: Sequence[int] | None = None,
    colors: np.ndarray | None = None,
    axes: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw a curve for each track.

    Parameters
    ----------
    tracks
        As ``tracks`` makes it.
    of
        ``area``, ``n_positions``, ``intensity``, ``rotation``, ``centroid_y`` or
        ``centroid_x``; by default the area, or the number of positions where the scan is not
        calibrated.
    only
        Numbers of the tracks to draw; by default those seen in the most frames.
    colors
        From ``track_colors``.
    axes
        Where to draw; a new figure if None.
    title
        Text above the curves.

    Returns
    -------
    The matplotlib Axes. A curve is broken where its track is missing.
    """
    spec = _curve(tracks, of)
    axes = axes_or_new(axes)
    along, words = frame_axis(tracks)
    seen = tracks[names.track_n_positions.name].transpose(TRACK, FRAME).values > 0
    values = tracks[spec.name].transpose(TRACK, FRAME).values
    for number in _chosen(seen, only):
        curve = np.where(seen[number], values[number], np.nan)
        alone = np.isfinite(curve).sum() == 1
        axes.plot(
            along, curve, linewidth=1.0, marker="o" if alone else None, markersize=2.5,
            color=None if colors is None else colors[number] / 255, label=str(number),
        )  # fmt: skip
    axes.set_xlabel(words)
    units = {"1": "", "nm^2": " (nm²)", "deg": " (°)"}.get(spec.units, f" ({spec.units})")
    axes.set_ylabel(spec.name.replace("_", " ").replace("n positions", "positions") + units)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=9)
    return axes


def lineage(
    tracks: xr.Dataset,
    *,
    only: Sequence[int] | None = None,
    colors: np.ndarray | None = None,
    axes: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw the tracks as bars through the frames, with what befell them.

    Parameters
    ----------
    tracks
        As ``tracks`` makes it.
    only
        Numbers of the tracks to draw; by default those seen in the most frames.
    colors
        From ``track_colors``.
    axes
        Where to draw; a new figure if None.
    title
        Text above the picture.

    Returns
    -------
    The matplotlib Axes. A dotted line bridges a gap; a thin line joins the tracks of a split
    or a merge.
    """
    axes = axes_or_new(axes)
    seen = tracks[names.track_n_positions.name].transpose(TRACK, FRAME).values > 0
    chosen = _chosen(seen, only)
    place = {number: row for row, number in enumerate(chosen)}
    for number, row in place.items():
        color = "#44679f" if colors is None else colors[number] / 255
        runs, gaps = _runs(seen[number])
        axes.add_collection(
            LineCollection([[(a - 0.4, row), (b + 0.4, row)] for a, b in runs], colors=[color],
                           linewidths=4.0, capstyle="butt"),
        )  # fmt: skip
        axes.add_collection(
            LineCollection([[(a, row), (b, row)] for a, b in gaps], colors=[color],
                           linewidths=1.0, linestyles="dotted"),
        )  # fmt: skip
    _draw_events(axes, tracks, place)
    axes.set_xlim(-1, seen.shape[1])
    axes.set_ylim(max(len(chosen), 1), -1)
    axes.set_xlabel(FRAME)
    axes.set_ylabel(TRACK)
    step = max(1, -(-len(chosen) // 30))
    axes.set_yticks(range(0, len(chosen), step), [str(n) for n in chosen[::step]], fontsize=6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=9)
    return axes


def event_table(tracks: xr.Dataset) -> list[tuple[str, int, int, int]]:
    """Return the events in words: kind, frame, track, other track (-1 for none).

    Examples
    --------
    >>> import xarray as xr
    >>> flags = {"flag_values": [0, 1], "flag_meanings": "birth death"}
    >>> columns = {"event_kind": ("event", [1], flags), "event_frame": ("event", [4]),
    ...            "event_track": ("event", [0]), "other_track": ("event", [-1])}
    >>> event_table(xr.Dataset(columns))
    [('death', 4, 0, -1)]
    """
    kind = tracks[names.event_kind.name]
    flags = np.asarray(kind.attrs["flag_values"]).tolist()
    words = dict(zip(flags, str(kind.attrs["flag_meanings"]).split(), strict=True))
    columns = (
        tracks[spec.name].values.tolist()
        for spec in (names.event_frame, names.event_track, names.other_track)
    )
    return [(words[k], *rest) for k, *rest in zip(kind.values.tolist(), *columns, strict=True)]


def frame_axis(ds: xr.Dataset) -> tuple[np.ndarray, str]:
    """Return what the frames are counted in, and its name with the unit."""
    for name, usual in FRAME_COORDS.items():
        if name in ds.coords:
            coordinate = ds.coords[name]
            return coordinate.values, f"{name} ({coordinate.attrs.get('units', usual)})"
    return np.arange(ds.sizes[FRAME]), FRAME


def _curve(tracks: xr.Dataset, of: str | None) -> Variable:
    known = {spec.name: spec for spec in names.CURVES}
    if of is None:
        calibrated = bool(np.isfinite(tracks[names.area.name].values).any())
        return names.area if calibrated else names.track_n_positions
    if of not in known:
        raise InputError(f"no curve {of!r}; there are {', '.join(known)}")
    variables.require(tracks, known[of])
    return known[of]


def _chosen(seen: np.ndarray, only: Sequence[int] | None) -> list[int]:
    if only is not None:
        return list(only)
    longest = np.argsort(-seen.sum(axis=1), kind="stable")[:MOST_LINES]
    return np.sort(longest).tolist()


def _runs(seen: np.ndarray) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return first and last frames of what is seen in one go, and of the gaps between."""
    frames = np.flatnonzero(seen)
    if not frames.size:
        return [], []
    breaks = np.flatnonzero(np.diff(frames) > 1)
    starts = [frames[0], *frames[breaks + 1]]
    stops = [*frames[breaks], frames[-1]]
    gaps = list(zip(stops[:-1], starts[1:], strict=True))
    return list(zip(starts, stops, strict=True)), gaps


def _draw_events(axes: Axes, tracks: xr.Dataset, place: dict[int, int]) -> None:
    table = event_table(tracks)
    for kind, (marker, fill) in _EVENT_MARKS.items():
        # the first frame has every track begin: nothing was born there
        at = [(f, place[t]) for k, f, t, _ in table if k == kind and f > 0 and t in place]
        if at:
            axes.plot(
                *zip(*at, strict=True), linestyle="none", marker=marker, markersize=3.5,
                markerfacecolor=fill, markeredgecolor="#16161a", markeredgewidth=0.7, zorder=3,
                label=kind,
            )  # fmt: skip
    for kind, frame, track, other in table:
        if kind in ("split", "merge") and track in place and other in place:
            axes.plot([frame] * 2, [place[track], place[other]], color="0.35", linewidth=0.6)
    if axes.get_legend_handles_labels()[1]:
        corner = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0}
        axes.legend(fontsize=7, ncols=4, frameon=False, **corner)


def _is_dark(color: np.ndarray) -> bool:
    return float(np.asarray(color, float) @ (0.299, 0.587, 0.114)) < 140
