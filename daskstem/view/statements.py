"""What the report says in words and numbers."""

import shlex
from collections.abc import Iterator
from typing import Final

import numpy as np

from daskstem.schema import variables
from daskstem.view.classes import class_notes, class_words
from daskstem.view.content import (
    ADJUSTED_RAND,
    N_ASSIGNED,
    N_FLAT,
    ReportContent,
)
from daskstem.view.scale import detector_grid, scan_grid
from daskstem.view.wording import (
    area_text,
    bytes_text,
    counted,
    field_text,
    percent,
    recipe_text,
    step_text,
    times,
)

_EXPECTED: Final = (
    ("virtual", variables.dark_field.made_by),
    ("similarity", variables.mean_similarity.made_by),
    ("background", variables.mask.made_by),
    ("segments", variables.label.made_by),
    ("clusters", variables.pattern.made_by),
)


def summary(content: ReportContent) -> str:
    """Say in one paragraph what was measured and what was found."""
    frames, rows, columns, q_rows, q_columns = content.shape
    grid = scan_grid(content.raw)
    scans = "one scan" if frames == 1 else f"a series of {frames} scans"
    sentences = [
        f"This is {scans} of {rows} × {columns} positions"
        + (f" ({field_text(grid, pixel_name='positions')})" if grid.calibrated else "")
        + f": {content.positions:,} diffraction patterns of {q_rows} × {q_columns} detector "
        f"pixels, {bytes_text(content.raw_bytes)}."
    ]
    if variables.class_pattern.name in content.classes:
        sentences.append(f"K-means found {class_words(content.classes)}")
    clusters, assigned = content.total(variables.n_clusters.name), content.total(N_ASSIGNED)
    if clusters is None or assigned is None:
        return " ".join([*sentences, "No clusters have been grown yet."])
    sentences.append(
        f"{counted(clusters, 'cluster')} {'covers' if clusters == 1 else 'cover'} "
        f"{percent(assigned, _counted_positions(content))} of the positions."
    )
    if content.n_positions.size:
        largest, median = int(content.n_positions.max()), float(np.median(content.n_positions))
        area = area_text(largest, grid)
        sentences.append(
            f"The largest has {counted(largest, 'position')}{f' ({area})' if area else ''}, "
            f"the median cluster {median:,.4g}."
        )
    if content.cluster_bytes and content.reduction:
        sentences.append(
            f"One mean pattern for each takes {bytes_text(content.cluster_bytes)}, "
            f"{times(content.reduction)} times less than the raw patterns."
        )
    return " ".join([*sentences, *_agreement(content)])


def _agreement(content: ReportContent) -> list[str]:
    if content.total(ADJUSTED_RAND) is None:
        return []
    values = content.per_frame[ADJUSTED_RAND].values
    return [
        f"Against the known grains the adjusted Rand index over their positions is "
        f"{np.nanmean(values):.3f} (1: the same partition, 0: no better than chance)."
    ]


def key_figures(content: ReportContent) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the key figures."""
    frames, rows, columns, q_rows, q_columns = content.shape
    raw = content.raw
    series = content.raw.attrs.get("series_type")
    yield "Store", content.store
    yield "Frames", f"{frames:,}" + (f" ({series} series)" if series else "")
    yield (
        "Positions",
        f"{content.positions:,} ({rows} × {columns} per frame; "
        f"{step_text(scan_grid(raw), pixel_name='position')})",
    )
    yield (
        "Detector",
        f"{q_rows} × {q_columns} pixels, {content.dtype} "
        f"({step_text(detector_grid(raw), pixel_name='pixel')})",
    )
    clusters, assigned = content.total(variables.n_clusters.name), content.total(N_ASSIGNED)
    if clusters is not None:
        yield "Clusters", f"{clusters:,}"
    if assigned is not None:
        share = percent(assigned, _counted_positions(content))
        area = area_text(assigned, scan_grid(raw))
        yield "Covered by clusters", f"{assigned:,} positions, {share}" + (area and f", {area}")
    yield "Raw patterns", f"{bytes_text(content.raw_bytes)} (not compressed)"
    if content.cluster_bytes and content.reduction:
        yield "Cluster patterns", bytes_text(content.cluster_bytes)
        yield "Reduction", f"{content.reduction:,.4g} ×"
    if content.total(ADJUSTED_RAND) is not None:
        values = content.per_frame[ADJUSTED_RAND].values
        spread = f" (mean; lowest frame {np.nanmin(values):.4f})" if values.size > 1 else ""
        yield "Adjusted Rand index", f"{np.nanmean(values):.4f}{spread}"


def missing(content: ReportContent) -> list[str]:
    """Name the groups that are not there, with the step that makes each."""
    classes_only = "kmeans" in content.groups and "segments" not in content.groups
    expected = _EXPECTED[:1] if classes_only else _EXPECTED
    wanted = [
        f"{group} (made by the step {step!r})"
        for group, step in expected
        if group not in content.groups and group not in content.unfinished
    ]
    notes = [f"Not made yet: {', '.join(wanted)}."] if wanted else []
    if content.unfinished:
        notes.append(
            f"Half-made by a stopped run: {', '.join(content.unfinished)}; the same command "
            f"run again continues it."
        )
    return notes


def quality(content: ReportContent) -> list[str]:
    """List what to keep in mind when the clusters are used."""
    notes = []
    flat = content.total(N_FLAT)
    if flat == 0:
        notes.append("No flat positions: nowhere are all available similarities exactly 0.")
    assigned, positions = content.total(N_ASSIGNED), _counted_positions(content)
    if assigned is not None:
        notes.append(
            f"{counted(positions - assigned, 'position')} "
            f"({percent(positions - assigned, positions)}) belong to no cluster: "
            f"background, or rejected as too small."
        )
    parameters = content.groups.get("kmeans", {}).get("parameters")
    notes += class_notes(content.classes, parameters)
    return notes or ["Nothing to judge yet: no step has been run."]


def reproduction(content: ReportContent) -> tuple[str, str]:
    """Return the recipe that makes the store's groups again, and the command to run it."""
    made = {one.name: one.parameters for one in content.steps}
    return recipe_text(made), f"daskstem run recipe.toml {shlex.quote(content.store)}"


def _counted_positions(content: ReportContent) -> int:
    """Positions of the frames whose labels are finished."""
    return content.shape[1] * content.shape[2] * content.finished(N_ASSIGNED)
