"""Which positions are specimen, from how much they resemble their surroundings."""

from functools import partial
from typing import Annotated, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.blocks.frames import map_frames
from daskstem.kernels.background import clean_mask, signal_threshold, threshold_of
from daskstem.schema import variables
from daskstem.schema.dims import SCAN
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import Between, File
from daskstem.steps.mask_file import mask_from_file
from daskstem.steps.step import step

Method = Literal["signal", "triangle", "otsu", "li", "number", "mask", "none"]


@step
def background(
    ds: xr.Dataset,
    *,
    method: Method = "signal",
    threshold: Annotated[float | None, Between(-1, 1)] = None,
    min_object: Annotated[int, Between(0)] = 8,
    min_hole: Annotated[int, Between(0)] = 8,
    mask: Annotated[str | None, File()] = None,
) -> xr.Dataset:
    """Mask of the positions that belong to the specimen.

    Parameters
    ----------
    ds
        Holds ``signal`` or ``mean_similarity`` ([frame,] scan_y, scan_x).
    method
        ``signal``: positions whose patterns hold a crystal's signal, by Otsu's threshold of
        log(signal) in each frame; all of them where that finds no two kinds of position.
        ``triangle``, ``otsu``, ``li`` (scikit-image) or a ``number``: a threshold of mean
        similarity, for films too thin to resemble themselves. A ``mask`` from a file, or
        ``none``, which keeps every position.
    threshold
        Mean similarity from which a position is kept, for ``number``.
    min_object, min_hole
        Islands and holes of fewer positions (8-connected) are removed and filled.
    mask
        Path of a .npy file with (scan_y, scan_x) or (frame, scan_y, scan_x) of booleans,
        for ``mask``.

    Returns
    -------
    Dataset with ``mask`` ([frame,] scan_y, scan_x) bool and ``background_threshold``
    ([frame]) float64 (NaN where none was used), lazy.

    Raises
    ------
    InputError
        If the map is missing, or method, threshold and mask do not fit together.

    Examples
    --------
    >>> import daskstem, numpy as np, xarray as xr
    >>> image = np.zeros((16, 16), "f4"); image[4:12, 4:12] = 0.9
    >>> ds = xr.Dataset({"mean_similarity": (("scan_y", "scan_x"), image)})
    >>> int(daskstem.background(ds, method="otsu")["mask"].sum())
    64
    """
    _refuse_misfit(method, threshold, mask)
    spec = variables.signal if method == "signal" else variables.mean_similarity
    maps = da.asarray(variables.require(ds, spec).data)
    shape = tuple(ds.sizes[dim] for dim in SCAN)
    if mask is not None:
        found = mask_from_file(mask, ds, SCAN, kinds="biu", expected="booleans")
        kept = da.from_array(found.astype(bool), chunks=(1, -1, -1))
        levels = da.full((maps.shape[0],), np.nan, chunks=1)
    else:
        find = (
            signal_threshold
            if method == "signal"
            else partial(threshold_of, method=method, number=threshold)
        )
        levels = map_frames(find, maps, shape=(), dtype=np.float64, name="background-threshold")
        kept = map_frames(_above, maps, levels, shape=shape, dtype=bool, name="background")
    if method != "none":
        clean = partial(clean_mask, min_object=min_object, min_hole=min_hole)
        kept = map_frames(clean, kept, shape=shape, dtype=bool, name="background-clean")
    return xr.Dataset(
        {
            variables.mask.name: variables.mask.wrap(kept),
            variables.background_threshold.name: variables.background_threshold.wrap(levels),
        }
    )


def _above(image: np.ndarray, level: np.ndarray) -> np.ndarray:
    return image >= level if np.isfinite(level) else np.ones(image.shape, bool)


def _refuse_misfit(method: str, threshold: float | None, mask: str | None) -> None:
    if (method == "number") != (threshold is not None):
        raise InputError(
            f"method = {method!r} and threshold = {threshold}: a threshold goes with "
            f"method = 'number', and only with it"
        )
    if (method == "mask") != (mask is not None):
        raise InputError(
            f"method = {method!r} and mask = {mask!r}: a mask file goes with method = 'mask', "
            f"and only with it"
        )
