"""Maps of angles and of crystal directions, in colors whose key is drawn beside them."""

from typing import Final, Literal, get_args

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from daskstem.schema.dims import SCAN
from daskstem.schema.errors import InputError
from daskstem.view.drawing import axes_or_new, bare, draw_image, two_dimensional
from daskstem.view.palette import BACKGROUND
from daskstem.view.pictures import POSITIONS
from daskstem.view.scale import draw_scale_bar, scan_grid

LaueGroup = Literal["m-3m", "6/mmm", "4/mmm", "mmm"]

_CYCLIC: Final = "twilight"
"""Uniform to the eye, the same at both ends."""

_KEY: Final = (1.03, 0.0, 0.34, 0.34)
"""Place of a key, in shares of the map."""

_KEY_PIXELS: Final = 160

_CORNERS: Final[dict[str, tuple[tuple[str, tuple[float, float]], ...]]] = {
    "m-3m": (("001", (0, 0)), ("101", (45, 0)), ("111", (np.degrees(np.arctan(2**0.5)), 45))),
    "6/mmm": (("0001", (0, 0)), ("2-1-10", (90, 0)), ("10-10", (90, 30))),
    "4/mmm": (("001", (0, 0)), ("100", (90, 0)), ("110", (90, 45))),
    "mmm": (("001", (0, 0)), ("100", (90, 0)), ("010", (90, 90))),
}
"""Name, polar angle and azimuth (degrees) of the corners of the triangle that symmetry fills."""


def angle_map(
    angle: xr.DataArray, *, period: float = 360.0, ax: Axes | None = None, title: str = ""
) -> Axes:
    """Draw a map of an angle in colors that come back to the first after a period.

    Parameters
    ----------
    angle
        (scan_y, scan_x) in degrees; NaN is drawn dark.
    period
        Degrees after which nothing can be told apart: 360 for a vector, 180 for an axis, 90 for
        a crystal seen along a fourfold axis.
    ax
        Where to draw; a new figure if None.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes; its child axes hold the key, a ring of the colors, counterclockwise
    from the right.

    Raises
    ------
    InputError
        If the array has another dimension of more than one element.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> turn = xr.DataArray(np.linspace(0, 90, 12).reshape(3, 4), dims=("scan_y", "scan_x"))
    >>> [text.get_text() for text in view.angle_map(turn, period=90).child_axes[0].texts]
    ['0°', '22.5°', '45°', '67.5°']
    """
    angle, ax = two_dimensional(angle, SCAN), axes_or_new(ax)
    grid = scan_grid(angle)
    draw_image(ax, _angle_colors(angle.values, period), grid)
    draw_scale_bar(ax, grid, pixel_name=POSITIONS)
    key = _key_axes(ax)
    side = np.linspace(-1, 1, _KEY_PIXELS)
    radius = np.hypot(*np.meshgrid(side, side))
    around = np.degrees(np.arctan2(side[:, None], side[None, :]))
    # one period runs once round the ring: its colors need no repeating to be read
    ring = _angle_colors(around / 360 * period, period)
    shown = np.dstack([ring, np.where((radius > 0.55) & (radius < 1), 255, 0).astype(np.uint8)])
    key.imshow(shown, extent=(-1, 1, -1, 1), origin="lower")
    for quarter, (x, y) in enumerate(((1.32, 0), (0, 1.26), (-1.4, 0), (0, -1.26))):
        key.text(x, y, f"{period * quarter / 4:g}°", fontsize=6, ha="center", va="center")
    key.set(xlim=(-1.7, 1.7), ylim=(-1.45, 1.45))
    return bare(ax, title)


