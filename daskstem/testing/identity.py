"""How well tracks keep the identity of what they follow."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from daskstem.testing.compare import check_shapes


@dataclass(frozen=True)
class IdentityScores:
    """Agreement of tracks with true identities.

    Attributes
    ----------
    matched
        Detections that bear the right identity (IDTP).
    detected
        Detections that agree with a true one, whatever identity they bear.
    n_truth, n_found
        True detections, and those of the tracks.
    """

    matched: int
    detected: int
    n_truth: int
    n_found: int

    @property
    def precision(self) -> float:
        """Share of the tracks' detections that bear the right identity (IDP)."""
        return self.matched / self.n_found if self.n_found else float(self.n_truth == 0)

    @property
    def recall(self) -> float:
        """Share of the true detections that are found under the right identity (IDR)."""
        return self.matched / self.n_truth if self.n_truth else float(self.n_found == 0)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two, IDF1 = 2 IDTP / (2 IDTP + IDFP + IDFN)."""
        return self._f1(self.matched)

    @property
    def detection_f1(self) -> float:
        """What IDF1 would be if every agreeing detection bore the right identity."""
        return self._f1(self.detected)

    def _f1(self, right: int) -> float:
        total = self.n_truth + self.n_found
        return 2 * right / total if total else 1.0


def identity_scores(
    truth: np.ndarray, found: np.ndarray, *, least_overlap: float = 0.5
) -> IdentityScores:
    """Compare tracks with true identities, all frames together.

    A detection is the set of positions that bear one number in one frame. A true one and one
    of a track agree if the positions they share are at least ``least_overlap`` of those of
    both together. Every identity is given at most one track and every track one identity,
    so that as many detections as possible agree.

    Parameters
    ----------
    truth, found : (frame, scan_y, scan_x) integers
        Identity and track of every position; negative is none.
    least_overlap
        Intersection over union from which two detections agree. From 0.5 on a detection
        agrees with one other, or with two that halve it.

    Raises
    ------
    InputError
        If the shapes differ.

    Notes
    -----
    Ristani, Solera, Zou, Cucchiara, Tomasi, ECCV Workshops 2016, section 3, arXiv:1609.01775.

    Examples
    --------
    >>> truth = np.array([[[0, 0, 1]], [[0, 0, 1]]])
    >>> identity_scores(truth, np.array([[[5, 5, 8]], [[5, 5, 9]]])).f1
    0.75
    """
    truth, found = np.asarray(truth), np.asarray(found)
    check_shapes(truth.shape, found.shape)
    names, tracks = (np.unique(values[values >= 0]) for values in (truth, found))
    agreeing = np.zeros((len(names), len(tracks)), np.int64)
    n_truth = n_found = 0
    for one, other in zip(truth, found, strict=True):
        first, first_size = np.unique(one[one >= 0], return_counts=True)
        second, second_size = np.unique(other[other >= 0], return_counts=True)
        n_truth, n_found = n_truth + len(first), n_found + len(second)
        shared = _shared(one, other, first, second)
        union = first_size[:, np.newaxis] + second_size - shared
        i, j = np.nonzero(shared >= np.maximum(least_overlap * union, 1))
        np.add.at(
            agreeing, (np.searchsorted(names, first[i]), np.searchsorted(tracks, second[j])), 1
        )
    matched = agreeing[linear_sum_assignment(agreeing, maximize=True)].sum()
    return IdentityScores(int(matched), int(agreeing.sum()), n_truth, n_found)


def _shared(
    one: np.ndarray, other: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Positions that every pair of detections shares, (len(first), len(second))."""
    both = (one >= 0) & (other >= 0)
    counts = np.zeros((len(first), len(second)), np.int64)
    at = np.searchsorted(first, one[both]), np.searchsorted(second, other[both])
    np.add.at(counts, at, 1)
    return counts
