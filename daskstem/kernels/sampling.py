"""Which pixels of a blurred pattern are compared, and how much each of them counts.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

SPARSE_FROM_PX: Final = 2.75
"""Blur from which every second pixel says what all pixels say."""
DENSE_PX: Final = 8
"""Pixels at each end of a line that are all kept, so that the sum may end sharply there."""


class Sampling(NamedTuple):
    """The pixels of blurred patterns that are compared, and how much each of them counts.

    The sum over these pixels of two compared patterns' product is that over all pixels.
    """

    rows: np.ndarray
    """(R,) int64, of the detector."""
    columns: np.ndarray
    """(C,) int64."""
    taps: np.ndarray
    """(2 T + 1,) float32: what the blur weighs the pixels around it with."""
    weight: np.ndarray
    """(C, R) float32."""
    images: np.ndarray
    """(M, Qy, Qx) float32: what whole patterns are multiplied with and added up. The first is
    that of their weighted mean."""


# asked for once a frame: 5 ms at 128 x 128 pixels
@lru_cache(maxsize=8)
def radial_sampling(
    shape: tuple[int, int],
    sigma_px: float,
    edge_px: int,
    center: tuple[float, float] | None = None,
) -> Sampling:
    """Sample patterns that are blurred, weighted by r^2 and compared inside a frame.

    A pattern blurred by 2.75 px holds no detail that every second pixel misses. The sum over
    all pixels of two such patterns' product is that over a quarter of them, if they weigh as
    ``kept_pixels`` says: correlations are the same to 1e-6, to 1e-4 where a lone pixel on the
    rim holds most of the energy.

    Parameters
    ----------
    shape
        Detector rows and columns.
    sigma_px
        Width of the blur.
    edge_px
        Width of the frame that counts for nothing.
    center
        Row and column that r is measured from; the detector's middle by default.

    Returns
    -------
    Sampling whose images are those of ``count_responses``.
    """
    weight = radial_weight(shape, edge_px, center).astype(np.float64)
    taps = gaussian_taps(sigma_px).astype(np.float64)
    inner = min(shape) - 2 * edge_px
    sparse = sigma_px >= SPARSE_FROM_PX and inner >= 4 * len(taps)
    if sparse:
        taps = band_limited(taps)
        (rows, y_share), (columns, x_share) = (kept_pixels(n, edge_px, sigma_px) for n in shape)
    else:
        rows, columns = (np.arange(edge_px, n - edge_px) for n in shape)
        y_share, x_share = np.ones(len(rows)), np.ones(len(columns))
    kept = weight[np.ix_(rows, columns)] * np.sqrt(np.outer(y_share, x_share))
    images = count_responses(weight, kept, taps, rows, columns)
    both_sides = np.concatenate([taps[:0:-1], taps])
    return Sampling(
        rows,
        columns,
        both_sides.astype(np.float32),
        np.ascontiguousarray(kept.T, dtype=np.float32),
        images,
    )


def whole_sampling(shape: tuple[int, int], taps: np.ndarray) -> Sampling:
    """Sample every pixel as it is blurred: no weight, no mean taken out."""
    rows, columns = (np.arange(n) for n in shape)
    both_sides = np.concatenate([taps[:0:-1], taps]).astype(np.float32)
    ones, nothing = np.ones(shape[::-1], np.float32), np.zeros((1, *shape), np.float32)
    return Sampling(rows, columns, both_sides, ones, nothing)


def radial_weight(
    shape: tuple[int, int], edge_px: int, center: tuple[float, float] | None = None
) -> np.ndarray:
    """Weight r^2 / (Qy Qx) of every detector pixel, zero in a frame of ``edge_px``.

    Parameters
    ----------
    shape, edge_px, center
        As for ``radial_sampling``.

    Returns
    -------
    (Qy, Qx) float32
    """
    rows, columns = shape
    y0, x0 = center or ((rows - 1) / 2, (columns - 1) / 2)
    y = (np.arange(rows) - y0)[:, np.newaxis]
    x = (np.arange(columns) - x0)[np.newaxis]
    weight = (y**2 + x**2) / (rows * columns)
    inner = np.zeros(shape, dtype=bool)
    inner[edge_px : rows - edge_px, edge_px : columns - edge_px] = True
    return np.where(inner, weight, 0.0).astype(np.float32)


def gaussian_taps(sigma_px: float) -> np.ndarray:
    """Half of a normalised Gaussian, centre first, cut off at 4 sigma as SciPy does.

    Returns
    -------
    (T,) float32
        Taps 0, 1, ... T - 1; ``taps[0] + 2 * taps[1:].sum()`` is 1.
    """
    reach = int(4.0 * sigma_px + 0.5)
    taps = np.exp(-0.5 * (np.arange(reach + 1) / max(sigma_px, 1e-9)) ** 2)
    return (taps / (taps[0] + 2 * taps[1:].sum())).astype(np.float32)


def kept_pixels(size: int, edge_px: int, sigma_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Choose the pixels of a line that a sum over all inside the edge can be taken from.

    The product of two points blurred by sigma is a Gaussian of sigma / sqrt(2) between them.
    Shares are such that the sum over the kept pixels of every such Gaussian, wherever it
    lies, is that over all pixels: 2 for every second pixel, and near the ends, where all
    pixels are kept and the sum is cut off, what least squares finds.

    Returns
    -------
    kept : (N,) int64
        Every second pixel, and all near the ends.
    shares : (N,) float64
        How many pixels each stands for; all above 0.
    """
    first, last = edge_px, size - edge_px - 1
    middle = np.arange(first + DENSE_PX + 1, last + 1 - DENSE_PX, 2)
    ends = [np.arange(first, first + DENSE_PX), np.arange(last + 1 - DENSE_PX, last + 1)]
    kept = np.concatenate([ends[0], middle, ends[1]])
    width = sigma_px / np.sqrt(2)
    points = np.arange(first - 3 * width, last + 3 * width, 0.5)
    sums = _gaussians(points, np.arange(first, last + 1), width).sum(axis=1)
    per_pixel = _gaussians(points, kept, width)
    # what is corrected is the least that must be: Gaussians do not tell fast changes apart; with
    # 1e-6 wide blurs would be off twice as far, energies by 1.8e-5
    guess = np.gradient(kept.astype(np.float64))
    less = np.linalg.lstsq(per_pixel, sums - per_pixel @ guess, rcond=1e-8)[0]
    return kept, guess + less


