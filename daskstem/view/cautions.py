"""What a reader of the report should beware of: found, why it matters, what to change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from daskstem.schema import variables
from daskstem.schema.dims import CLUSTER, THRESHOLD
from daskstem.view.content import (
    AT_BORDER,
    BELOW_THRESHOLD,
    HOMOGENEITY,
    LARGEST_COUNT,
    N_ASSIGNED,
    N_FLAT,
    N_MASKED,
    N_SATURATED,
    ReportContent,
)
from daskstem.view.wording import counted, percent, toml_value

FEW: Final = 5
"""Positions: a mean over fewer is hardly less noisy than a single pattern."""

CHAINED: Final = 0.10
"""Share of pairs below the threshold. Of 34 clusters above it, among 6,500 of seven simulated
series, 24 had less than 0.9 of their positions in one grain; of 8 of low homogeneity 7 had. Most
mixed clusters are seen by neither: their neighbors do resemble each other."""

_MOST: Final = 0.8

_BRIGHT: Final = 200
_PLATEAU: Final = 8
"""Pixels that share a frame's highest value by chance have small values, or are few."""

_STEP: Final = 0.02
_CHANGE: Final = 0.3


@dataclass(frozen=True)
class Caution:
    """A warning."""

    found: str
    why: str
    change: str


def cautions(content: ReportContent) -> list[Caution]:
    """Return all warnings about a series, those about the data first."""
    return [
        *_saturated(content),
        *_flat(content),
        *_one_for_all(content),
        *_chained(content),
        *_inhomogeneous(content),
        *_sensitive(content),
        *_left_out(content),
        *_small(content),
        *_border(content),
        *_empty_frames(content),
        *_limits(content),
    ]


def _saturated(content: ReportContent) -> Iterator[Caution]:
    if N_SATURATED not in content.per_frame or content.dtype.kind not in "iu":
        return
    top = content.per_frame[LARGEST_COUNT].values
    pixels = content.per_frame[N_SATURATED].values
    highest = float(np.iinfo(content.dtype).max)
    powers = np.log2(top + 1)
    whole = (powers == powers.round()) & (top >= 63) & (pixels >= 2)
    found = (top == highest) | ((pixels >= _PLATEAU) & (top >= _BRIGHT)) | whole
    if not found.any():
        return
    worst = int(np.argmax(np.where(found, pixels, -1)))
    frames = "" if len(top) == 1 else f" in {counted(int(found.sum()), 'frame')}"
    kind = f", the most that {content.dtype} holds" if top[worst] == highest else ""
    yield Caution(
        f"Saturated pixels: {counted(int(pixels[worst]), 'detector pixel')} reach "
        f"{top[worst]:,.0f}{kind}{frames}.",
        "Their true intensity is not known, so a bright disk looks weaker and flatter than it is, "
        "and patterns that differ there look alike.",
        "Leave the direct beam out of comparisons with similarity.q_inner_px (kmeans.q_inner_px "
        "for classes), and measure with a shorter exposure or a beam stop.",
    )


def _flat(content: ReportContent) -> Iterator[Caution]:
    flat = content.total(N_FLAT)
    if flat:
        similar = content.shape[1] * content.shape[2] * content.finished(N_FLAT)
        yield Caution(
            f"{counted(flat, 'flat position')} ({percent(flat, similar)}): all available "
            f"similarities are exactly 0, as for an empty or constant pattern.",
            "Nothing can be said of them, and they split clusters they lie in.",
            "Look at the patterns there: the beam may have been blanked, or frames dropped; cut "
            "such rows off with crop.scan_y.",
        )


def _one_for_all(content: ReportContent) -> Iterator[Caution]:
    frame = content.shown_frame
    if frame is None or variables.n_positions.name not in frame.clusters:
        return
    sizes = frame.clusters[variables.n_positions.name].values
    if sizes.size and sizes.max() > _MOST * frame.maps[variables.label.name].size:
        share = percent(int(sizes.max()), frame.maps[variables.label.name].size)
        yield Caution(
            f"One cluster holds {share} of the scan's positions.",
            "Neighboring patterns hardly differ, as in an amorphous film or a single crystal: "
            "there are no domains to find, or the threshold is too low.",
            "Raise grow.threshold; for kinds of pattern that differ little from one position to "
            "the next, use classes instead (daskstem run kmeans).",
        )


def _chained(content: ReportContent) -> Iterator[Caution]:
    if BELOW_THRESHOLD not in content.table:
        return
    share = content.table[BELOW_THRESHOLD].values
    # few pairs are below or above by chance
    found = (share > CHAINED) & (content.n_positions >= 2 * FEW)
    if found.any():
        yield Caution(
            f"Chaining: {_clusters(content, found, share)} many neighbors below the "
            f"threshold of similarity, joined through others (up to "
            f"{100 * share[found].max():.0f} % of pairs).",
            "Two domains may have grown together over a few positions that resemble both.",
            "Raise grow.threshold."
            if content.parameter("grow", "linkage") == "mean"
            else "Raise grow.threshold, or join by the whole border with grow.linkage=mean.",
        )


