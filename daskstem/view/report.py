"""The report: one self-contained web page about a series."""

from collections.abc import Iterator

from daskstem.schema import variables
from daskstem.schema.dims import CENTROID, CLUSTER, FRAME, TRACK
from daskstem.view import html
from daskstem.view.cautions import cautions
from daskstem.view.cluster_table import clusters_section
from daskstem.view.content import CLASS_LABEL, SEED_PATTERN, FrameContent, ReportContent
from daskstem.view.drawing import log_norm
from daskstem.view.figures import map_figure, outlined_figure, png, track_figure
from daskstem.view.particles_page import particles_section
from daskstem.view.series_page import colors_of, series_section
from daskstem.view.statements import key_figures, missing, quality, reproduction, summary
from daskstem.view.step_figures import side_by_side
from daskstem.view.steps_page import steps_section
from daskstem.view.wording import frame_title, parameters_text

_DPI = 110
_BELOW = (variables.dark_field, variables.mean_similarity)


def page(content: ReportContent) -> str:
    """Write the report.

    Parameters
    ----------
    content
        All numbers and pictures' data, computed.

    Returns
    -------
    One HTML page with its pictures inside; nothing is fetched from anywhere, and what little
    script there is only sorts the table of clusters.
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
        *_first_pictures(content),
        _warnings(content),
        *steps_section(content),
        *clusters_section(content),
        *series_section(content),
        *particles_section(content),
        _quality(content),
        _provenance(content),
        _reproduction(content),
    ]
    return html.document(title, parts)


def _first_pictures(content: ReportContent) -> list[str]:
    """Return the three pictures that matter: what was scanned, what was found, its patterns."""
    frame = content.shown_frame
    if frame is None:
        return []
    where = ""
    if content.shape[0] > 1:
        where = f" {frame_title(frame.number, content.per_frame.isel({FRAME: frame.number}))}."
    pictures = [
        *_scanned(frame, where),
        *_found(content, frame, where),
        *_patterns(content, frame),
    ]
    return [html.gallery(pictures)] if pictures else []


def _scanned(frame: FrameContent, where: str) -> Iterator[str]:
    below = next((spec for spec in _BELOW if spec.name in frame.maps), None)
    if below is None:
        return
    words = below.name.replace("_", " ")
    if variables.label.name in frame.maps:
        yield html.picture(
            png(outlined_figure(frame, below.name), dpi=_DPI),
            title="The scan",
            caption=f"Outlines of the clusters over the {words}.{where}",
        )
    else:
        yield html.picture(
            png(map_figure(frame, below.name), dpi=_DPI),
            title="The scan",
            caption=f"{words.capitalize()}.{where}",
        )


def _found(content: ReportContent, frame: FrameContent, where: str) -> Iterator[str]:
    if TRACK in frame.maps and content.shape[0] > 1:
        yield html.picture(
            png(track_figure(frame, colors_of(content)), dpi=_DPI),
            title="What was found",
            caption=f"Clusters in the colors of their tracks.{where}",
        )
    elif variables.label.name in frame.maps:
        yield html.picture(
            png(map_figure(frame, variables.label.name), dpi=_DPI),
            title="What was found",
            caption=f"Clusters; neighbors differ in color, dark belongs to none.{where}",
        )
    elif CLASS_LABEL in frame.maps:
        yield html.picture(
            png(map_figure(frame, CLASS_LABEL), dpi=_DPI),
            title="What was found",
            caption=f"Classes; dark was left out.{where}",
        )


def _patterns(content: ReportContent, frame: FrameContent) -> Iterator[str]:
    if frame.shown.sizes.get(CLUSTER, 0):
        one = frame.shown.isel({CLUSTER: 0})
        pair = [one[variables.pattern.name]]
        titles = [f"mean of {int(one[variables.n_positions.name]):,}"]
        if SEED_PATTERN in one:
            pair.insert(0, one[SEED_PATTERN])
            titles.insert(0, "one pattern")
        yield html.picture(
            png(side_by_side(pair, titles, width_in=4.2), dpi=_DPI),
            title="What it gives",
            caption=f"The largest cluster, #{int(one['label'])}: a single pattern of it, and the "
            f"mean of all.",
        )
    elif content.classes.sizes.get(CENTROID, 0):
        means = content.classes[variables.class_pattern.name]
        shown = [means.isel({CENTROID: number}) for number in range(min(means.sizes[CENTROID], 3))]
        titles = [f"class {number}" for number in range(len(shown))]
        norm = log_norm(shown[0].values)
        yield html.picture(
            png(side_by_side(shown, titles, norm=norm, width_in=4.2), dpi=_DPI),
            title="What it gives",
            caption="Mean patterns of classes, on one scale.",
        )


def _warnings(content: ReportContent) -> str:
    found = cautions(content)
    parts = [html.heading(2, "Warnings")]
    if not content.groups:
        parts.append(html.paragraph("Nothing to judge yet: no step has been run."))
    elif not found:
        parts.append(html.paragraph("Nothing was found to warn of."))
    parts += [html.caution(one.found, (one.why, one.change)) for one in found]
    return html.section(parts)


def _quality(content: ReportContent) -> str:
    return html.section([html.heading(2, "Notes"), html.bullets(quality(content))])


def _provenance(content: ReportContent) -> str:
    rows = [
        [
            str(attrs.get("step", name)),
            name,
            parameters_text(attrs.get("parameters")) or "none",
            str(attrs.get("time", ""))[:16].replace("T", " "),
            str(attrs.get("host", "")),
            str(attrs.get("version", "")),
            str(attrs.get("key", "")),
            str(attrs.get("source", "")),
        ]
        for name, attrs in (("raw", content.raw.attrs), *content.groups.items())
    ]
    header = ["Step", "Group", "Parameters", "Time (UTC)", "Host", "Version", "Key", "Source"]
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
    parts.append(html.preformatted(command))
    source = content.raw.attrs.get("key")
    if source:
        parts.append(html.paragraph(f"The patterns' own key is {source}."))
    if content.versions:
        listed = ", ".join(f"{name} {number}" for name, number in content.versions.items())
        parts.append(html.paragraph(f"This page was made with {listed}."))
    return html.section(parts)
