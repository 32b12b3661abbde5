"""The suggested threshold against the best one, found by trying them all.

    python -m tests.benchmarks.thresholds
    python -m tests.benchmarks.thresholds --doses 0.3 2 --seeds 7 8 9 --linkage single

For every dose and seed a scan is simulated and run as far as its similarities, background by
the step of that name. The adjusted Rand index with the true grains is given for the best single
threshold of a dense search, for ``grow.threshold`` = "auto", "branches", and the default.
The exit code is 1 if auto is more than 0.1 below the best anywhere, or more than 0.03 below it
on average at a dose.
"""

import argparse

import numpy as np

import daskstem
from tests.benchmarks.scans import Scan, compared

DENSE = np.concatenate([np.arange(0.2, 0.9, 0.01), np.arange(0.9, 1.0, 0.0025)])
MAY_MISS = 0.1
MAY_MISS_ON_AVERAGE = 0.03


def row(scan: Scan, linkage: str) -> dict[str, float]:
    """Return thresholds and agreements for one scan."""
    tree = daskstem.hierarchy(scan.maps, linkage=linkage).compute()
    every = [scan.agreement(daskstem.cut(tree, threshold=t)["label"].values) for t in DENSE]
    grown = {
        name: daskstem.grow(scan.maps, threshold=t, linkage=linkage).compute()
        for name, t in (("auto", "auto"), ("branches", "branches"), ("default", 0.88))
    }
    return {
        "best at": float(DENSE[int(np.argmax(every))]),
        "best": max(every),
        "auto at": float(grown["auto"]["used_threshold"]),
        **{name: scan.agreement(made["label"].values) for name, made in grown.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--doses", type=float, nargs="+", default=(0.05, 0.3, 2.0, 5.0))
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--linkage", choices=("mean", "single"), default="mean")
    given = parser.parse_args()
    missed = False
    print("dose  seed   best  at       auto  at       less   branches  default")
    for dose in given.doses:
        less = []
        for seed in given.seeds:
            found = row(compared(dose, seed, given.side, known=False), given.linkage)
            less.append(found["best"] - found["auto"])
            print(
                f"{dose:<5g} {seed:4}  {found['best']:.3f}  {found['best at']:.4f}  "
                f"{found['auto']:.3f}  {found['auto at']:.4f}  {less[-1]:+.3f}  "
                f"{found['branches']:.3f}     {found['default']:.3f}",
                flush=True,
            )
        missed |= max(less) > MAY_MISS or float(np.mean(less)) > MAY_MISS_ON_AVERAGE
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
