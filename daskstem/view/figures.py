"""The report's pictures, each as the bytes of a PNG."""

import io
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from daskstem.schema import variables
from daskstem.schema.dims import FRAME, FRAME_COORDS
from daskstem.view import pictures
from daskstem.view.classes import class_map
from daskstem.view.content import CLASS_LABEL, N_ASSIGNED, TRUTH_LABEL, FrameContent
from daskstem.view.drawing import scaling
from daskstem.view.scale import scan_grid

_COLORS: Final = 256
_WIDTH: Final = 3.9
_MAP_SHARE: Final = 0.8
"""Of a figure's width; the rest is for the color bar."""

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


def frame_axis(per_frame: xr.Dataset) -> tuple[np.ndarray, str]:
    """Return what the frames are counted in, and its name with the unit."""
    for name, usual in FRAME_COORDS.items():
        if name in per_frame.coords:
            coordinate = per_frame.coords[name]
            return coordinate.values, f"{name} ({coordinate.attrs.get('units', usual)})"
    return np.arange(per_frame.sizes[FRAME]), FRAME
