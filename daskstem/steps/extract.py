"""One pattern for each tilt of a particle: 3D electron diffraction from a scan series."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import dask
import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.weighted import weighted_patterns
from daskstem.kernels.grouping import add_weighted
from daskstem.kernels.surroundings import PositionWeights, position_weights
from daskstem.schema import extract_variables as made
from daskstem.schema import track_variables, variables
from daskstem.schema.dims import FRAME, Q
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between, File, Increasing
from daskstem.steps.label_file import labels_from_file
from daskstem.steps.outlining import OutlineImage, Point, outlined_particles, refuse_outside
from daskstem.steps.step import Parameters, step

BLOCK_BYTES: Final = 4 * 2**20
"""Patterns of a few particles in one frame together: a file of the store."""
_FRAMES_AT_ONCE: Final = 8

Points = tuple[Point, ...]
"""Frame, row and column of each."""


@step
def extract(
    ds: xr.Dataset,
    *,
    particles: tuple[int, ...] | None = None,
    points: Points | None = None,
    masks: Annotated[str | None, File()] = None,
    tracker: Literal["tracks", "sam2"] = "tracks",
    checkpoint: Annotated[str | None, File()] = None,
    image: OutlineImage = "dark_field",
    least_share: Annotated[float, Between(0, 1)] = 0.5,
    background: Literal["ring", "none"] = "ring",
    ring: Annotated[tuple[float, float], Increasing(0)] = (1.5, 5.0),
    border: Annotated[float, Between(0)] = 1.5,
) -> xr.Dataset:
    """One pattern of every chosen particle in every frame, less its surroundings'.

    The patterns are read once for all particles. They should have the direct beam in one
    place and no hot pixels: the step ``correct`` before this one sees to both.

    Parameters
    ----------
    ds
        Holds ``patterns`` (frame, scan_y, scan_x, q_y, q_x), and ``label`` (frame, scan_y,
        scan_x) and ``track`` (cluster), unless ``masks`` are given, or the image, (frame,
        scan_y, scan_x), for SAM 2.
    particles
        Numbers of the tracks to extract, or of the masks; by default all that are there in
        ``least_share`` of the frames.
    points
        Particles to extract, each by a frame and the row and column of a position on it.
    masks
        Label maps from elsewhere, instead of tracks: a TIFF, .npy or .npz file or a folder
        with a file for each frame; a number is the same particle in all of them, 0 is none.
    tracker
        Who followed the particles: ``tracks``, the step of that name, or ``sam2``, which
        outlines the particles at the points in all frames; they bear the points' numbers.
    checkpoint, image
        For ``sam2``: the folder of a SAM 2 video model as the ``transformers`` library keeps
        it, with safetensors, and what it looks at.
    least_share
        Share of the frames that a particle must be in, where none are chosen.
    background
        ``ring``: the mean pattern of positions around the particle, which belong to nothing,
        is subtracted; ``none``: nothing is.
    ring
        Nearest and farthest distance of these positions from the particle; they are no
        nearer to anything else.
    border
        Positions of the particle nearer than this to another one are left out, unless none
        would remain: the probe sees both.

    Returns
    -------
    Dataset with ``particle_pattern`` (particle, [frame,] q_y, q_x) float32, NaN where the
    particle is missing, and ``particle_n_positions`` and ``particle_n_background`` (particle,
    [frame]) int32, lazy; ``particle_number`` (particle) int32, its track or mask, computed.

    Raises
    ------
    InputError
        If a variable is missing, a chosen particle is not there, a point lies on none, the
        masks do not fit, or SAM 2 lacks what it needs.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("frame", "scan_y", "scan_x")
    >>> label = np.full((2, 8, 8), -1, "i4"); label[:, 3:5, 3:5] = 0
    >>> counts = np.where(label >= 0, 9, 2)[..., None, None].repeat(4, 3).repeat(4, 4)
    >>> ds = xr.Dataset({
    ...     "patterns": ((*dims, "q_y", "q_x"), counts.astype("u2")),
    ...     "label": (dims, label), "track": ("cluster", np.zeros(2, "i4")),
    ... })
    >>> daskstem.extract(ds)["particle_pattern"].values[0, :, 0, 0].round(6).tolist()
    [7.0, 7.0]
    """
    patterns = da.asarray(variables.require(ds, variables.patterns).data)
    maps, track = _maps(ds, masks, points, tracker, checkpoint, image)
    known = _known(maps, track)
    if tracker == "sam2":
        numbers = np.arange(len(points or ()))
    else:
        numbers = _chosen(maps, known, particles, points, least_share)
    around = ring if background == "ring" else None
    weighs = [
        Weighing(labels, _rows(of, numbers), len(numbers), border, around) for labels, of in known
    ]
    pixels = ds.sizes[Q[0]] * ds.sizes[Q[1]]
    found, counts = weighted_patterns(
        weighs, add_weighted, patterns, maps,
        n_groups=len(numbers), n_counts=2, name="extract",
        block_rows=max(1, BLOCK_BYTES // (4 * pixels)),
    )  # fmt: skip
    kept = {name: c for name, c in ds.coords.items() if c.dims in ((FRAME,), (Q[0],), (Q[1],))}
    return xr.Dataset(
        {
            made.particle_pattern.name: made.particle_pattern.wrap(found),
            made.particle_number.name: made.particle_number.wrap(numbers.astype(np.int32)),
            made.particle_n_positions.name: made.particle_n_positions.wrap(counts[..., 0]),
            made.particle_n_background.name: made.particle_n_background.wrap(counts[..., 1]),
        },
        coords=kept,
    )


def used(parameters: Parameters) -> tuple[variables.Variable, ...]:
    """Return the variables that the step uses with these parameters."""
    if parameters["masks"] is not None:
        return (variables.patterns,)
    if parameters["tracker"] == "sam2":
        return (variables.patterns, getattr(variables, parameters["image"]))
    return (variables.patterns, variables.label, track_variables.track)


def _maps(
    ds: xr.Dataset,
    masks: str | None,
    points: Points | None,
    tracker: str,
    checkpoint: str | None,
    image: OutlineImage,
) -> tuple[da.Array, np.ndarray | None]:
    """Return label maps and, where they are clusters, the track of each.

    Raises
    ------
    InputError
        If SAM 2 is given no checkpoint, no points, or masks besides.
    """
    if masks is not None and tracker == "tracks":
        return labels_from_file(masks, ds), None
    if tracker == "tracks":
        if track_variables.track.name not in ds:
            raise InputError(
                "there are no tracks to tell the particles by; run 'daskstem run series STORE' "
                "and then 'daskstem step extract STORE', or give masks = FILE"
            )
        label = da.asarray(variables.require(ds, variables.label).data)
        return label, np.asarray(ds[track_variables.track.name].values)
    if masks is not None or not points or checkpoint is None:
        raise InputError(
            "tracker = 'sam2' outlines the particles at points in the images; give points = "
            "[[frame, row, column], ...] and checkpoint = FOLDER, and no masks"
        )
    return outlined_particles(ds, points, checkpoint=checkpoint, image=image), None


@dataclass(frozen=True, eq=False)
class Weighing:
    """Weighs the positions of a frame for the chosen particles.

    Attributes
    ----------
    labels, rows
        The labels in the frame's map, increasing, and the particle of each, -2 for one that
        is not chosen.
    n_particles, border, ring
        See `position_weights`.
    """

    labels: np.ndarray
    rows: np.ndarray
    n_particles: int
    border: float
    ring: tuple[float, float] | None

    def __call__(self, label: np.ndarray) -> PositionWeights:
        """Return the weights of a frame with these labels."""
        number = np.full(label.shape, -1, np.int64)
        labeled = label >= 0
        number[labeled] = self.rows[np.searchsorted(self.labels, label[labeled])]
        return position_weights(
            number, n_groups=self.n_particles, border=self.border, ring=self.ring
        )

    def __dask_tokenize__(self) -> Any:
        return [self.labels, self.rows, self.n_particles, self.border, self.ring]


def _known(maps: da.Array, track: np.ndarray | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each frame the labels in its map and the particle's number of each.

    Raises
    ------
    InputError
        If the maps hold other clusters than the tracks.
    """
    labels: list[np.ndarray] = []
    for start in range(0, len(maps), _FRAMES_AT_ONCE):
        frames = range(start, min(start + _FRAMES_AT_ONCE, len(maps)))
        computed = dask.compute(*(maps[frame] for frame in frames))
        labels += [np.unique(values[values >= 0]) for values in computed]
    if track is None:
        return [(found, found) for found in labels]
    stops = np.cumsum([len(found) for found in labels])
    if stops[-1] != len(track):
        raise InputError(
            f"{track_variables.track.name!r} holds {len(track)} clusters, the label maps hold "
            f"{stops[-1]}; run 'tracks' on these labels first"
        )
    return list(zip(labels, np.split(track, stops[:-1]), strict=True))


