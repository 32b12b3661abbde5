"""The report's pictures, each as the bytes of a PNG."""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from PIL import Image

from daskstem.schema import track_variables, variables
from daskstem.schema.dims import FRAME, THRESHOLD, TRACK
from daskstem.view import pictures
from daskstem.view.classes import class_map
from daskstem.view.content import CLASS_LABEL, N_ASSIGNED, TRUTH_LABEL, FrameContent
from daskstem.view.drawing import bare, draw_image, scaling
from daskstem.view.palette import BACKGROUND
from daskstem.view.scale import scan_grid
from daskstem.view.tracks import MOST_LINES, frame_axis, growth_curves, lineage, track_map

_COLORS: Final = 256
_WIDTH: Final = 3.9
_MAP_SHARE: Final = 0.8
"""Of a figure's width; the rest is for the color bar."""

_SHEET_COLUMNS: Final = 8
_OUTLINE: Final = "#39d5ff"
_LINE: Final = {"color": "#44679f", "marker": "o", "markersize": 3, "linewidth": 1.2}


def png(figure: Figure, *, dpi: int) -> bytes:
    """Return a figure as a PNG of at most 256 colors, and clear the figure.

    A palette makes noisy maps three times smaller; the color maps have 256 colors anyway.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, facecolor="white")
    figure.clear()
    small = io.BytesIO()
    with Image.open(drawn) as image:
        # By coverage, not by frequency: the rare colors at the ends of a scale keep their steps.
        fewer = image.convert("RGB").quantize(
            _COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        fewer.save(small, format="PNG", optimize=True)
    return small.getvalue()


def map_figure(frame: FrameContent, name: str) -> Figure:
    """Draw one of a frame's maps, or the clusters' outlines over the dark field."""
    figure, axes = _map_axes(frame)
    if name == variables.label.name:
        pictures.label_map(frame.maps[name], axes=axes)
    elif name == TRUTH_LABEL:
        pictures.label_map(frame.maps[name], axes=axes, outlined=False)
        pictures.outlines(frame.maps[variables.label.name], axes=axes)
    elif name == CLASS_LABEL:
        class_map(frame.maps[name], axes=axes)
    elif name == variables.dark_field.name:
        pictures.scan_map(frame.maps[name], axes=axes, cmap=pictures.INTENSITY)
    else:
        pictures.scan_map(frame.maps[name], axes=axes)
    return figure


def outlined_figure(frame: FrameContent, below: str) -> Figure:
    """Draw the clusters' outlines over one of the frame's maps, in gray."""
    figure, axes = _map_axes(frame)
    pictures.scan_map(frame.maps[below], axes=axes, cmap="gray")
    # A thousand clusters outlined as boldly as ten would hide the map below.
    count = np.unique(frame.maps[variables.label.name]).size
    width = float(np.clip(10 / np.sqrt(count), 0.25, 1.0))
    pictures.outlines(frame.maps[variables.label.name], axes=axes, color=_OUTLINE, width=width)
    return figure


def _map_axes(frame: FrameContent) -> tuple[Figure, Axes]:
    """Return a figure as high as the scan's shape wants, within what fits on a screen."""
    grid = scan_grid(frame.maps)
    shape = min(max(grid.height / grid.width, 0.35), 2.0)
    figure = Figure(figsize=(_WIDTH, _MAP_SHARE * _WIDTH * shape / 0.98))
    # Fixed margins, not a layout engine: all maps of a frame come out equally large.
    axes = figure.add_axes((0.004, 0.01, _MAP_SHARE, 0.98), anchor="W")
    return figure, axes


def histogram_figure(frame: FrameContent) -> Figure:
    """Draw how large the frame's clusters are."""
    figure = Figure(figsize=(3.9, 3.0), layout="constrained")
    pictures.size_histogram(
        frame.clusters[variables.n_positions.name].values,
        position_area_nm2=scan_grid(frame.maps).pixel_area,
        axes=figure.add_subplot(),
    )
    return figure


