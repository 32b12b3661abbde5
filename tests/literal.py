"""The method in the words of its equations: loops, float64, nothing taken from daskstem.

Lee et al., arXiv:2601.17262, and the behaviour of the program published with it. Patterns
are arrays (Y, X, Qy, Qx); a position is a pair (y, x).
"""

from collections import deque
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter

NEIGHBORS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
EPSILON = 1e-30


def positions(shape):
    return list(product(range(shape[0]), range(shape[1])))


def footprint(radius):
    side = range(-radius, radius + 1)
    return [(dy, dx) for dy in side for dx in side if dy**2 + dx**2 <= (radius + 0.5) ** 2]


def radial_weight(shape, edge, center=None):
    rows, columns = shape
    y0, x0 = center if center is not None else ((rows - 1) / 2, (columns - 1) / 2)
    weight = np.zeros(shape)
    for y in range(edge, rows - edge):
        for x in range(edge, columns - edge):
            weight[y, x] = ((y - y0) ** 2 + (x - x0) ** 2) / (rows * columns)
    return weight


def blurred(pattern, sigma):
    return gaussian_filter(pattern.astype(float), sigma, mode="reflect", truncate=4.0)


def compared(pattern, sigma, weight):
    """Return v = (G - sum(G w) / sum(w)) w."""
    blur = blurred(pattern, sigma)
    return (blur - (blur * weight).sum() / weight.sum()) * weight


def linear_map(shape, function):
    """Return the matrix of a linear function of patterns, one column per detector pixel."""
    columns = []
    for y, x in positions(shape):
        count = np.zeros(shape)
        count[y, x] = 1.0
        columns.append(function(count).ravel())
    return np.stack(columns, axis=1)


def correlations(patterns, radius, sigma, edge, center=None, gain=0.0, smallest=0.02):
    """Return {(p, n): C} for every position p and those n of its footprint in the scan.

    With a gain, the energies that normalise C are those of the signal: the energy minus
    gain * sum_q sum_j L(q, j)^2 I(j), pooled over 3 x 3 positions.
    """
    scan, detector = patterns.shape[:2], patterns.shape[2:]
    weight = radial_weight(detector, edge, center)
    v = {p: compared(patterns[p], sigma, weight) for p in positions(scan)}
    energy = {p: (v[p] ** 2).sum() for p in v}
    if gain:
        matrix = linear_map(detector, lambda one: compared(one, sigma, weight))
        response = (matrix**2).sum(axis=0)
        noise = {p: gain * (response * patterns[p].ravel()).sum() for p in v}
        energy = {p: pooled_signal(p, energy, noise, smallest) for p in v}
    found = {}
    for p in positions(scan):
        for dy, dx in footprint(radius):
            n = (p[0] + dy, p[1] + dx)
            if n in v:
                scale = np.sqrt(energy[p] * energy[n])
                found[p, n] = (v[p] * v[n]).sum() / scale if scale > EPSILON else 0.0
    return found


