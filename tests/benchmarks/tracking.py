"""How well tracks keep the identity of simulated particles.

``python tests/benchmarks/tracking.py`` simulates series of growing gold particles that drift,
move, rotate, nucleate and touch, runs the recipe ``series`` on each, and prints how well the
tracks keep the grains' true identities (IDF1, Ristani et al. 2016), beside what the clusters
would allow if every one of them bore the right number. A grain counts where it has as many
positions as a cluster must have. Then it looks at three promises: a track that is missing for
two frames goes on, appended frames change no number, and the rotation is that of the particle.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import daskstem
from daskstem.run.recipe import read_recipe
from daskstem.testing import identity_scores, simulated_series

SHAPE = (40, 64, 64, 64, 64)
BIRTH_SHARE = 0.3
DRIFT_STEPS = (6.0, -4.0)
LEAST_POSITIONS = next(
    call.parameters["min_size"] for call in read_recipe("series").calls if call.step.name == "grow"
)
Follow = Callable[[xr.Dataset], xr.Dataset]


@dataclass(frozen=True)
class Measured:
    """What one series has shown."""

    seed: int
    idf1: float
    allowed: float
    n_tracks: int
    n_grains: int
    births: int
    rotation_error_deg: float
    kept_after_gap: int
    tried_gaps: int
    same_numbers: bool
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--shape", type=int, nargs=5, default=SHAPE)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--counts-per-pixel", type=float, default=2.0)
    parser.add_argument("--drift-steps", type=float, nargs=2, default=DRIFT_STEPS)
    parser.add_argument("--set", action="append", default=[], metavar="STEP.PARAMETER=VALUE")
    parser.add_argument("--least-idf1", type=float, default=0.95)
    parser.add_argument("--folder", type=Path, help="keep the stores here")
    given = parser.parse_args(arguments)
    print("seed  IDF1    allowed by clusters  tracks  grains  born later  rotation error (deg)  "
          "kept over two missing frames  numbers stay  tracks (s)")  # fmt: skip
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in given.seeds:
            store = (given.folder or Path(temporary)) / f"seed_{seed}.zarr"
            scene = {
                "shape": tuple(given.shape),
                "seed": seed,
                "counts_per_pixel": given.counts_per_pixel,
                "birth_share": BIRTH_SHARE,
                "drift_steps": tuple(given.drift_steps),
            }
            rows.append(measured(store, scene, given.set))
            row = rows[-1]
            print(
                f"{row.seed:4}  {row.idf1:.4f}  {row.allowed:.4f} {row.n_tracks:20} "
                f"{row.n_grains:7} {row.births:11}  {row.rotation_error_deg:20.2f}  "
                f"{row.kept_after_gap:14} of {row.tried_gaps:<12} {row.same_numbers!s:>12} "
                f"{row.seconds:10.1f}",
                flush=True,
            )
    kept = all(row.same_numbers and row.kept_after_gap == row.tried_gaps for row in rows)
    return int(not kept or min(row.idf1 for row in rows) < given.least_idf1)


def measured(store: Path, scene: dict[str, Any], settings: list[str]) -> Measured:
    """Simulate one series, run the recipe on it and compare with the truth."""
    daskstem.simulate(store, **scene)
    summary = daskstem.run_recipe("series", store, settings=settings, quiet=True)
    tree = daskstem.open_series(store)
    truth = large_enough(tree["truth"].dataset["label"].values)
    ds, tracks = linked_from(tree), tree["tracks"].dataset
    found = track_map(ds["label"].values, tracks["track"].values)
    scores = identity_scores(truth, found)
    follow = partial(daskstem.tracks, **{**tracks.attrs["parameters"], "patterns": False})
    gaps = [missing_for_two_frames(ds, follow, number) for number in long_tracks(tracks)]
    first = len(truth) // 2
    return Measured(
        seed=scene["seed"],
        idf1=scores.f1,
        allowed=scores.detection_f1,
        n_tracks=tracks["area"].shape[0],
        n_grains=len(np.unique(truth[truth >= 0])),
        births=len(np.setdiff1d(truth[-1], truth[0])),
        rotation_error_deg=rotation_error(scene, truth, found, tracks),
        kept_after_gap=sum(gaps),
        tried_gaps=len(gaps),
        same_numbers=numbers_stay(ds, follow, first),
        seconds=summary.seconds["tracks"],
    )


def linked_from(tree: xr.DataTree) -> xr.Dataset:
    """Return what the step tracks needs, without patterns of tracks."""
    maps = tree["segments"].to_dataset()[["label"]]
    similarity = tree["similarity"].dataset["mean_similarity"].variable
    pattern = tree["clusters"].dataset["pattern"].variable
    return maps.assign(mean_similarity=similarity, pattern=pattern).load()


def large_enough(truth: np.ndarray) -> np.ndarray:
    """Leave out the grains of each frame that are smaller than a cluster may be."""
    counted = truth.copy()
    for frame in counted:
        names, sizes = np.unique(frame, return_counts=True)
        frame[np.isin(frame, names[sizes < LEAST_POSITIONS])] = -1
    return counted


def track_map(label: np.ndarray, track: np.ndarray) -> np.ndarray:
    """Paint every cluster with the number of its track, (frame, scan_y, scan_x)."""
    counts = label.reshape(len(label), -1).max(axis=1) + 1
    starts = np.cumsum(counts) - counts
    rows = np.where(label >= 0, label + starts[:, None, None], 0)
    return np.where(label >= 0, track[rows] if track.size else -1, -1)


def long_tracks(tracks: xr.Dataset) -> list[int]:
    """Return the tracks that are seen in all of five frames around the middle."""
    seen = tracks["n_positions"].values > 0
    middle = seen.shape[1] // 2
    return np.flatnonzero(seen[:, middle - 2 : middle + 3].all(axis=1)).tolist()


def missing_for_two_frames(ds: xr.Dataset, follow: Follow, number: int) -> bool:
    """Take a track's clusters out of two frames; whether it goes on under its number."""
    whole = follow(ds)["track"].values
    label, rows = ds["label"].values, np.arange(len(whole))
    counts = label.reshape(len(label), -1).max(axis=1) + 1
    frame_of = np.repeat(np.arange(len(label)), counts)
    middle = len(label) // 2
    taken = (whole == number) & np.isin(frame_of, [middle, middle + 1])
    starts = np.cumsum(counts) - counts
    emptied = label.copy()
    for row in rows[taken]:
        frame = frame_of[row]
        emptied[frame][emptied[frame] == row - starts[frame]] = -1
    without = ds.assign(label=ds["label"].copy(data=emptied)).isel(cluster=rows[~taken])
    again = follow(without)["track"].values
    after = (frame_of > middle + 1)[~taken] & (whole == number)[~taken]
    return bool((again[after] == number).all())


