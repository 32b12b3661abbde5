"""Clusters that hang together through space and time: one graph over all frames."""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from daskstem.kernels.lineage import BIRTH, DEATH, MERGE, SPLIT, Event, Followed, Lineage
from daskstem.kernels.linking import LinkRules, Regions, overlaps
from daskstem.kernels.polar import turned


@dataclass
class SpaceTime:
    """Joins clusters of consecutive frames that share positions and resemble each other.

    Within a frame the clusters are those of its own graph. Two of consecutive frames are
    joined where they share a position, drift taken out, and the cosine of their patterns is
    high enough. What hangs together is one track, of any number of clusters in a frame. It
    remembers one frame, and the joined pairs.
    """

    rules: LinkRules
    _before: Regions | None = None
    _sizes: list[int] = field(default_factory=list)
    _first: list[np.ndarray] = field(default_factory=list)
    _second: list[np.ndarray] = field(default_factory=list)
    _scores: list[np.ndarray] = field(default_factory=list)
    _rotations: list[np.ndarray] = field(default_factory=list)

    def follow(self, regions: Regions) -> None:
        """Join the clusters of the next frame to those of the last one."""
        count = len(regions.n_positions)
        score, rotation = np.full(count, np.nan, np.float32), np.zeros(count, np.float32)
        if self._before is not None:
            a, b, shared = overlaps(self._before, regions)
            likeness, angle = turned(
                self._before.spectra[a], regions.spectra[b], self.rules.n_angles,
                within_deg=self.rules.turn_deg,
            )  # fmt: skip
            alike = likeness >= self.rules.least_similarity
            a, b, shared, likeness, angle = (
                values[alike] for values in (a, b, shared, likeness, angle)
            )
            # of several predecessors, the one that shares most tells the turn: it comes last
            order = np.argsort(shared, kind="stable")
            rotation[b[order]] = self._rotations[-1][a[order]] + angle[order]
            score[b[order]] = likeness[order]
            here = sum(self._sizes)
            self._first.append(a + here - self._sizes[-1])
            self._second.append(b + here)
        self._before = regions
        self._sizes.append(count)
        self._scores.append(score)
        self._rotations.append(rotation)

    def lineage(self) -> Lineage:
        """Return the connected components, numbered by their first cluster."""
        total = sum(self._sizes)
        first = np.concatenate([np.empty(0, np.int64), *self._first])
        second = np.concatenate([np.empty(0, np.int64), *self._second])
        edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(total, total))
        component = connected_components(edges, directed=False)[1] if total else np.empty(0, int)
        _, places, inverse = np.unique(component, return_index=True, return_inverse=True)
        number = np.argsort(np.argsort(places))
        track = number[inverse].astype(np.int32)
        parts = np.split(track, np.cumsum(self._sizes)[:-1]) if self._sizes else []
        followed = [
            Followed(*columns)
            for columns in zip(parts, self._scores, self._rotations, strict=True)
        ]
        return Lineage.of(followed, self._told(first, second, track))

    def _told(self, first: np.ndarray, second: np.ndarray, track: np.ndarray) -> list[Event]:
        before = np.bincount(second, minlength=len(track))
        after = np.bincount(first, minlength=len(track))
        starts = np.cumsum([0, *self._sizes])
        events = []
        for cluster, number in enumerate(track.tolist()):
            frame = int(np.searchsorted(starts, cluster, side="right")) - 1
            row = cluster - int(starts[frame])
            if before[cluster] == 0:
                events.append(Event(BIRTH, frame, number, row=row))
            if before[cluster] > 1:
                events.append(Event(MERGE, frame, number, row=row))
            last = frame == len(self._sizes) - 1
            if after[cluster] == 0 and not last:
                events.append(Event(DEATH, frame + 1, number))
        for cluster in np.flatnonzero(after > 1).tolist():
            frame = int(np.searchsorted(starts, cluster, side="right"))
            rows = second[first == cluster][1:] - starts[frame]
            events += [Event(SPLIT, frame, int(track[cluster]), row=int(row)) for row in rows]
        return events