def direction_map(
    direction: xr.DataArray,
    *,
    symmetry: LaueGroup = "m-3m",
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw a map of crystal directions in the colors of an inverse pole figure.

    Parameters
    ----------
    direction
        (scan_y, scan_x, and one dimension of 3): a direction of the laboratory, such as the
        beam's, in the crystal's Cartesian axes x || a, z || c; of any length, NaN is drawn dark.
    symmetry
        Laue group of the crystal: directions that it makes equal get one color.
    ax
        Where to draw; a new figure if None.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes; its child axes hold the key, the triangle of all directions that
    differ, in stereographic projection.

    Raises
    ------
    InputError
        If the array has other dimensions, or the group is none of those known.

    Notes
    -----
    A direction is folded into the triangle and written as a sum of its corners; the shares of
    the three are red, green and blue, the largest at full strength.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> beam = xr.DataArray(np.eye(3)[[[0, 1, 2]]], dims=("scan_y", "scan_x", "axis"))
    >>> view.direction_map(beam).images[0].get_array()[0].tolist()
    [[255, 0, 0], [255, 0, 0], [255, 0, 0]]
    """
    others = [dim for dim in direction.dims if dim not in SCAN]
    if len(others) != 1 or direction.sizes[others[0]] != 3:
        raise InputError(
            f"{direction.name!r} has the sizes {dict(direction.sizes)}, a map of directions needs "
            f"{SCAN} and one dimension of 3; select one frame first, e.g. with .isel(frame=0)"
        )
    direction, ax = direction.transpose(*SCAN, others[0]), axes_or_new(ax)
    grid = scan_grid(direction)
    draw_image(ax, direction_colors(direction.values, symmetry), grid)
    draw_scale_bar(ax, grid, pixel_name=POSITIONS)
    _draw_triangle(_key_axes(ax), symmetry)
    return bare(ax, title)


def direction_colors(direction: np.ndarray, symmetry: LaueGroup) -> np.ndarray:
    """Color crystal directions.

    Parameters
    ----------
    direction : (..., 3) float
        Cartesian, of any length.
    symmetry
        Laue group of the crystal.

    Returns
    -------
    (..., 3) uint8
        Red, green, blue; what is not finite, or of no length, is dark.

    Raises
    ------
    InputError
        If the group is none of those known.
    """
    if symmetry not in get_args(LaueGroup):
        raise InputError(f"symmetry = {symmetry!r}; known are {', '.join(get_args(LaueGroup))}")
    direction = np.asarray(direction, np.float64)
    usable = np.isfinite(direction).all(axis=-1) & (np.abs(direction).sum(axis=-1) > 0)
    folded = _folded(np.where(usable[..., None], direction, 1.0), symmetry)
    corners = np.array([_unit(*angles) for _, angles in _CORNERS[symmetry]])
    shares = np.clip(folded @ np.linalg.inv(corners), 0, None)
    # the root brightens the middle, where three shares would look gray
    colors = np.sqrt(shares / shares.max(axis=-1, keepdims=True))
    return np.where(usable[..., None], np.round(255 * colors), BACKGROUND).astype(np.uint8)


def _folded(direction: np.ndarray, symmetry: str) -> np.ndarray:
    """Bring directions into the triangle between the corners."""
    positive = np.abs(direction)
    if symmetry == "m-3m":
        low, middle, high = np.moveaxis(np.sort(positive, axis=-1), -1, 0)
        return np.stack([middle, low, high], axis=-1)
    sector = np.radians(_CORNERS[symmetry][2][1][1])
    across = np.hypot(positive[..., 0], positive[..., 1])
    azimuth = np.arctan2(direction[..., 1], direction[..., 0])
    # mirrors at both sides of the sector: there and back again
    azimuth = sector - np.abs(np.mod(azimuth, 2 * sector) - sector)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), positive[..., 2]], -1)


def _unit(polar_deg: float, azimuth_deg: float) -> tuple[float, float, float]:
    polar, azimuth = np.radians(polar_deg), np.radians(azimuth_deg)
    return np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)


def _angle_colors(angle: np.ndarray, period: float) -> np.ndarray:
    colors = colormaps[_CYCLIC](np.mod(np.nan_to_num(angle), period) / period, bytes=True)[..., :3]
    return np.where(np.isfinite(angle)[..., None], colors, np.array(BACKGROUND, np.uint8))


def _key_axes(ax: Axes) -> Axes:
    key = ax.inset_axes(_KEY)
    key.axis("off")
    return key


def _draw_triangle(key: Axes, symmetry: LaueGroup) -> None:
    """Draw the triangle in stereographic projection, with the names of its corners."""
    corners = np.array([_unit(*angles) for _, angles in _CORNERS[symmetry]])
    along = np.linspace(0, 1, 40)[:, None]
    # great circles between the corners
    sides = [corners[i] + along * (corners[(i + 1) % 3] - corners[i]) for i in range(3)]
    edge = _projected(np.concatenate(sides))
    (left, bottom), (right, top) = edge.min(axis=0), edge.max(axis=0)
    x, y = np.meshgrid(
        np.linspace(left, right, _KEY_PIXELS), np.linspace(bottom, top, _KEY_PIXELS)
    )
    square = x**2 + y**2
    back = np.stack([2 * x, 2 * y, 1 - square], axis=-1) / (1 + square)[..., None]
    image = key.imshow(
        direction_colors(back, symmetry), extent=(left, right, bottom, top), origin="lower"
    )
    outline = PathPatch(
        Path(edge, closed=False), fill=False, linewidth=0.6, transform=key.transData
    )
    key.add_patch(outline)
    image.set_clip_path(outline)
    middle = edge.mean(axis=0)
    for (name, _), place in zip(_CORNERS[symmetry], _projected(corners), strict=True):
        x_text, y_text = place + 0.28 * (place - middle)
        key.text(x_text, y_text, f"[{name}]", fontsize=6, ha="center", va="center")
    margin = 0.32 * (right - left)
    key.set(xlim=(left - margin, right + margin), ylim=(bottom - margin, top + margin))


def _projected(direction: np.ndarray) -> np.ndarray:
    """Project stereographically, (..., 3) of any length to (..., 2)."""
    unit = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    return unit[..., :2] / (1 + unit[..., 2:])
