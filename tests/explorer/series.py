"""A small series with everything in it, and what its pictures must be."""

from pathlib import Path

import numpy as np

import daskstem
from tests import scenes, stores

SHAPE = (2, 28, 32, 32, 36)
FLAT = (20, 9)
SATURATED = (6, 25)
HOT = (5, 7)
OUTSIDE_ROWS = 3
STEPS = {
    "hierarchy": {"min_size": 4},
    "grow": {"threshold": 0.5, "min_size": 4},
    "average": {},
    "tracks": {},
    "kmeans": {"k": 3, "of": "clusters"},
}


def measured(folder):
    """Convert two frames of nine domains with a flat, a saturated and a hot place."""
    frames = []
    for frame in range(SHAPE[0]):
        patterns = scenes.counts(SHAPE[1:3], SHAPE[3:], n_domains=9, dose=4.0, seed=5)
        # the second frame is the first one, moved by two columns, its noise with it
        frames.append(np.roll(patterns, 2 * frame, axis=1))
    series = np.stack(frames)
    series[0][:, :, *HOT] = 60
    series[0][FLAT] = 0
    series[0][(*SATURATED, 16, 16)] = np.iinfo(np.uint16).max
    path = Path(folder) / "measured.npy"
    np.save(path, series)
    return daskstem.convert(
        path, Path(folder) / "scan.zarr", quiet=True, workers=1, frame_dim="time",
        frame_values=(0.0, 13.0),
    )  # fmt: skip


def with_all_steps(store):
    """Run every step on such a store and return it."""
    folder = Path(store).parent
    mask = np.ones(SHAPE[1:3], bool)
    mask[:OUTSIDE_ROWS] = False
    path = folder / "mask.npy"
    np.save(path, mask)
    before = {
        "grow": None, "average": None, "background": {"method": "mask", "mask": str(path)},
        "bad_pixels": {},
        "prefilter": {"sigma_px": 1.0, "edge_px": 1, "radius_px": 1, "corr_range": [0.9, 0.99]},
    }  # fmt: skip
    recipe = stores.recipe(folder, **before)
    recipe.write_text(recipe.read_text() + "\n" + stores.toml(STEPS))
    daskstem.run_recipe(recipe, store, quiet=True, workers=1)
    return store


def shaded(values, low, high):
    """Return the shade of every value between two limits, (..) float."""
    return 1.5 + 254 * np.clip((values - low) / (high - low), 0, 1)


def assert_shows(image, values, percentiles=(0.5, 99.5)):
    """Compare an image of one byte a pixel with what it is to show, on a linear scale.

    A byte more or less: the page rounds in single precision.
    """
    values = np.asarray(values, np.float64)
    low, high = np.percentile(values, percentiles)
    found = image.astype(int)
    np.testing.assert_allclose(found, np.floor(shaded(values, low, high)), atol=1)


def same_partition(colors, label):
    """Whether a painted map shows these clusters: one color each, neighbors differ."""
    for number in np.unique(label):
        if len(np.unique(colors[label == number])) != 1:
            return False
    for axis in (0, 1):
        one, other = np.moveaxis(label, axis, 0)[:-1], np.moveaxis(label, axis, 0)[1:]
        first, second = np.moveaxis(colors, axis, 0)[:-1], np.moveaxis(colors, axis, 0)[1:]
        if (first[one != other] == second[one != other]).any():
            return False
    return True
