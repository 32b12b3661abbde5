"""Clusters followed through the frames: one number for each particle, and what befell it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from daskstem.kernels.lineage import BIRTH, DEATH, GAP, MERGE, SPLIT, Event, Followed, Lineage
from daskstem.kernels.linking import (
    MISSED_FRAME,
    LinkRules,
    Pairs,
    Regions,
    assigned,
    candidates,
    overlaps,
)
from daskstem.kernels.polar import turned

_MOST_OF: Final = 0.5
"""Share of a cluster that must lie within another to be called a part of it."""
_REFINED_DEG: Final = 3.0
"""How far around the sum of the single turns the turn against the first frame is looked for."""
_TRUSTED: Final = 0.5
"""Least likeness to the first frame's pattern at which the turn against it is believed."""


@dataclass(frozen=True, eq=False)
class _Seen:
    frame: int
    regions: Regions
    track: np.ndarray


@dataclass
class Tracker:
    """Links clusters frame by frame, forward: later frames change no earlier number.

    It remembers as many frames as may be bridged and one more, and the first spectrum of
    every track that may go on.
    """

    rules: LinkRules
    n_tracks: int = 0
    _events: list[Event] = field(default_factory=list)
    _followed: list[Followed] = field(default_factory=list)
    _seen: list[_Seen] = field(default_factory=list)
    _first: dict[int, np.ndarray] = field(default_factory=dict)
    _rotation: dict[int, float] = field(default_factory=dict)
    _lost: dict[int, Event] = field(default_factory=dict)

    def follow(self, regions: Regions) -> None:
        """Link the clusters of the next frame."""
        frame = len(self._followed)
        count = len(regions.n_positions)
        track, score = np.full(count, -1, np.int32), np.full(count, np.nan, np.float32)
        rotation = np.zeros(count, np.float32)
        for seen, pairs in self._links(frame, regions):
            track[pairs.second] = seen.track[pairs.first]
            score[pairs.second] = pairs.score
            rotation[pairs.second] = self._rotations(seen, regions, pairs)
        new = np.flatnonzero(track < 0)
        track[new] = self.n_tracks + np.arange(len(new))
        self.n_tracks += len(new)
        for row, number in zip(new.tolist(), track[new].tolist(), strict=True):
            self._first[number] = regions.spectra[row].copy()
        self._tell(frame, regions, track, new)
        self._rotation.update(zip(track.tolist(), rotation.tolist(), strict=True))
        self._seen.insert(0, _Seen(frame, regions, track))
        del self._seen[self.rules.max_gap + 1 :]
        self._close(frame)
        self._followed.append(Followed(track, score, rotation))

    def lineage(self) -> Lineage:
        """Return all that is known; tracks that may still come back have not ended."""
        return Lineage.of(self._followed, self._events)

    def _links(self, frame: int, regions: Regions) -> Iterable[tuple[_Seen, Pairs]]:
        """Yield the links to each remembered frame, chosen together."""
        found: list[tuple[_Seen, Pairs]] = []
        later = np.empty(0, np.int32)
        for seen in self._seen:
            still = ~np.isin(seen.track, later)
            pairs = candidates(
                seen.regions, regions, self.rules, frames=frame - seen.frame, of=still
            )
            found.append((seen, pairs.where(pairs.similarity >= self.rules.least_similarity)))
            later = np.union1d(later, seen.track)
        if not found:
            return
        numbers = np.concatenate([seen.track[pairs.first] for seen, pairs in found])
        rows = np.concatenate([pairs.second for _, pairs in found])
        worth = [
            pairs.score - MISSED_FRAME * (frame - seen.frame - 1) - self.rules.least_score
            for seen, pairs in found
        ]
        chosen = assigned(numbers, rows, np.concatenate(worth))
        stops = np.cumsum([len(pairs.first) for _, pairs in found])
        for (seen, pairs), stop in zip(found, stops.tolist(), strict=True):
            start = stop - len(pairs.first)
            yield seen, pairs.where(chosen[(chosen >= start) & (chosen < stop)] - start)

    def _rotations(self, seen: _Seen, regions: Regions, pairs: Pairs) -> np.ndarray:
        """Sum of the turns so far, refined against the first frame's pattern."""
        if not len(pairs.first):
            return np.empty(0)
        numbers = seen.track[pairs.first].tolist()
        summed = np.array([self._rotation[n] for n in numbers]) + pairs.angle_deg
        likeness, against_first = turned(
            np.stack([self._first[n] for n in numbers]),
            regions.spectra[pairs.second],
            self.rules.n_angles,
            around_deg=summed,
            within_deg=_REFINED_DEG,
        )
        return np.where(likeness >= _TRUSTED, against_first, summed)

    def _tell(self, frame: int, regions: Regions, track: np.ndarray, new: np.ndarray) -> None:
        """Say which tracks begin, come back or are missed, and where from and where to."""
        if not self._seen:
            self._events += [Event(BIRTH, frame, int(track[row]), row=row) for row in new.tolist()]
            return
        last = self._seen[0]
        a, b, shared = overlaps(last.regions, regions)
        before, size = last.regions.n_positions, regions.n_positions
        gone_on = set(track.tolist())
        for row in new.tolist():
            at = _largest(b == row, shared)
            share = 0.0 if at is None else shared[at] / size[row]
            parent = int(last.track[a[at]]) if at is not None and share >= _MOST_OF else -1
            kind = SPLIT if parent in gone_on else BIRTH
            self._events.append(Event(kind, frame, int(track[row]), parent, row))
        for row, number in enumerate(track.tolist()):
            if number in self._lost:
                missed = self._lost.pop(number)
                self._events.append(Event(GAP, frame, number, missed.other, row))
        for row, number in enumerate(last.track.tolist()):
            if number in gone_on:
                continue
            at = _largest(a == row, shared)
            share = 0.0 if at is None else shared[at] / before[row]
            into = int(b[at]) if at is not None and share >= _MOST_OF else -1
            other = int(track[into]) if into >= 0 else -1
            kind = MERGE if other >= 0 and _was_there(other, self._seen) else DEATH
            self._lost[number] = Event(kind, frame, number, other, into)

    def _close(self, frame: int) -> None:
        """Give up the tracks that have been missing for too long."""
        over = [n for n, event in self._lost.items() if frame - event.frame >= self.rules.max_gap]
        for number in over:
            self._events.append(self._lost.pop(number))
            del self._first[number], self._rotation[number]


def _largest(where: np.ndarray, values: np.ndarray) -> int | None:
    places = np.flatnonzero(where)
    return int(places[values[places].argmax()]) if places.size else None


def _was_there(number: int, seen: list[_Seen]) -> bool:
    return any((one.track == number).any() for one in seen)
