"""Gold as the electron beam sees it: reflections, their strength, grain orientations."""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import constants
from scipy.spatial.transform import Rotation

from daskstem.schema.beam import wavelength_angstrom as wavelength_angstrom

LATTICE_ANGSTROM: Final = 4.078
_DEBYE_WALLER_ANGSTROM2: Final = 0.63
"""Gold at room temperature, about: Peng et al., Acta Cryst. A52 (1996) 456."""

# f(s) = sum a exp(-b s^2), s = |g| / 2: Doyle, Turner, Acta Cryst. A24 (1968) 390
_GOLD_A_ANGSTROM: Final = np.array([2.388, 4.226, 2.689, 1.255])
_GOLD_B_ANGSTROM2: Final = np.array([42.866, 9.743, 2.264, 0.307])

_ZONES: Final = np.array([(0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2)], float)
_ZONE_ODDS: Final = np.array([0.2, 0.4, 0.15, 0.25])
_TILT: Final = np.radians(0.8)
"""Standard deviation about either lateral axis; beyond 3 degrees a zone axis is dark."""
_TWIN_AXES: Final = np.array([(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]) / np.sqrt(3)
_CUBIC: Final = Rotation.create_group("O").as_matrix()
_HALF_TURN: Final = np.diag([-1.0, -1.0, 1.0])


def relativistic_factor(voltage_kv: float) -> float:
    """Return an electron's mass over its rest mass."""
    return float(1 + voltage_kv * 1e3 * constants.e / (constants.m_e * constants.c**2))


@dataclass(frozen=True)
class Reflections:
    """Reciprocal vectors (K, 3) of unstrained gold, 1/angstrom, and extinction lengths (K,)."""

    vectors: np.ndarray
    extinction_angstrom: np.ndarray


def gold_reflections(*, q_max: float, voltage_kv: float) -> Reflections:
    """List the reflections of fcc gold with 0 < abs(g) <= ``q_max`` (1/angstrom).

    The extinction length is pi V / (wavelength F), F = 4 f exp(-B s^2) times the relativistic
    mass factor: Hirsch et al., Electron Microscopy of Thin Crystals, chapter 8.
    """
    reach = range(-int(q_max * LATTICE_ANGSTROM), int(q_max * LATTICE_ANGSTROM) + 1)
    indices = np.array(list(itertools.product(reach, repeat=3)))
    unmixed = np.ptp(indices % 2, axis=1) == 0
    vectors = indices[unmixed] / LATTICE_ANGSTROM
    length = np.linalg.norm(vectors, axis=1)
    kept = (length > 0) & (length <= q_max)
    s2 = (length[kept] / 2) ** 2
    scattering = np.exp(-np.outer(s2, _GOLD_B_ANGSTROM2)) @ _GOLD_A_ANGSTROM
    structure = 4 * scattering * np.exp(-_DEBYE_WALLER_ANGSTROM2 * s2)
    structure *= relativistic_factor(voltage_kv)
    extinction = np.pi * LATTICE_ANGSTROM**3 / (wavelength_angstrom(voltage_kv) * structure)
    return Reflections(vectors[kept], extinction)


def excitation_errors(vectors: np.ndarray, wavelength: float) -> np.ndarray:
    """Distance (1/angstrom) of reciprocal vectors (K, 3) from the Ewald sphere.

    The beam runs along +z; positive inside the sphere: De Graef, Introduction to
    Conventional Transmission Electron Microscopy, chapter 2.
    """
    beam = np.array([0.0, 0.0, 1 / wavelength])
    summed = beam + vectors
    return -np.sum(vectors * (2 * beam + vectors), axis=1) / (2 * np.linalg.norm(summed, axis=1))


def diffracted_shares(
    excitation: np.ndarray, extinction_angstrom: np.ndarray, thickness_angstrom: float
) -> np.ndarray:
    """Share of the beam in every diffracted one.

    Kinematic, (pi t / xi)^2 sinc^2(t s), as long as they are weak; together they approach
    the whole beam as 1 - exp(-sum), since a strong beam cannot give more than there is.
    """
    kinematic = (np.pi * thickness_angstrom / extinction_angstrom) ** 2
    kinematic = kinematic * np.sinc(thickness_angstrom * excitation) ** 2
    total = kinematic.sum()
    return kinematic * (-np.expm1(-total) / total) if total > 0 else kinematic


def random_orientations(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw rotation matrices (size, 3, 3), crystal to laboratory, near low-index zones.

    A zone axis lies along the beam but for a tilt of about 1 degree, any angle about it.
    """
    zones = _ZONES[rng.choice(len(_ZONES), size=size, p=_ZONE_ODDS)]
    zones /= np.linalg.norm(zones, axis=1, keepdims=True)
    beam = np.array([0.0, 0.0, 1.0])
    turn = np.cross(zones, beam)
    sine = np.linalg.norm(turn, axis=1, keepdims=True)
    angle = np.arctan2(sine, zones[:, 2:])
    aligned = Rotation.from_rotvec(turn / np.where(sine > 0, sine, 1) * angle)
    about_beam = Rotation.from_rotvec(rng.uniform(0, 2 * np.pi, (size, 1)) * beam)
    tilt = np.zeros((size, 3))
    tilt[:, :2] = _TILT * rng.standard_normal((size, 2)).clip(-2, 2)
    return (Rotation.from_rotvec(tilt) * about_beam * aligned).as_matrix()


def twins_of(orientations: np.ndarray) -> np.ndarray:
    """Twin orientations (N, 3, 3) by half a turn about a {111} normal in the image.

    Where none lies within 6 degrees of the image the orientation comes back as it was: its
    twin would turn a high-index zone to the beam and hardly diffract.
    """
    along_beam = np.abs(np.einsum("nj,aj->na", orientations[:, 2], _TWIN_AXES))
    axes = _TWIN_AXES[along_beam.argmin(axis=1)]
    twins = orientations @ Rotation.from_rotvec(np.pi * axes).as_matrix()
    return np.where((along_beam.min(axis=1) < 0.1)[:, None, None], twins, orientations)


def pattern_angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle in radians between orientations (..., 3, 3), as far as patterns can tell.

    The smallest over the 24 rotations of the cube and half a turn about the beam, which
    leaves every zero-order Laue zone unchanged.
    """
    traces = []
    for turned in (second, _HALF_TURN @ second):
        between = np.swapaxes(first, -1, -2) @ turned
        traces.append(np.einsum("...ij,oji->...o", between, _CUBIC).max(axis=-1))
    cosine = (np.maximum(*traces) - 1) / 2
    return np.arccos(np.clip(cosine, -1.0, 1.0))
