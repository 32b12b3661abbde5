"""Where the particles of a simulated series are, and which grain owns a point."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from daskstem.testing.crystal import pattern_angle, random_orientations, twins_of

MOST_GRAINS: Final = 5
_CANDIDATES: Final = 8
_SEED_SIZE: Final = 0.15
"""Share of its last radius that a particle nucleates with."""
_LEAST_ANGLE: Final = np.radians(10)


@dataclass(frozen=True)
class Scene:
    """Particles (P) and their grains (G) at the end of a series, and how they got there.

    Lengths in scan steps, points (row, column); grains of one particle have consecutive
    numbers. Arrays are float64 and not to be changed.

    Parameters
    ----------
    centers, drift : (P, 2)
        Last position; way to it from the first frame.
    radius, first_size : (P,)
        Last mean radius; share of it at the first frame.
    turn, tilt : (P,), (P, 2)
        Rotation about the beam and about the lateral axes from the first frame to the last.
    lobes : (P, 4)
        Cosine and sine amplitudes of the outline's second and third harmonic.
    first_grain : (P + 1,) int64
        Number of each particle's first grain.
    sites : (G, 2)
        What the particle's Voronoi cells are drawn around, from the particle's centre.
    orientation, strain : (G, 3, 3)
        Crystal to laboratory axes; symmetric strain in crystal axes.
    thickness : (G,)
        Of the crystal along the beam, nm.
    born : (P,)
        Progress of the series at which a particle nucleates; 0 if it is there at the first
        frame.
    """

    centers: np.ndarray
    drift: np.ndarray
    radius: np.ndarray
    first_size: np.ndarray
    turn: np.ndarray
    tilt: np.ndarray
    lobes: np.ndarray
    first_grain: np.ndarray
    sites: np.ndarray
    orientation: np.ndarray
    strain: np.ndarray
    thickness: np.ndarray
    born: np.ndarray

    @property
    def n_grains(self) -> int:
        """Number of grains, including those that never come to light."""
        return len(self.sites)


@dataclass(frozen=True)
class Habit:
    """What the particles are like.

    Radius in steps, share of the scan, share of twins, thickness in nm, and the share of
    particles that nucleate after the first frame.
    """

    radius: float
    coverage: float
    twin_share: float
    thickness_nm: float
    birth_share: float = 0.0


def build_scene(*, scan: tuple[int, int], seed: int, habit: Habit) -> Scene:
    """Place particles on a scan of ``scan`` positions, divide them into grains."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    centers = jittered_lattice(rng, scan, habit)
    count = len(centers)
    radius = habit.radius * rng.uniform(0.8, 1.2, count)
    n_grains = np.clip(np.round(radius**2 / 26 * rng.uniform(0.7, 1.3, count)), 2, MOST_GRAINS)
    present = np.arange(MOST_GRAINS) < n_grains[:, None]
    orientation = _distinct_orientations(rng, count, habit.twin_share)[present]
    total = len(orientation)
    strain = rng.normal(0, 0.003, (total, 3, 3)).clip(-0.01, 0.01)
    return Scene(
        centers=centers,
        drift=rng.normal(0, 0.2 * habit.radius, (count, 2)).clip(-habit.radius, habit.radius),
        radius=radius,
        first_size=rng.uniform(0.35, 0.8, count),
        turn=np.radians(rng.uniform(-25, 25, count)),
        tilt=np.radians(rng.normal(0, 0.7, (count, 2)).clip(-1.5, 1.5)),
        lobes=rng.normal(0, 0.05, (count, 4)).clip(-0.1, 0.1),
        first_grain=np.concatenate([[0], np.cumsum(n_grains)]).astype(np.int64),
        sites=_sites(rng, radius, n_grains)[present],
        orientation=orientation,
        strain=(strain + np.swapaxes(strain, 1, 2)) / 2,
        thickness=habit.thickness_nm * rng.uniform(0.75, 1.25, total),
        born=_births(seed, count, habit.birth_share),
    )


def _births(seed: int, count: int, share: float) -> np.ndarray:
    # a stream of its own: with and without births all else of a scene is the same
    rng = np.random.Generator(np.random.Philox(key=seed, counter=1 << 192))
    late = rng.permutation(count) < round(share * count)
    return np.where(late, rng.uniform(0.1, 0.75, count), 0.0)


def radii_at(scene: Scene, progress: float) -> np.ndarray:
    """Return the particles' mean radii (P,) in steps at ``progress``, 0 before they are born."""
    first = np.where(scene.born > 0, _SEED_SIZE, scene.first_size)
    since = (progress - scene.born) / (1 - scene.born)
    return np.where(since >= 0, scene.radius * (first + (1 - first) * since), 0.0)


def jittered_lattice(rng: np.random.Generator, scan: tuple[int, int], habit: Habit) -> np.ndarray:
    """Place particles (P, 2) of a habit on a scan, row and column in steps."""
    # A lattice, not random places: half the scan cannot be covered by disks placed at random.
    pitch = habit.radius * np.sqrt(2 * np.pi / (np.sqrt(3) * habit.coverage))
    rows, columns = (int(1.2 * size / pitch) + 4 for size in scan)
    row, column = np.mgrid[-2:rows, -2:columns]
    lattice = np.stack([row * np.sqrt(3) / 2, column + row % 2 / 2], axis=-1).reshape(-1, 2)
    places = pitch * (lattice + rng.uniform(0, 1, 2) + rng.uniform(-0.13, 0.13, lattice.shape))
    last = np.array(scan) - 1.0
    inside = np.all((places >= 0) & (places <= last), axis=1)
    return places[inside] if inside.any() else last[None] / 2