def numbers_stay(ds: xr.Dataset, follow: Follow, first: int) -> bool:
    """Whether the first frames alone give the numbers that they have in the whole series."""
    label = ds["label"].values
    count = int((label[:first].reshape(first, -1).max(axis=1) + 1).sum())
    part = ds.isel(frame=slice(0, first), cluster=slice(0, count))
    return bool((follow(part)["track"].values == follow(ds)["track"].values[:count]).all())


def rotation_error(
    scene: dict[str, Any], truth: np.ndarray, found: np.ndarray, tracks: xr.Dataset
) -> float:
    """Median difference of the tracks' rotations from those of the particles, in degrees."""
    particles = simulated_series(**scene).scene
    particle = np.repeat(np.arange(len(particles.centers)), np.diff(particles.first_grain))
    errors = []
    rotation = tracks["rotation"].values
    for number in range(len(rotation)):
        frames = np.flatnonzero(np.isfinite(rotation[number]))
        grains = truth[found == number]
        if len(frames) < 2 or not (grains >= 0).any():
            continue
        grain = np.bincount(grains[grains >= 0]).argmax()
        share = (frames[-1] - frames[0]) / (len(truth) - 1)
        turned = np.degrees(particles.turn[particle[grain]]) * share
        errors.append(abs(rotation[number, frames[-1]] - turned))
    return float(np.median(errors)) if errors else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
