"""What following the clusters of a series gives: their tracks, and what befell these."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

EVENT_KINDS: Final = ("birth", "death", "split", "merge", "gap")
BIRTH, DEATH, SPLIT, MERGE, GAP = range(len(EVENT_KINDS))


@dataclass(frozen=True)
class Event:
    """Something that befell a track.

    Attributes
    ----------
    kind
        Place in ``EVENT_KINDS``.
    frame
        First frame in which it is seen.
    track
        The track.
    other
        The track it came from, went into, or in whose place it stands; -1 for none.
    row
        Row of the cluster in its frame; -1 for none.
    """

    kind: int
    frame: int
    track: int
    other: int = -1
    row: int = -1


@dataclass(frozen=True, eq=False)
class Followed:
    """What is known of the clusters of one frame, row by row.

    Attributes
    ----------
    track : (K,) int32
        Number of the track.
    score : (K,) float32
        Score of the link to the track's last cluster; NaN where there is none.
    rotation_deg : (K,) float32
        Angle of the pattern against the track's first.
    """

    track: np.ndarray
    score: np.ndarray
    rotation_deg: np.ndarray


@dataclass(frozen=True, eq=False)
class Lineage:
    """The tracks of all clusters of a series, frame after frame.

    Attributes
    ----------
    track : (N,) int32
    score, rotation_deg : (N,) float32
        As in ``Followed``.
    n_clusters : (F,) int64
        Number of clusters in each frame.
    events : (E, 5) int32
        Kind, frame, track, other track, and cluster (a row of the N), in the order of the
        frames; -1 for none.
    """

    track: np.ndarray
    score: np.ndarray
    rotation_deg: np.ndarray
    n_clusters: np.ndarray
    events: np.ndarray

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return int(self.track.max(initial=-1)) + 1

    @property
    def frame(self) -> np.ndarray:
        """Frame of every cluster, (N,) int64."""
        return np.repeat(np.arange(len(self.n_clusters)), self.n_clusters)

    @classmethod
    def of(cls, followed: Sequence[Followed], events: Sequence[Event]) -> "Lineage":
        """Put the frames together and the events in order."""
        n_clusters = np.array([len(one.track) for one in followed], np.int64)
        starts = np.cumsum(n_clusters) - n_clusters
        table = [
            (e.frame, e.kind, e.track, e.other, starts[e.frame] + e.row if e.row >= 0 else -1)
            for e in events
        ]
        ordered = np.array(sorted(table), np.int32).reshape(-1, 5)[:, [1, 0, 2, 3, 4]]
        return cls(
            _joined([one.track for one in followed], np.int32),
            _joined([one.score for one in followed], np.float32),
            _joined([one.rotation_deg for one in followed], np.float32),
            n_clusters,
            ordered,
        )


def _joined(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype)
