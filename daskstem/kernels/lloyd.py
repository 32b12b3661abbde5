"""K-means on patterns in memory: where to start, how centroids move, how well classes part.

Start: Arthur, Vassilvitskii, k-means++, SODA 2007, 1027, with several candidates for each
centroid. Silhouette: Rousseeuw, J. Comput. Appl. Math. 20 (1987) 53,
doi 10.1016/0377-0427(87)90125-7.
"""

from dataclasses import dataclass, field

import numpy as np

from daskstem.kernels.features import plain_features
from daskstem.kernels.kmeans import Assigned, assign, prepared

_ROWS = 256


@dataclass(eq=False)
class Classes:
    """One set of classes on its way to convergence.

    Attributes
    ----------
    centroids : (k, P) float64
        Where they are now.
    counts : (k,) float64
        Weights of the classes when they were last counted.
    inertia
        Weighted sum of squared distances to the nearest centroid, before each move.
    n_reseeded
        How often a centroid without patterns was put elsewhere.
    settled
        Whether the centroids rest.
    """

    centroids: np.ndarray
    counts: np.ndarray
    inertia: list[float] = field(default_factory=list)
    n_reseeded: int = 0
    settled: bool = False

    @classmethod
    def starting(cls, centroids: np.ndarray) -> "Classes":
        """Begin with these centroids."""
        return cls(np.asarray(centroids, np.float64), np.zeros(len(centroids)))


def move(
    classes: Classes,
    sums: np.ndarray,
    counts: np.ndarray,
    inertia: float,
    *,
    sample: np.ndarray,
    tolerance: float,
) -> None:
    """Move every centroid to the mean of its class.

    A class without patterns takes the pattern of the sample that lies farthest from its
    centroid, which its own class gives away; where all lie on their centroids it stays empty,
    on the centroid nearest to it.

    Parameters
    ----------
    classes
        Changed in place.
    sums, counts
        (k, P) and (k,) float64: weighted sums of the features in each class, and weights.
    inertia
        Weighted sum of squared distances to the centroids as they were.
    sample : (n, P) float32
        Patterns to draw from.
    tolerance
        Centroids rest when the sum of their squared moves is at most this share of the
        features' mean variance.
    """
    total = counts.sum()
    limit = tolerance * _mean_variance(classes.centroids, sums, counts, inertia)
    sums, counts = sums.copy(), counts.copy()
    reseeded = _reseed(classes.centroids, sums, counts, sample) if total else 0
    means = classes.centroids.copy()
    held = counts > 0
    means[held] = sums[held] / counts[held, np.newaxis]
    for number in np.flatnonzero(~held) if held.any() else ():
        # on another centroid it takes nothing by rounding: the first of equal ones wins
        nearest = ((means[held] - means[number]) ** 2).sum(axis=1).argmin()
        means[number] = means[held][nearest]
    moved = float(((means - classes.centroids) ** 2).sum())
    classes.centroids, classes.counts = means, counts
    classes.inertia.append(float(inertia))
    classes.n_reseeded += reseeded
    classes.settled = not reseeded and moved <= limit


def _mean_variance(
    centroids: np.ndarray, sums: np.ndarray, counts: np.ndarray, inertia: float
) -> float:
    """Return the mean over the features of their variance, from what one pass has summed."""
    total = counts.sum()
    if not total:
        return 0.0
    squares = inertia + 2 * np.vdot(centroids, sums) - counts @ (centroids**2).sum(axis=1)
    mean = sums.sum(axis=0) / total
    return float(max(0.0, squares / total - mean @ mean) / len(mean))


def _reseed(
    centroids: np.ndarray, sums: np.ndarray, counts: np.ndarray, sample: np.ndarray
) -> int:
    empty = np.flatnonzero(counts == 0)
    if not empty.size:
        return 0
    found = assign_rows(sample, None, [centroids])
    order = np.argsort(-found.distance[:, 0], kind="stable")
    waiting = empty.tolist()
    for row in order:
        if not waiting:
            break
        old = found.label[row, 0]
        pattern = sample[row].astype(np.float64)
        # in float64: rounding alone puts equal patterns a little apart
        apart = ((pattern - centroids[old]) ** 2).sum() > 1e-12 * (pattern @ pattern)
        # a class is not emptied to fill another
        if apart and counts[old] > 1:
            sums[old] -= pattern
            counts[old] -= 1
            number = waiting.pop(0)
            sums[number], counts[number] = pattern, 1
    return len(empty) - len(waiting)