def threshold_figure(curves: xr.Dataset, *, used: float, suggested: float) -> Figure:
    """Draw what every threshold would find, with the one used and the one suggested marked.

    Parameters
    ----------
    curves
        (threshold): ``cluster_count`` and ``cover``.
    used, suggested
        Thresholds to mark; NaN for none.
    """
    figure = Figure(figsize=(11.2, 2.9), layout="constrained")
    along = curves.coords[THRESHOLD].values
    # what is similar crowds below 1: a scale of 1 - threshold shows it, but has no place for 1
    curves, along = curves.isel({THRESHOLD: along < 1}), along[along < 1]
    distance = 1 - along
    for axes, spec, factor, words in zip(
        figure.subplots(1, 2),
        (variables.cluster_count, variables.cover),
        (1, 100),
        ("clusters", "mask covered by clusters (%)"),
        strict=True,
    ):
        axes.plot(distance, factor * curves[spec.name].values, color=_LINE["color"])
        for value, name, style in ((used, "used", "-"), (suggested, "suggested", "--")):
            if np.isfinite(value):
                axes.axvline(
                    max(1 - value, 1e-3), color="#c4501b", linestyle=style, linewidth=1.1,
                    label=f"{name}: {value:.3f}",
                )  # fmt: skip
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xticks([1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{1 - value:.4g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("threshold of similarity")
        axes.set_ylabel(words)
        axes.set_ylim(0, None)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    return figure


def growth_figure(per_frame: xr.Dataset, *, positions: int, position_area: float | None) -> Figure:
    """Draw the number of clusters and the area they cover, frame after frame.

    Parameters
    ----------
    per_frame
        (frame): ``n_clusters`` and ``n_assigned``, against the first of the frame
        coordinates that it has, else the frame's number.
    positions
        Probe positions in a frame.
    position_area
        nm^2 of one of them; adds an axis in um^2.
    """
    figure = Figure(figsize=(11.2, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    along, words = frame_axis(per_frame)
    left.plot(along, per_frame[variables.n_clusters.name], **_LINE)
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylabel("clusters in a frame")
    right.plot(along, 100 * per_frame[N_ASSIGNED] / positions, **_LINE)
    right.set_ylabel("covered by clusters (%)")
    if position_area:
        ways = scaling(positions * position_area * 1e-6 / 100)
        right.secondary_yaxis("right", functions=ways).set_ylabel("µm²")
    for axes in (left, right):
        axes.set_xlabel(words)
        # From zero, with room above: a flat curve lies in the picture, not on its edge.
        axes.set_ylim(0, 1.12 * max(axes.dataLim.y1, 1e-3))
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def track_figure(frame: FrameContent, colors: np.ndarray) -> Figure:
    """Draw a frame's tracks in the colors that they have in all frames."""
    figure, axes = _map_axes(frame)
    track_map(frame.maps[TRACK], colors=colors, axes=axes)
    return figure


def track_sheet(maps: xr.DataArray, colors: np.ndarray, titles: Sequence[str]) -> Figure:
    """Draw the tracks of many frames side by side, (frame, scan_y, scan_x)."""
    count = maps.sizes[FRAME]
    rows = -(-count // _SHEET_COLUMNS)
    grid = scan_grid(maps)
    shape = min(max(grid.height / grid.width, 0.35), 2.0)
    figure = Figure(figsize=(11.2, rows * (1.36 * shape + 0.2)))
    places = figure.add_gridspec(
        rows, _SHEET_COLUMNS, left=0.002, right=0.998, bottom=0.002, top=1 - 0.12 / rows,
        wspace=0.03, hspace=0.16,
    )  # fmt: skip
    table = np.concatenate([np.array([BACKGROUND], np.uint8), colors])
    for number, title in enumerate(titles):
        axes = figure.add_subplot(places[divmod(number, _SHEET_COLUMNS)])
        draw_image(axes, table[maps.isel({FRAME: number}).values + 1], grid)
        bare(axes, "").set_title(title, fontsize=7, pad=2)
    return figure


def tracks_figure(tracks: xr.Dataset, colors: np.ndarray) -> Figure:
    """Draw the tracks' growth, the turns of their patterns, and the drift."""
    figure = Figure(figsize=(11.2, 3.1), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    growth_curves(tracks, colors=colors, axes=left, title="Growth")
    growth_curves(
        tracks, of=track_variables.rotation.name, colors=colors, axes=middle, title="Rotation"
    )
    along, words = frame_axis(tracks)
    drift_y, drift_x = track_variables.drift[:2]
    right.plot(along, tracks[drift_y.name], color="#332288", linewidth=1.2, label="rows")
    right.plot(along, tracks[drift_x.name], color="#CC6677", linewidth=1.2, label="columns")
    right.set(xlabel=words, ylabel="drift (positions)")
    right.set_title("Drift", fontsize=9)
    right.grid(color="0.9", linewidth=0.6)
    right.spines[["top", "right"]].set_visible(False)
    right.legend(fontsize=7, frameon=False)
    return figure


def lineage_figure(tracks: xr.Dataset, colors: np.ndarray) -> Figure:
    """Draw the tracks' lineage."""
    count = min(tracks.sizes[TRACK], MOST_LINES)
    figure = Figure(figsize=(11.2, 1.1 + 0.11 * count), layout="constrained")
    lineage(tracks, colors=colors, axes=figure.add_subplot())
    return figure
