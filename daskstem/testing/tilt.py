"""A simulated tilt series: agglomerated crystals turned through the Ewald sphere."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from scipy.spatial.transform import Rotation

from daskstem.kernels.bragg import probe_shares
from daskstem.schema.provenance import digest
from daskstem.testing.crystal import wavelength_angstrom
from daskstem.testing.halo import THERMAL_SHARE
from daskstem.testing.scene import Habit, Scene, jittered_lattice
from daskstem.testing.series import SimulatedSeries

CRYSTALS: Final = 3
"""Crystals in an agglomerate."""
_DISTANCE: Final = 1.6
"""Of neighboring crystals' centers, in mean radii: they are grown together."""


@dataclass(frozen=True)
class TiltSeries(SimulatedSeries):
    """Agglomerates of round gold crystals on a film, tilted about the scan's rows.

    Attributes
    ----------
    tilt_deg
        Tilt of the first and the last frame.
    """

    tilt_deg: tuple[float, float]

    @property
    def tilts(self) -> np.ndarray:
        """Tilt of every frame in degrees, (F,) float64."""
        return np.linspace(*self.tilt_deg, self.shape[0])

    @property
    def frame_coords(self) -> dict[str, tuple[list[float], str]]:
        """The tilt counts the frames."""
        return {"tilt": ([float(tilt) for tilt in self.tilts], "deg")}

    @property
    def metadata(self) -> dict[str, Any]:
        """The instrument and all parameters, JSON-like."""
        specimen = "agglomerates of round gold crystals on amorphous carbon"
        return {**super().metadata, "tilt_deg": list(self.tilt_deg), "specimen": specimen}

    @property
    def fingerprint(self) -> str:
        """A hash of the parameters, which decide every byte."""
        return digest({"tilted": 1, "series": super().fingerprint})

    @cached_property
    def heights(self) -> np.ndarray:
        """Where the crystals' centers lie along the beam at tilt 0, in steps, (G,)."""
        return self._agglomerates[1]

    @cached_property
    def scene(self) -> Scene:
        """The crystals at tilt 0, each a particle with one grain."""
        return self._agglomerates[0]

    def orientations(self, frame: int) -> np.ndarray:
        """Return the crystals' rotations from crystal to laboratory axes, (G, 3, 3)."""
        turn = Rotation.from_rotvec([np.radians(self.tilts[frame]), 0.0, 0.0]).as_matrix()
        return turn @ self.scene.orientation

    def centers(self, frame: int) -> np.ndarray:
        """Return where the crystals are seen, row and column of the scan, (G, 2)."""
        tilt = np.radians(self.tilts[frame])
        axis = (self.shape[1] - 1) / 2
        seen = self.scene.centers.copy()
        seen[:, 0] = axis + (seen[:, 0] - axis) * np.cos(tilt) - self.heights * np.sin(tilt)
        return seen + (self.progress(frame) - 0.5) * np.array(self.drift_steps)

    def shares(
        self, frame: int, rows: range, columns: range
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of the probe on film and crystals for a tile of positions.

        Where crystals lie on one another, each one scatters its share of the beam, by
        thickness. See `SimulatedSeries.shares`.
        """
        grid, probe = self.probe_grid(rows, columns)
        thickness = self._thicknesses(frame, *grid)
        seen = np.flatnonzero(thickness.any(axis=(1, 2)))
        total = thickness.sum(axis=0)
        share, amount = (np.zeros((len(rows), len(columns), len(seen) + 1)) for _ in range(2))
        owner = np.zeros(total.shape, np.int64)
        for k, crystal in enumerate(seen, start=1):
            own = thickness[crystal]
            for of, above in ((share, total), (amount, np.maximum(total, 1.0))):
                part = np.divide(own, above, out=np.zeros_like(own), where=own > 0)
                _, weighted = probe_shares(owner, part, probe, self.points_per_step, 1)
                of[..., k] = weighted[..., 0]
        for of in (share, amount):
            of[..., 0] = (1 - of[..., 1:].sum(axis=-1)).clip(min=0.0)
        return np.concatenate([[-1], seen]), share, amount

    def reflection_intensities(self, frame: int) -> np.ndarray:
        """Return the expected counts of every crystal's reflections, (G, K) float64.

        At one probe position in the crystal's middle, summed over the disk.
        """
        orientations = self.orientations(frame)
        beam = self.electrons * (1 - self.film_strength) * (1 - THERMAL_SHARE)
        return np.stack([
            beam * self.reflected_shares(self.reflection_vectors(grain, matrix), grain)
            for grain, matrix in enumerate(orientations)
        ])  # fmt: skip

    def reflection_vectors(self, grain: int, orientation: np.ndarray) -> np.ndarray:
        """Return the reflections (K, 3) of a strained crystal in laboratory axes, 1/angstrom."""
        unstrained = np.eye(3) - self.scene.strain[grain]
        return self.reflections.vectors @ (orientation @ unstrained).T

    @property
    def wavelength_angstrom(self) -> float:
        """Wavelength of the beam electrons."""
        return wavelength_angstrom(self.voltage_kv)

    def _thicknesses(self, frame: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Relative thickness (G, Y, X) of each crystal: 1 in its middle, 0 beyond its edge."""
        thickness = np.zeros((self.scene.n_grains, len(rows), len(columns)))
        for own, center, radius in zip(
            thickness, self.centers(frame), self.scene.radius, strict=True
        ):
            distance2 = (rows[:, None] - center[0]) ** 2 + (columns - center[1]) ** 2
            own[...] = np.sqrt((1 - distance2 / radius**2).clip(min=0.0))
        return thickness

    @cached_property
    def _agglomerates(self) -> tuple[Scene, np.ndarray]:
        rng = np.random.Generator(np.random.Philox(key=self.seed))
        radius = self.particle_radius
        habit = Habit(2.6 * radius, self.coverage, 0.0, self.thickness_nm)
        places = jittered_lattice(rng, (self.shape[1], self.shape[2]), habit)
        total = CRYSTALS * len(places)
        radii = radius * rng.uniform(0.85, 1.15, total)
        centers, heights = _grown_together(rng, places, radii)
        strain = rng.normal(0, 0.003, (total, 3, 3)).clip(-0.01, 0.01)
        still = np.zeros(total)
        scene = Scene(
            centers=centers, drift=np.zeros((total, 2)), radius=radii,
            first_size=np.ones(total), turn=still, tilt=np.zeros((total, 2)),
            lobes=np.zeros((total, 4)), first_grain=np.arange(total + 1),
            sites=np.zeros((total, 2)), born=still,
            orientation=Rotation.random(total, random_state=rng).as_matrix(),
            strain=(strain + np.swapaxes(strain, 1, 2)) / 2,
            thickness=self.thickness_nm * rng.uniform(0.75, 1.25, total),
        )  # fmt: skip
        return scene, heights


def _grown_together(
    rng: np.random.Generator, places: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centers (G, 2) and heights (G,) of crystals in rows at an angle to the film.

    A row that rises towards one side is seen from the side at some tilts, its crystals next
    to each other, and from its end at others, where they hide each other.
    """
    centers, heights = [], []
    for number, place in enumerate(places):
        own = radii[CRYSTALS * number : CRYSTALS * (number + 1)]
        along = np.concatenate([[0.0], np.cumsum(_DISTANCE * (own[1:] + own[:-1]) / 2)])
        along -= along.mean()
        slope = rng.choice([-1.0, 1.0]) * np.radians(rng.uniform(15, 40))
        aside = np.radians(rng.uniform(-30, 30))
        flat = along * np.cos(slope)
        centers.append(place + np.outer(flat, [np.cos(aside), np.sin(aside)]))
        heights.append(along * np.sin(slope))
    return np.concatenate(centers), np.concatenate(heights)