def pooled_signal(p, energy, noise, smallest):
    around = [(p[0] + dy, p[1] + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    around = [n for n in around if n in energy]
    total = sum(energy[n] for n in around)
    signal = total - sum(noise[n] for n in around)
    return max(signal, smallest * total) / len(around)


def ramp(correlation, corr_range):
    low, high = corr_range
    return min(max((correlation - low) / (high - low), 0.0), 1.0)


def weights(patterns, *, radius, sigma, edge, corr_range, self_weight=1.0, center=None, gain=0.0):
    """Return a(p, n), (Y, X, K), in the order of the footprint."""
    found = correlations(patterns, radius, sigma, edge, center, gain)
    scan, offsets = patterns.shape[:2], footprint(radius)
    a = np.zeros((*scan, len(offsets)))
    for p in positions(scan):
        for k, (dy, dx) in enumerate(offsets):
            n = (p[0] + dy, p[1] + dx)
            if n == p:
                a[p][k] = self_weight
            elif (p, n) in found:
                c = ramp(found[p, n], corr_range)
                a[p][k] = c if c > 1e-3 else 0.0
        a[p] /= a[p].sum()
    return a


def filtered(patterns, a, offsets):
    """Return F(p) = sum over the footprint of a(p, n) I(n)."""
    scan = patterns.shape[:2]
    out = np.zeros(patterns.shape)
    for p in positions(scan):
        for k, (dy, dx) in enumerate(offsets):
            n = (p[0] + dy, p[1] + dx)
            inside = 0 <= n[0] < scan[0] and 0 <= n[1] < scan[1]
            if inside and a[p][k] > 0:
                out[p] += a[p][k] * patterns[n].astype(float)
    return out


def filtered_as_published(patterns, *, radius, sigma, edge, corr_range):
    """Return the filtered patterns of the published program.

    The pattern itself is in the numerator once and, where neither its row nor its column is
    the scan's first, once more as a member of its own footprint.
    """
    found = correlations(patterns, radius, sigma, edge)
    scan = patterns.shape[:2]
    out = np.zeros(patterns.shape)
    for p in positions(scan):
        numerator, denominator = patterns[p].astype(float), 1.0
        for dy, dx in footprint(radius):
            n = (p[0] + dy, p[1] + dx)
            if not (0 < n[0] < scan[0] and 0 < n[1] < scan[1]):
                continue
            c = ramp(found[p, n], corr_range)
            denominator += c
            if c > 1e-3:
                numerator = numerator + c * patterns[n]
        out[p] = numerator / denominator
    return out


def annulus(shape, inner, outer, center=None):
    rows, columns = shape
    y0, x0 = center if center is not None else ((rows - 1) / 2, (columns - 1) / 2)
    ring = np.zeros(shape, bool)
    for y, x in positions(shape):
        r = np.sqrt((y - y0) ** 2 + (x - x0) ** 2)
        ring[y, x] = r >= inner and (outer is None or r <= outer)
    return ring


def cosines(patterns, ring=None, blur=0.0):
    """Return S (Y, X, 8), NaN outside the scan, 0 where a pattern is flat."""
    scan = patterns.shape[:2]
    ring = np.ones(patterns.shape[2:], bool) if ring is None else ring
    f = {}
    for p in positions(scan):
        centred = patterns[p].astype(float) - patterns[p].astype(float).mean()
        f[p] = (blurred(centred, blur) if blur else centred)[ring]
    similarity = np.full((*scan, 8), np.nan)
    for p in positions(scan):
        for d, (dy, dx) in enumerate(NEIGHBORS):
            n = (p[0] + dy, p[1] + dx)
            if n in f:
                scale = np.sqrt((f[p] ** 2).sum() * (f[n] ** 2).sum())
                similarity[p][d] = (f[p] * f[n]).sum() / scale if scale > EPSILON else 0.0
    return similarity


def noiseless_cosines(raw, a, offsets, ring, gain, smallest=0.02):
    """Return S (Y, X, 8) without what counting noise adds to the products.

    Two filtered patterns share raw patterns n, each with the noise energy
    N(n) = sum over q in the ring and all j of M(q, j)^2 gain I(j), M = 1 - 1 / P.
    """
    scan, detector = raw.shape[:2], raw.shape[2:]
    pixels = detector[0] * detector[1]
    matrix = (np.eye(pixels) - 1.0 / pixels)[ring.ravel()]
    response = (matrix**2).sum(axis=0)
    noise = {n: gain * (response * raw[n].ravel()).sum() for n in positions(scan)}
    f = {p: matrix @ F.ravel() for p, F in as_dict(filtered(raw, a, offsets)).items()}
    weight = {
        (p, (p[0] + dy, p[1] + dx)): a[p][k]
        for p in f
        for k, (dy, dx) in enumerate(offsets)
        if (p[0] + dy, p[1] + dx) in f
    }

    def shared(p, other):
        common = (weight.get((p, n), 0.0) * weight.get((other, n), 0.0) * noise[n] for n in f)
        return sum(common)

    energy = {p: (f[p] ** 2).sum() for p in f}
    signal = {p: max(energy[p] - shared(p, p), smallest * energy[p]) for p in f}
    similarity = np.full((*scan, 8), np.nan)
    for p in f:
        for d, (dy, dx) in enumerate(NEIGHBORS):
            n = (p[0] + dy, p[1] + dx)
            if n in f:
                scale = np.sqrt(signal[p] * signal[n])
                cosine = ((f[p] * f[n]).sum() - shared(p, n)) / scale if scale > EPSILON else 0.0
                similarity[p][d] = min(max(cosine, -1.0), 1.0)
    return similarity


def as_dict(patterns):
    return {p: patterns[p] for p in positions(patterns.shape[:2])}


def mean_of_available(similarity):
    mean = np.zeros(similarity.shape[:2])
    for p in positions(mean.shape):
        available = [float(s) for s in similarity[p] if not np.isnan(s)]
        mean[p] = sum(available) / len(available) if available else 0.0
    return mean


def grown(similarity, mean, mask, threshold, min_size):
    """Grow clusters from the most similar unassigned seed, while S reaches the threshold."""
    label = np.full(mask.shape, -1)
    seeds = sorted((p for p in positions(mask.shape) if mask[p]), key=lambda p: (-mean[p], p))
    created = 0
    for seed in seeds:
        if label[seed] >= 0:
            continue
        label[seed] = created
        waiting = deque([seed])
        while waiting:
            p = waiting.popleft()
            for d, (dy, dx) in enumerate(NEIGHBORS):
                n = (p[0] + dy, p[1] + dx)
                if not (0 <= n[0] < mask.shape[0] and 0 <= n[1] < mask.shape[1]):
                    continue
                if mask[n] and label[n] < 0 and similarity[p][d] >= threshold:
                    label[n] = created
                    waiting.append(n)
        created += 1
    return without_small(label, min_size)


def grown_as_published(similarity, mask, threshold, min_size):
    """Grow clusters as the published program does.

    The mean that orders the seeds counts a missing neighbor as -1 and is -1 where a
    position is masked or done; growth stays off the two outermost rows and columns.
    """
    rows, columns = mask.shape
    directions = np.where(np.isnan(similarity), -1.0, similarity.astype(float))
    mean = np.full(mask.shape, -1.0)
    for p in positions(mask.shape):
        if mask[p]:
            mean[p] = directions[p].mean()
    label = np.full(mask.shape, -1)
    created = 0
    while (mean != -1).any():
        seed = np.unravel_index(np.argmax(mean), mean.shape)
        cluster = [seed]
        label[seed] = created
        done = 0
        while done < len(cluster):
            y, x = cluster[done]
            mean[y, x] = -1
            for d, (dy, dx) in enumerate(NEIGHBORS):
                row, column = y + dy, x + dx
                if row > 1 and column > 1 and row < rows - 2 and column < columns - 2:
                    alike = directions[y, x, d] >= threshold
                    if alike and label[row, column] == -1 and mask[row, column]:
                        label[row, column] = created
                        cluster.append((row, column))
            done += 1
        created += 1
    return without_small(label, min_size)


def without_small(label, min_size):
    """Drop clusters of fewer positions and close the gaps in the numbers."""
    kept = np.bincount(label[label >= 0]) >= min_size
    numbers = np.where(kept, np.cumsum(kept) - 1, -1)
    # label -1 takes the last of the numbers
    return np.append(numbers, -1)[label]


def means_over(label, patterns):
    """Return the mean pattern of every label from 0 on, (K, Qy, Qx)."""
    return np.stack(
        [patterns[label == k].astype(float).mean(axis=0) for k in range(label.max() + 1)]
    )


def residuals(label, raw, means):
    """Return sqrt(sum |I - m|^2 / sum |I|^2) for every label."""
    found = []
    for k, mean in enumerate(means):
        own = raw[label == k].astype(float)
        found.append(np.sqrt(((own - mean) ** 2).sum() / (own**2).sum()))
    return np.array(found)
