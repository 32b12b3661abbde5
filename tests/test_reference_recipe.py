"""The reference recipe against the published program's steps written out in NumPy."""

import numpy as np
import pytest

import daskstem
from daskstem.run.recipe import read_recipe
from daskstem.testing import partition_equal, simulated_series
from tests import literal, scenes

THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
BEAM_PX = 4.0
SMALL_DETECTOR = (
    "prefilter.sigma_px=1.0",
    "prefilter.edge_px=2",
    f"similarity.q_inner_px={BEAM_PX}",
)
"""What the published parameters are to 40 pixels; with the direct beam all is one cluster."""


def clusters_of_recipe(patterns, chunks, threshold):
    """Run the recipe's steps on one frame in memory."""
    ds = scenes.dataset(patterns).chunk(dict(zip(("scan_y", "scan_x"), chunks, strict=True)))
    settings = [f"grow.threshold={threshold}", *SMALL_DETECTOR]
    for call in read_recipe("reference", settings).calls[:-1]:
        ds = ds.merge(call.step.function(ds, **call.parameters))
    return ds["label"].compute().values


def clusters_as_published(patterns):
    """Return the clusters at every threshold, by loops over the equations."""
    recipe = read_recipe("reference", SMALL_DETECTOR)
    chosen = {call.step.name: call.parameters for call in recipe.calls}["prefilter"]
    filtered = literal.filtered_as_published(
        patterns,
        radius=chosen["radius_px"],
        sigma=chosen["sigma_px"],
        edge=chosen["edge_px"],
        corr_range=chosen["corr_range"],
    )
    ring = literal.annulus(patterns.shape[2:], BEAM_PX, np.inf)
    similarity = literal.cosines(filtered, ring)
    mask = np.ones(patterns.shape[:2], bool)
    return {
        threshold: literal.grown_as_published(similarity, mask, threshold, 1)
        for threshold in THRESHOLDS
    }


def simulated(seed):
    series = simulated_series((3, 20, 22, 40, 44), seed=seed, particle_radius=6.0)
    last = (slice(2, 3), *(slice(0, n) for n in series.shape[1:]))
    return series.read(last)[0]


def random_counts(seed):
    return np.random.default_rng(seed).poisson(3.0, (9, 12, 32, 30)).astype(np.uint16)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [simulated, random_counts])
def test_the_partition_is_the_published_one(make, seed):
    patterns = make(seed)
    expected = clusters_as_published(patterns)
    for threshold in THRESHOLDS:
        found = clusters_of_recipe(patterns, (8, 7), threshold)
        # numbers may differ: seeds of equal mean in exact numbers are ordered by rounding
        assert partition_equal(expected[threshold], found)


def test_the_scenes_are_not_trivial():
    labels = clusters_as_published(simulated(0))
    interior = {t: np.unique(label[2:-2, 2:-2]).size for t, label in labels.items()}
    assert len(set(interior.values())) >= 3, interior


def test_one_function_serves_recipe_and_notebook():
    assert daskstem.grow is read_recipe("reference").calls[-2].step.function
