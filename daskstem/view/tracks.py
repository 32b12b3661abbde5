"""Tracks in pictures: maps in colors that stay, growth curves, drift."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from daskstem.schema import track_variables as names
from daskstem.schema import variables
from daskstem.schema.dims import FRAME, FRAME_COORDS, MAP, SCAN, TRACK
from daskstem.schema.errors import InputError
from daskstem.schema.variables import Variable
from daskstem.view.drawing import axes_or_new, bare, draw_image, plain, two_dimensional
from daskstem.view.palette import BACKGROUND, colors_through
from daskstem.view.scale import draw_scale_bar, scan_grid, unit_text

MOST_LINES: Final = 60
"""Tracks in one picture: of more, those seen in the most frames are drawn."""

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

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> label = xr.DataArray([[[0, 1]], [[-1, 0]]], dims=("frame", "scan_y", "scan_x"))
    >>> tracks = xr.Dataset({"track": ("cluster", [0, 1, 1])})
    >>> view.track_labels(label, tracks).values.tolist()
    [[[0, 1]], [[-1, 1]]]
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

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> painted = xr.DataArray([[[0, 0, 1, 1]]], dims=("frame", "scan_y", "scan_x"))
    >>> view.track_colors(painted, 2).tolist()
    [[136, 204, 238], [51, 34, 136]]
    """
    return colors_through([np.asarray(one.values) for one in maps], n_tracks)


def track_map(
    track: xr.DataArray,
    *,
    colors: np.ndarray | None = None,
    numbered: bool = True,
    ax: Axes | None = None,
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
    ax
        Where to draw; a new figure if None.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.

    Raises
    ------
    InputError
        If there is more than one frame.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> painted = xr.DataArray([[0, 0, 1, 1]], dims=("scan_y", "scan_x"))
    >>> sorted(text.get_text() for text in view.track_map(painted).texts)[:2]
    ['0', '1']
    """
    track, ax = two_dimensional(track, SCAN), axes_or_new(ax)
    values, grid = track.values, scan_grid(track)
    if colors is None:
        colors = track_colors([track], int(values.max(initial=-1)) + 1)
    table = np.concatenate([np.array([BACKGROUND], np.uint8), colors])
    draw_image(ax, table[values + 1], grid)
    present = np.unique(values[values >= 0]).tolist()
    if numbered and len(present) <= _MOST_NUMBERS:
        for number in present:
            y, x = np.nonzero(values == number)
            ax.annotate(
                str(number), (x.mean() * grid.step_x, y.mean() * grid.step_y), fontsize=6,
                color="white" if _is_dark(colors[number]) else "black", ha="center", va="center",
            )  # fmt: skip
    draw_scale_bar(ax, grid, pixel_name="positions")
    return bare(ax, title)


def growth_curves(
    tracks: xr.Dataset,
    *,
    of: str | None = None,
    only: Sequence[int] | None = None,
    colors: np.ndarray | None = None,
    ax: Axes | None = None,
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
    ax
        Where to draw; a new figure if None.
    title
        Text above the curves.

    Returns
    -------
    The matplotlib Axes. A curve is broken where its track is missing.

    Raises
    ------
    InputError
        If there is no such curve.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> tracks = xr.Dataset({
    ...     "n_positions": (("track", "frame"), [[4, 6, 9]]),
    ...     "area": (("track", "frame"), [[16.0, 24.0, 36.0]]),
    ... })
    >>> view.growth_curves(tracks).get_ylabel()
    'area (nm²)'
    """
    spec = _curve(tracks, of)
    ax = axes_or_new(ax)
    along, words = frame_axis(tracks)
    seen = tracks[names.track_n_positions.name].transpose(TRACK, FRAME).values > 0
    values = tracks[spec.name].transpose(TRACK, FRAME).values
    for number in longest_seen(seen, only):
        curve = np.where(seen[number], values[number], np.nan)
        alone = np.isfinite(curve).sum() == 1
        ax.plot(
            along, curve, linewidth=1.0, marker="o" if alone else None, markersize=2.5,
            color=None if colors is None else colors[number] / 255, label=str(number),
        )  # fmt: skip
    ax.set_xlabel(words)
    units = f" ({text})" if (text := unit_text(spec.units)) else ""
    ax.set_ylabel(spec.name.replace("_", " ").replace("n positions", "positions") + units)
    ax.set_title(title, fontsize=9)
    return plain(ax)


def drift_curve(tracks: xr.Dataset, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the drift of the scan since the first frame.

    Parameters
    ----------
    tracks
        ``drift_y`` and ``drift_x`` (frame), as ``tracks`` makes them.
    ax
        Where to draw; a new figure if None.
    title
        Text above the curves.

    Returns
    -------
    The matplotlib Axes.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> drift = {"drift_y": ("frame", [0.0, 0.4]), "drift_x": ("frame", [0.0, -0.1])}
    >>> [line.get_label() for line in view.drift_curve(xr.Dataset(drift)).lines]
    ['rows', 'columns']
    """
    ax = axes_or_new(ax)
    along, words = frame_axis(tracks)
    for spec, name, color in zip(
        names.drift[:2], ("rows", "columns"), ("#332288", "#CC6677"), strict=True
    ):
        ax.plot(along, tracks[spec.name].values, color=color, linewidth=1.2, label=name)
    ax.set(xlabel=words, ylabel="drift (positions)")
    ax.legend(fontsize=7, frameon=False)
    ax.set_title(title, fontsize=9)
    return plain(ax)


def frame_axis(ds: xr.Dataset) -> tuple[np.ndarray, str]:
    """Return what the frames are counted in, and its name with the unit."""
    for name, usual in FRAME_COORDS.items():
        if name in ds.coords:
            coordinate = ds.coords[name]
            return coordinate.values, f"{name} ({unit_text(coordinate.attrs.get('units', usual))})"
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


def longest_seen(seen: np.ndarray, only: Sequence[int] | None) -> list[int]:
    """Return the tracks to draw: those asked for, else the ones seen in the most frames."""
    if only is not None:
        return list(only)
    longest = np.argsort(-seen.sum(axis=1), kind="stable")[:MOST_LINES]
    return np.sort(longest).tolist()


def _is_dark(color: np.ndarray) -> bool:
    return float(np.asarray(color, float) @ (0.299, 0.587, 0.114)) < 140
