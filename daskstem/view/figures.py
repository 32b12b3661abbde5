"""The report's pictures, each as the bytes of a PNG."""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from daskstem.schema import track_variables, variables
from daskstem.schema.dims import CENTROID, CLUSTER, FRAME, N_CLASSES, TRACK, Q
from daskstem.view import pictures
from daskstem.view.classes import (
    MOST_CLASSES,
    class_map,
    class_montage,
    inertia_curve,
    silhouette_curve,
)
from daskstem.view.content import (
    CLASS_LABEL,
    N_ASSIGNED,
    SEED_PATTERN,
    TRUTH_LABEL,
    FrameContent,
)
from daskstem.view.curves import size_histogram, threshold_curve
from daskstem.view.drawing import bare, draw_image, plain, scaling
from daskstem.view.events import lineage
from daskstem.view.montages import montage, montage_size
from daskstem.view.palette import BACKGROUND
from daskstem.view.scale import PixelGrid, scan_grid
from daskstem.view.tracks import MOST_LINES, drift_curve, frame_axis, growth_curves, track_map

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
    figure, axes = map_axes(scan_grid(frame.maps))
    if name == variables.label.name:
        pictures.label_map(frame.maps[name], ax=axes)
    elif name == TRUTH_LABEL:
        pictures.label_map(frame.maps[name], ax=axes, outlined=False)
        pictures.outlines(frame.maps[variables.label.name], ax=axes)
    elif name == CLASS_LABEL:
        class_map(frame.maps[name], ax=axes)
    elif name == variables.dark_field.name:
        pictures.scan_map(frame.maps[name], ax=axes, cmap=pictures.INTENSITY)
    else:
        pictures.scan_map(frame.maps[name], ax=axes)
    return figure


def outlined_figure(frame: FrameContent, below: str) -> Figure:
    """Draw the clusters' outlines over one of the frame's maps, in gray."""
    figure, axes = map_axes(scan_grid(frame.maps))
    pictures.scan_map(frame.maps[below], ax=axes, cmap="gray")
    # A thousand clusters outlined as boldly as ten would hide the map below.
    count = np.unique(frame.maps[variables.label.name]).size
    width = float(np.clip(10 / np.sqrt(count), 0.25, 1.0))
    pictures.outlines(frame.maps[variables.label.name], ax=axes, color=_OUTLINE, width=width)
    return figure


def map_axes(grid: PixelGrid) -> tuple[Figure, Axes]:
    """Return a figure as high as the scan's shape wants, within what fits on a screen."""
    shape = min(max(grid.height / grid.width, 0.35), 2.0)
    figure = Figure(figsize=(_WIDTH, _MAP_SHARE * _WIDTH * shape / 0.98))
    # Fixed margins, not a layout engine: all maps of a frame come out equally large.
    axes = figure.add_axes((0.004, 0.01, _MAP_SHARE, 0.98), anchor="W")
    return figure, axes


def histogram_figure(frame: FrameContent) -> Figure:
    """Draw how large the frame's clusters are."""
    figure = Figure(figsize=(3.9, 3.0), layout="constrained")
    size_histogram(
        frame.clusters[variables.n_positions.name].values,
        position_area_nm2=scan_grid(frame.maps).pixel_area,
        ax=figure.add_subplot(),
    )
    return figure


def threshold_figure(hierarchy: xr.Dataset, *, used: float | None) -> Figure:
    """Draw what every threshold would find, with the one used and the one suggested marked."""
    figure = Figure(figsize=(11.2, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    threshold_curve(hierarchy, used=used, ax=left)
    threshold_curve(hierarchy, of="cover", used=used, ax=right)
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
        nm^2 of one of them; adds an axis of the area.
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
        field = positions * position_area
        factor, units = (1e-6, "µm²") if field >= 1e6 else (1.0, "nm²")
        ways = scaling(field * factor / 100)
        right.secondary_yaxis("right", functions=ways).set_ylabel(units)
    for axes in (left, right):
        axes.set_xlabel(words)
        # From zero, with room above: a flat curve lies in the picture, not on its edge.
        axes.set_ylim(0, 1.12 * max(axes.dataLim.y1, 1e-3))
        plain(axes)
    return figure


def track_figure(frame: FrameContent, colors: np.ndarray) -> Figure:
    """Draw a frame's tracks in the colors that they have in all frames."""
    figure, axes = map_axes(scan_grid(frame.maps))
    track_map(frame.maps[TRACK], colors=colors, ax=axes)
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
    growth_curves(tracks, colors=colors, ax=left, title="Growth")
    growth_curves(
        tracks, of=track_variables.rotation.name, colors=colors, ax=middle, title="Rotation"
    )
    drift_curve(tracks, ax=right, title="Drift")
    return figure


def lineage_figure(tracks: xr.Dataset, colors: np.ndarray) -> Figure:
    """Draw the tracks' lineage."""
    count = min(tracks.sizes[TRACK], MOST_LINES)
    figure = Figure(figsize=(11.2, 1.1 + 0.11 * count), layout="constrained")
    lineage(tracks, colors=colors, ax=figure.add_subplot())
    return figure


def montage_figure(shown: xr.Dataset, *, seeds: bool = True) -> Figure:
    """Draw clusters' mean patterns side by side, above the single patterns of their seeds."""
    patterns = shown[variables.pattern.name]
    patterns = patterns.drop_vars([name for name in patterns.coords if name not in Q])
    named = (variables.cluster_label.name, variables.n_positions.name)
    patterns = patterns.assign_coords({name: (CLUSTER, shown[name].values) for name in named})
    below = shown[SEED_PATTERN] if seeds and SEED_PATTERN in shown else None
    figure, ax = _sheet(patterns, 1 if below is None else 2)
    montage(patterns, below=below, ax=ax)
    return figure


def class_figure(classes: xr.Dataset) -> Figure:
    """Draw the patterns of the largest classes."""
    patterns = classes[variables.class_pattern.name].isel({CENTROID: slice(0, MOST_CLASSES)})
    figure, ax = _sheet(patterns, 1)
    class_montage(classes, ax=ax)
    return figure


def convergence_figure(classes: xr.Dataset) -> Figure:
    """Draw how the classes were found: inertia and, for several k, silhouettes."""
    several = classes.sizes[N_CLASSES] > 1
    figure = Figure(figsize=(7.8 if several else 3.9, 2.9), layout="constrained")
    inertia_curve(classes, ax=figure.add_subplot(1, 2 if several else 1, 1))
    if several:
        silhouette_curve(classes, ax=figure.add_subplot(1, 2, 2))
    return figure


def _sheet(patterns: xr.DataArray, rows: int) -> tuple[Figure, Axes]:
    width, height = montage_size(patterns, rows=rows)
    figure = Figure(figsize=(width, height))
    return figure, figure.add_axes((0.004, 0.004, 0.992, 0.992))
