"""A simulated series: a pattern source of any size whose truth is known."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np

from daskstem.kernels.bragg import add_disks, count_electrons, probe_shares, random_streams
from daskstem.schema.calibration import Axis
from daskstem.schema.dims import Q_X, Q_Y, SCAN_X, SCAN_Y
from daskstem.schema.provenance import digest
from daskstem.schema.source import Region
from daskstem.testing.crystal import (
    LATTICE_ANGSTROM,
    Reflections,
    diffracted_shares,
    excitation_errors,
    gold_reflections,
    wavelength_angstrom,
)
from daskstem.testing.halo import THERMAL_SHARE, film_halo, thermal_halo
from daskstem.testing.scene import Habit, Scene, build_scene, orientations_at, owners

Shape = tuple[int, int, int, int, int]

_GENERATION: Final = 1
"""Part of the fingerprint: raised whenever the same parameters give other patterns."""
_FRAME_SECONDS: Final = 13.0
_Q_MAX: Final = 1.0
"""Half the detector's shorter side, 1/angstrom: gold's {311} at 0.813 lies well on it."""
_POINTS_PER_STEP: Final = 3
_TILE: Final = 32
"""Positions mixed at once along each scan axis, so that any region needs little memory."""


@dataclass(frozen=True)
class SimulatedSeries:
    """Gold particles that grow, move and rotate on a carbon film; a `PatternSource`.

    Made by `simulated_series`, which checks the parameters and explains them.
    """

    shape: Shape
    seed: int
    counts_per_pixel: float
    step_nm: float
    probe_sigma: float
    particle_radius: float
    coverage: float
    twin_share: float
    thickness_nm: float
    convergence_mrad: float
    voltage_kv: float
    film_strength: float
    hot_pixels: int
    descan_px: tuple[float, float]
    birth_share: float
    drift_steps: tuple[float, float]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is cached: cheaper to make again than to send to every worker."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def dtype(self) -> np.dtype:
        """Unsigned 16-bit counts."""
        return np.dtype(np.uint16)

    @property
    def axes(self) -> dict[str, Axis]:
        """Scan in nm from the first position, q in 1/angstrom from the detector's centre."""
        scan = Axis(self.step_nm, 0.0, "nm")
        q_y, q_x = (
            Axis(self.q_step, -self.q_step * (size - 1) / 2, "1/angstrom")
            for size in self.shape[3:]
        )
        return {SCAN_Y: scan, SCAN_X: scan, Q_Y: q_y, Q_X: q_x}

    @property
    def q_step(self) -> float:
        """Width of a detector pixel in 1/angstrom."""
        return 2 * _Q_MAX / min(self.shape[3:])

    @property
    def disk_radius_px(self) -> float:
        """Radius of the diffraction disks in detector pixels."""
        q_radius = 1e-3 * self.convergence_mrad / wavelength_angstrom(self.voltage_kv)
        return max(0.5, q_radius / self.q_step)

    @property
    def electrons(self) -> float:
        """Mean number of beam electrons at every position."""
        return self.counts_per_pixel * self.shape[3] * self.shape[4]

    @property
    def frame_coords(self) -> dict[str, tuple[list[float], str]]:
        """One frame in 13 s, as a fast detector takes for 512 x 512 positions."""
        return {"time": ([_FRAME_SECONDS * frame for frame in range(self.shape[0])], "s")}

    @property
    def metadata(self) -> dict[str, Any]:
        """The instrument and all parameters, JSON-like."""
        instrument = {
            "simulated": True,
            "specimen": "fcc gold particles on amorphous carbon",
            "lattice_angstrom": LATTICE_ANGSTROM,
            "beam_energy_kev": self.voltage_kv,
            "probe_sigma_nm": self.probe_sigma * self.step_nm,
            "dose_electrons_per_angstrom2": self.electrons / (10 * self.step_nm) ** 2,
        }
        return {**asdict(self), "shape": list(self.shape), **instrument}

    @property
    def fingerprint(self) -> str:
        """A hash of the parameters, which decide every byte."""
        return digest({"simulated": _GENERATION, **asdict(self)})

    @cached_property
    def scene(self) -> Scene:
        """The particles, a function of the parameters."""
        habit = Habit(
            self.particle_radius,
            self.coverage,
            self.twin_share,
            self.thickness_nm,
            self.birth_share,
        )
        # what drifts into the scan, or out of it, is part of the scene
        rows, columns = (
            size + math.ceil(abs(drift))
            for size, drift in zip(self.shape[1:3], self.drift_steps, strict=True)
        )
        return build_scene(scan=(rows, columns), seed=self.seed, habit=habit)

    @cached_property
    def hot_values(self) -> np.ndarray:
        """What hot pixels add to every pattern, (q_y, q_x) uint16."""
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=1 << 128))
        values = np.zeros(self.shape[3] * self.shape[4], np.uint16)
        places = rng.choice(values.size, size=self.hot_pixels, replace=False)
        values[places] = rng.integers(1_000, 20_000, size=self.hot_pixels)
        return values.reshape(self.shape[3:])

    def progress(self, frame: int) -> float:
        """How far the scene is: 0 at the first frame, 1 at the last or only one."""
        return frame / (self.shape[0] - 1) if self.shape[0] > 1 else 1.0

    def orientations(self, frame: int) -> np.ndarray:
        """Return the grains' rotations from crystal to laboratory axes, (G, 3, 3)."""
        return orientations_at(self.scene, self.progress(frame))

    def scan_origin(self, frame: int) -> tuple[float, float]:
        """Where the scan's first position lies in the scene, in steps."""
        back = 1.0 - self.progress(frame)
        row, column = (back * drift + math.ceil(max(-drift, 0.0)) for drift in self.drift_steps)
        return row, column

    def beam_shift(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Shift (..., 2) of the patterns at scan positions, in detector pixels."""
        along_y = rows / max(self.shape[1] - 1, 1) - 0.5
        along_x = columns / max(self.shape[2] - 1, 1) - 0.5
        return np.stack([self.descan_px[0] * along_y, self.descan_px[1] * along_x], axis=-1)

    @property
    def points_per_step(self) -> int:
        """Points in a scan step at which the probe meets the specimen."""
        return _POINTS_PER_STEP

    def probe_grid(
        self, rows: range, columns: range
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Return the fine grid under a tile of positions, in steps, and the probe on it."""
        half = math.ceil(3 * self.probe_sigma * _POINTS_PER_STEP)
        probe = np.exp(
            -((np.arange(-half, half + 1) / _POINTS_PER_STEP / self.probe_sigma) ** 2) / 2
        )
        grid_y, grid_x = (
            np.arange(_POINTS_PER_STEP * along[0] - half, _POINTS_PER_STEP * along[-1] + half + 1)
            / _POINTS_PER_STEP
            for along in (rows, columns)
        )
        return (grid_y, grid_x), probe / probe.sum()

    def shares(
        self, frame: int, rows: range, columns: range
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of the probe on film and grains for a tile of positions.

        Returns
        -------
        (K,) int64
            The owners that occur, ascending; the first is -1, the film.
        (len(rows), len(columns), K) float64
            Share of the probe on each.
        (len(rows), len(columns), K) float64
            Amount of each one's expected pattern: a thin edge counts partly as film.
        """
        grid, probe = self.probe_grid(rows, columns)
        placed = [
            along + origin for along, origin in zip(grid, self.scan_origin(frame), strict=True)
        ]
        owner, thickness = owners(self.scene, self.progress(frame), *placed)
        present = np.union1d([-1], owner)
        index = np.searchsorted(present, owner)
        share, amount = probe_shares(index, thickness, probe, _POINTS_PER_STEP, len(present))
        amount[..., 0] = 1 - amount[..., 1:].sum(axis=-1)
        return present, share, amount

    def expected_patterns(self, frame: int, grains: np.ndarray, *, margin: int = 0) -> np.ndarray:
        """Return the expected counts of single grains (-1: film) with the beam in the centre.

        Returns
        -------
        (len(grains), Qy + 2 * margin, Qx + 2 * margin) float64
        """
        size_y, size_x = (size + 2 * margin for size in self.shape[3:])
        center = np.array([(size_y - 1) / 2, (size_x - 1) / 2])
        size = (self.shape[3], self.shape[4])
        film = self.film_strength * film_halo(size, self.q_step, margin=margin)
        thermal = THERMAL_SHARE * thermal_halo(size, self.q_step, margin=margin)
        orientations = self.orientations(frame)
        patterns = np.tile(film, (len(grains), 1, 1))
        for pattern, grain in zip(patterns, grains, strict=True):
            if grain < 0:
                places, shares = np.zeros((1, 2)), np.ones(1)
            else:
                pattern += (1 - self.film_strength) * thermal
                places, shares = self._beams(orientations[grain], int(grain))
            centers = center + places / self.q_step
            add_disks(pattern, centers, (1 - self.film_strength) * shares, self.disk_radius_px)
        return self.electrons * patterns

    def read(self, region: Region) -> np.ndarray:
        """Return the patterns of a region (any slices of step 1), uint16, C-contiguous."""
        frames, rows, columns, q_y, q_x = (
            range(*along.indices(size)) for along, size in zip(region, self.shape, strict=True)
        )
        counts = np.empty((len(frames), len(rows), len(columns), len(q_y), len(q_x)), self.dtype)
        for at_frame, frame in enumerate(frames):
            for at_y, tile_y in _tiles(rows):
                for at_x, tile_x in _tiles(columns):
                    tile = self._tile(frame, tile_y, tile_x)
                    counts[at_frame, at_y, at_x] = tile[:, :, region[3], region[4]]
        return counts

    def _tile(self, frame: int, rows: range, columns: range) -> np.ndarray:
        present, _, amount = self.shares(frame, rows, columns)
        margin = math.ceil(max(map(abs, self.descan_px)) / 2) + 1 if any(self.descan_px) else 0
        row, column = np.meshgrid(rows, columns, indexing="ij")
        indices = np.stack([np.full_like(row, frame), row, column], axis=-1).reshape(-1, 3)
        counts = np.empty((len(indices), *self.shape[3:]), self.dtype)
        count_electrons(
            amount.reshape(len(indices), -1),
            self.expected_patterns(frame, present, margin=margin),
            self.beam_shift(row, column).reshape(-1, 2),
            random_streams(indices, self.seed),
            self.hot_values,
            counts,
        )
        return counts.reshape(len(rows), len(columns), *self.shape[3:])

    def _beams(self, orientation: np.ndarray, grain: int) -> tuple[np.ndarray, np.ndarray]:
        """Place in q (row, column) and share of the direct and the diffracted beams."""
        reflections = self.reflections
        unstrained = np.eye(3) - self.scene.strain[grain]
        vectors = reflections.vectors @ (orientation @ unstrained).T
        shares = self.reflected_shares(vectors, grain)
        bright = np.flatnonzero(shares > 1e-6)
        direct = 1 - shares.sum()
        places = np.concatenate([np.zeros((1, 2)), vectors[bright, 1::-1]])
        return places, (1 - THERMAL_SHARE) * np.concatenate([[direct], shares[bright]])

    def reflected_shares(self, vectors: np.ndarray, grain: int) -> np.ndarray:
        """Share of the beam in the reflections at ``vectors`` (K, 3), laboratory axes."""
        excitation = excitation_errors(vectors, wavelength_angstrom(self.voltage_kv))
        thickness = 10 * self.scene.thickness[grain]
        return diffracted_shares(excitation, self.reflections.extinction_angstrom, thickness)

    @cached_property
    def reflections(self) -> Reflections:
        """The crystal's reflections that can lie on the detector."""
        corner = self.q_step * math.hypot(*self.shape[3:]) / 2
        return gold_reflections(q_max=corner, voltage_kv=self.voltage_kv)


def _tiles(along: range) -> Iterator[tuple[slice, range]]:
    for start in range(0, len(along), _TILE):
        tile = along[start : start + _TILE]
        yield slice(start, start + len(tile)), tile
