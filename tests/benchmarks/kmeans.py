"""K-means beside a plain sum over the same store, and beside scikit-learn where that fits.

    python tests/benchmarks/kmeans.py                        # small, as in CI
    python tests/benchmarks/kmeans.py --shape 1 256 256 192 192 --memory-limit 2GiB

Simulates a store, or takes the one that ``--store`` names. Of every k the seconds of one
iteration are printed with those of ``summary`` (sum and largest value of every pixel), read
alternately from the same warm store by the same threads, medians of ``--repeats``. Then
``daskstem run`` is watched: its resident memory, children included, is added up twenty times a
second. Then scikit-learn, which wants the whole array as floats in memory, is given as many
rows of the scan as ``--peer-bytes`` hold, and daskstem the same rows from the store.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from dask.utils import parse_bytes
from distributed import Client

# run as a file, its repository is not where Python looks for modules
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import daskstem
from daskstem.run.workers import connected, resources
from daskstem.schema.parameters import checked_parameters
from daskstem.steps.kmeans import in_progress, kmeans
from daskstem.steps.passes import Progress
from tests.benchmarks.watching import measured

FRAME = 0


def in_iterations(ds: xr.Dataset, client: Client, **given: object) -> object:
    """Return K-means on one frame, drawn and started, before its first iteration."""
    parameters = checked_parameters(kmeans, {"n_init": 1, "tolerance": 0.0, **given})
    classes = in_progress(lambda _: ds, 1, **parameters)
    todo = classes.next_pass()
    progress = Progress()
    progress.add(client.compute(todo.of_frame(ds, FRAME, None)).result(), todo)
    classes.take(progress.total)
    return classes


def iteration_seconds(classes: object, ds: xr.Dataset, client: Client) -> float:
    """Do one iteration and return what it took."""
    started = time.perf_counter()
    todo = classes.next_pass()
    progress = Progress()
    shared = client.scatter(todo.shared, hash=False)
    progress.add(client.compute(todo.of_frame(ds, FRAME, shared)).result(), todo)
    classes.take(progress.total)
    return time.perf_counter() - started


def sum_seconds(ds: xr.Dataset, client: Client) -> float:
    started = time.perf_counter()
    client.compute(daskstem.summary(ds)["mean_pattern"].data).result()
    return time.perf_counter() - started


def against_sum(store: Path, given: argparse.Namespace) -> None:
    ds = daskstem.open_series(store)["raw"].to_dataset().isel(frame=slice(0, 1))
    with connected(resources(workers=1, memory_limit=given.memory_limit)) as client:
        for k in given.k:
            classes = in_iterations(ds, client, k=k, max_iter=given.repeats + 2)
            taken = partial(iteration_seconds, classes, ds, client)
            # compiled, and the store warm
            sum_seconds(ds, client), taken()
            pairs = [(sum_seconds(ds, client), taken()) for _ in range(given.repeats)]
            plain, one = (statistics.median(times) for times in zip(*pairs, strict=True))
            size = ds["patterns"].nbytes / 1e9
            print(
                f"k = {k:3}  sum {plain:6.2f} s {size / plain:5.2f} GB/s  "
                f"iteration {one:6.2f} s {size / one:5.2f} GB/s  ratio {one / plain:5.2f}",
                flush=True,
            )


def memory(store: Path, folder: Path, given: argparse.Namespace) -> bool:
    recipe = folder / "classes.toml"
    recipe.write_text(f"[kmeans]\nk = {max(given.k)}\nmax_iter = 2\nn_init = 1\n")
    limit = ["--memory-limit", given.memory_limit, "--workers", "1"]
    row = measured(
        "run", [sys.executable, "-m", "daskstem", "run", str(recipe), str(store), *limit]
    )
    allowed = parse_bytes(given.memory_limit)
    print(f"k = {max(given.k):3}  peak {row.peak_bytes / 2**30:.2f} GiB, "
          f"{row.peak_bytes / allowed:.2f} of the limit", flush=True)  # fmt: skip
    return row.peak_bytes <= allowed


def peer_rows(store: Path, given: argparse.Namespace) -> int:
    patterns = daskstem.open_series(store)["raw/patterns"]
    row = 4 * int(np.prod(patterns.shape[2:]))
    return max(1, min(patterns.shape[1], parse_bytes(given.peer_bytes) // row))


def rows_of(store: str, rows: int) -> xr.Dataset:
    raw = daskstem.open_series(store)["raw"].to_dataset()
    return raw.isel(frame=slice(0, 1), scan_y=slice(0, rows))


def with_scikit_learn(store: str, rows: int, k: int, out: str) -> None:
    """Time scikit-learn's iterations, and keep its classes."""
    from sklearn.cluster import KMeans

    started = time.perf_counter()
    values = rows_of(store, rows)["patterns"].values
    x = np.sqrt(values.reshape(-1, values.shape[3] * values.shape[4]), dtype=np.float32)
    loaded = time.perf_counter() - started
    fit = KMeans(k, init=x[:: len(x) // k][:k], n_init=1, max_iter=10, tol=0.0, algorithm="lloyd")
    started = time.perf_counter()
    fit.fit(x)
    each = (time.perf_counter() - started) / fit.n_iter_
    found = {"loaded": loaded, "each": each, "steps": fit.n_iter_, "label": fit.labels_.tolist()}
    Path(out).write_text(json.dumps(found))


def with_daskstem(store: str, rows: int, k: int, out: str) -> None:
    """Time daskstem's iterations on the same rows from the same start, and keep its classes."""
    ds = rows_of(store, rows)
    values = ds["patterns"].data.reshape(-1, *ds["patterns"].shape[3:])
    begin = np.asarray(values[:: len(values) // k][:k])
    np.save(f"{out}.npy", begin)
    same = {"k": k, "start": f"{out}.npy", "normalize": "sqrt", "q_inner_px": 0.0}
    same |= {"sample": 2 * k, "max_iter": 10}
    with connected(resources(workers=1)) as client:
        classes = in_iterations(ds, client, **same)
        times = []
        while classes.chosen < 0:
            times.append(iteration_seconds(classes, ds, client))
    made = daskstem.kmeans(ds, tolerance=0.0, **same)
    label = made["label"].values.ravel().tolist()
    found = {"loaded": 0.0, "each": statistics.median(times), "steps": len(times), "label": label}
    Path(out).write_text(json.dumps(found))


def beside_scikit_learn(store: Path, folder: Path, given: argparse.Namespace) -> None:
    rows, k = peer_rows(store, given), min(given.k)
    size = rows_of(str(store), rows)["patterns"].size
    print(f"beside scikit-learn: {size / 1e9:.2f} billion pixels, "
          f"{4 * size / 2**30:.2f} GiB as float32, k = {k}")  # fmt: skip
    labels = []
    for name in ("scikit-learn", "daskstem"):
        out = folder / f"{name}.json"
        row = measured(
            name,
            [sys.executable, __file__, "--peer", name, str(store), str(rows), str(k), str(out)],
        )
        found = json.loads(out.read_text())
        labels.append(np.array(found["label"]))
        print(
            f"{name:12}  read {found['loaded']:6.2f} s  iteration {found['each']:6.2f} s "
            f"({found['steps']})  peak {row.peak_bytes / 2**30:.2f} GiB",
            flush=True,
        )
    print(f"labels that agree: {(labels[0] == labels[1]).mean():.6f}")


def main() -> int:
    if sys.argv[1:2] == ["--peer"]:
        name, store, rows, k, out = sys.argv[2:]
        peer = with_scikit_learn if name == "scikit-learn" else with_daskstem
        peer(store, int(rows), int(k), out)
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=5, default=(1, 64, 64, 96, 96))
    parser.add_argument("--store", type=Path, help="use this store instead of simulating one")
    parser.add_argument("--k", type=int, nargs="+", default=(3, 8))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-limit", default="2GiB")
    parser.add_argument("--peer-bytes", default="2GiB")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = given.store or folder / "s.zarr"
        if not store.exists():
            daskstem.simulate(store, shape=tuple(given.shape), quiet=True)
        against_sum(store, given)
        kept = memory(store, folder, given)
        beside_scikit_learn(store, folder, given)
    return int(not kept)


if __name__ == "__main__":
    raise SystemExit(main())
