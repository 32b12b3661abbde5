"""The report's part about tracks: every frame in their colors, their growth and lineage."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from daskstem.schema import track_variables
from daskstem.schema.dims import FRAME, TRACK
from daskstem.view import html
from daskstem.view.content import FrameContent, ReportContent
from daskstem.view.events import event_table
from daskstem.view.figures import lineage_figure, png, track_figure, track_sheet, tracks_figure
from daskstem.view.tracks import MOST_LINES, track_colors
from daskstem.view.wording import counted

_ON_A_SHEET: Final = 48


def colors_of(content: ReportContent) -> np.ndarray:
    """Choose the tracks' colors, the same for the whole page, (n_tracks, 3) uint8."""
    if content.track_maps is None:
        return np.empty((0, 3), np.uint8)
    shown = [frame.maps[TRACK] for frame in content.frames if TRACK in frame.maps]
    return track_colors([*content.track_maps, *shown], content.tracks.sizes[TRACK])


def tracks_section(content: ReportContent) -> Iterator[str]:
    """Yield the pictures and the words about the series' tracks; nothing for a single frame."""
    if content.track_maps is None or content.shape[0] == 1:
        return
    tracks, colors = content.tracks, colors_of(content)
    yield html.heading(2, "Tracks")
    yield html.paragraph(_words(content))
    yield from _sheets(content, colors)
    if not tracks.sizes[TRACK]:
        return
    few = f" The {MOST_LINES} seen longest." if tracks.sizes[TRACK] > MOST_LINES else ""
    yield html.picture(
        png(tracks_figure(tracks, colors), dpi=110),
        title="Growth, rotation and drift",
        caption=f"A line for each track, in the color that it has on the maps.{few} Rotation is "
        f"that of the pattern against the track's first.",
        wide=True,
    )
    yield html.picture(
        png(lineage_figure(tracks, colors), dpi=110),
        title="Lineage",
        caption=f"A bar for each track, from the frame in which it appears.{few} Dotted: missing "
        f"for a few frames. Circle: birth. Cross: death. Triangles: split off, merged into "
        f"another.",
        wide=True,
    )


def track_picture(frame: FrameContent, dpi: int, colors: np.ndarray) -> Iterator[str]:
    """Yield the map of one frame's tracks, if there is one."""
    if TRACK in frame.maps:
        yield html.picture(
            png(track_figure(frame, colors), dpi=dpi),
            title="Tracks",
            caption="Numbers and colors stay the same through the frames.",
        )


def _sheets(content: ReportContent, colors: np.ndarray) -> Iterator[str]:
    maps = content.track_maps
    if maps is None:
        return
    for first in range(0, maps.sizes[FRAME], _ON_A_SHEET):
        part = maps.isel({FRAME: slice(first, first + _ON_A_SHEET)})
        titles = [str(first + n) for n in range(part.sizes[FRAME])]
        last = first + part.sizes[FRAME] - 1
        yield html.picture(
            png(track_sheet(part, colors, titles), dpi=110),
            title=f"Frames {first} to {last}",
            caption="Every frame, colored by track: a track keeps its color.",
            wide=True,
        )


def _words(content: ReportContent) -> str:
    tracks = content.tracks
    seen = (tracks[track_variables.track_n_positions.name].values > 0).sum(axis=1)
    kinds = [kind for kind, frame, *_ in event_table(tracks) if frame > 0]
    told = [
        counted(kinds.count(kind), kind) for kind in ("birth", "death", "split", "merge", "gap")
    ]
    return (
        f"{counted(tracks.sizes[TRACK], 'track')} through {content.shape[0]} frames; "
        f"{(seen == content.shape[0]).sum()} of them are seen in every frame. "
        f"After the first frame: {', '.join(told[:-1])}, {told[-1]} bridged."
    )
