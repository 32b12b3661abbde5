"""One pass over a store: decoding, sums, images, cluster means, and single patterns."""

import json
import sys

import numpy as np
import xarray as xr
from scipy.spatial import KDTree

import daskstem
from tests.benchmarks.answering import answer


def main():
    given = json.loads(sys.argv[1])
    store = given["store"]
    scan = daskstem.open_series(store)["raw"].to_dataset()
    patterns = scan["patterns"]
    ring = {"dark_inner_px": given["inner"], "dark_outer_px": given["outer"]}
    eager = xr.open_zarr(store, group="raw", chunks=None)["patterns"]
    label = nearest_site(patterns.shape[1:3], given["clusters"])[np.newaxis]
    labeled = scan.assign(
        label=(patterns.dims[:3], label),
        mean_similarity=(patterns.dims[:3], np.ones(label.shape, np.float32)),
    )
    chance = np.random.default_rng(0)

    def read():
        # one task per block that decodes it and keeps nothing
        nothing = patterns.data.map_blocks(_nothing, dtype=np.uint8, chunks=(1, 1, 1, 1, 1))
        return int(nothing.compute().size)

    def plain_sum():
        total = patterns.data.sum(axis=(0, 1, 2), dtype=np.uint64)
        return float(total.compute().sum())

    def run_sum():
        mean = daskstem.summary(scan)["mean_pattern"].values
        return float(mean.sum(dtype=float)) * label.size

    def run_annular():
        return float(daskstem.virtual(scan, **ring)["dark_field"].values.sum(dtype=float))

    def cluster_means():
        made = daskstem.average(labeled)
        means = made["pattern"].values.sum(axis=(1, 2), dtype=float)
        return float((means * made["n_positions"].values).sum())

    def one_pattern():
        y, x = chance.integers(patterns.shape[1:3])
        return int(patterns[0, y, x].values.sum())

    def one_pattern_without_dask():
        y, x = chance.integers(patterns.shape[1:3])
        return int(eager[0, y, x].values.sum())

    def open_and_one_pattern():
        y, x = chance.integers(patterns.shape[1:3])
        return int(daskstem.open_series(store)["raw/patterns"][0, y, x].values.sum())

    works = {
        "read": read,
        "plain sum": plain_sum,
        "sum": run_sum,
        "annular": run_annular,
        "cluster means": cluster_means,
        "one pattern": one_pattern,
        "one pattern without Dask": one_pattern_without_dask,
        "open and one pattern": open_and_one_pattern,
    }
    chosen = {name: works[name] for name in given["works"]}
    for work in chosen.values():
        work()
    answer(chosen)


def nearest_site(scan, n_sites):
    """Return the number of the nearest of so many random points, (Y, X) int32."""
    sites = np.random.default_rng(0).uniform(0, 1, (n_sites, 2)) * scan
    places = np.stack(np.indices(scan), axis=-1)
    return KDTree(sites).query(places)[1].astype(np.int32)


def _nothing(block):
    # a byte is looked at, so that no cleverness leaves the block unread
    return np.full((1,) * block.ndim, block.ravel()[-1] & 1, np.uint8)


if __name__ == "__main__":
    main()
