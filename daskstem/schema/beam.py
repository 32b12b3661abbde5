"""The electron beam: wavelength from the acceleration voltage."""

import numpy as np
from scipy import constants


def wavelength_angstrom(voltage_kv: float) -> float:
    """Return the relativistic wavelength of the beam electrons, in angstrom.

    Examples
    --------
    >>> round(wavelength_angstrom(300.0), 5)
    0.01969
    """
    energy = voltage_kv * 1e3 * constants.e
    rest = constants.m_e * constants.c**2
    return float(constants.h * constants.c / np.sqrt(energy * (energy + 2 * rest))) * 1e10
