"""The table of clusters, each with its pattern."""

import io
from typing import Final

import numpy as np
from matplotlib import colormaps
from PIL import Image

from daskstem.schema import track_variables, variables
from daskstem.schema.dims import CLUSTER
from daskstem.schema.variables import Variable
from daskstem.view import html
from daskstem.view.content import AT_BORDER, HOMOGENEITY, SMALL_PATTERN, ReportContent
from daskstem.view.drawing import log_norm
from daskstem.view.pictures import INTENSITY
from daskstem.view.scale import scan_grid
from daskstem.view.wording import area_text

_LEVELS: Final = 64
"""Colors of a small pattern: more cannot be told apart at its size."""

_ON_PAPER: Final = 60

_COLUMNS: Final[tuple[tuple[Variable | str, str, str], ...]] = (
    (variables.centroid_y, "Row", ".1f"),
    (variables.centroid_x, "Column", ".1f"),
    (variables.cluster_similarity, "Mean similarity", ".3f"),
    (variables.cluster_min_similarity, "Smallest", ".3f"),
    (HOMOGENEITY, "Homogeneity", ".3f"),
    (variables.residual, "Residual", ".3f"),
)


def clusters_section(content: ReportContent) -> list[str]:
    """Return the table of the largest clusters of all frames; nothing without clusters."""
    shown, count = content.largest.sizes.get(CLUSTER, 0), content.n_positions.size
    if not shown:
        return []
    parts = [html.heading(2, "The clusters")]
    which = f"All {count:,}" if shown == count else f"The {shown} largest of {count:,}"
    few = f" On paper the first {_ON_PAPER}." if shown > _ON_PAPER else ""
    rest = "" if shown == count else " All of them are in the store's group 'clusters'."
    words = f"{which}, largest first; a click on a heading sorts by it.{few}{rest}"
    explained = (
        " Homogeneity: mean similarity of neighbors inside. Residual: root mean square of single "
        "minus mean pattern, relative to the single patterns; counting noise is most of it."
    )
    parts.append(html.paragraph(words + explained))
    parts.append(html.sortable(*_table(content), label="table of clusters"))
    return parts


def small_png(pattern: np.ndarray) -> bytes:
    """Return a small pattern (Qy, Qx) in log scale as a PNG."""
    norm = log_norm(pattern)
    values = np.maximum(np.nan_to_num(pattern), norm.vmin or 0.0)
    level = np.asarray(norm(values).filled(0) * (_LEVELS - 1)).round().clip(0, _LEVELS - 1)
    image = Image.fromarray(level.astype(np.uint8)).convert("P")
    colors = colormaps[INTENSITY](np.linspace(0, 1, _LEVELS), bytes=True)[:, :3]
    image.putpalette(colors.tobytes())
    made = io.BytesIO()
    image.save(made, format="PNG", optimize=True)
    return made.getvalue()


def _table(content: ReportContent) -> tuple[list[str], list[list[html.Cell]]]:
    largest = content.largest
    frames = largest[variables.cluster_frame.name].values
    labels = largest[variables.cluster_label.name].values
    sizes = largest[variables.n_positions.name].values
    grid = scan_grid(content.frames[0].maps if content.frames[0].maps else content.raw)
    several = content.shape[0] > 1
    columns: dict[str, list[html.Cell]] = {
        "Pattern": [
            html.Cell(f"pattern of cluster {n} of frame {f}", png=small_png(one))
            for f, n, one in zip(frames, labels, largest[SMALL_PATTERN].values, strict=True)
        ],
        "Cluster": [html.Cell(f"#{n}", float(n)) for n in labels],
    }
    if several:
        columns["Frame"] = [html.Cell(str(f), float(f)) for f in frames]
        if content.tracks and track_variables.track.name in content.tracks:
            columns["Track"] = _tracks(content, frames, labels)
    columns["Positions"] = [html.Cell(f"{n:,}", float(n)) for n in sizes]
    if grid.calibrated:
        columns["Area"] = [html.Cell(area_text(n, grid), float(n)) for n in sizes]
    for spec, title, digits in _COLUMNS:
        name = spec if isinstance(spec, str) else spec.name
        if name in largest.variables:
            values = largest[name].values.astype(float)
            columns[title] = [html.Cell(format(v, digits), v) for v in values]
    if AT_BORDER in largest:
        at_border = largest[AT_BORDER].values == 1
        columns["Border"] = [html.Cell("touches" if at else "", float(at)) for at in at_border]
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _tracks(content: ReportContent, frames: np.ndarray, labels: np.ndarray) -> list[html.Cell]:
    table = content.table
    every = zip(
        table[variables.cluster_frame.name].values.tolist(),
        table[variables.cluster_label.name].values.tolist(),
        strict=True,
    )
    track = dict(zip(every, content.tracks[track_variables.track.name].values, strict=True))
    numbers = [int(track[place]) for place in zip(frames.tolist(), labels.tolist(), strict=True)]
    return [html.Cell(str(number), float(number)) for number in numbers]
