"""What is scattered diffusely: by the amorphous film, by the crystal's vibrations."""

from typing import Final

import numpy as np

THERMAL_SHARE: Final = 0.15
"""Share of the beam that a few nm of gold scatter diffusely onto the detector."""

# (weight, position, width) of amorphous carbon's two rings, in 1/angstrom: 2.1 and 1.2 angstrom
_RINGS: Final = ((0.35, 0.48, 0.08), (0.15, 0.83, 0.10))
# (weight, width) of its central slope
_SLOPE: Final = (0.50, 0.15)
_THERMAL_WIDTH: Final = 0.40


def film_halo(size: tuple[int, int], q_step: float, *, margin: int = 0) -> np.ndarray:
    """Return the diffuse rings of an amorphous carbon film.

    Parameters
    ----------
    size
        Rows and columns of the detector.
    q_step
        Width of a pixel, 1/angstrom.
    margin
        Pixels added on every side.

    Returns
    -------
    (rows + 2 * margin, columns + 2 * margin) float64
        Of sum 1 on the detector.
    """
    q = _distance(size, q_step, margin)
    halo = _SLOPE[0] * _on_detector(np.exp(-q / _SLOPE[1]), margin)
    for weight, position, width in _RINGS:
        ring = np.exp(-(((q - position) / width) ** 2) / 2)
        halo += weight * _on_detector(ring, margin)
    return halo


def thermal_halo(size: tuple[int, int], q_step: float, *, margin: int = 0) -> np.ndarray:
    """Return the thermal diffuse scattering of a crystal, like `film_halo`."""
    q = _distance(size, q_step, margin)
    return _on_detector(np.exp(-((q / _THERMAL_WIDTH) ** 2) / 2), margin)


def _distance(size: tuple[int, int], q_step: float, margin: int) -> np.ndarray:
    rows, columns = (np.arange(-margin, n + margin) - (n - 1) / 2 for n in size)
    return q_step * np.hypot(rows[:, None], columns)


def _on_detector(halo: np.ndarray, margin: int) -> np.ndarray:
    rows, columns = halo.shape
    return halo / halo[margin : rows - margin, margin : columns - margin].sum()