def _sites(rng: np.random.Generator, radius: np.ndarray, n_grains: np.ndarray) -> np.ndarray:
    """Draw one site near the centre, the others on a ring around it: they appear by growth."""
    count = len(radius)
    ring = np.arange(MOST_GRAINS) / np.maximum(n_grains[:, None] - 1, 1)
    angle = 2 * np.pi * (ring + rng.uniform(-0.07, 0.07, (count, MOST_GRAINS)))
    angle += rng.uniform(0, 2 * np.pi, (count, 1))
    distance = radius[:, None] * rng.uniform(0.6, 0.85, (count, MOST_GRAINS))
    distance[:, 0] = 0.25 * radius
    # the first one off the middle, away from the others, or the ring leaves it too little
    angle[:, 0] = rng.uniform(0, 2 * np.pi, count)
    few = n_grains <= 3
    angle[few, 0] = angle[few, 1:3].mean(axis=1)
    return distance[..., None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _distinct_orientations(
    rng: np.random.Generator, particles: int, twin_share: float
) -> np.ndarray:
    """Draw (particles, MOST_GRAINS, 3, 3), at least 10 degrees apart within a particle."""
    drawn = random_orientations(rng, particles * MOST_GRAINS * _CANDIDATES)
    drawn = drawn.reshape(particles, MOST_GRAINS, _CANDIDATES, 3, 3)
    twinned = rng.random((particles, MOST_GRAINS)) < twin_share
    chosen = drawn[:, :, 0].copy()
    for grain in range(1, MOST_GRAINS):
        candidates = drawn[:, grain]
        twin = twins_of(chosen[:, 0])
        candidates[:, 0] = np.where(twinned[:, grain, None, None], twin, candidates[:, 0])
        apart = np.full((particles, _CANDIDATES), np.inf)
        for earlier in range(grain):
            angle = pattern_angle(chosen[:, earlier, None], candidates)
            apart = np.minimum(apart, angle)
        first = np.argmax(apart >= _LEAST_ANGLE, axis=1)
        chosen[:, grain] = candidates[np.arange(particles), first]
    return chosen


def orientations_at(scene: Scene, progress: float) -> np.ndarray:
    """Return the grains' orientations (G, 3, 3) at ``progress`` (0 first frame, 1 last)."""
    back = progress - 1.0
    lateral = np.zeros((len(scene.centers), 3))
    lateral[:, :2] = back * scene.tilt
    about_beam = np.zeros_like(lateral)
    about_beam[:, 2] = back * scene.turn
    moved = (Rotation.from_rotvec(lateral) * Rotation.from_rotvec(about_beam)).as_matrix()
    particle = np.repeat(np.arange(len(scene.centers)), np.diff(scene.first_grain))
    return moved[particle] @ scene.orientation


def owners(
    scene: Scene, progress: float, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Say which grain owns the points of a grid.

    Parameters
    ----------
    scene
        The particles.
    progress
        0 at the first frame, 1 at the last.
    rows : (Y,) float64
        Rows of the grid, in scan steps, increasing.
    columns : (X,) float64
        Its columns.

    Returns
    -------
    (Y, X) int64
        Number of the grain, -1 for the film.
    (Y, X) float64
        Relative thickness of the particle, a cap: 1 in its middle, 0 at its edge.
    """
    owner = np.full((len(rows), len(columns)), -1)
    nearest = np.ones(owner.shape)
    size = radii_at(scene, progress)
    centers = scene.centers + (progress - 1.0) * scene.drift
    reach = 1.4 * size
    near = size > 0
    near &= (centers[:, 0] + reach >= rows[0]) & (centers[:, 0] - reach <= rows[-1])
    near &= (centers[:, 1] + reach >= columns[0]) & (centers[:, 1] - reach <= columns[-1])
    for p in np.flatnonzero(near):
        y = slice(*np.searchsorted(rows, [centers[p, 0] - reach[p], centers[p, 0] + reach[p]]))
        x = slice(*np.searchsorted(columns, [centers[p, 1] - reach[p], centers[p, 1] + reach[p]]))
        dy, dx = rows[y, None] - centers[p, 0], columns[None, x] - centers[p, 1]
        angle = (progress - 1.0) * scene.turn[p]
        local_x = np.cos(angle) * dx + np.sin(angle) * dy
        local_y = np.cos(angle) * dy - np.sin(angle) * dx
        distance = _relative_distance(local_y, local_x, size[p], scene.lobes[p])
        closer = distance < nearest[y, x]
        nearest[y, x][closer] = distance[closer]
        sites = slice(scene.first_grain[p], scene.first_grain[p + 1])
        from_y = local_y[..., None] - scene.sites[sites, 0]
        from_x = local_x[..., None] - scene.sites[sites, 1]
        cell = np.argmin(from_y * from_y + from_x * from_x, axis=-1)
        owner[y, x][closer] = scene.first_grain[p] + cell[closer]
    return owner, np.sqrt(1 - nearest * nearest)


def _relative_distance(y: np.ndarray, x: np.ndarray, size: float, lobes: np.ndarray) -> np.ndarray:
    # Angles enter only as polynomials of y / r and x / r: no function whose last bit may
    # depend on how many points are computed at once, so that any region gives the same.
    r = np.sqrt(y * y + x * x)
    safe = np.where(r > 0, r, 1.0)
    c, s = x / safe, y / safe
    c2, s2 = c * c - s * s, 2 * c * s
    c3, s3 = c2 * c - s2 * s, s2 * c + c2 * s
    outline = 1 + lobes[0] * c2 + lobes[1] * s2 + lobes[2] * c3 + lobes[3] * s3
    return r / (size * outline)
