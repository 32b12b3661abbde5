"""Maps and patterns: one picture each, drawn into matplotlib Axes."""

from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from scipy import ndimage
from skimage.measure import find_contours

from daskstem.schema.dims import SCAN, Q
from daskstem.view.drawing import (
    axes_or_new,
    bare,
    draw_color_bar,
    draw_image,
    linear_norm,
    log_norm,
    two_dimensional,
)
from daskstem.view.palette import label_colors
from daskstem.view.scale import detector_grid, draw_scale_bar, scan_grid

POSITIONS: Final = "positions"
INTENSITY: Final = "inferno"
SIMILARITY: Final = "cividis"

_MASK_COLORS: Final = ("#16161a", "#e8e4d8")


def scan_map(
    array: xr.DataArray,
    *,
    ax: Axes | None = None,
    cmap: str | None = None,
    percentiles: tuple[float, float] = (0.5, 99.5),
    title: str = "",
) -> Axes:
    """Draw a map over the probe positions with a color bar and a scale bar.

    Parameters
    ----------
    array
        (scan_y, scan_x), numbers or bool; NaN is left gray. Its coordinates give the scale:
        positions need not be square.
    ax
        Where to draw; a new figure if None.
    cmap
        A perceptually uniform matplotlib color map; by default one for intensities where the
        unit is counts, one for similarities elsewhere. A bool map is black and white.
    percentiles
        The colors span these percentiles of the finite values.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.

    Raises
    ------
    InputError
        If the array has another dimension of more than one element.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> along = {"scan_y": np.arange(4) * 5.0, "scan_x": np.arange(8) * 5.0}
    >>> image = xr.DataArray(np.random.default_rng(0).random((4, 8)), along, name="dark_field")
    >>> for name in along:
    ...     image[name].attrs["units"] = "nm"
    >>> view.scan_map(image, title="dark field").texts[0].get_text()
    '10 nm'
    """
    array, ax = two_dimensional(array, SCAN), axes_or_new(ax)
    grid = scan_grid(array)
    if array.dtype.kind == "b":
        two = ListedColormap(_MASK_COLORS)
        draw_image(ax, array.values, grid, cmap=two, norm=Normalize(0, 1))
    else:
        units = str(array.attrs.get("units", "1"))
        values = array.values
        image = draw_image(
            ax, values, grid,
            cmap=cmap or (INTENSITY if units.startswith("counts") else SIMILARITY),
            norm=linear_norm(values, percentiles),
        )  # fmt: skip
        ax.set_facecolor("0.6")
        draw_color_bar(ax, image, units)
    draw_scale_bar(ax, grid, pixel_name=POSITIONS)
    return bare(ax, title)


def label_map(
    label: xr.DataArray, *, ax: Axes | None = None, outlined: bool = True, title: str = ""
) -> Axes:
    """Draw the clusters in colors that differ between neighbors, with their outlines.

    Parameters
    ----------
    label
        (scan_y, scan_x) integer; negative is background and drawn dark.
    ax
        Where to draw; a new figure if None.
    outlined
        Whether to draw the outlines.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.

    Raises
    ------
    InputError
        If the label has another dimension of more than one element.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> label = xr.DataArray(np.repeat([[0, 1, -1]], 3, axis=0), dims=("scan_y", "scan_x"))
    >>> view.label_map(label).images[0].get_array().shape
    (3, 3, 3)
    """
    label, ax = two_dimensional(label, SCAN), axes_or_new(ax)
    grid = scan_grid(label)
    draw_image(ax, label_colors(label.values), grid)
    if outlined:
        outlines(label, ax=ax, width=0.4)
    draw_scale_bar(ax, grid, pixel_name=POSITIONS)
    return bare(ax, title)


def outlines(
    label: xr.DataArray, *, ax: Axes | None = None, color: str = "white", width: float = 0.7
) -> Axes:
    """Draw the closed outline of every cluster, over whatever map the axes hold.

    Parameters
    ----------
    label
        (scan_y, scan_x) integer; negative is background.
    ax
        Where to draw; a new figure if None.
    color, width
        Color and width (points) of the lines.

    Returns
    -------
    The matplotlib Axes.

    Raises
    ------
    InputError
        If the label has another dimension of more than one element.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> label = xr.DataArray(np.repeat([[0, 1, -1]], 3, axis=0), dims=("scan_y", "scan_x"))
    >>> ax = view.scan_map(label.astype(float))
    >>> len(view.outlines(label, ax=ax, color="red").collections[0].get_segments())
    2
    """
    label, ax = two_dimensional(label, SCAN), axes_or_new(ax)
    grid = scan_grid(label)
    steps = np.array([grid.step_x, grid.step_y])
    lines = [line[:, ::-1] * steps for line in closed_outlines(label.values)]
    ax.add_collection(
        LineCollection(lines, colors=color, linewidths=width, joinstyle="round"), autolim=False
    )
    return ax


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
    ax: Axes | None = None,
    norm: LogNorm | None = None,
    title: str = "",
) -> Axes:
    """Draw a diffraction pattern in log scale with a scale bar.

    Parameters
    ----------
    array
        (q_y, q_x) counts.
    ax
        Where to draw; a new figure if None.
    norm
        The color scale, e.g. that of another pattern to compare with; its own if None.
    title
        Text above the pattern.

    Returns
    -------
    The matplotlib Axes.

    Raises
    ------
    InputError
        If the array has another dimension of more than one element.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> one = xr.DataArray(np.random.default_rng(0).poisson(2.0, (16, 16)), dims=("q_y", "q_x"))
    >>> view.pattern(one, title="a pattern").get_title()
    'a pattern'
    """
    array, ax = two_dimensional(array, Q), axes_or_new(ax)
    values = array.values.astype(np.float64)
    norm = norm or log_norm(values)
    grid = detector_grid(array)
    # Zero has no logarithm: it gets the darkest color, and so does a negative count.
    draw_image(
        ax, np.maximum(np.nan_to_num(values), norm.vmin or 0.0), grid, cmap=INTENSITY, norm=norm
    )
    draw_scale_bar(ax, grid)
    return bare(ax, title)
