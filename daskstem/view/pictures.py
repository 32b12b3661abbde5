"""Maps, patterns and histograms: one picture each, drawn into the given matplotlib Axes."""

from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import ndimage
from skimage.measure import find_contours

from daskstem.schema import variables
from daskstem.schema.dims import CLUSTER, SCAN, Q
from daskstem.schema.errors import InputError
from daskstem.view.content import SEED_PATTERN
from daskstem.view.drawing import (
    axes_or_new,
    bare,
    draw_color_bar,
    draw_image,
    label_log_axis,
    linear_norm,
    log_norm,
    scaling,
    size_bins,
)
from daskstem.view.palette import label_colors
from daskstem.view.scale import (
    detector_grid,
    draw_scale_bar,
    scan_grid,
)

POSITIONS: Final = "positions"
INTENSITY: Final = "inferno"
SIMILARITY: Final = "cividis"

_COLUMNS: Final = 6
"""Patterns in a full row of a montage."""

_MASK_COLORS: Final = ("#16161a", "#e8e4d8")


def scan_map(
    array: xr.DataArray,
    *,
    axes: Axes | None = None,
    cmap: str = SIMILARITY,
    percentiles: tuple[float, float] = (0.5, 99.5),
    title: str = "",
) -> Axes:
    """Draw a map over the probe positions with a color bar and a scale bar.

    Parameters
    ----------
    array
        (scan_y, scan_x), numbers or bool; NaN is left gray. Its coordinates give the scale:
        positions need not be square.
    axes
        Where to draw; a new figure if None.
    cmap
        A perceptually uniform matplotlib color map. A bool map is black and white.
    percentiles
        The colors span these percentiles of the finite values.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.
    """
    array = _two_dimensional(array, SCAN)
    axes = axes_or_new(axes)
    grid = scan_grid(array)
    if array.dtype.kind == "b":
        two = ListedColormap(_MASK_COLORS)
        draw_image(axes, array.values, grid, cmap=two, norm=Normalize(0, 1))
    else:
        norm = linear_norm(array.values, percentiles)
        image = draw_image(axes, array.values, grid, cmap=cmap, norm=norm)
        axes.set_facecolor("0.6")
        draw_color_bar(axes, image, str(array.attrs.get("units", "1")))
    return _finish_map(axes, array, title)


def label_map(
    label: xr.DataArray, *, axes: Axes | None = None, outlined: bool = True, title: str = ""
) -> Axes:
    """Draw the clusters in colors that differ between neighbors, with their outlines.

    Parameters
    ----------
    label
        (scan_y, scan_x) integer; negative is background and drawn dark.
    axes
        Where to draw; a new figure if None.
    outlined
        Whether to draw the outlines.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.
    """
    label = _two_dimensional(label, SCAN)
    axes = axes_or_new(axes)
    draw_image(axes, label_colors(label.values), scan_grid(label))
    if outlined:
        outlines(label, axes=axes, width=0.4)
    return _finish_map(axes, label, title)


def outlines(
    label: xr.DataArray, *, axes: Axes | None = None, color: str = "white", width: float = 0.7
) -> Axes:
    """Draw the closed outline of every cluster, over whatever map the axes hold.

    Parameters
    ----------
    label
        (scan_y, scan_x) integer; negative is background.
    axes
        Where to draw; a new figure if None.
    color, width
        Color and width (points) of the lines.

    Returns
    -------
    The matplotlib Axes.
    """
    label = _two_dimensional(label, SCAN)
    axes = axes_or_new(axes)
    grid = scan_grid(label)
    steps = np.array([grid.step_x, grid.step_y])
    lines = [line[:, ::-1] * steps for line in closed_outlines(label.values)]
    axes.add_collection(
        LineCollection(lines, colors=color, linewidths=width, joinstyle="round"), autolim=False
    )
    return axes


def closed_outlines(label: np.ndarray) -> list[np.ndarray]:
    """Trace every cluster of a label map.

    Parameters
    ----------
    label : (Y, X) integer
        Negative is background.

    Returns
    -------
    list of (N, 2) float64
        Row and column of closed polygons (first point repeated), holes included, halfway
        between the positions inside and outside; also around clusters at the scan's edge.
    """
    # find_objects wants labels from 1 without gaps, else its list is as long as the largest.
    names, compact = np.unique(label, return_inverse=True)
    compact = compact.reshape(label.shape) + 1
    lines: list[np.ndarray] = []
    for number, box in enumerate(ndimage.find_objects(compact), start=1):
        if names[number - 1] < 0:
            continue
        inside = np.pad(compact[box] == number, 1)
        corner = np.array([box[0].start - 1, box[1].start - 1])
        traced = find_contours(inside.astype(np.float32), 0.5, fully_connected="high")
        lines += [line + corner for line in traced]
    return lines


