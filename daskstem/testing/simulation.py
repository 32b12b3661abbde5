"""Describe a simulated series in a microscopist's words."""

from numbers import Integral, Real
from typing import Any, Final

import numpy as np

from daskstem.schema.errors import InputError
from daskstem.testing.series import Shape, SimulatedSeries
from daskstem.testing.tilt import TiltSeries

_LEAST_DETECTOR: Final = 8
_BRIGHTEST: Final = 60_000
"""Expected counts from which Poisson noise may reach 65535 within a series."""
_MOST_TILT: Final = 85.0
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "counts_per_pixel": (1e-6, 1e6),
    "step_nm": (1e-3, 1e4),
    "probe_sigma": (0.05, 10),
    "particle_radius": (0.1, 1e4),
    "coverage": (0.01, 0.8),
    "twin_share": (0, 1),
    "thickness_nm": (0.1, 100),
    "convergence_mrad": (0.01, 50),
    "voltage_kv": (1, 3000),
    "film_strength": (0, 0.9),
    "birth_share": (0, 1),
}


def simulated_series(
    shape: Shape,
    *,
    seed: int = 0,
    counts_per_pixel: float = 2.0,
    step_nm: float = 1.0,
    probe_sigma: float = 0.6,
    particle_radius: float | None = None,
    coverage: float = 0.55,
    twin_share: float = 0.3,
    thickness_nm: float = 4.0,
    convergence_mrad: float = 1.5,
    voltage_kv: float = 300.0,
    film_strength: float = 0.15,
    hot_pixels: int = 0,
    descan_px: tuple[float, float] = (0.0, 0.0),
    birth_share: float = 0.0,
    drift_steps: tuple[float, float] = (0.0, 0.0),
    tilt_deg: tuple[float, float] | None = None,
) -> SimulatedSeries:
    """Describe a simulated series; nothing is computed before it is read.

    Parameters
    ----------
    shape
        Sizes of frame, scan_y, scan_x, q_y, q_x.
    seed
        The same seed and parameters give the same bytes, whatever region is read.
    counts_per_pixel
        Beam electrons per detector pixel and pattern.
    step_nm
        Distance of two probe positions.
    probe_sigma
        Standard deviation of the Gaussian probe, in steps.
    particle_radius
        Mean radius at the last frame, in steps; by default 9, less on a small scan.
    coverage
        Share of the scan under particles at the last frame, roughly.
    twin_share
        How many of a particle's outer grains are twins of its inner one.
    thickness_nm
        Mean thickness of the particles along the beam, in their middle.
    convergence_mrad
        Half angle of the beam, which gives the disks their size.
    voltage_kv
        Acceleration voltage.
    film_strength
        Share of the beam that the film scatters diffusely.
    hot_pixels
        Number of detector pixels with a large constant value added.
    descan_px
        By how much the whole pattern moves from the first scan row (column) to the last.
    birth_share
        Share of the particles that nucleate after the first frame.
    drift_steps
        By how much the specimen moves through the scan from the first frame to the last, in
        steps.
    tilt_deg
        Tilt of the first and the last frame. The particles are then agglomerates of round
        crystals, turned about the scan's rows, that neither grow nor are born.

    Returns
    -------
    SimulatedSeries
        Small, picklable, lazy.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Examples
    --------
    >>> series = simulated_series((1, 8, 8, 24, 24), seed=3)
    >>> series.read((slice(0, 1), slice(2, 4), slice(0, 3), slice(0, 24), slice(0, 24))).shape
    (1, 2, 3, 24, 24)
    """
    _check_shape(shape)
    radius = _usual_radius(shape, tilt_deg) if particle_radius is None else particle_radius
    described: dict[str, Any] = dict(
        shape=shape,
        seed=seed,
        counts_per_pixel=counts_per_pixel,
        step_nm=step_nm,
        probe_sigma=probe_sigma,
        particle_radius=radius,
        coverage=coverage,
        twin_share=twin_share,
        thickness_nm=thickness_nm,
        convergence_mrad=convergence_mrad,
        voltage_kv=voltage_kv,
        film_strength=film_strength,
        hot_pixels=hot_pixels,
        descan_px=descan_px,
        birth_share=birth_share,
        drift_steps=drift_steps,
    )
    if tilt_deg is not None:
        if birth_share:
            raise InputError(
                f"birth_share = {birth_share} has no meaning in a tilt series; leave one out"
            )
        return _checked(TiltSeries(**described, tilt_deg=tilt_deg))
    return _checked(SimulatedSeries(**described))


def _usual_radius(shape: Shape, tilt_deg: tuple[float, float] | None) -> float:
    most, share = (9.0, 0.2) if tilt_deg is None else (6.0, 0.1)
    return min(most, share * min(shape[1:3]))


def _check_shape(shape: Shape) -> None:
    whole = len(shape) == 5 and all(isinstance(size, (int, np.integer)) for size in shape)
    if not whole or min(shape) < 1 or min(shape[3:]) < _LEAST_DETECTOR:
        raise InputError(
            f"shape = {tuple(shape)} does not describe a series; give the whole numbers of "
            f"frames, scan rows, scan columns, detector rows and detector columns, the last "
            f"two at least {_LEAST_DETECTOR}"
        )


def _checked(series: SimulatedSeries) -> SimulatedSeries:
    """Return the series with Python numbers of the declared types, or raise InputError."""
    pixels = series.shape[3] * series.shape[4]
    half = min(series.shape[3:]) / 2
    values: dict[str, Any] = {"shape": tuple(int(size) for size in series.shape)}
    values["seed"] = int(_number("seed", series.seed, 0, 2**63 - 1, Integral))
    values["hot_pixels"] = int(_number("hot_pixels", series.hot_pixels, 0, pixels // 2, Integral))
    for name, (low, high) in _RANGES.items():
        values[name] = float(_number(name, getattr(series, name), low, high, Real))
    values["descan_px"] = _pair("descan_px", series.descan_px, half)
    values["drift_steps"] = _pair("drift_steps", series.drift_steps, max(series.shape[1:3]))
    if isinstance(series, TiltSeries):
        values["tilt_deg"] = _pair("tilt_deg", series.tilt_deg, _MOST_TILT)
    checked = type(series)(**values)
    brightest = checked.expected_patterns(0, np.array([-1])).max()
    if brightest > _BRIGHTEST:
        raise InputError(
            f"counts_per_pixel = {series.counts_per_pixel} gives {brightest:.0f} counts in the "
            f"brightest pixel, more than 16 bits hold safely; use at most "
            f"{series.counts_per_pixel * _BRIGHTEST / brightest:.3g}, or a larger convergence_mrad"
        )
    return checked


def _pair(name: str, given: Any, most: float) -> tuple[float, float]:
    if len(given) != 2:
        raise InputError(f"{name} = {given!r} is not two numbers, (rows, columns)")
    first, second = (float(_number(name, value, -most, most, Real)) for value in given)
    return first, second


def _number(name: str, value: Any, low: float, high: float, kind: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        word = "a whole number" if kind is Integral else "a number"
        raise InputError(f"{name} = {value!r} is not {word} between {low:g} and {high:g}")
    return value
