"""The report's part about a series: growth, tracks, and a page for each frame shown."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from daskstem.schema import track_variables, variables
from daskstem.schema.dims import CLUSTER, FRAME, TRACK
from daskstem.view import html
from daskstem.view.content import CLASS_LABEL, N_ASSIGNED, FrameContent, ReportContent
from daskstem.view.events import event_table
from daskstem.view.figures import (
    growth_figure,
    lineage_figure,
    map_figure,
    montage_figure,
    png,
    track_figure,
    track_sheet,
    tracks_figure,
)
from daskstem.view.scale import scan_grid
from daskstem.view.tracks import MOST_LINES, track_colors
from daskstem.view.wording import counted, frame_title

_ON_A_SHEET: Final = 48
_FEW_FRAMES: Final = 4


_MAPS: Final = (
    (variables.dark_field, "Virtual dark field"),
    (variables.mean_similarity, "Mean similarity"),
    (variables.label, "Clusters"),
)


def series_section(content: ReportContent) -> Iterator[str]:
    """Yield the series as a whole and frame by frame; nothing for a single frame."""
    frames, shown = content.shape[0], len(content.frames)
    if frames == 1:
        return
    yield html.heading(2, "The series")
    if content.total(N_ASSIGNED) is not None:
        raw = scan_grid(content.raw)
        figure = growth_figure(
            content.per_frame, positions=raw.rows * raw.columns, position_area=raw.pixel_area
        )
        caption = "Number of clusters in each frame, and the area they cover."
        yield html.picture(png(figure, dpi=110), title="Growth", caption=caption, wide=True)
    yield from tracks_section(content)
    if shown < frames:
        numbers = ", ".join(str(frame.number) for frame in content.frames)
        yield html.paragraph(
            f"Pictures follow for {shown} of the {frames} frames, evenly chosen: {numbers}. "
            f"The numbers on this page count all frames."
        )
    dpi = 110 if shown <= _FEW_FRAMES else 96
    colors = colors_of(content)
    for frame in content.frames:
        yield _frame(content, frame, dpi, colors)


def _frame(content: ReportContent, frame: FrameContent, dpi: int, colors: np.ndarray) -> str:
    title = frame_title(frame.number, content.per_frame.isel({FRAME: frame.number}))
    pictures = [
        html.picture(png(map_figure(frame, spec.name), dpi=dpi), title=name)
        for spec, name in _MAPS
        if spec.name in frame.maps and not (spec is variables.label and TRACK in frame.maps)
    ]
    if CLASS_LABEL in frame.maps:
        mapped = png(map_figure(frame, CLASS_LABEL), dpi=dpi)
        pictures.append(html.picture(mapped, title="K-means classes"))
    parts = [html.heading(3, title), html.gallery([*pictures, *track_picture(frame, dpi, colors)])]
    if frame.shown.sizes.get(CLUSTER, 0):
        figure = montage_figure(frame.shown, seeds=False)
        parts.append(
            html.picture(png(figure, dpi=dpi), title="Largest clusters' mean patterns", wide=True)
        )
    return html.section(parts, kind="frame")


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
    yield html.heading(3, "Tracks")
    yield html.paragraph(track_words(content))
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


def track_words(content: ReportContent) -> str:
    """Say how many tracks there are and what befell them; empty without tracks."""
    tracks = content.tracks
    if not tracks:
        return ""
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
