"""The report's part about the steps: what each was given, and what it did to the data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from daskstem.schema import variables
from daskstem.schema.dims import CENTROID, CLUSTER, FRAME, N_CLASSES
from daskstem.view import html
from daskstem.view.classes import MOST_CLASSES, class_words
from daskstem.view.content import (
    ADJUSTED_RAND,
    CLASS_LABEL,
    FILTERED,
    N_ASSIGNED,
    N_AVERAGED,
    N_BAD,
    N_MASKED,
    SEED_PATTERN,
    SINGLE,
    TRUTH_LABEL,
    FrameContent,
    ReportContent,
)
from daskstem.view.drawing import log_norm
from daskstem.view.figures import (
    class_figure,
    convergence_figure,
    histogram_figure,
    map_figure,
    montage_figure,
    png,
    threshold_figure,
)
from daskstem.view.particles_page import particle_words
from daskstem.view.series_page import track_words
from daskstem.view.step_figures import averaged_figure, pairs_figure, side_by_side
from daskstem.view.wording import bytes_text, counted, frame_title, parameters_text, percent, times

_DPI: Final = 110
_TITLES: Final = {"kmeans": "K-means"}


def steps_section(content: ReportContent) -> list[str]:
    """Return all steps in order, each with what it did to the frame shown."""
    if not content.steps:
        return []
    parts = [html.heading(2, "What each step did")]
    frame = content.shown_frame
    if content.shape[0] > 1 and frame is not None:
        title = frame_title(frame.number, content.per_frame.isel({FRAME: frame.number}))
        shown = f"Pictures are of {title[0].lower()}{title[1:]}, the fullest of those shown."
        parts.append(html.paragraph(shown))
    for one in content.steps:
        made = _STEPS[one.name](content, frame) if frame and one.name in _STEPS else Did()
        chosen = parameters_text(one.chosen)
        words = [html.paragraph(one.about, kind="quiet")]
        words += [html.paragraph(f"Chosen: {chosen}.", kind="quiet")] if chosen else []
        words += [html.paragraph(sentence) for sentence in made.words]
        title = _TITLES.get(one.name, one.name.replace("_", " ").capitalize())
        parts.append(html.step(title, words, made.pictures, made.below))
    return parts


@dataclass(frozen=True)
class Did:
    """What a step did: in words, in up to two pictures beside them, and in wide ones below."""

    words: Sequence[str] = ()
    pictures: Sequence[str] = ()
    below: Sequence[str] = ()


def _summary(content: ReportContent, _: FrameContent) -> Did:
    means = content.example.means
    if variables.mean_pattern.name not in means:
        return Did()
    pair = [means[spec.name] for spec in (variables.mean_pattern, variables.max_pattern)]
    largest = float(means[variables.max_pattern.name].max())
    picture = html.picture(
        png(side_by_side(pair, ("mean", "largest value")), dpi=_DPI),
        title="Mean and largest value of every pixel",
        caption="Over all positions of the frame; each has its own logarithmic scale.",
        double=True,
    )
    return Did([f"The largest count is {largest:,.4g}."], [picture])


def _bad_pixels(content: ReportContent, frame: FrameContent) -> Did:
    number = content.number(N_BAD, frame.number)
    if not np.isfinite(number):
        return Did()
    pixels = content.shape[3] * content.shape[4]
    found = f"{counted(int(number), 'bad pixel')} of {pixels:,} ({percent(number, pixels)})."
    return Did([found])


def _center(content: ReportContent, _: FrameContent) -> Did:
    beam = content.example.beam
    if variables.beam_y.name not in beam:
        return Did()
    pairs = (
        (variables.beam_y, variables.descan_y, "rows"),
        (variables.beam_x, variables.descan_x, "columns"),
    )
    told = []
    for measured, plane, words in pairs:
        found = beam[measured.name].values
        before, after = np.nanstd(found), np.nanstd(found - beam[plane.name].values)
        told.append(f"from {before:.2f} px to {after:.2f} px along {words}")
    sentence = "The scatter of the beam's place over the scan goes"
    return Did([f"{sentence} {' and '.join(told)} once the descan plane is taken out."])


def _virtual(_: ReportContent, frame: FrameContent) -> Did:
    pictures = [
        html.picture(png(map_figure(frame, spec.name), dpi=_DPI), title=title, caption=caption)
        for spec, title, caption in (
            (variables.bright_field, "Virtual bright field", "Intensity in the direct beam."),
            (variables.dark_field, "Virtual dark field", "Intensity scattered into the annulus."),
        )
        if spec.name in frame.maps
    ]
    return Did(pictures=pictures)


def _prefilter(content: ReportContent, _: FrameContent) -> Did:
    made = content.example.filtering
    if not made:
        return Did()
    number = made[N_AVERAGED].values
    words = (
        f"Before: one pattern per position. After: a weighted mean of it and its neighbors, worth "
        f"{np.median(number):.1f} patterns in the median, {number.max():.1f} at most and "
        f"{number.min():.1f} at least."
    )
    norm = log_norm(made[FILTERED].values)
    pair = side_by_side([made[SINGLE], made[FILTERED]], ("before", "after"), norm=norm)
    picture = html.picture(
        png(pair, dpi=_DPI),
        title="A pattern before and after",
        caption="At the seed of the largest cluster, or the scan's middle; one scale.",
        double=True,
    )
    return Did([words], [picture])


def _similarity(content: ReportContent, frame: FrameContent) -> Did:
    pictures = []
    if variables.mean_similarity.name in frame.maps:
        figure = map_figure(frame, variables.mean_similarity.name)
        pictures.append(
            html.picture(
                png(figure, dpi=_DPI),
                title="Mean similarity",
                caption="Of every pattern with those around it; low on boundaries.",
            )
        )
    if content.example.filtering:
        pictures.append(
            html.picture(
                png(averaged_figure(content.example.filtering[N_AVERAGED]), dpi=_DPI),
                title="Patterns averaged",
                caption="By the prefilter, before they were compared; 1: no like neighbor.",
            )
        )
    return Did(pictures=pictures)


def _background(content: ReportContent, frame: FrameContent) -> Did:
    if variables.mask.name not in frame.maps:
        return Did()
    kept, every = content.number(N_MASKED, frame.number), frame.maps[variables.mask.name].size
    threshold = content.number(variables.background_threshold.name, frame.number)
    signal = content.parameter("background", "method") == "signal"
    of = "patterns' signal" if signal else "mean similarity"
    words = [
        f"Before: {every:,} positions. After: {kept:,.0f} of them ({percent(kept, every)}) belong "
        f"to the specimen."
    ]
    if np.isfinite(threshold):
        words.append(f"Threshold of the {of}: {threshold:.3g}.")
    judged = variables.signal if signal else variables.mean_similarity
    pictures = []
    if judged.name in frame.maps:
        figure = map_figure(frame, judged.name)
        pictures.append(html.picture(png(figure, dpi=_DPI), title="Before", caption=f"The {of}."))
    mask = html.picture(
        png(map_figure(frame, variables.mask.name), dpi=_DPI),
        title="After",
        caption="The mask. Bright: specimen. Dark: background, left out of the growing.",
    )
    return Did(words, [*pictures, mask])


def _hierarchy(content: ReportContent, frame: FrameContent) -> Did:
    if not frame.curves:
        return Did()
    used = content.number(variables.used_threshold.name, frame.number)
    linkages = [content.parameter(step, "linkage") for step in ("hierarchy", "grow")]
    if linkages[0] != linkages[1]:
        # the curves are not those of the clusters on this page
        used = np.nan
    size = content.parameter("hierarchy", "min_size") or 1
    picture = html.picture(
        png(threshold_figure(frame.curves, used=used), dpi=_DPI),
        title="What each threshold would find",
        caption=f"Clusters of at least {size} positions by {linkages[0] or 'single'} linkage. The "
        f"suggested threshold has most positions in their most stable cluster; where the curves "
        f"are flat, the choice matters little.",
        wide=True,
    )
    return Did(below=[picture])


def _grow(content: ReportContent, frame: FrameContent) -> Did:
    if variables.label.name not in frame.maps:
        return Did()
    assigned = content.number(N_ASSIGNED, frame.number)
    before = content.number(N_MASKED, frame.number)
    before = before if np.isfinite(before) else frame.maps[variables.label.name].size
    clusters = content.number(variables.n_clusters.name, frame.number)
    used = content.number(variables.used_threshold.name, frame.number)
    words = [
        f"Before: {before:,.0f} positions. After: {counted(int(clusters), 'cluster')} of "
        f"{assigned:,.0f} positions; {before - assigned:,.0f} lie in fragments too small.",
        f"Threshold of similarity: {used:z.3f}."
        if np.isfinite(used)
        else "Each cluster has a threshold of its own.",
    ]
    return Did(words, list(_grown(content, frame, used)))


def _grown(content: ReportContent, frame: FrameContent, used: float) -> Iterator[str]:
    if TRUTH_LABEL in frame.maps:
        yield html.picture(
            png(map_figure(frame, TRUTH_LABEL), dpi=_DPI),
            title="Truth",
            caption=f"The known grains under the outlines of the clusters found; adjusted Rand "
            f"index {content.number(ADJUSTED_RAND, frame.number):.4f}.",
        )
    else:
        yield html.picture(
            png(map_figure(frame, variables.label.name), dpi=_DPI),
            title="Clusters",
            caption="Neighbors differ in color; dark belongs to no cluster.",
        )
    if content.example.pairs and content.example.number == frame.number:
        yield html.picture(
            png(pairs_figure(content.example.pairs, used=used), dpi=_DPI),
            title="What was joined",
            caption="Neighbors in one cluster should be alike; others are background or "
            "boundaries.",
        )


def _average(content: ReportContent, frame: FrameContent) -> Did:
    words = []
    if content.cluster_bytes and content.reduction:
        words.append(
            f"Before: {bytes_text(content.raw_bytes)} of patterns. After: "
            f"{counted(content.n_positions.size, 'mean pattern')}, "
            f"{bytes_text(content.cluster_bytes)}, {times(content.reduction)} times less."
        )
    count = frame.shown.sizes.get(CLUSTER, 0)
    if not count:
        return Did(words)
    single = " Below: single pattern of its seed, the most similar position, on the same scale."
    caption = "Logarithmic intensity. Above: mean pattern of the cluster."
    which = "The only cluster" if count == 1 else f"The {count} largest clusters"
    patterns = html.picture(
        png(montage_figure(frame.shown), dpi=_DPI),
        title=which,
        caption=caption + (single if SEED_PATTERN in frame.shown else ""),
        wide=True,
    )
    sizes = html.picture(
        png(histogram_figure(frame), dpi=_DPI),
        title="Cluster sizes",
        caption=f"All {frame.clusters.sizes[CLUSTER]:,} clusters of the frame.",
    )
    return Did(words, [sizes] if count > 1 else [], [patterns])


def _tracks(content: ReportContent, _: FrameContent) -> Did:
    told = track_words(content)
    return Did([told, "Pictures follow with the series."] if told else [])


def _extract(content: ReportContent, _: FrameContent) -> Did:
    return Did([particle_words(content)] if content.particles else [])


def _kmeans(content: ReportContent, frame: FrameContent) -> Did:
    classes = content.classes
    if not classes.sizes.get(CENTROID, 0):
        return Did()
    count = classes.sizes[CENTROID]
    which = "Mean patterns" if count <= MOST_CLASSES else f"The {MOST_CLASSES} largest classes"
    patterns = html.picture(
        png(class_figure(classes), dpi=_DPI),
        title=which,
        caption="As measured, logarithmic intensity, one scale; framed in the class's color.",
        wide=True,
    )
    several = classes.sizes[N_CLASSES] > 1
    curves = html.picture(
        png(convergence_figure(classes), dpi=_DPI),
        title="How they were found",
        caption="Inertia: summed squared distance of the patterns to their centroids.",
        double=several,
    )
    pictures = [curves]
    if CLASS_LABEL in frame.maps and not several:
        mapped = html.picture(
            png(map_figure(frame, CLASS_LABEL), dpi=_DPI),
            title="K-means classes",
            caption="A class has one color everywhere; dark was left out.",
        )
        pictures.insert(0, mapped)
    return Did([class_words(classes)], pictures, [patterns])


_STEPS: Final[dict[str, Callable[[ReportContent, FrameContent], Did]]] = {
    "summary": _summary,
    "bad_pixels": _bad_pixels,
    "center": _center,
    "virtual": _virtual,
    "prefilter": _prefilter,
    "similarity": _similarity,
    "background": _background,
    "hierarchy": _hierarchy,
    "grow": _grow,
    "average": _average,
    "tracks": _tracks,
    "kmeans": _kmeans,
    "extract": _extract,
}
