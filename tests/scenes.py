"""Small scans of a few domains, made of plain NumPy."""

import numpy as np
import xarray as xr
import zarr
from scipy.ndimage import gaussian_filter

from daskstem.io.layout import ArraySpec, writable
from daskstem.io.stored import StoredArray

MAPS = ("scan_y", "scan_x")
DIMS = (*MAPS, "q_y", "q_x")


def domains(scan, n_domains, seed=0):
    """Return the number of the nearest of ``n_domains`` random points, (Y, X)."""
    rng = np.random.default_rng(seed)
    sites = rng.uniform(0, 1, (n_domains, 2)) * scan
    y, x = np.mgrid[: scan[0], : scan[1]]
    distance = (y[..., None] - sites[:, 0]) ** 2 + (x[..., None] - sites[:, 1]) ** 2
    return distance.argmin(axis=-1)


def expected_counts(scan, detector=(16, 18), *, n_domains=3, dose=3.0, seed=0):
    """Return noiseless patterns: one random smooth pattern per domain, (Y, X, Qy, Qx)."""
    rng = np.random.default_rng(seed)
    spots = np.stack(
        [gaussian_filter(rng.exponential(1, detector) ** 3, 1.2) for _ in range(n_domains)]
    )
    spots *= dose / spots.mean(axis=(1, 2), keepdims=True)
    return spots[domains(scan, n_domains, seed)]


def counts(scan, detector=(16, 18), *, n_domains=3, dose=3.0, seed=0):
    """Return Poisson counts of ``expected_counts``, uint16."""
    clean = expected_counts(scan, detector, n_domains=n_domains, dose=dose, seed=seed)
    return np.random.default_rng(seed + 1).poisson(clean).astype(np.uint16)


def dataset(patterns, **maps):
    """Return patterns (Y, X, Qy, Qx) and maps (Y, X[, n]) as a Dataset."""
    last = {"similarity": ("neighbor",), "weights": ("offset",)}
    variables = {name: ((*MAPS, *last.get(name, ())), found) for name, found in maps.items()}
    return xr.Dataset({"patterns": (DIMS, patterns), **variables})


def smooth_similarity(scan, seed, *, levels=None, smooth=1.5):
    """Return a random, symmetric similarity (Y, X, 8) float32 in (-1, 1), NaN outside.

    Smooth along the scan, so that a threshold cuts it into regions; rounded to ``levels``
    steps per unit, so that ties occur.
    """
    rng = np.random.default_rng(seed)
    rows, columns = scan
    out = np.full((rows, columns, 8), np.nan, np.float32)
    common = gaussian_filter(rng.normal(size=scan), smooth)
    common /= max(np.abs(common).max(), 1e-9)
    for number, (dy, dx) in zip((4, 5, 6, 7), ((0, 1), (1, -1), (1, 0), (1, 1)), strict=True):
        value = np.tanh(common + rng.normal(0, 0.3, scan))
        value = np.round(value * levels) / levels if levels else value
        for y in range(rows - dy):
            for x in range(max(0, -dx), columns - max(0, dx)):
                out[y, x, number] = out[y + dy, x + dx, 7 - number] = value[y, x]
    return out


def stored(values, folder, *, chunks, shards):
    """Write an array to a sharded Zarr store and return it lazily, as a series holds it."""
    dims = [f"dim_{axis}" for axis in range(values.ndim)]
    spec = ArraySpec(dims, values.shape, values.dtype, chunks=chunks, shards=shards)
    array = writable(spec.create(zarr.create_group(folder / "values.zarr", overwrite=True), "x"))
    array[...] = values
    return StoredArray.whole(array).lazy()
