"""What prefilter and similarity do to one block, apart and in one pass."""

from dataclasses import dataclass
from typing import Any, Literal

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import normalize_token

from daskstem.chunks.tiling import Window
from daskstem.kernels import compared
from daskstem.kernels import prefilter as footprints
from daskstem.kernels import similarity as kernels
from daskstem.kernels.filtering import neighbor_dots
from daskstem.kernels.sampling import Sampling, gaussian_taps, radial_sampling
from daskstem.schema import variables
from daskstem.schema.dims import OFFSET, SCAN, Q
from daskstem.schema.errors import InputError

NoiseModel = Literal["auto", "poisson", "none"]


@dataclass(frozen=True, eq=False)
class FootprintComparison:
    """Everything that turns a haloed block of patterns into weights."""

    offsets: np.ndarray
    sampling: Sampling
    corr_range: tuple[float, float]
    self_weight: float
    gain: float
    published: bool

    @property
    def depth(self) -> int:
        """Halo of patterns for the weights of a block, in positions."""
        pooled = 1 if self.gain else 0
        return int(self.offsets[:, 0].max()) + pooled

    def weights(
        self, haloed: np.ndarray, window: Window, ring: int = 0, images: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weights and signal of a block and ``ring`` positions around it in the scan.

        ``haloed`` must reach ``depth`` positions further where the scan goes on. Besides, the
        sum of each of its patterns, and of its products with ``images`` (M, Qy, Qx).
        """
        own = self.sampling.images if self.gain else self.sampling.images[:1]
        more = own[:0] if images is None else images
        sampling = self.sampling._replace(images=np.concatenate([own, more]))
        half = self.offsets[len(self.offsets) // 2 + 1 :]
        products, energy, sums = footprints.neighbor_products(haloed, sampling, half)
        noise = sums[..., 2] if self.gain else np.zeros_like(energy)
        signal = footprints.signal_energy(energy, noise, self.gain)
        top, bottom, left, right = box = ringed(window, ring)
        weights = footprints.neighbor_weights(
            products,
            signal,
            self.offsets,
            self.corr_range,
            self.self_weight,
            box,
            window.haloed_start if self.published else (-1, -1),
        )
        measured = np.delete(sums, range(1, 1 + len(own)), axis=2)
        return weights, signal[top:bottom, left:right], measured


def footprint_comparison(ds: xr.Dataset, **parameters: Any) -> FootprintComparison:
    """Prepare the comparison of patterns for a Dataset, from the parameters of prefilter.

    Raises
    ------
    InputError
        If the radius exceeds the scan, the edge leaves nothing of the detector, or noise is
        asked of what is no count.
    """
    detector, dtype = (ds.sizes[Q[0]], ds.sizes[Q[1]]), ds[variables.patterns.name].dtype
    _refuse_wide(parameters["radius_px"], (ds.sizes[SCAN[0]], ds.sizes[SCAN[1]]))
    shorter = min(detector)
    sigma, edge = parameters["sigma_px"], parameters["edge_px"]
    sigma = min(3.0, max(1.0, shorter / 64)) if sigma is None else sigma
    edge = min(12, shorter // 16) if edge is None else edge
    if 2 * edge >= shorter:
        raise InputError(
            f"edge_px = {edge} leaves nothing of a detector of {detector[0]} x {detector[1]} "
            f"pixels; choose an edge below {shorter / 2:g}"
        )
    gain = counting_gain(parameters["noise"], parameters["gain"], dtype)
    return FootprintComparison(
        offsets=footprints.footprint(parameters["radius_px"]),
        sampling=radial_sampling(detector, sigma, edge, parameters["center"]),
        corr_range=parameters["corr_range"],
        self_weight=parameters["self_weight"],
        gain=gain,
        published=parameters["convention"] == "published",
    )


def _refuse_wide(radius_px: int, scan: tuple[int, int]) -> None:
    # a scan of one position has no neighbors, whatever the radius
    if radius_px and radius_px >= max(scan):
        raise InputError(
            f"radius_px = {radius_px} is larger than the scan of {scan[0]} x {scan[1]} "
            f"positions; choose a radius below {max(scan)} (prefilter.radius_px)"
        )


@dataclass(frozen=True, eq=False)
class NeighborComparison:
    """Everything that turns a haloed block and its weights into similarities.

    ``images`` (0 or 1, Qy, Qx) weighs a pattern's pixels for its counting noise.
    """

    taps: np.ndarray
    selected: np.ndarray
    images: np.ndarray
    gain: float

    def similarities(
        self, haloed: np.ndarray, weights: np.ndarray, offsets: np.ndarray, window: Window,
        measured: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Return the similarities of a block; weights reach one position around it.

        ``measured`` are sums of its patterns and of their noise, if they are known already.
        """
        box = ringed(window, 1)
        margin = (box[0], box[2])
        raw = haloed.reshape(*haloed.shape[:2], -1)
        if measured is None:
            measured = compared.pattern_sums(haloed, self.images)
        dots = neighbor_dots(
            # the blur is linear and keeps the mean, so it may as well come first
            compared.blurred(haloed, self.taps) if len(self.taps) > 1 else raw,
            measured[..., 0] / raw.shape[2],
            weights,
            offsets,
            margin,
            self.selected,
        )
        shared = None
        if self.gain:
            noise = np.ascontiguousarray(measured[..., 1])
            shared = kernels.shared_noise(weights, offsets, noise, margin)
        top, left = (m - b for m, b in zip(window.margin, margin, strict=True))
        rows, columns = window.shape
        inside = (slice(top, top + rows), slice(left, left + columns))
        return kernels.cosine_to_neighbors(dots, shared, inside)


def neighbor_comparison(ds: xr.Dataset, **parameters: Any) -> NeighborComparison:
    """Prepare the comparison of neighbors for a Dataset, from the parameters of similarity.

    Raises
    ------
    InputError
        If the q mask selects nothing, or noise is asked of what is no count.
    """
    detector, dtype = (ds.sizes[Q[0]], ds.sizes[Q[1]]), ds[variables.patterns.name].dtype
    inner, outer = parameters["q_inner_px"], parameters["q_outer_px"]
    inner = min(detector) / 16 if inner is None else inner
    ring = kernels.annulus(detector, inner, outer, parameters["center"])
    if not ring.any():
        raise InputError(
            f"q_inner_px = {inner} and q_outer_px = {outer} select no pixel of a detector of "
            f"{detector[0]} x {detector[1]}; choose an annulus that lies on it"
        )
    taps = gaussian_taps(parameters["blur_px"])
    selected = ring.ravel().astype(np.float32)
    gain = counting_gain(parameters["noise"], parameters["gain"], dtype)
    response = kernels.noise_response(selected, taps, gain).astype(np.float32)
    images = response.reshape(-1, *detector)[: 1 if gain else 0]
    return NeighborComparison(taps, selected, images, gain)


def counting_gain(noise: NoiseModel, gain: float, dtype: np.dtype) -> float:
    """Return the gain if counting noise is to be taken out, else 0.

    Raises
    ------
    InputError
        If it is asked for explicitly where patterns are no counts.
    """
    if noise == "poisson" and not variables.is_counts(dtype):
        raise InputError(
            f"noise = 'poisson' needs patterns that are counts, these are {dtype}; "
            f"choose noise = 'none', or 'auto'"
        )
    wanted = noise == "poisson" or (noise == "auto" and variables.is_counts(dtype))
    return gain if wanted else 0.0


def ringed(window: Window, ring: int) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the block and a ring, within the haloed block."""
    (top, left), (rows, columns) = window.margin, window.shape
    height, width = window.haloed_shape
    return (
        max(0, top - ring),
        min(height, top + rows + ring),
        max(0, left - ring),
        min(width, left + columns + ring),
    )


def wrap_weights(found: da.Array, offsets: np.ndarray) -> xr.Dataset:
    """Name what the prefilter finds: the first channels are weights, the next is the signal."""
    n_offsets = len(offsets)
    return xr.Dataset(
        {
            variables.weights.name: variables.weights.wrap(found[..., :n_offsets]),
            variables.signal.name: variables.signal.wrap(found[..., n_offsets]),
        },
        coords=offset_coordinates(offsets),
    )


def offset_coordinates(offsets: np.ndarray) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
    """Coordinates of the ``offset`` dimension: where each neighbor lies."""
    units = {"units": "position"}
    return {
        f"{OFFSET}_y": (OFFSET, offsets[:, 0], units),
        f"{OFFSET}_x": (OFFSET, offsets[:, 1], units),
    }


def offsets_of(ds: xr.Dataset) -> np.ndarray:
    """Read the footprint back from a Dataset with ``weights``."""
    pairs = [np.asarray(ds[f"{OFFSET}_{axis}"].values) for axis in "yx"]
    return np.stack(pairs, axis=1).astype(np.int64)


def footprint_reach(ds: xr.Dataset) -> int:
    """Return how far the footprint of a Dataset's ``weights`` reaches; 0 without weights."""
    return int(offsets_of(ds)[:, 0].max()) if variables.weights.name in ds else 0


class _Tokenized:
    """Lets Dask name a block function's tasks by what it holds."""

    def __dask_tokenize__(self) -> Any:
        held = [vars(v) if hasattr(v, "__dict__") else v for v in vars(self).values()]
        return normalize_token((type(self).__name__, held))


@dataclass(frozen=True, eq=False)
class WeightsOfBlock(_Tokenized):
    """The prefilter of one block: patterns in, weights out."""

    compare: FootprintComparison

    def __call__(self, haloed: np.ndarray, windows: tuple[Window, ...]) -> np.ndarray:
        """Return (rows, columns, K + 1) float32: weights, then the signal."""
        weights, signal, _ = self.compare.weights(np.ascontiguousarray(haloed), windows[0])
        return np.concatenate([weights, signal[..., np.newaxis]], axis=2, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class SimilarityOfBlock(_Tokenized):
    """The similarity of one block: patterns and weights in, similarities out."""

    neighbors: NeighborComparison
    offsets: np.ndarray

    def __call__(
        self, haloed: np.ndarray, weights: np.ndarray, windows: tuple[Window, ...]
    ) -> np.ndarray:
        """Return (rows, columns, 8) float32."""
        weights = np.ascontiguousarray(weights)
        return self.neighbors.similarities(
            np.ascontiguousarray(haloed), weights, self.offsets, windows[0]
        )


@dataclass(frozen=True, eq=False)
class RawSimilarityOfBlock(_Tokenized):
    """The similarity of one block without a prefilter."""

    neighbors: NeighborComparison

    def __call__(self, haloed: np.ndarray, windows: tuple[Window, ...]) -> np.ndarray:
        """Return (rows, columns, 8) float32."""
        top, bottom, left, right = ringed(windows[0], 1)
        alone = np.ones((bottom - top, right - left, 1), np.float32)
        center = np.zeros((1, 2), np.int64)
        return self.neighbors.similarities(np.ascontiguousarray(haloed), alone, center, windows[0])


@dataclass(frozen=True, eq=False)
class BothOfBlock(_Tokenized):
    """Prefilter and similarity of one block in one reading of its patterns."""

    compare: FootprintComparison
    neighbors: NeighborComparison

    def __call__(self, haloed: np.ndarray, windows: tuple[Window, ...]) -> np.ndarray:
        """Return (rows, columns, K + 9) float32: weights, signal, similarities."""
        haloed = np.ascontiguousarray(haloed)
        # patterns are added up while they are in the cache
        around, signal, measured = self.compare.weights(
            haloed, windows[0], 1, self.neighbors.images
        )
        found = self.neighbors.similarities(
            haloed, around, self.compare.offsets, windows[0], measured
        )
        box = ringed(windows[0], 1)
        top, left = (m - b for m, b in zip(windows[0].margin, (box[0], box[2]), strict=True))
        rows, columns = windows[0].shape
        own = (slice(top, top + rows), slice(left, left + columns))
        parts = [around[own], signal[own][..., np.newaxis], found]
        return np.concatenate(parts, axis=2, dtype=np.float32)
