"""Which cluster of one frame continues which cluster of an earlier one."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from daskstem.kernels.polar import turned

MISSED_FRAME: Final = 0.02
"""What a link loses for each frame bridged, so that of two alike the more recent is taken."""


@dataclass(frozen=True, eq=False)
class Regions:
    """The clusters of one frame, in the order of their labels.

    Attributes
    ----------
    label : (Y, X) int32
        Row of the cluster at every position; -1 for none.
    n_positions : (K,) int64
        Number of positions.
    centroid : (K, 2) float64
        Mean row and column.
    spectra : (K, R, A // 2 + 1) complex64
        Azimuthal spectra of the mean patterns.
    drift : (2,) float64
        By how much the content lies further down and to the right than in the first frame.
    """

    label: np.ndarray
    n_positions: np.ndarray
    centroid: np.ndarray
    spectra: np.ndarray
    drift: np.ndarray


@dataclass(frozen=True)
class LinkRules:
    """What decides whether two clusters are the same particle.

    Attributes
    ----------
    reach
        Positions that a centroid may move in a frame beyond the drift and its own radius.
    turn_deg
        Angle that a pattern may turn by in a frame.
    least_similarity
        Cosine of the patterns below which nothing is linked.
    weights
        Shares of overlap, distance, size and similarity in the score.
    least_score
        Score below which nothing is linked.
    max_gap
        Frames that a cluster may be missing.
    n_angles
        Points on a ring of the spectra.
    """

    reach: float
    turn_deg: float
    least_similarity: float
    weights: tuple[float, float, float, float]
    least_score: float
    max_gap: int
    n_angles: int


@dataclass(frozen=True, eq=False)
class Pairs:
    """Clusters that may be the same: rows of the earlier and of the later frame.

    Attributes
    ----------
    first, second : (N,) int64
        Rows.
    overlap : (N,) int64
        Positions shared after the drift.
    similarity, angle_deg, score : (N,) float64
        Likeness of the patterns, the turn at which it is highest, and the score in [0, 1].
    """

    first: np.ndarray
    second: np.ndarray
    overlap: np.ndarray
    similarity: np.ndarray
    angle_deg: np.ndarray
    score: np.ndarray

    def where(self, kept: np.ndarray) -> "Pairs":
        """Return a part of the pairs."""
        return Pairs(
            self.first[kept], self.second[kept], self.overlap[kept],
            self.similarity[kept], self.angle_deg[kept], self.score[kept],
        )  # fmt: skip


def regions_of(label: np.ndarray, spectra: np.ndarray, drift: np.ndarray) -> Regions:
    """Describe the clusters of a label map (Y, X); numbers that no position bears count not."""
    numbers, compact = np.unique(label, return_inverse=True)
    absent = int((numbers < 0).sum())
    rows = (compact.reshape(label.shape) - absent).astype(np.int32)
    rows[label < 0] = -1
    y, x = np.nonzero(rows >= 0)
    of, count = rows[y, x], len(numbers) - absent
    size = np.bincount(of, minlength=count)
    sums = [np.bincount(of, along, minlength=count) for along in (y, x)]
    centroid = np.stack(sums, axis=1) / size[:, np.newaxis]
    return Regions(rows, size, centroid, spectra, np.asarray(drift, np.float64))


def overlaps(first: Regions, second: Regions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the positions that clusters of two frames share once the drift is taken out.

    Returns
    -------
    Rows of the first, rows of the second, and number of positions, (N,) int64 each: the
    pairs that share any, in order. The drift is rounded to whole positions.
    """
    moved = np.round(second.drift - first.drift).astype(np.int64)
    rows, columns = first.label.shape
    y, x = np.nonzero(first.label >= 0)
    there_y, there_x = y + moved[0], x + moved[1]
    inside = (there_y >= 0) & (there_y < rows) & (there_x >= 0) & (there_x < columns)
    a = first.label[y[inside], x[inside]].astype(np.int64)
    b = second.label[there_y[inside], there_x[inside]].astype(np.int64)
    width = max(len(second.n_positions), 1)
    codes, counts = np.unique((a * width + b)[b >= 0], return_counts=True)
    return codes // width, codes % width, counts


def candidates(
    first: Regions,
    second: Regions,
    rules: LinkRules,
    *,
    frames: int = 1,
    of: np.ndarray | None = None,
) -> Pairs:
    """Score the pairs of clusters that overlap or lie near each other, ``frames`` apart.

    ``of`` (K,) bool says which clusters of the first frame are asked about; by default all.

    The score is the weighted mean of the shared positions over those of both (intersection
    over union), the nearness of the centroids, the ratio of sizes, and the similarity of the
    patterns at the turn where it is highest.
    """
    a, b, shared = _near(first, second, rules.reach * frames)
    if of is not None:
        a, b, shared = (values[of[a]] for values in (a, b, shared))
    similarity, angle = turned(
        first.spectra[a], second.spectra[b], rules.n_angles, within_deg=rules.turn_deg * frames
    )
    size_a, size_b = first.n_positions[a], second.n_positions[b]
    distance = np.linalg.norm(
        second.centroid[b] - second.drift - (first.centroid[a] - first.drift), axis=1
    )
    terms = (
        shared / (size_a + size_b - shared),
        (1 - distance / _limit(size_a, size_b, rules.reach * frames)).clip(0),
        np.minimum(size_a, size_b) / np.maximum(size_a, size_b),
        similarity.clip(0, 1),
    )
    score = sum(w * term for w, term in zip(rules.weights, terms, strict=True))
    return Pairs(a, b, shared, similarity, angle, np.asarray(score / sum(rules.weights)))


def assigned(first: np.ndarray, second: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Choose links so that the sum of their gains is largest and nothing is linked twice.

    Exact: groups of rows that no pair connects are solved one by one, each as a linear sum
    assignment. Pairs without a positive gain are never chosen.

    Parameters
    ----------
    first, second : (N,) int64
        Rows of the pairs, each pair once.
    gain : (N,) float64
        What each link is worth.

    Returns
    -------
    (M,) int64
        Places of the chosen pairs, increasing.
    """
    useful = np.flatnonzero(gain > 0)
    if not useful.size:
        return useful
    rows, row = np.unique(first[useful], return_inverse=True)
    columns, column = np.unique(second[useful], return_inverse=True)
    size = len(rows) + len(columns)
    joined = coo_array((np.ones(len(useful), bool), (row, len(rows) + column)), shape=(size, size))
    _, group = connected_components(joined, directed=False)
    order = np.argsort(group[row], kind="stable")
    borders = np.flatnonzero(np.diff(group[row][order])) + 1
    chosen = [_best_of(row, column, gain[useful], part) for part in np.split(order, borders)]
    return np.sort(useful[np.concatenate(chosen)])


def _best_of(
    row: np.ndarray, column: np.ndarray, gain: np.ndarray, part: np.ndarray
) -> np.ndarray:
    if len(part) == 1:
        return part
    _, i = np.unique(row[part], return_inverse=True)
    _, j = np.unique(column[part], return_inverse=True)
    place = np.full((i.max() + 1, j.max() + 1), -1)
    place[i, j] = part
    worth = np.where(place >= 0, gain[place], 0.0)
    taken = place[linear_sum_assignment(worth, maximize=True)]
    return taken[taken >= 0]


def _near(
    first: Regions, second: Regions, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs that share positions or whose centroids are within reach, and what they share."""
    a, b, shared = overlaps(first, second)
    known = dict(zip(zip(a.tolist(), b.tolist(), strict=True), shared.tolist(), strict=True))
    if len(first.n_positions) and len(second.n_positions):
        here, there = first.centroid - first.drift, second.centroid - second.drift
        widest = _limit(first.n_positions.max(), second.n_positions.max(), reach)
        near = cKDTree(here).sparse_distance_matrix(cKDTree(there), widest, output_type="ndarray")
        limit = _limit(first.n_positions[near["i"]], second.n_positions[near["j"]], reach)
        for i, j in near[["i", "j"]][near["v"] <= limit].tolist():
            known.setdefault((i, j), 0)
    ordered = sorted(known)
    pairs = np.array(ordered, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1], np.array([known[pair] for pair in ordered], np.int64)


def _limit(first_size: np.ndarray, second_size: np.ndarray, reach: float) -> np.ndarray:
    """How far apart the centroids of two clusters may lie: reach and the smaller's radius."""
    return np.asarray(reach + np.sqrt(np.minimum(first_size, second_size) / np.pi))
