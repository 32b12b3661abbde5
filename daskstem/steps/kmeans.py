"""Classes of patterns, wherever they lie in the scan."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import numpy as np
import xarray as xr

from daskstem.blocks.tree import FAN_IN
from daskstem.kernels.features import Normalization
from daskstem.kernels.similarity import annulus
from daskstem.schema import variables
from daskstem.schema.dims import FRAME, Q
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between, File, Increasing
from daskstem.steps.classifying import KMeans, Wanted, sample_size
from daskstem.steps.mask_file import array_from_file
from daskstem.steps.passes import driven
from daskstem.steps.restricting import Restriction, Where, frame_by_frame
from daskstem.steps.step import Parameters, step

ENOUGH_BOXES: Final = 64
"""Along the detector: finer ones hold few counts each, and more noise than they show."""


@step
def kmeans(
    ds: xr.Dataset,
    *,
    k: Annotated[int | tuple[int, ...], Increasing(2)] = 3,
    of: Literal["patterns", "clusters"] = "patterns",
    normalize: Normalization = "sqrt",
    q_inner_px: Annotated[float | None, Between(0)] = None,
    q_outer_px: Annotated[float | None, Between(0, open_low=True)] = None,
    center: tuple[float, float] | None = None,
    q_bin: Annotated[int | None, Between(1)] = None,
    where: Where = "all",
    frames: int | tuple[int, ...] | None = None,
    labels: int | tuple[int, ...] | None = None,
    mask: Annotated[str | None, File()] = None,
    start: Annotated[str | None, File()] = None,
    seed: Annotated[int, Between(0)] = 0,
    n_init: Annotated[int, Between(1)] = 10,
    sample: Annotated[int | None, Between(2)] = None,
    tolerance: Annotated[float, Between(0)] = 1e-4,
    max_iter: Annotated[int, Between(1)] = 100,
) -> xr.Dataset:
    """K-means classes of patterns, which need not touch in the scan.

    One set of classes for the whole series. Every iteration reads the patterns once; the
    start is the best of several K-means on a sample of them.

    Parameters
    ----------
    ds
        Holds ``patterns`` ([frame,] scan_y, scan_x, q_y, q_x), or, of clusters, ``pattern``
        (cluster, q_y, q_x) as ``average`` makes it, without its coordinates, and ``label``
        ([frame,] scan_y, scan_x); ``mask`` or ``label`` where it is restricted to them.
    k
        Number of classes, or several: the one with the highest silhouette becomes the product.
    of
        Classes of ``patterns``, or of ``clusters``' mean patterns, each weighted by its
        positions: much less to read.
    normalize
        What is compared of counts I: ``none``, I; ``sqrt``, their roots, whose noise does not
        depend on I; ``log``, log(1 + I); ``l2``, I divided by the pattern's norm; ``sqrt_l2``,
        the roots so divided, so that how much scatters does not count: best for crystals;
        ``unit_variance``, each pixel divided by its standard deviation over the patterns, for
        one reading more.
    q_inner_px
        Radius of the disk over the direct beam that does not count; by default 1/16 of the
        detector's shorter side.
    q_outer_px
        Pixels farther from the beam do not count either; by default all do.
    center
        Row and column of the beam on the detector, in pixels; its middle by default.
    q_bin
        Counts are added over boxes of q_bin x q_bin pixels first; by default the largest that
        leave 64 boxes along the detector's shorter side, or single pixels.
    where
        ``all`` positions, those of the ``specimen`` (``mask``), or those in ``clusters``.
    frames, labels
        Only this frame or these, only clusters of this number or these.
    mask
        Only positions that are True in a .npy file of booleans, (scan_y, scan_x) or (frame,
        scan_y, scan_x).
    start
        Path of a .npy file (k, q_y, q_x) of patterns to start from; classes keep their order.
        Without it they are numbered by their sizes at the last iteration, largest first.
    seed, n_init, sample
        The best of ``n_init`` K-means on ``sample`` patterns, drawn by ``seed``, is the start;
        as many as 128 MiB hold by default, at most 4000, at least 20 for each class.
    tolerance, max_iter
        Iterations end when the centroids' squared moves add up to at most this share of the
        features' mean variance, or after so many.

    Returns
    -------
    Dataset, computed: ``label`` ([frame,] scan_y, scan_x) int32, -1 for what was left out;
    ``pattern`` (centroid, q_y, q_x) float32, the mean pattern of each class as measured, 0 for
    an empty class, and ``n_positions`` (centroid) int32; ``inertia`` (n_classes, iteration)
    float64 and ``silhouette``, ``n_reseeded`` (n_classes) for every k tried; ``n_constant`` and
    ``n_unusable`` ([frame]) int32, patterns without any contrast, and those left out since a
    value is not finite.

    Raises
    ------
    InputError
        If a variable or a file is missing or does not fit, no pixel counts, or there are fewer
        patterns than classes.

    Notes
    -----
    Lloyd's iteration. A class that runs empty is begun anew with the sampled pattern farthest
    from its centroid. For uses on diffraction: Bach Siches, 4D STEM data analysis with KMeans
    clustering, U. Barcelona.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> dims = ("scan_y", "scan_x", "q_y", "q_x")
    >>> counts = np.zeros((4, 6, 16, 16), "u2")
    >>> counts[:, ::2, 3, 4] = counts[:, 1::2, 12, 9] = 40
    >>> made = daskstem.kmeans(xr.Dataset({"patterns": (dims, counts)}), k=2)
    >>> made["label"].values[0].tolist(), made["n_positions"].values.tolist()
    ([0, 1, 0, 1, 0, 1], [12, 12])
    """
    of_frame, n_frames = frame_by_frame(ds), ds.sizes[FRAME]
    classes = in_progress(
        of_frame, n_frames, k=k, of=of, normalize=normalize, q_inner_px=q_inner_px,
        q_outer_px=q_outer_px, center=center, q_bin=q_bin, where=where, frames=frames,
        labels=labels, mask=mask, start=start, seed=seed, n_init=n_init, sample=sample,
        tolerance=tolerance, max_iter=max_iter,
    )  # fmt: skip
    maps = driven(classes, of_frame, n_frames)
    specs = (variables.class_label, variables.n_constant, variables.n_unusable)
    return classes.product().assign({s.name: s.wrap(maps[s.name]) for s in specs})


def in_progress(of_frame: Callable[[int], xr.Dataset], n_frames: int, **parameters: Any) -> KMeans:
    """Return the step before its first pass; what it is given is checked, nothing computed.

    Parameters
    ----------
    of_frame, n_frames
        Returns the Dataset of a frame, and how many there are.
    parameters
        Those of ``kmeans``.

    Raises
    ------
    InputError
        As for ``kmeans``, where nothing need be computed to know.
    """
    given, like = parameters, of_frame(0)
    restriction = Restriction(
        given["where"], _several(given["frames"]), _several(given["labels"]), given["mask"]
    )
    for spec in used(given):
        variables.require(like, spec)
    restriction.check(like, n_frames)
    k = _several(given["k"]) or ()
    pixels = _pixels(like, given)
    sample = given["sample"] or sample_size(k, int(pixels.sum()))
    if sample < max(k):
        raise InputError(f"sample = {sample} patterns are too few to start {max(k)} classes from")
    wanted = Wanted(
        k=k, of=given["of"], restriction=restriction, pixels=pixels, binning=_box(like, given),
        normalize=given["normalize"], start=_start(like, given["start"], k), sample=sample,
        n_init=given["n_init"], seed=given["seed"], tolerance=given["tolerance"],
        max_iter=given["max_iter"],
    )  # fmt: skip
    return KMeans(wanted, like, of_frame, n_frames)


def used(parameters: Parameters) -> tuple[variables.Variable, ...]:
    """Return the variables that the step uses with these parameters."""
    p, clusters = parameters, parameters["of"] == "clusters"
    by_label = clusters or p["where"] == "clusters" or p["labels"] is not None
    chosen = (
        (variables.patterns, not clusters),
        (variables.pattern, clusters),
        (variables.label, by_label),
        (variables.mask, p["where"] == "specimen"),
    )
    return tuple(spec for spec, is_used in chosen if is_used)


def working_bytes(parameters: Parameters, ds: xr.Dataset) -> int:
    """Return the memory of a task beside its block: sums that wait to be joined, the sample."""
    k = _several(parameters["k"]) or ()
    n_features = max(1, ds.sizes[Q[0]] * ds.sizes[Q[1]] // _box(ds, parameters) ** 2)
    sample = parameters["sample"] or sample_size(k, n_features)
    return (FAN_IN + 2) * sum(k) * n_features * 8 + sample * n_features * 4


def _several(value: int | tuple[int, ...] | None) -> tuple[int, ...] | None:
    return (value,) if isinstance(value, int) else value


def _box(ds: xr.Dataset, given: Parameters) -> int:
    shorter = min(ds.sizes[dim] for dim in Q)
    return int(given["q_bin"] or max(1, shorter // ENOUGH_BOXES))


def _pixels(ds: xr.Dataset, given: Parameters) -> np.ndarray:
    """Return the pixels of the binned detector that count."""
    rows, columns = (ds.sizes[dim] for dim in Q)
    box = _box(ds, given)
    shorter = min(rows, columns)
    inner = shorter / 16 if given["q_inner_px"] is None else given["q_inner_px"]
    outer = np.inf if given["q_outer_px"] is None else given["q_outer_px"]
    y, x = given["center"] or ((rows - 1) / 2, (columns - 1) / 2)
    middle = (y + 0.5) / box - 0.5, (x + 0.5) / box - 0.5
    pixels = annulus((rows // box, columns // box), inner / box, outer / box, middle)
    if not pixels.any():
        raise InputError(
            f"no pixel of a detector of {rows} x {columns}, in boxes of {box}, lies {inner:g} to "
            f"{outer:g} pixels from the beam; choose radii that do, or a smaller q_bin"
        )
    return pixels


def _start(ds: xr.Dataset, path: str | None, k: tuple[int, ...]) -> np.ndarray | None:
    if path is None:
        return None
    expected = "patterns to start from"
    found = array_from_file(path, expected)
    shape = tuple(ds.sizes[dim] for dim in Q)
    if found.ndim != 3 or found.shape[1:] != shape or found.dtype.kind not in "iuf":
        raise InputError(
            f"{path} holds {found.shape} of {found.dtype}, expected {expected}: numbers of shape "
            f"(k, {shape[0]}, {shape[1]})"
        )
    if k != (len(found),):
        raise InputError(f"{path} holds {len(found)} patterns to start from; set k = {len(found)}")
    if not np.isfinite(found).all():
        raise InputError(f"{path} holds NaN or infinite values; patterns must be numbers")
    return found.astype(found.dtype.newbyteorder("="))
