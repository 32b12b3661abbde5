"""Calibrated axes: where a pixel lies, in which unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from daskstem.schema.dims import Q_X, Q_Y, SCAN, SCAN_X, SCAN_Y, Q
from daskstem.schema.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

PIXEL: Final = "px"

# factor to the unit kept in a store, by every spelling met in microscope files
_SPELLINGS: Final[dict[str, tuple[str, float]]] = {
    **dict.fromkeys(("nm", "nanometer", "nanometers"), ("nm", 1.0)),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), ("nm", 1e3)),
    **dict.fromkeys(("a", "å", "angstrom", "angstroms", "ang"), ("nm", 0.1)),
    **dict.fromkeys(("pm",), ("nm", 1e-3)),
    **dict.fromkeys(("mm",), ("nm", 1e6)),
    **dict.fromkeys(("m",), ("nm", 1e9)),
    **dict.fromkeys(
        ("1/angstrom", "1/a", "1/å", "a^-1", "å^-1", "å-1", "a-1", "angstrom^-1"),
        ("1/angstrom", 1.0),
    ),
    **dict.fromkeys(("1/nm", "nm^-1", "nm-1"), ("1/angstrom", 0.1)),
    **dict.fromkeys(("1/m", "m^-1"), ("1/angstrom", 1e-10)),
    **dict.fromkeys(("mrad", "milliradian", "milliradians"), ("mrad", 1.0)),
    **dict.fromkeys(("rad", "radian", "radians", "angle"), ("mrad", 1e3)),
    **dict.fromkeys(("deg", "degree", "degrees", "°"), ("mrad", 1e3 * np.pi / 180)),
}
_SCAN_UNITS: Final = ("nm", PIXEL)
_Q_UNITS: Final = ("1/angstrom", "mrad", PIXEL)


@dataclass(frozen=True)
class Axis:
    """Positions ``origin + step * i`` along one axis, in ``units``.

    A step of zero or an unknown unit means the axis was never calibrated: it is then
    counted in pixels from zero.
    """

    step: float = 1.0
    origin: float = 0.0
    units: str = PIXEL

    def __post_init__(self) -> None:
        if not (np.isfinite(self.step) and np.isfinite(self.origin) and self.step != 0):
            raise InputError(
                f"an axis needs a finite, non-zero step and a finite origin, got step "
                f"{self.step} and origin {self.origin}"
            )

    def coordinate(self, dim: str, size: int) -> "xr.Variable":
        """Return the positions of ``size`` pixels, float64, with ``attrs["units"]``."""
        # most of a second to import, and readers and `info` know axes before any variable
        import xarray as xr

        values = self.origin + self.step * np.arange(size, dtype=np.float64)
        return xr.Variable((dim,), values, {"units": self.units})


def calibrated(dim: str, *, step: float, origin: float, units: str | None) -> Axis:
    """Return the axis in the units a store keeps: nm for the scan, 1/angstrom or mrad for q.

    What a file leaves open (no unit, a unit of another kind such as cm on a camera, a
    step of zero) becomes pixels: a guess would end up on somebody's scale bar.

    Examples
    --------
    >>> calibrated("scan_x", step=2.0, origin=0.0, units="Å")
    Axis(step=0.2, origin=0.0, units='nm')
    >>> calibrated("q_x", step=0.02, origin=0.0, units="$A^{-1}$")
    Axis(step=0.02, origin=0.0, units='1/angstrom')
    >>> calibrated("q_x", step=0.016, origin=0.0, units="cm")
    Axis(step=1.0, origin=0.0, units='px')
    """
    allowed = _SCAN_UNITS if dim in SCAN else _Q_UNITS
    spelled = (units or "").strip().lower().replace(" ", "")
    # pyxem writes "$A^{-1}$" and r"$\AA^{-1}$"
    spelled = re.sub(r"[${}]", "", spelled).replace(r"\aa", "a")
    unit, factor = _SPELLINGS.get(spelled, (PIXEL, 1.0))
    usable = unit in allowed and unit != PIXEL and np.isfinite([step, origin]).all() and step != 0
    if not usable:
        return Axis()
    return Axis(float(step) * factor, float(origin) * factor, unit)


@dataclass(frozen=True)
class GivenCalibration:
    """What a user says of the axes; it stands above what the file says.

    Attributes
    ----------
    scan_step_nm
        Distance of two positions: one number, or rows and columns.
    q_step, q_units
        Size of a detector pixel: one number, or rows and columns; 1/angstrom, 1/nm or mrad.
    beam_energy_kev
        Of the electrons.
    """

    scan_step_nm: float | tuple[float, ...] | None = None
    q_step: float | tuple[float, ...] | None = None
    q_units: str = "1/angstrom"
    beam_energy_kev: float | None = None

    def __post_init__(self) -> None:
        for name in ("scan_step_nm", "q_step"):
            steps = getattr(self, name)
            if steps is not None and not all(0 < step < np.inf for step in _both(name, steps)):
                raise InputError(f"{name} = {steps}: expected a finite number above zero")
        if calibrated(Q_X, step=1.0, origin=0.0, units=self.q_units).units == PIXEL:
            raise InputError(f"q_units = {self.q_units!r}: expected 1/angstrom, 1/nm or mrad")
        if self.beam_energy_kev is not None and not 0 < self.beam_energy_kev < np.inf:
            raise InputError(
                f"beam_energy_kev = {self.beam_energy_kev}: expected keV above zero, such as 300"
            )

    def axes(self, shape: Sequence[int]) -> dict[str, Axis]:
        """Return the axes that are given for a series of some shape; q is 0 in the middle."""
        found: dict[str, Axis] = {}
        if self.scan_step_nm is not None:
            steps = _both("scan_step_nm", self.scan_step_nm)
            found |= {dim: Axis(step, 0.0, "nm") for dim, step in zip(SCAN, steps, strict=True)}
        if self.q_step is not None:
            steps = _both("q_step", self.q_step)
            for dim, step, size in zip(Q, steps, shape[-2:], strict=True):
                middle = -step * (size - 1) / 2
                found[dim] = calibrated(dim, step=step, origin=middle, units=self.q_units)
        return found

    @property
    def metadata(self) -> dict[str, float]:
        """What is given beside the axes."""
        energy = self.beam_energy_kev
        return {} if energy is None else {"beam_energy_kev": energy}


def _both(name: str, steps: float | tuple[float, ...]) -> tuple[float, float]:
    """Return the steps of rows and of columns; one number is for both."""
    numbers = np.atleast_1d(np.asarray(steps, np.float64)).tolist()
    if len(numbers) not in (1, 2):
        raise InputError(f"{name} = {steps}: expected one number, or two: of rows and columns")
    return numbers[0], numbers[-1]


def axes_of(ds: "xr.Dataset") -> dict[str, Axis]:
    """Read the four calibrated axes back from a Dataset's coordinates."""
    return {dim: _axis_of(ds, dim) for dim in (*SCAN, *Q)}


def _axis_of(ds: "xr.Dataset", dim: str) -> Axis:
    if dim not in ds.coords:
        return Axis()
    coordinate = ds.coords[dim]
    # of a single pattern or row the axis is a number: where on it that one was chosen
    values = np.atleast_1d(np.asarray(coordinate.values, dtype=np.float64))
    step = float(values[1] - values[0]) if values.size > 1 else coordinate.attrs.get("step", 1.0)
    return Axis(step, float(values[0]), str(coordinate.attrs.get("units", PIXEL)))


__all__ = ["PIXEL", "Q_X", "Q_Y", "SCAN_X", "SCAN_Y", "Axis", "axes_of", "calibrated"]