def _gaussians(points: np.ndarray, pixels: np.ndarray, width: float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * ((points[:, np.newaxis] - pixels) / width) ** 2))


def band_limited(taps: np.ndarray) -> np.ndarray:
    """Change half of a Gaussian so that it leaves nothing that every second pixel would fold.

    Cut off at 4 sigma it still lets 2e-5 of the finest detail pass, which sampling would mix
    with the coarsest. Two more taps suffice to take that out: below 0.28 periods per pixel
    the blur stays the same to 2e-6, above 0.38 it passes less than 2e-6.

    Parameters
    ----------
    taps : (T,)
        As from ``gaussian_taps``, for at least ``SPARSE_FROM_PX``.

    Returns
    -------
    (T + 2,) float64
    """
    longer = np.append(np.asarray(taps, np.float64), [0.0, 0.0])
    periods = np.linspace(0, 0.5, 512)[:, np.newaxis]
    number = np.arange(len(longer))
    passes = np.where(number, 2, 1) * np.cos(2 * np.pi * periods * number)
    low, high = periods[:, 0] < 0.28, periods[:, 0] > 0.38
    too_much = np.where(high, passes @ longer, 0.0)
    counts = low | high
    less = np.linalg.lstsq(passes[counts], too_much[counts], rcond=1e-9)[0]
    return np.asarray(longer - less)


def count_responses(
    weight: np.ndarray, kept: np.ndarray, taps: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return what one count at each pixel adds to a pattern's weighted mean and energy.

    The compared pattern is linear in the counts, v = L I with
    L(q, j) = k(q) (g(q, j) - m(j)), where g is the blur, k the weight of the kept pixels and
    m(j) = sum_q w(q) g(q, j) / sum w the part of a count at j in the weighted mean. Counting
    noise of one count at j adds sum_q L(q, j)^2 to the expectation of |v|^2, beyond the
    signal's own.

    Parameters
    ----------
    weight : (Qy, Qx)
        w.
    kept : (R, C)
        k.
    taps : (T,)
        Half of the blur.
    rows, columns : (R,), (C,) int64
        The kept pixels.

    Returns
    -------
    (2, Qy, Qx) float32
        m, and the energy from noise.
    """
    by, bx = (_blur_matrix(n, taps) for n in weight.shape)
    mean = by @ weight @ bx / max(weight.sum(), np.finfo(np.float32).tiny)
    by, bx, energy = by[rows], bx[columns], kept**2
    squared = (by**2).T @ energy @ bx**2
    mixed = by.T @ energy @ bx
    noise = squared - 2 * mean * mixed + mean**2 * energy.sum()
    return np.stack([mean, noise]).astype(np.float32)


def _blur_matrix(size: int, taps: np.ndarray) -> np.ndarray:
    """Blur with reflecting edges as a symmetric matrix."""
    matrix = np.zeros((size, size))
    period = 2 * size
    for tap in range(-len(taps) + 1, len(taps)):
        target = (np.arange(size) + tap) % period
        target = np.where(target < size, target, period - 1 - target)
        np.add.at(matrix, (np.arange(size), target), float(taps[abs(tap)]))
    return matrix
