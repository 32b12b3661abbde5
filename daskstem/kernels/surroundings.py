"""Which positions show a particle, and which show what lies around it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True, eq=False)
class PositionWeights:
    """What each position of a frame counts for in the pattern of each particle.

    Attributes
    ----------
    position : (N,) int64
        Positions, counted through the scan row by row.
    group : (N,) int64
        The particle.
    weight : (N,) float64
        Positive on the particle, of sum 1; negative around it, of sum -1 or without any.
    counts : (G, 2) int32
        Number of either, for every particle.
    """

    position: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    counts: np.ndarray


def position_weights(
    number: np.ndarray, *, n_groups: int, border: float, ring: tuple[float, float] | None
) -> PositionWeights:
    """Weigh the positions of one frame for every particle in it.

    Parameters
    ----------
    number : (Y, X) integers
        Particle of every position in [0, n_groups); -1 where there is nothing, less where
        there is something else.
    n_groups
        Number of particles.
    border
        A particle's positions nearer than this to something else are left out, unless none
        would remain: the probe sees both.
    ring
        Nearest and farthest distance from the particle of the positions that show its
        surroundings; they hold nothing, and are as far from all else. None for no background.
    """
    reach = int(np.ceil(max(border, 0.0 if ring is None else ring[1])))
    # far from everything where there is nothing at all
    free = ndimage.distance_transform_edt(number == -1) if (number != -1).any() else None
    counts = np.zeros((n_groups, 2), np.int32)
    parts: list[tuple[np.ndarray, int, float]] = []
    boxes = ndimage.find_objects(np.maximum(number, -1) + 1)
    for group, box in enumerate(boxes):
        if box is None or free is None:
            continue
        window = tuple(
            slice(max(0, side.start - reach), min(n, side.stop + reach))
            for side, n in zip(box, number.shape, strict=True)
        )
        own, around = _sides(number[window], group, free[window], border, ring)
        for column, (mask, sign) in enumerate(((own, 1.0), (around, -1.0))):
            rows, columns = np.nonzero(mask)
            counts[group, column] = len(rows)
            if len(rows):
                at = (rows + window[0].start) * number.shape[1] + columns + window[1].start
                parts.append((at, group, sign / len(rows)))
    empty = np.empty(0, np.int64)
    return PositionWeights(
        np.concatenate([empty, *(at for at, _, _ in parts)]),
        np.concatenate([empty, *(np.full(len(at), group) for at, group, _ in parts)]),
        np.concatenate([np.empty(0), *(np.full(len(at), w) for at, _, w in parts)]),
        counts,
    )


def _sides(
    number: np.ndarray,
    group: int,
    free: np.ndarray,
    border: float,
    ring: tuple[float, float] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the particle, and around it, in a window of the frame."""
    own = number == group
    others = (number != -1) & ~own
    if border > 0 and others.any():
        inner = own & (ndimage.distance_transform_edt(~others) >= border)
        own_kept = inner if inner.any() else own
    else:
        own_kept = own
    if ring is None:
        return own_kept, np.zeros_like(own)
    distance = ndimage.distance_transform_edt(~own)
    return own_kept, (distance <= ring[1]) & (free >= ring[0])
