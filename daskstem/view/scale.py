"""How large a pixel is on paper, and the bar that says so."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from daskstem.schema.calibration import PIXEL, axes_of
from daskstem.schema.dims import Q_X, Q_Y, SCAN_X, SCAN_Y

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_BAR_SHARE: Final = 0.28
"""A bar takes at most this share of the picture's width: long enough to read, short enough
to leave the picture alone."""


@dataclass(frozen=True)
class PixelGrid:
    """Sizes and steps of a picture's rows and columns, both in ``units``."""

    rows: int
    columns: int
    step_y: float
    step_x: float
    units: str

    @property
    def calibrated(self) -> bool:
        """Whether the steps are lengths or angles and not pixels."""
        return self.units != PIXEL

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge for ``imshow``; row 0 is on top."""
        return (
            -0.5 * self.step_x,
            (self.columns - 0.5) * self.step_x,
            (self.rows - 0.5) * self.step_y,
            -0.5 * self.step_y,
        )

    @property
    def width(self) -> float:
        """Width of the picture in ``units``."""
        return self.columns * self.step_x

    @property
    def height(self) -> float:
        """Height of the picture in ``units``."""
        return self.rows * self.step_y

    @property
    def pixel_area(self) -> float | None:
        """Area of one pixel in ``units`` squared, or None if not calibrated."""
        return self.step_y * self.step_x if self.calibrated else None


def scan_grid(array: "xr.DataArray | xr.Dataset") -> PixelGrid:
    """Return the grid of the probe positions, in nm or in positions."""
    return _grid(array, SCAN_Y, SCAN_X)


def detector_grid(array: "xr.DataArray | xr.Dataset") -> PixelGrid:
    """Return the grid of the detector pixels, in 1/angstrom, mrad or pixels."""
    return _grid(array, Q_Y, Q_X)


def _grid(array: "xr.DataArray | xr.Dataset", dim_y: str, dim_x: str) -> PixelGrid:
    axes = axes_of(array.coords.to_dataset())
    along_y, along_x = axes[dim_y], axes[dim_x]
    rows, columns = array.sizes[dim_y], array.sizes[dim_x]
    # One axis in nm and one in pixels cannot share a picture's scale: count both in pixels.
    if along_y.units != along_x.units or along_y.units == PIXEL:
        return PixelGrid(rows, columns, 1.0, 1.0, PIXEL)
    return PixelGrid(rows, columns, abs(along_y.step), abs(along_x.step), along_y.units)


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50, ... that is not above ``longest``.

    Examples
    --------
    >>> round_length(0.37), round_length(49.0), round_length(50.0)
    (0.2, 20.0, 50.0)
    """
    decade = 10.0 ** np.floor(np.log10(longest))
    # The tolerance keeps 0.5 / 0.1 = 4.999... a five.
    factor = max((f for f in (1.0, 2.0, 5.0) if f * decade <= longest * (1 + 1e-9)), default=1.0)
    return float(f"{factor * decade:.6g}")


def length_text(length: float, units: str, *, pixel_name: str = "px", digits: int = 3) -> str:
    """Write a length for a reader.

    Examples
    --------
    >>> length_text(2000.0, "nm"), length_text(0.5, "1/angstrom")
    ('2 µm', '0.5 Å⁻¹')
    >>> length_text(10, "px", pixel_name="positions")
    '10 positions'
    """
    if units == "nm" and length >= 1000:
        return f"{length / 1000:.{digits}g} µm"
    if units == PIXEL and length == 1:
        return f"1 {pixel_name.removesuffix('s')}"
    return f"{length:.{digits}g} {unit_text(units, pixel_name=pixel_name)}"


def unit_text(units: str, *, pixel_name: str = "px") -> str:
    """Spell a unit of the store as it is printed.

    Examples
    --------
    >>> unit_text("counts^2"), unit_text("1/angstrom"), unit_text("e/angstrom^2"), unit_text("1")
    ('counts²', 'Å⁻¹', 'e/Å²', '')
    """
    known = {PIXEL: pixel_name, "1/angstrom": "Å⁻¹", "deg": "°", "1": ""}
    return known.get(units, units.replace("angstrom", "Å").replace("^2", "²"))


def draw_scale_bar(axes: "Axes", grid: PixelGrid, *, pixel_name: str = "px") -> None:
    """Draw a bar of a round length into the lower left corner of a picture."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    length = round_length(_BAR_SHARE * grid.width)
    if not grid.calibrated:
        length = max(1.0, length)
    left, _, bottom, top = grid.extent
    margin = 0.045 * max(grid.width, grid.height)
    thickness = 0.014 * max(bottom - top, 0.4 * grid.width)
    corner = (left + margin, bottom - margin - thickness)
    axes.add_patch(
        Rectangle(corner, length, thickness, facecolor="white", edgecolor="black", linewidth=0.5)
    )
    axes.text(
        corner[0],
        corner[1] - 0.4 * margin,
        length_text(length, grid.units, pixel_name=pixel_name),
        color="white",
        fontsize=9,
        ha="left",
        va="bottom",
        path_effects=[withStroke(linewidth=1.3, foreground="black")],
    )