def pattern(
    array: xr.DataArray,
    *,
    axes: Axes | None = None,
    norm: LogNorm | None = None,
    title: str = "",
) -> Axes:
    """Draw a diffraction pattern in log scale with a scale bar.

    Parameters
    ----------
    array
        (q_y, q_x) counts.
    axes
        Where to draw; a new figure if None.
    norm
        The color scale, e.g. `log_norm` of another pattern to compare with; its own if None.
    title
        Text above the pattern.

    Returns
    -------
    The matplotlib Axes.
    """
    array = _two_dimensional(array, Q)
    axes = axes_or_new(axes)
    norm = norm or log_norm(array.values)
    grid = detector_grid(array)
    # Zero has no logarithm: it gets the darkest color, and so does a negative count.
    shown = np.maximum(np.nan_to_num(array.values.astype(np.float64)), norm.vmin or 0.0)
    draw_image(axes, shown, grid, cmap=INTENSITY, norm=norm)
    draw_scale_bar(axes, grid)
    return bare(axes, title)


def montage(clusters: xr.Dataset, *, figure: Figure | None = None) -> Figure:
    """Draw clusters side by side: mean pattern above, raw pattern of the seed below.

    Parameters
    ----------
    clusters
        ``pattern`` and optionally ``seed_pattern`` (cluster, q_y, q_x), with ``label`` and
        ``n_positions`` (cluster).
    figure
        Where to draw; a new figure if None.

    Returns
    -------
    The matplotlib Figure. Both patterns of a cluster share one color scale, that of the
    mean pattern.
    """
    count = clusters.sizes[CLUSTER]
    rows = 2 if SEED_PATTERN in clusters else 1
    figure = figure or Figure(figsize=(1.75 * _COLUMNS, 1.95 * rows))
    # Fixed margins are five times faster to draw than a layout engine's; columns stay as wide
    # as those of a full row when there are fewer clusters.
    margins = {"left": 0.004, "right": 0.996, "bottom": 0.01, "top": 1 - 0.1 / rows}
    places = figure.add_gridspec(rows, max(count, _COLUMNS), wspace=0.04, hspace=0.16, **margins)
    grid = [[figure.add_subplot(places[r, c]) for c in range(count)] for r in range(rows)]
    for column in range(count):
        one = clusters.isel({CLUSTER: column})
        mean = one[variables.pattern.name]
        norm = log_norm(mean.values)
        number, size = int(one["label"]), int(one[variables.n_positions.name])
        pattern(mean, axes=grid[0][column], norm=norm, title=f"#{number}: mean of {size:,}")
        if rows == 2:
            seed = one[SEED_PATTERN]
            pattern(seed, axes=grid[1][column], norm=norm, title="seed, raw")
    return figure


def size_histogram(
    n_positions: np.ndarray,
    *,
    position_area_nm2: float | None = None,
    axes: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw how many clusters there are of each size, in logarithmic bins.

    Parameters
    ----------
    n_positions : (K,) integer
        Positions in each cluster.
    position_area_nm2
        Area of one position; adds an upper axis in nm^2.
    axes
        Where to draw; a new figure if None.
    title
        Text above the histogram.

    Returns
    -------
    The matplotlib Axes.
    """
    axes = axes_or_new(axes)
    sizes = np.asarray(n_positions)
    axes.hist(
        sizes, bins=size_bins(sizes).tolist(), color="#44679f", edgecolor="white", linewidth=0.6
    )
    axes.set_xscale("log")
    label_log_axis(axes.xaxis, sizes)
    axes.set_xlabel("positions per cluster")
    axes.set_ylabel("clusters")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["right", "top"]].set_visible(False)
    if position_area_nm2:
        ways = scaling(position_area_nm2)
        upper = axes.secondary_xaxis("top", functions=ways)
        label_log_axis(upper.xaxis, sizes)
        upper.set_xlabel("nm²")
    axes.set_title(title, fontsize=9)
    return axes


def _two_dimensional(array: xr.DataArray, dims: tuple[str, str]) -> xr.DataArray:
    if set(array.dims) != set(dims):
        raise InputError(
            f"{array.name!r} has the dims {array.dims}, a picture needs {dims}; select one "
            f"frame or cluster first, e.g. with .isel(frame=0)"
        )
    return array.transpose(*dims)


def _finish_map(axes: Axes, array: xr.DataArray, title: str) -> Axes:
    draw_scale_bar(axes, scan_grid(array), pixel_name=POSITIONS)
    return bare(axes, title)
