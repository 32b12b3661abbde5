"""The steps there are: a new one is one more entry here.

The command line, the recipes' tables and the contract tests all read this list.
"""

from math import inf
from typing import Final

from daskstem.kernels.prefilter import ROWS_AT_ONCE
from daskstem.schema import extract_variables as e
from daskstem.schema import track_variables as t
from daskstem.schema import variables as v
from daskstem.steps.average import average
from daskstem.steps.background import background
from daskstem.steps.bad_pixels import bad_pixels
from daskstem.steps.center import center
from daskstem.steps.comparing import footprint_reach
from daskstem.steps.correct import correct
from daskstem.steps.crop import crop
from daskstem.steps.extract import extract
from daskstem.steps.extract import used as used_by_extract
from daskstem.steps.grow import grow
from daskstem.steps.hierarchy import hierarchy
from daskstem.steps.kmeans import in_progress, kmeans, used, working_bytes
from daskstem.steps.prefilter import prefilter
from daskstem.steps.rebin import rebin
from daskstem.steps.similarity import prefilter_similarity, similarity
from daskstem.steps.step import Fusion, Step
from daskstem.steps.summary import summary
from daskstem.steps.tracks import tracks
from daskstem.steps.virtual import virtual

STEPS: Final[dict[str, Step]] = {
    step.name: step
    for step in (
        Step(crop, group="crop", needs=(v.patterns,), makes=(v.patterns,), kind="view"),
        Step(rebin, group="rebin", needs=(v.patterns,), makes=(v.patterns,), kind="view"),
        Step(
            summary,
            group="summary",
            needs=(v.patterns,),
            makes=(v.mean_pattern, v.max_pattern),
        ),
        Step(
            bad_pixels,
            group="bad_pixels",
            needs=(v.patterns, v.mean_pattern),
            makes=(v.bad_pixel,),
            reads_patterns=False,
        ),
        Step(
            center,
            group="center",
            needs=(v.patterns, v.mean_pattern, v.bad_pixel),
            makes=(v.beam_y, v.beam_x, v.descan_y, v.descan_x),
        ),
        Step(
            correct,
            group="correct",
            needs=(v.patterns, v.bad_pixel, v.beam_y, v.beam_x, v.descan_y, v.descan_x),
            makes=(v.patterns,),
            kind="view",
        ),
        Step(
            virtual,
            group="virtual",
            needs=(v.patterns,),
            makes=(v.bright_field, v.dark_field, v.masked),
        ),
        Step(
            prefilter,
            group="prefilter",
            needs=(v.patterns,),
            makes=(v.weights, v.signal),
            halo=lambda p, _: p["radius_px"] + 1,
            float_rows=lambda p: p["radius_px"] + ROWS_AT_ONCE,
        ),
        Step(
            similarity,
            group="similarity",
            needs=(v.patterns, v.weights),
            makes=(v.similarity, v.mean_similarity),
            halo=lambda _, ds: 1 + footprint_reach(ds),
            float_rows=lambda p: inf if p["blur_px"] else 0,
        ),
        Step(
            background,
            group="background",
            needs=(v.signal, v.mean_similarity),
            makes=(v.mask, v.background_threshold),
            reads_patterns=False,
        ),
        Step(
            hierarchy,
            group="hierarchy",
            needs=(v.similarity, v.mean_similarity, v.mask),
            makes=(
                v.merge_first,
                v.merge_second,
                v.merge_similarity,
                v.rank,
                v.cluster_count,
                v.cover,
                v.size_count,
                v.suggested_threshold,
                v.branch_label,
                v.nested_label,
            ),  # fmt: skip
            reads_patterns=False,
        ),
        Step(
            grow,
            group="segments",
            needs=(v.similarity, v.mean_similarity, v.mask),
            makes=(v.label, v.n_clusters, v.used_threshold),
            reads_patterns=False,
        ),
        Step(
            average,
            group="clusters",
            needs=(v.patterns, v.label, v.mean_similarity, v.weights),
            makes=(v.pattern, v.residual),
            kind="table",
            # of the label and the weights: patterns are read once
            halo=lambda p, ds: footprint_reach(ds) if p["of"] == "filtered" else 0,
        ),
        Step(
            tracks,
            group="tracks",
            needs=(v.label, v.pattern, v.mean_similarity, v.bright_field, v.dark_field),
            makes=(t.track, t.link_score, *t.drift, *t.CURVES, *t.EVENTS, t.track_pattern),
            kind="linked",
            reads_patterns=False,
        ),
        Step(
            kmeans,
            group="kmeans",
            needs=(v.patterns, v.label, v.mask, v.pattern),
            makes=(
                v.class_label,
                v.class_pattern,
                v.class_n_positions,
                v.inertia,
                v.silhouette,
                v.n_reseeded,
                v.n_constant,
                v.n_unusable,
            ),
            kind="series",
            working_bytes=working_bytes,
            uses=used,
            begin=in_progress,
        ),
        Step(
            extract,
            group="extract",
            needs=(v.patterns, v.label, t.track, v.dark_field, v.bright_field, v.mean_similarity),
            makes=e.EXTRACTED,
            kind="linked",
            uses=used_by_extract,
        ),
    )
}

FUSIONS: Final = (Fusion(("prefilter", "similarity"), prefilter_similarity),)
"""Neighbors in a recipe that can share one reading of the patterns."""
