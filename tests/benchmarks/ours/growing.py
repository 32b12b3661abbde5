"""Growing clusters on the maps of one frame, by daskstem and by the published loop."""

import json
import sys

import numpy as np
import xarray as xr

import daskstem
from daskstem.testing import partition_equal
from tests import literal, scenes
from tests.benchmarks.answering import answer


def main():
    given = json.loads(sys.argv[1])
    side, threshold = given["side"], given["threshold"]
    similarity = scenes.smooth_similarity((side, side), 0)
    mean = np.nanmean(similarity, axis=2)
    mask = np.ones(mean.shape, bool)
    maps = ("scan_y", "scan_x")
    ds = xr.Dataset(
        {
            "similarity": ((*maps, "neighbor"), similarity),
            "mean_similarity": (maps, mean),
            "mask": (maps, mask),
        }
    )
    chosen = {"threshold": threshold, "min_size": 1}

    def grown(convention):
        return daskstem.grow(ds, convention=convention, **chosen)["label"].values

    def published():
        label = literal.grown_as_published(similarity, mask, threshold, 1)
        found = grown("published")
        return {"same": bool(partition_equal(label, found)), "clusters": int(label.max()) + 1}

    works = {"daskstem": lambda: int(grown("daskstem").max()) + 1,
             "in the published way": lambda: int(grown("published").max()) + 1,
             "published loop": published}  # fmt: skip
    grown("daskstem")
    answer(works)


if __name__ == "__main__":
    main()
