"""What befell the tracks of a series: their lineage, and a table of events."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from daskstem.schema import track_variables as names
from daskstem.schema.dims import FRAME, TRACK
from daskstem.view.drawing import axes_or_new, plain
from daskstem.view.tracks import longest_seen

_EVENT_MARKS: Final = {
    "birth": ("o", "white"),
    "death": ("x", "#16161a"),
    "split": ("^", "#16161a"),
    "merge": ("v", "#16161a"),
}


def lineage(
    tracks: xr.Dataset,
    *,
    only: Sequence[int] | None = None,
    colors: np.ndarray | None = None,
    ax: Axes | None = None,
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
    ax
        Where to draw; a new figure if None.
    title
        Text above the picture.

    Returns
    -------
    The matplotlib Axes. A dotted line bridges a gap; a thin line joins the tracks of a split
    or a merge.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> flags = {"flag_values": [0], "flag_meanings": "birth"}
    >>> tracks = xr.Dataset({
    ...     "n_positions": (("track", "frame"), [[4, 6, 9], [0, 2, 5]]),
    ...     "event_kind": ("event", [0], flags), "event_frame": ("event", [1]),
    ...     "event_track": ("event", [1]), "other_track": ("event", [-1]),
    ... })
    >>> view.lineage(tracks).lines[0].get_label()
    'birth'
    """
    ax = axes_or_new(ax)
    seen = tracks[names.track_n_positions.name].transpose(TRACK, FRAME).values > 0
    chosen = longest_seen(seen, only)
    place = {number: row for row, number in enumerate(chosen)}
    for number, row in place.items():
        color = "#44679f" if colors is None else colors[number] / 255
        runs, gaps = _runs(seen[number])
        ax.add_collection(
            LineCollection([[(a - 0.4, row), (b + 0.4, row)] for a, b in runs], colors=[color],
                           linewidths=4.0, capstyle="butt"),
        )  # fmt: skip
        ax.add_collection(
            LineCollection([[(a, row), (b, row)] for a, b in gaps], colors=[color],
                           linewidths=1.0, linestyles="dotted"),
        )  # fmt: skip
    _draw_events(ax, tracks, place)
    ax.set_xlim(-1, seen.shape[1])
    ax.set_ylim(max(len(chosen), 1), -1)
    ax.set_xlabel(FRAME)
    ax.set_ylabel(TRACK)
    step = max(1, -(-len(chosen) // 30))
    ax.set_yticks(range(0, len(chosen), step), [str(n) for n in chosen[::step]], fontsize=6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(title, fontsize=9)
    return plain(ax, grid=False)


def event_table(tracks: xr.Dataset) -> list[tuple[str, int, int, int]]:
    """Return the events of a series in words.

    Parameters
    ----------
    tracks
        ``event_kind``, ``event_frame``, ``event_track`` and ``other_track`` (event), as
        ``tracks`` makes them.

    Returns
    -------
    For each event its kind, frame, track and other track (-1 for none).

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
