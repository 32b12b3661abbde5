"""Which positions of a series take part in a step, and the patterns that stand for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.dims import CLUSTER, FRAME, SCAN
from daskstem.schema.errors import InputError
from daskstem.steps.mask_file import mask_from_file

Where = Literal["all", "specimen", "clusters"]


@dataclass(frozen=True)
class Restriction:
    """Positions that take part.

    Attributes
    ----------
    where
        All of them, those in ``mask``, or those in a cluster.
    frames, labels
        Numbers of frames and clusters; None for all.
    mask
        Path of a mask of the scan.
    """

    where: Where
    frames: Sequence[int] | None
    labels: Sequence[int] | None
    mask: str | None

    @property
    def needs_label(self) -> bool:
        """Whether the map of clusters decides."""
        return self.where == "clusters" or self.labels is not None

    def check(self, ds: xr.Dataset, n_frames: int) -> None:
        """Refuse what cannot be met, without computing anything.

        Raises
        ------
        InputError
            If a frame is not there, or the mask file does not fit.
        """
        outside = [frame for frame in self.frames or () if not 0 <= frame < n_frames]
        if outside:
            raise InputError(
                f"frames = {list(self.frames or ())}: there is no frame {outside[0]}; the series "
                f"has 0 to {n_frames - 1}"
            )
        if self.mask is not None:
            self._from_file(ds)

    def kept(self, ds: xr.Dataset, frame: int) -> np.ndarray:
        """Return where positions of a frame take part, (scan_y, scan_x) bool.

        Parameters
        ----------
        ds
            Holds this frame alone.
        frame
            Its number.
        """
        shape = tuple(ds.sizes[dim] for dim in SCAN)
        if self.frames is not None and frame not in self.frames:
            return np.zeros(shape, bool)
        kept = np.ones(shape, bool)
        if self.where == "specimen":
            kept &= _computed(ds, variables.mask)
        if self.needs_label:
            label = _computed(ds, variables.label)
            kept &= label >= 0 if self.labels is None else np.isin(label, self.labels)
        return kept if self.mask is None else kept & self._from_file(ds)[0]

    def _from_file(self, ds: xr.Dataset) -> np.ndarray:
        found = mask_from_file(str(self.mask), ds, SCAN, kinds="biu", expected="booleans")
        return found.astype(bool)


@dataclass(frozen=True, eq=False)
class Patterns:
    """Patterns of a frame that take part, as if they lay on a scan.

    Attributes
    ----------
    array
        (1, Y, X, Qy, Qx), lazy.
    weights : (Y, X) float64
        How many positions each stands for; 0 leaves it out.
    """

    array: da.Array
    weights: np.ndarray


def patterns_of(
    ds: xr.Dataset, frame: int, restriction: Restriction, of: Literal["patterns", "clusters"]
) -> Patterns:
    """Return the patterns of a frame, or its clusters' mean patterns as a scan of one column."""
    kept = restriction.kept(ds, frame)
    if of == "patterns":
        patterns = da.asarray(variables.require(ds, variables.patterns).data)
        return Patterns(patterns, kept.astype(np.float64))
    means = da.asarray(variables.require(ds, variables.pattern).data)
    label = _computed(ds, variables.label)
    present = np.unique(label[label >= 0])
    if len(present) != len(means):
        raise InputError(
            f"frame {frame} has {len(present)} clusters in its label and {len(means)} patterns; "
            f"give the patterns that 'average' makes of this label"
        )
    sizes = np.bincount(np.searchsorted(present, label[kept & (label >= 0)]),
                        minlength=len(present))  # fmt: skip
    return Patterns(means[np.newaxis, :, np.newaxis], sizes[:, np.newaxis].astype(np.float64))


def cluster_map(
    ds: xr.Dataset, frame: int, restriction: Restriction, of_cluster: np.ndarray
) -> np.ndarray:
    """Spread numbers of a frame's clusters over their positions; -1 where none takes part."""
    label = _computed(ds, variables.label)
    present = np.unique(label[label >= 0])
    spread = np.full(label.shape, -1, np.int32)
    inside = restriction.kept(ds, frame) & (label >= 0)
    spread[inside] = of_cluster[np.searchsorted(present, label[inside])]
    return spread


def frame_by_frame(ds: xr.Dataset) -> Callable[[int], xr.Dataset]:
    """Return a function of a frame's number that returns its Dataset, with its own clusters."""
    if FRAME not in ds.coords:
        # which masks of a file belong to a frame is told by this coordinate
        ds = ds.assign_coords({FRAME: np.arange(ds.sizes[FRAME])})
    if CLUSTER not in ds.dims:
        return lambda frame: ds.isel({FRAME: slice(frame, frame + 1)})
    label = variables.require(ds, variables.label).data
    counts = [len(np.unique(one[one >= 0])) for one in map(np.asarray, label)]
    stops = np.cumsum(counts)

    def of_frame(frame: int) -> xr.Dataset:
        own = slice(int(stops[frame]) - counts[frame], int(stops[frame]))
        return ds.isel({FRAME: slice(frame, frame + 1), CLUSTER: own})

    return of_frame


def _computed(ds: xr.Dataset, spec: variables.Variable) -> np.ndarray:
    return np.asarray(variables.require(ds, spec).data)[0]
