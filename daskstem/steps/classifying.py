"""K-means as passes over a series: variance, sample, one pass per iteration, classes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from dask.delayed import Delayed

from daskstem.blocks.passes import pick_pass, reduce_pass
from daskstem.kernels.features import Features, Normalization, feature_rows, features_of
from daskstem.kernels.kmeans import prepared
from daskstem.kernels.lloyd import Classes, assign_rows, move, silhouette, start
from daskstem.schema import variables
from daskstem.schema.dims import N_CLASSES, Q
from daskstem.schema.errors import InputError
from daskstem.steps.class_sums import (
    classes_of_block,
    found_rows,
    inverse_deviation,
    join_rows,
    rows_of,
    sums_of_block,
    variance_of_block,
)
from daskstem.steps.passes import Found, Pass, join_found
from daskstem.steps.restricting import Patterns, Restriction, cluster_map, patterns_of

MOST_SAMPLED: Final = 4000
SAMPLE_BYTES: Final = 128 * 2**20
PER_CLASS: Final = 20


@dataclass(frozen=True, eq=False)
class Wanted:
    """What kind of classes are wanted.

    Attributes
    ----------
    k
        Numbers of classes.
    of, restriction
        Of which patterns.
    pixels : (V, U) bool
        Pixels of the binned detector that are compared.
    binning, normalize
        How they are compared.
    start : (k, Qy, Qx)
        Patterns to start from; None chooses them.
    sample, n_init, seed
        How they are chosen: from how many patterns, the best of how many times.
    tolerance, max_iter
        When iterations end.
    """

    k: tuple[int, ...]
    of: Literal["patterns", "clusters"]
    restriction: Restriction
    pixels: np.ndarray
    binning: int
    normalize: Normalization
    start: np.ndarray | None
    sample: int
    n_init: int
    seed: int
    tolerance: float
    max_iter: int


def sample_size(k: Sequence[int], n_features: int) -> int:
    """Return how many patterns are drawn where the user does not say.

    Examples
    --------
    >>> sample_size((3,), 192 * 192), sample_size((60,), 192 * 192)
    (910, 1200)
    """
    return max(PER_CLASS * max(k), min(MOST_SAMPLED, SAMPLE_BYTES // (4 * n_features)))


@dataclass(eq=False)
class KMeans:
    """The step in progress: an ``Iteration``.

    Attributes
    ----------
    wanted
        What is asked for.
    like
        A Dataset of one frame, for sizes and coordinates.
    of_frame, n_frames
        Returns the Dataset of a frame, and how many there are.
    scale, sets, silhouettes, chosen, results
        What passes have found: the pixels' scale, the classes for each k, how far apart they
        are, which of them are the product, and what it is made of.
    """

    wanted: Wanted
    like: xr.Dataset
    of_frame: Callable[[int], xr.Dataset]
    n_frames: int
    scale: np.ndarray | None = None
    sets: list[Classes] = field(default_factory=list)
    silhouettes: list[float] = field(default_factory=list)
    chosen: int = -1
    results: dict[str, np.ndarray] = field(default_factory=dict)
    rows: np.ndarray | None = None
    row_weights: np.ndarray = field(default_factory=lambda: np.empty(0))

    def next_pass(self) -> Pass | None:
        """Return what is to be read next; None when all is done."""
        if self.results:
            return None
        if self.wanted.normalize == "unit_variance" and self.scale is None:
            return Pass("variance", self._reduced(variance_of_block), self._features)
        if self.rows is None and self.chosen < 0:
            picked = self._drawn()
            return Pass("sample", partial(self._picked, picked), join=join_rows,
                        resumed=False)  # fmt: skip
        if self.chosen < 0:
            shared = self._features, prepared([c.centroids for c in self._moving])
            number = max(len(c.inertia) for c in self.sets) + 1
            return Pass(f"iteration {number}", self._reduced(sums_of_block), shared)
        shared = self._features, prepared([self.sets[self.chosen].centroids])
        return Pass("classes", self._reduced(classes_of_block), shared, self._maps)

    def take(self, total: Found) -> None:
        """Take in what the whole series has shown in the pass."""
        numbers = total.numbers
        if "rows" in numbers:
            self.rows = numbers["rows"]
            if not self.sets:
                self._begin()
        elif "squares" in numbers:
            self.scale = inverse_deviation(numbers)
        elif self.chosen < 0:
            self._advance(numbers)
        else:
            self.results = numbers

    @property
    def _features(self) -> Features:
        w = self.wanted
        return features_of(w.pixels, binning=w.binning, normalize=w.normalize, scale=self.scale)

    @property
    def _moving(self) -> list[Classes]:
        return [c for c in self.sets if not c.settled]

    def _patterns(self, ds: xr.Dataset, frame: int) -> Patterns:
        return patterns_of(ds, frame, self.wanted.restriction, self.wanted.of)

    def _reduced(self, function: Callable[..., Found]) -> Callable[..., Delayed]:
        def of_frame(ds: xr.Dataset, frame: int, shared: Any) -> Delayed:
            own = self._patterns(ds, frame)
            return reduce_pass(function, join_found, own.array, own.weights, shared, name="kmeans")

        return of_frame

    def _drawn(self) -> dict[int, np.ndarray]:
        """Draw the sample: numbers of patterns of each frame, in order."""
        weights = [
            self._patterns(self.of_frame(frame), frame).weights for frame in range(self.n_frames)
        ]
        available = [np.flatnonzero(w) for w in weights]
        ends = np.cumsum([len(a) for a in available])
        total = int(ends[-1])
        most = max(self.wanted.k)
        if total < most:
            what = "patterns" if self.wanted.of == "patterns" else "clusters"
            fewer = f"choose k <= {total}, or " if total >= 2 else ""
            raise InputError(
                f"k = {most} classes of {total} {what} that take part; {fewer}let more take part "
                f"(where, frames, labels, mask)"
            )
        rng = np.random.Generator(np.random.Philox(key=self.wanted.seed))
        number = min(self.wanted.sample, total)
        chosen = np.sort(rng.choice(total, number, replace=False, shuffle=False))
        frames = np.searchsorted(ends, chosen, side="right")
        picked = {
            int(f): available[f][chosen[frames == f] - (ends[f] - len(available[f]))]
            for f in np.unique(frames)
        }
        self.row_weights = np.concatenate([weights[f].flat[picked[f]] for f in sorted(picked)])
        return picked

    def _picked(
        self, picked: dict[int, np.ndarray], ds: xr.Dataset, frame: int, _: Any
    ) -> Delayed:
        own = self._patterns(ds, frame)
        numbers = picked.get(frame, np.empty(0, np.int64))
        positions = np.stack(np.unravel_index(numbers, own.weights.shape), axis=1)
        return pick_pass(
            partial(rows_of, features=self._features), own.array, positions,
            width=self._features.size, finish=found_rows, name="kmeans-sample",
        )  # fmt: skip

    def _begin(self) -> None:
        """Place the first centroids."""
        w = self.wanted
        if w.start is not None:
            self.sets = [Classes.starting(feature_rows(w.start, self._features))]
            return
        if self.rows is not None:
            begin = partial(start, self.rows, self.row_weights, n_init=w.n_init, seed=w.seed,
                            tolerance=w.tolerance, max_iter=w.max_iter)  # fmt: skip
            self.sets = [Classes.starting(begin(k)) for k in w.k]

    def _advance(self, numbers: Mapping[str, np.ndarray]) -> None:
        """Move the centroids that do not rest yet; when all rest, choose a set of classes."""
        w, moving = self.wanted, self._moving
        stops = np.cumsum([len(c.centroids) for c in moving])
        sample = self.rows if self.rows is not None else np.empty((0, self._features.size))
        for number, (classes, stop) in enumerate(zip(moving, stops, strict=True)):
            own = slice(stop - len(classes.centroids), stop)
            sums, counts = numbers["sums"][own], numbers["counts"][own]
            inertia = float(numbers["inertia"][number])
            move(classes, sums, counts, inertia, sample=sample, tolerance=w.tolerance)
            classes.settled |= len(classes.inertia) >= w.max_iter
        if not self._moving:
            self._choose(sample)

    def _choose(self, sample: np.ndarray) -> None:
        found = assign_rows(sample, None, [c.centroids for c in self.sets])
        self.silhouettes = [
            silhouette(sample, found.label[:, number]) for number in range(len(self.sets))
        ]
        known = np.nan_to_num(self.silhouettes, nan=-np.inf)
        self.chosen = int(np.argmax(known))
        chosen = self.sets[self.chosen]
        if self.wanted.start is None:
            order = np.argsort(-chosen.counts, kind="stable")
            chosen.centroids, chosen.counts = chosen.centroids[order], chosen.counts[order]

    def _maps(self, ds: xr.Dataset, frame: int, found: Found) -> dict[str, np.ndarray]:
        """Return the frame's classes, and how many of its patterns are odd."""
        label = np.full(self._patterns(ds, frame).weights.shape, -1, np.int32)
        for region, values in found.pieces:
            label[region] = values
        if self.wanted.of == "clusters":
            label = cluster_map(ds, frame, self.wanted.restriction, label[:, 0])
        odd = {
            spec.name: np.asarray(found.numbers.get(spec.name, 0), np.int32)
            for spec in (variables.n_constant, variables.n_unusable)
        }
        return {variables.class_label.name: label, **odd}

    def product(self) -> xr.Dataset:
        """Return all but the maps; before the last pass only names and shapes are right."""
        k = len(self.sets[self.chosen].centroids)
        shape = (k, *(self.like.sizes[dim] for dim in Q))
        counts = self.results.get("counts", np.zeros(k))
        sums = self.results.get("patterns", np.zeros((k, shape[1] * shape[2])))
        means = (sums / np.maximum(counts, 1)[:, np.newaxis]).reshape(shape).astype(np.float32)
        longest = max(len(c.inertia) for c in self.sets)
        inertia = np.full((len(self.sets), longest), np.nan)
        for row, classes in zip(inertia, self.sets, strict=True):
            row[: len(classes.inertia)] = classes.inertia
        reseeded = np.array([c.n_reseeded for c in self.sets], np.int32)
        made = (
            (variables.class_pattern, means),
            (variables.class_n_positions, np.rint(counts).astype(np.int32)),
            (variables.inertia, inertia),
            (variables.silhouette, np.array(self.silhouettes, np.float32)),
            (variables.n_reseeded, reseeded),
        )
        numbers = [len(c.centroids) for c in self.sets]
        axes = {dim: self.like.coords[dim].variable for dim in Q if dim in self.like.coords}
        return xr.Dataset(
            {spec.name: spec.wrap(values) for spec, values in made},
            coords={N_CLASSES: variables.class_number.wrap(np.array(numbers, np.int32)), **axes},
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return what is needed to go on after the last pass taken in."""
        kept = {"chosen": np.array(self.chosen), "silhouettes": np.array(self.silhouettes)}
        if self.scale is not None:
            kept["scale"] = self.scale
        for number, c in enumerate(self.sets):
            kept[f"centroids {number}"] = c.centroids
            kept[f"counts {number}"] = c.counts
            kept[f"inertia {number}"] = np.array(c.inertia)
            kept[f"reseeded, settled {number}"] = np.array([c.n_reseeded, c.settled])
        return kept

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of the same step with the same parameters on the same patterns."""
        self.chosen = int(state["chosen"])
        self.silhouettes = state["silhouettes"].tolist()
        self.scale = state.get("scale")
        self.sets = []
        while f"centroids {len(self.sets)}" in state:
            n = len(self.sets)
            reseeded, settled = state[f"reseeded, settled {n}"].tolist()
            inertia = state[f"inertia {n}"].tolist()
            self.sets.append(
                Classes(
                    state[f"centroids {n}"], state[f"counts {n}"], inertia, reseeded, bool(settled)
                )
            )