def _chosen(
    maps: da.Array,
    known: list[tuple[np.ndarray, np.ndarray]],
    particles: tuple[int, ...] | None,
    points: Points | None,
    least_share: float,
) -> np.ndarray:
    """Numbers of the chosen particles, increasing."""
    there = [np.unique(numbers) for _, numbers in known]
    numbers, n_frames = np.unique(np.concatenate(there), return_counts=True)
    if particles is None and points is None:
        return numbers[n_frames >= least_share * len(maps)]
    missing = sorted(set(particles or ()) - set(numbers.tolist()))
    if missing:
        raise InputError(
            f"particles = {list(particles or ())}: there is no particle {missing[0]}; there are "
            f"{len(numbers)}, from {numbers.min(initial=0)} to {numbers.max(initial=0)}"
        )
    found = {*(particles or ()), *(_at(maps, known, point) for point in points or ())}
    return np.array(sorted(found), np.int64)


def _at(
    maps: da.Array, known: list[tuple[np.ndarray, np.ndarray]], point: tuple[int, float, float]
) -> int:
    """Return the particle at a point.

    Raises
    ------
    InputError
        If it lies outside the series, or on no particle.
    """
    place = (point[0], round(point[1]), round(point[2]))
    refuse_outside(place, point, maps.shape)
    label = int(maps[place].compute())
    if label < 0:
        raise InputError(
            f"points: {list(point)} (frame, row, column) lies on no particle; choose a position "
            f"inside one, as the report's map of that frame shows them"
        )
    labels, numbers = known[place[0]]
    return int(numbers[np.searchsorted(labels, label)])


def _rows(numbers: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return where ``numbers`` stand among the chosen ones, -2 for those that do not."""
    at = np.searchsorted(chosen, numbers).clip(max=max(len(chosen) - 1, 0))
    return np.where(chosen[at] == numbers, at, -2) if len(chosen) else np.full(len(numbers), -2)