def assign_rows(rows: np.ndarray, weights: np.ndarray | None, sets: list[np.ndarray]) -> Assigned:
    """Assign features (n, P) float32 that are ready to sets of centroids."""
    weights = np.ones(len(rows)) if weights is None else weights
    features = plain_features(rows.shape[1])
    return assign(rows[:, np.newaxis], weights, features, prepared(sets))


def start(
    rows: np.ndarray,
    weights: np.ndarray,
    k: int,
    *,
    n_init: int,
    seed: int,
    tolerance: float,
    max_iter: int,
) -> np.ndarray:
    """Return centroids to start from: the best of several K-means on a sample.

    Parameters
    ----------
    rows : (n, P) float32
        Features of the sample, n >= k.
    weights : (n,) float64
        What each counts for.
    k
        Number of classes.
    n_init
        Number of starts.
    seed
        The same seed gives the same centroids.
    tolerance, max_iter
        When each K-means ends.

    Returns
    -------
    (k, P) float64
    """
    best: Classes | None = None
    for trial in range(n_init):
        rng = np.random.Generator(np.random.Philox(key=[seed, trial]))
        classes = Classes.starting(rows[_spread(rows, weights, k, rng)])
        while not classes.settled and len(classes.inertia) < max_iter:
            found = assign_rows(rows, weights, [classes.centroids])
            inertia = float(weights @ found.distance[:, 0])
            move(classes, found.sums, found.counts, inertia, sample=rows, tolerance=tolerance)
        if best is None or classes.inertia[-1] < best.inertia[-1]:
            best = classes
    return best.centroids if best is not None else np.empty((0, rows.shape[1]))


def _spread(rows: np.ndarray, weights: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Choose k rows far from each other, by chance: the likelier, the farther."""
    n_candidates = 2 + int(np.log(k))
    chosen = [_drawn(weights, 1, rng)[0]]
    nearest = _distances(rows, rows[chosen])[:, 0]
    while len(chosen) < k:
        candidates = _drawn(weights * nearest, n_candidates, rng)
        closer = np.minimum(nearest[:, np.newaxis], _distances(rows, rows[candidates]))
        best = int(np.argmin(weights @ closer))
        chosen.append(candidates[best])
        nearest = closer[:, best]
    return np.array(chosen)


def _drawn(chances: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    cumulative = np.cumsum(chances)
    if cumulative[-1] <= 0:
        # all patterns are alike: any will do
        return rng.integers(0, len(chances), count)
    found = np.searchsorted(cumulative, rng.uniform(0, cumulative[-1], count), side="right")
    return np.minimum(found, len(chances) - 1)


def _distances(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Squared distances (n, points), rounded alike however many threads there are."""
    sets = [point[np.newaxis].astype(np.float64) for point in points]
    return assign_rows(rows, None, sets).distance


def silhouette(rows: np.ndarray, label: np.ndarray) -> float:
    """Mean silhouette of a sample: 1 for classes far apart, 0 for classes that touch.

    Parameters
    ----------
    rows : (n, P) float32
        Features.
    label : (n,) int
        Class of each; negative ones are left out.

    Returns
    -------
    float
        In [-1, 1]; NaN where there are fewer than two classes.
    """
    rows, label = rows[label >= 0], label[label >= 0]
    names, compact, sizes = np.unique(label, return_inverse=True, return_counts=True)
    if len(names) < 2:
        return float("nan")
    member = (compact[:, np.newaxis] == np.arange(len(names))).astype(np.float64)
    squares = np.einsum("np,np->n", rows, rows, dtype=np.float64)
    values = np.zeros(len(rows))
    for begin in range(0, len(rows), _ROWS):
        here = slice(begin, begin + _ROWS)
        own = compact[here]
        products = (rows[here] @ rows.T).astype(np.float64)
        squared = squares[here, np.newaxis] + squares - 2 * products
        # a pattern's distance from itself is 0, not what rounding leaves
        squared[np.arange(len(own)), np.arange(begin, begin + len(own))] = 0
        to_classes = np.sqrt(np.maximum(squared, 0)) @ member
        at = np.arange(len(own)), own
        within = to_classes[at] / np.maximum(sizes[own] - 1, 1)
        mean = to_classes / sizes
        mean[at] = np.inf
        nearest = mean.min(axis=1)
        apart = (nearest - within) / np.maximum(np.maximum(within, nearest), 1e-300)
        # alone in its class, by Rousseeuw's convention
        values[here] = np.where(sizes[own] > 1, apart, 0.0)
    return float(values.mean())
