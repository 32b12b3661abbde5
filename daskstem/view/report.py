"""The report: one self-contained web page about a series."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from daskstem.schema import variables
from daskstem.schema.dims import CENTROID, CLUSTER, FRAME, N_CLASSES
from daskstem.schema.variables import Variable
from daskstem.view import html
from daskstem.view.classes import MOST_CLASSES, class_words
from daskstem.view.content import (
    ADJUSTED_RAND,
    CLASS_LABEL,
    N_ASSIGNED,
    SEED_PATTERN,
    TRUTH_LABEL,
    FrameContent,
    ReportContent,
)
from daskstem.view.figures import (
    class_figure,
    convergence_figure,
    growth_figure,
    histogram_figure,
    map_figure,
    montage_figure,
    outlined_figure,
    png,
    threshold_figure,
)
from daskstem.view.scale import scan_grid
from daskstem.view.series_page import colors_of, track_picture, tracks_section
from daskstem.view.statements import key_figures, missing, quality, reproduction, summary
from daskstem.view.wording import area_text, frame_title, parameters_text

_MAPS: Final[tuple[tuple[Variable, str, str], ...]] = (
    (variables.dark_field, "Virtual dark field", "Intensity scattered into the annulus."),
    (
        variables.mean_similarity,
        "Mean similarity",
        "Cosine similarity of every pattern with those around it, averaged; low on boundaries.",
    ),
    (variables.mask, "Mask", "Bright: specimen. Dark: background, left out of the growing."),
    (variables.label, "Clusters", "Neighbors differ in color; dark belongs to no cluster."),
)
_FEW_FRAMES: Final = 4


def page(content: ReportContent) -> str:
    """Write the report.

    Parameters
    ----------
    content
        All numbers and pictures' data, computed.

    Returns
    -------
    One HTML page with its pictures inside: no script, nothing fetched from anywhere.
    """
    title = f"{content.store.rstrip('/').rsplit('/', 1)[-1]}: domains found in the scan"
    parts = [
        html.heading(1, title),
        html.opening(
            [
                html.paragraph(summary(content), kind="lead"),
                *(html.paragraph(note, kind="missing") for note in missing(content)),
            ],
            html.facts(key_figures(content)),
        ),
        *_growth(content),
        *tracks_section(content),
    ]
    dpi = 110 if len(content.frames) <= _FEW_FRAMES else 100
    colors = colors_of(content)
    parts += [_frame(content, frame, dpi, colors) for frame in content.frames]
    parts += _classes(content)
    parts += [_quality(content), _provenance(content), _reproduction(content)]
    return html.document(title, parts)


def _growth(content: ReportContent) -> list[str]:
    frames, shown = content.shape[0], len(content.frames)
    if frames == 1:
        return []
    parts = [html.heading(2, "The series")]
    if content.total(N_ASSIGNED) is not None:
        raw = scan_grid(content.raw)
        figure = growth_figure(
            content.per_frame, positions=raw.rows * raw.columns, position_area=raw.pixel_area
        )
        caption = "Number of clusters in each frame, and the area they cover."
        parts.append(
            html.picture(png(figure, dpi=110), title="Growth", caption=caption, wide=True)
        )
    if shown < frames:
        numbers = ", ".join(str(frame.number) for frame in content.frames)
        parts.append(
            html.paragraph(
                f"Pictures follow for {shown} of the {frames} frames, evenly chosen: {numbers}. "
                f"The numbers on this page count all frames."
            )
        )
    return parts


def _frame(content: ReportContent, frame: FrameContent, dpi: int, colors: np.ndarray) -> str:
    coordinates = content.per_frame.isel({FRAME: frame.number})
    parts = [html.heading(2, frame_title(frame.number, coordinates))]
    parts.append(html.gallery([*_maps(content, frame, dpi), *track_picture(frame, dpi, colors)]))
    if frame.curves:
        parts.append(_thresholds(content, frame, dpi))
    if frame.shown.sizes.get(CLUSTER, 0):
        parts += _largest(frame, dpi)
    return html.section(parts, kind="frame")


def _thresholds(content: ReportContent, frame: FrameContent, dpi: int) -> str:
    used = content.number(variables.used_threshold.name, frame.number)
    made = {
        group: content.groups.get(group, {}).get("parameters", {})
        for group in ("hierarchy", "segments")
    }
    linkages = [parameters.get("linkage", "single") for parameters in made.values()]
    if linkages[0] != linkages[1]:
        # the curves are not those of the clusters on this page
        used = np.nan
    return html.picture(
        png(threshold_figure(frame.curves, used=used), dpi=dpi),
        title="What each threshold would find",
        caption=f"Clusters of at least {made['hierarchy'].get('min_size', 1)} positions by "
        f"{linkages[0]} linkage. The suggested threshold has most positions in their most "
        f"stable cluster; where the curves are flat, the choice matters little.",
        wide=True,
    )


def _maps(content: ReportContent, frame: FrameContent, dpi: int) -> Iterator[str]:
    label = variables.label.name
    for spec, title, caption in _MAPS:
        if spec.name not in frame.maps:
            continue
        figure = map_figure(frame, spec.name)
        words = _mask_words(content, frame, caption) if spec is variables.mask else caption
        if spec is variables.label:
            words = _label_words(content, frame, caption)
        yield html.picture(png(figure, dpi=dpi), title=title, caption=words)
        if spec.name == label and TRUTH_LABEL in frame.maps:
            rand = content.per_frame[ADJUSTED_RAND].values[frame.number]
            yield html.picture(
                png(map_figure(frame, TRUTH_LABEL), dpi=dpi),
                title="Truth",
                caption=f"The known grains under the outlines of the clusters found; "
                f"adjusted Rand index {rand:.4f}.",
            )
    if CLASS_LABEL in frame.maps:
        yield html.picture(
            png(map_figure(frame, CLASS_LABEL), dpi=dpi),
            title="K-means classes",
            caption="A class has one color everywhere; dark was left out.",
        )
    below = next((s.name for s, _, _ in _MAPS[:2] if s.name in frame.maps), None)
    if label in frame.maps and below:
        yield html.picture(
            png(outlined_figure(frame, below), dpi=dpi),
            title="Outlines",
            caption=f"The clusters' outlines over the {below.replace('_', ' ')}.",
        )


def _mask_words(content: ReportContent, frame: FrameContent, caption: str) -> str:
    name = variables.background_threshold.name
    if name not in content.per_frame:
        return caption
    threshold = content.per_frame[name].values[frame.number]
    if not np.isfinite(threshold):
        return caption
    chosen = content.groups.get("background", {}).get("parameters", {}).get("method")
    of = "the patterns' signal" if chosen == "signal" else "the mean similarity"
    return f"{caption} Threshold of {of}: {threshold:.3g}."


def _label_words(content: ReportContent, frame: FrameContent, caption: str) -> str:
    name = variables.used_threshold.name
    if name not in content.per_frame:
        return caption
    threshold = content.per_frame[name].values[frame.number]
    if np.isfinite(threshold):
        return f"{caption} Threshold of similarity: {threshold:.3f}."
    return f"{caption} Each cluster has a threshold of its own."


def _largest(frame: FrameContent, dpi: int) -> list[str]:
    shown = frame.shown
    seeds = SEED_PATTERN in shown
    count = shown.sizes[CLUSTER]
    which = "The only cluster" if count == 1 else f"The {count} largest clusters"
    caption = "Logarithmic intensity. Above: mean pattern of the cluster." + (
        " Below: raw pattern of its seed, the most similar position, on the same scale."
        if seeds
        else ""
    )
    figure = montage_figure(
        shown[variables.pattern.name], below=shown[SEED_PATTERN] if seeds else None
    )
    picture = html.picture(png(figure, dpi=max(dpi, 96)), title=which, caption=caption, wide=True)
    table = html.table(*_cluster_table(frame), kind="numbers")
    if count == 1:
        return [picture, table]
    histogram = html.picture(
        png(histogram_figure(frame), dpi=dpi),
        title="Cluster sizes",
        caption=f"All {frame.clusters.sizes[CLUSTER]:,} clusters of the frame.",
    )
    return [picture, html.beside(table, histogram)]


def _cluster_table(frame: FrameContent) -> tuple[list[str], list[list[str]]]:
    grid, shown = scan_grid(frame.maps), frame.shown
    columns = {
        "Cluster": [f"#{int(v)}" for v in shown["label"].values],
        "Positions": [f"{int(v):,}" for v in shown[variables.n_positions.name].values],
    }
    if grid.calibrated:
        sizes = shown[variables.n_positions.name].values
        columns["Area"] = [area_text(v, grid) for v in sizes]
    for spec, title, digits in (
        (variables.centroid_y, "Centroid row", ".1f"),
        (variables.centroid_x, "Centroid column", ".1f"),
        (variables.cluster_similarity, "Mean similarity", ".3f"),
        (variables.cluster_min_similarity, "Smallest similarity", ".3f"),
        (variables.residual, "Residual", ".3f"),
    ):
        if spec.name in shown.variables:
            columns[title] = [format(float(v), digits) for v in shown[spec.name].values]
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _classes(content: ReportContent) -> list[str]:
    classes = content.classes
    if not classes.sizes.get(CENTROID, 0):
        return []
    count = classes.sizes[CENTROID]
    which = "Mean patterns" if count <= MOST_CLASSES else f"The {MOST_CLASSES} largest classes"
    return [
        html.heading(2, "K-means classes"),
        html.paragraph(class_words(classes)),
        html.picture(
            png(class_figure(classes), dpi=110),
            title=which,
            caption="As measured, logarithmic intensity, one scale; framed in the class's color.",
            wide=True,
        ),
        html.picture(
            png(convergence_figure(classes), dpi=110),
            title="How they were found",
            caption="Inertia: summed squared distance of the patterns to their centroids.",
            wide=classes.sizes[N_CLASSES] > 1,
        ),
    ]


def _quality(content: ReportContent) -> str:
    return html.section([html.heading(2, "Quality notes"), html.bullets(quality(content))])


def _provenance(content: ReportContent) -> str:
    rows = [
        [
            str(attrs.get("step", name)),
            name,
            parameters_text(attrs.get("parameters")) or "none",
            str(attrs.get("time", "")),
            str(attrs.get("host", "")),
            str(attrs.get("version", "")),
            str(attrs.get("key", "")),
        ]
        for name, attrs in (("raw", content.raw.attrs), *content.groups.items())
    ]
    header = ["Step", "Group", "Parameters", "Time", "Host", "Version", "Key"]
    return html.section(
        [
            html.heading(2, "Parameters and provenance"),
            html.paragraph(
                "In the order they were made. The key is the same for, and only for, the same "
                "step with the same parameters on the same source.",
                kind="quiet",
            ),
            html.table(header, rows, kind="provenance"),
        ]
    )


def _reproduction(content: ReportContent) -> str:
    recipe, command = reproduction(content)
    parts = [html.heading(2, "How to reproduce")]
    if recipe:
        parts += [
            html.paragraph("Save this recipe as recipe.toml:"),
            html.preformatted(recipe),
            html.paragraph("and run it on the same patterns:"),
        ]
    else:
        parts.append(html.paragraph("No step has been run yet; a recipe is run with:"))
    return html.section([*parts, html.preformatted(command)])
