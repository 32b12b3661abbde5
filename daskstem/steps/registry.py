"""The steps there are: a new one is one more entry here.

The command line, the recipes' tables and the contract tests all read this list.
"""

from typing import Final

from daskstem.schema import variables as v
from daskstem.steps.average import average
from daskstem.steps.background import background
from daskstem.steps.grow import grow
from daskstem.steps.prefilter import prefilter
from daskstem.steps.similarity import prefilter_similarity, similarity
from daskstem.steps.step import Fusion, Step

STEPS: Final[dict[str, Step]] = {
    step.name: step
    for step in (
        Step(
            prefilter,
            group="prefilter",
            makes=(v.weights, v.signal),
            halo=lambda p: p["radius_px"] + 1,
            float_rows=lambda p: p["radius_px"] + 1,
        ),
        Step(
            similarity,
            group="similarity",
            makes=(v.similarity, v.mean_similarity),
            halo=lambda p: 1,
            float_rows=lambda p: 3,
        ),
        Step(
            background,
            group="background",
            makes=(v.mask, v.background_threshold),
            reads_patterns=False,
        ),
        Step(grow, group="segments", makes=(v.label, v.n_clusters), reads_patterns=False),
        Step(average, group="clusters", makes=(v.pattern, v.residual), kind="table"),
    )
}

FUSIONS: Final = (Fusion(("prefilter", "similarity"), prefilter_similarity),)
"""Neighbors in a recipe that can share one reading of the patterns."""
