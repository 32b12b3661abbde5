"""Cosine similarity of filtered patterns with those of their eight neighbors.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), similarity.
"""

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.prefilter import SMALLEST_SIGNAL

NEIGHBORS = np.array(
    [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)], dtype=np.int64
)
"""Offsets (dy, dx) of the eight neighbors, in scan order: number k mirrors number 7 - k."""


def noise_response(selected: np.ndarray, taps: np.ndarray, gain: float) -> np.ndarray:
    """Energy that a count at each pixel adds to a centred, blurred pattern's selected part.

    Counts of a pattern I without its mean have the variance g I; at M selected pixels of P
    that adds up to sum over selected of g I (1 - 2 / P) + M g sum(I) / P^2, the mean's own
    noise included. The blur shrinks it by the energy of its kernel.

    Parameters
    ----------
    selected : (P,) float32
        1 at pixels that count, else 0.
    taps : (T,) float32
        Half of the blur, as from ``gaussian_taps``.
    gain : float
        Counts per electron.

    Returns
    -------
    (P,) float64
    """
    size = len(selected)
    kept = (2 * float((taps**2).sum()) - float(taps[0] ** 2)) ** 2
    share = float(selected.sum()) / size
    response = selected * (1 - 2 / size) + share / size
    return np.asarray(gain * kept * response, dtype=np.float64)


@kernel()
def shared_noise(
    weights: np.ndarray, offsets: np.ndarray, noise: np.ndarray, margin: tuple[int, int]
) -> np.ndarray:
    """Noise that the five scalar products of ``neighbor_dots`` hold in common.

    Two filtered patterns share the raw patterns in both footprints: their product exceeds
    the signal's by sum over those of a(p, n) a(p', n) N(n).

    Parameters
    ----------
    weights, offsets, margin
        As for ``neighbor_dots``.
    noise : (H, W) float64
        Noise energy of every centred raw pattern.

    Returns
    -------
    (Y, X, 5) float64
    """
    rows, columns, n_offsets = weights.shape
    reach = offsets[:, 0].max() + 1
    number = np.full((2 * reach + 1, 2 * reach + 1), -1)
    for k in range(n_offsets):
        number[offsets[k, 0] + reach, offsets[k, 1] + reach] = k
    shared = np.zeros((rows, columns, 5))
    steps = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))
    for y in range(rows):
        for x in range(columns):
            for d in range(5):
                dy, dx = steps[d]
                if not (y + dy < rows and 0 <= x + dx < columns):
                    continue
                for k in range(n_offsets):
                    a = weights[y, x, k]
                    if a == 0.0:
                        continue
                    other = number[offsets[k, 0] - dy + reach, offsets[k, 1] - dx + reach]
                    if other >= 0:
                        ny = margin[0] + y + offsets[k, 0]
                        nx = margin[1] + x + offsets[k, 1]
                        b = weights[y + dy, x + dx, other]
                        shared[y, x, d] += np.float64(a) * b * noise[ny, nx]
    return shared


def cosine_to_neighbors(
    dots: np.ndarray, shared: np.ndarray | None, inside: tuple[slice, slice]
) -> np.ndarray:
    """Turn scalar products into similarities with all eight neighbors.

    Parameters
    ----------
    dots : (Y, X, 5) float64
        As from ``neighbor_dots``, for the wanted positions and one around them where the
        scan goes on.
    shared : (Y, X, 5) float64 or None
        As from ``shared_noise``; None leaves noise in.
    inside : (rows, columns)
        The wanted positions within Y x X.

    Returns
    -------
    (rows, columns, 8) float32
        In [-1, 1], in the order of ``NEIGHBORS``; NaN outside the scan; 0 where one of the
        two patterns is flat.
    """
    energy = dots[..., 0]
    if shared is not None:
        floor = SMALLEST_SIGNAL * energy
        energy = np.maximum(energy - shared[..., 0], floor)
        dots = dots - shared
    rows, columns = energy.shape
    similarity = np.full((rows, columns, 8), np.nan)
    for number, (dy, dx) in zip((4, 5, 6, 7), NEIGHBORS[4:], strict=True):
        here = (slice(0, rows - dy), slice(max(0, -dx), columns - max(0, dx)))
        there = (slice(dy, rows), slice(max(0, dx), columns + min(0, dx)))
        scale = np.sqrt(energy[here] * energy[there])
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = np.where(scale > 0, dots[here][..., number - 3] / scale, 0.0)
        cosine = np.clip(cosine, -1.0, 1.0)
        similarity[here][..., number] = cosine
        # Similarity is symmetric: each pair is evaluated once and read backwards.
        similarity[there][..., 7 - number] = cosine
    return similarity[inside].astype(np.float32)


def flat_positions(similarity: np.ndarray) -> np.ndarray:
    """Positions whose pattern is flat: similar to none of the neighbors there are.

    Parameters
    ----------
    similarity : (Y, X, 8) float32
        0 where a pattern is flat, NaN outside the scan.

    Returns
    -------
    (Y, X) bool
    """
    outside = np.isnan(similarity)
    return np.asarray(((similarity == 0) | outside).all(axis=-1) & ~outside.all(axis=-1))


def annulus(
    shape: tuple[int, int],
    inner_px: float,
    outer_px: float | None,
    center: tuple[float, float] | None = None,
) -> np.ndarray:
    """Pixels at a distance from the centre in [inner_px, outer_px].

    Parameters
    ----------
    shape
        Detector rows and columns.
    inner_px, outer_px
        Radii in pixels; ``outer_px`` None reaches the corners.
    center
        Row and column of the centre; the detector's middle by default.

    Returns
    -------
    (Qy, Qx) bool
    """
    rows, columns = shape
    y0, x0 = center or ((rows - 1) / 2, (columns - 1) / 2)
    y, x = np.ogrid[:rows, :columns]
    radius = np.hypot(y - y0, x - x0)
    within = radius <= (np.inf if outer_px is None else outer_px)
    return np.asarray((radius >= inner_px) & within)