def _inhomogeneous(content: ReportContent) -> Iterator[Caution]:
    if HOMOGENEITY not in content.table:
        return
    used = content.parameter("grow", "threshold")
    threshold = used if isinstance(used, (int, float)) else 0.8
    limit = (1 + threshold) / 2
    values = content.table[HOMOGENEITY].values
    found = values < limit
    if found.any():
        yield Caution(
            f"Low homogeneity: in {_clusters(content, found, -values, verb=False)} the mean "
            f"similarity of neighbors is below {limit:z.3f}, nearer to the threshold than to 1.",
            "The mean pattern may blend orientations, thicknesses or overlapping crystals.",
            "Look at these clusters' patterns in the table; split them with a higher "
            "grow.threshold or with grow.threshold=branches.",
        )


def _sensitive(content: ReportContent) -> Iterator[Caution]:
    frame = content.shown_frame
    if frame is None or variables.cluster_count.name not in frame.curves:
        return
    if content.parameter("hierarchy", "linkage") != content.parameter("grow", "linkage"):
        return
    used = content.number(variables.used_threshold.name, frame.number)
    if not np.isfinite(used):
        return
    along = frame.curves[THRESHOLD].values
    count = frame.curves[variables.cluster_count.name].values
    low, here, high = np.interp([used - _STEP, used, used + _STEP], along, count)
    change = max(abs(low - here), abs(high - here))
    if here and change > max(_CHANGE * here, 3):
        yield Caution(
            f"The threshold decides: around {used:z.3f}, {_STEP:g} more or less changes "
            f"{here:.0f} clusters of frame {frame.number} into {low:.0f} to {high:.0f}.",
            "Numbers and sizes of clusters then say as much about the threshold as about the "
            "specimen.",
            "Choose grow.threshold where the curves below are flat, or grow.threshold=auto.",
        )


def _left_out(content: ReportContent) -> Iterator[Caution]:
    masked, assigned = content.total(N_MASKED), content.total(N_ASSIGNED)
    if not masked or assigned is None or content.parameter("background", "method") == "none":
        return
    if assigned < 0.7 * masked:
        yield Caution(
            f"{percent(masked - assigned, masked)} of the specimen is in no cluster.",
            "Its patterns are not in any mean: small or strongly varying domains are lost.",
            "Lower grow.min_size or grow.threshold, or raise prefilter.radius_px where patterns "
            "are noisy.",
        )


def _small(content: ReportContent) -> Iterator[Caution]:
    small = int((content.n_positions < FEW).sum())
    if small:
        yield Caution(
            f"{counted(small, 'cluster')} of fewer than {FEW} positions.",
            "A mean over so few is hardly less noisy than a single pattern.",
            "Raise grow.min_size.",
        )


def _border(content: ReportContent) -> Iterator[Caution]:
    if AT_BORDER not in content.table:
        return
    found = content.table[AT_BORDER].values == 1
    touching = int(found.sum())
    if touching:
        yield Caution(
            f"{counted(touching, 'cluster')} of {len(found):,} ({percent(touching, len(found))}) "
            f"{'touches' if touching == 1 else 'touch'} the scan's border.",
            "Their full size is not known: sizes and growth curves are too small.",
            "Scan a larger field, or leave them out of statistics (the table marks them).",
        )


def _empty_frames(content: ReportContent) -> Iterator[Caution]:
    name = variables.n_clusters.name
    if name not in content.per_frame:
        return
    empty = np.flatnonzero(content.per_frame[name].values == 0)
    if empty.size:
        listed = ", ".join(map(str, empty[:12])) + (", ..." if empty.size > 12 else "")
        yield Caution(
            f"No cluster in {counted(empty.size, 'frame')}: {listed}.",
            "Nothing of these frames is in the results.",
            "If there should be some, lower grow.threshold or grow.min_size, or see whether "
            "background.method takes the specimen for background.",
        )


def _limits(content: ReportContent) -> Iterator[Caution]:
    for one in content.at_limits:
        yield Caution(
            f"{one.step}.{one.parameter} = {toml_value(one.value)} is at the end of its range.",
            f"It may be {one.allowed}; there a parameter often switches something off.",
            f"Keep it if that is meant; its default is {toml_value(one.default)}.",
        )


def _clusters(
    content: ReportContent, found: np.ndarray, worst: np.ndarray, *, verb: bool = True
) -> str:
    """Name the worst of the clusters found."""
    table = content.table.isel({CLUSTER: np.flatnonzero(found)})
    order = np.argsort(-worst[found], kind="stable")[:5]
    several = content.shape[0] > 1
    names = [
        (f"frame {int(f)} " if several else "") + f"#{int(n)}"
        for f, n in zip(
            table[variables.cluster_frame.name].values[order],
            table[variables.cluster_label.name].values[order],
            strict=True,
        )
    ]
    total = int(found.sum())
    have = f" {'has' if total == 1 else 'have'}" if verb else ""
    more = ", ..." if total > len(names) else ""
    return f"{counted(total, 'cluster')} ({', '.join(names)}{more}){have}"
