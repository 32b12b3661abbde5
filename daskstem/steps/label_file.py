"""Label maps that another program has written: frames are read when they are needed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dask.array as da
import numpy as np
import tifffile
import xarray as xr

from daskstem.schema.dims import FRAME, SCAN
from daskstem.schema.errors import InputError
from daskstem.schema.ordering import natural_key, natural_order
from daskstem.schema.provenance import digest

_TIFF: Final = (".tif", ".tiff")
_SUFFIXES: Final = (".npy", ".npz", *_TIFF)
_EXPECTED: Final = (
    "a .npy, .npz or TIFF file of whole numbers, or a folder with such a file for each frame"
)


@dataclass(frozen=True)
class LabelFrames:
    """Label maps in files: an array (frame, scan_y, scan_x) that reads what is asked for.

    Attributes
    ----------
    places
        File of every frame, and where the map lies in it: the page or row, or the name of an
        array in an archive; None for the whole file.
    shape
        Of all maps.
    """

    places: tuple[tuple[str, Any], ...]
    shape: tuple[int, int, int]
    dtype: Any = np.dtype(np.int32)
    ndim: int = 3

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key[0], (int, np.integer)):
            # Dask hands on the index of a single frame, map or position
            return _numbers(_read(*self.places[key[0]]))[key[1:]]
        frames = range(self.shape[0])[key[0]]
        maps = [_numbers(_read(*self.places[frame]))[key[1:]] for frame in frames]
        return np.stack(maps) if maps else np.empty((0, 0, 0), np.int32)


def labels_from_file(path: str, ds: xr.Dataset) -> da.Array:
    """Open the label maps of a series, lazily.

    Parameters
    ----------
    path
        A TIFF with a page for each frame, a .npy (frame, scan_y, scan_x) or (scan_y, scan_x),
        an .npz with such an array or with one map for each frame, in the order of their names,
        or a folder with one map in a file for each frame. Whole numbers; a number is the same
        particle in all frames, 0 and below is none.
    ds
        Says the scan's size and which frames it holds: they may be some of a series.

    Returns
    -------
    (frame, scan_y, scan_x) int32, -1 where there is no particle, one chunk for each frame.

    Raises
    ------
    InputError
        If there is nothing, it cannot be read, or it holds something else.
    """
    try:
        places = _places(Path(path))
        first = _read(*places[0])
    except (ValueError, OSError, EOFError, tifffile.TiffFileError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read ({error}); give {_EXPECTED}") from error
    shape = (ds.sizes[SCAN[0]], ds.sizes[SCAN[1]])
    frames = np.asarray(ds[FRAME].values) if FRAME in ds.coords else np.arange(ds.sizes[FRAME])
    if len(places) == 1:
        places = places * (int(frames.max()) + 1)
    if first.shape != shape or first.dtype.kind not in "iub" or len(places) <= frames.max():
        raise InputError(
            f"{path} holds {len(places)} maps {first.shape} of {first.dtype}, expected "
            f"{int(frames.max()) + 1} maps {shape} of whole numbers"
        )
    chosen = LabelFrames(tuple(places[frame] for frame in frames), (len(frames), *shape))
    stamps = {name: Path(name).stat().st_mtime_ns for name, _ in chosen.places}
    name = f"labels-{digest({'places': chosen.places, 'stamps': stamps})}"
    return da.from_array(chosen, chunks=(1, *shape), name=name)


def _places(path: Path) -> list[tuple[str, Any]]:
    if path.is_dir():
        files = [file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES]
        found = [place for file in natural_order(files) for place in _places(file)]
        if not found:
            raise InputError(f"{path} holds no label maps; give {_EXPECTED}")
        return found
    if not path.is_file() or path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"no label maps at {path}; give {_EXPECTED}")
    if path.suffix.lower() in _TIFF:
        with tifffile.TiffFile(path) as file:
            return [(str(path), page) for page in range(len(file.pages))]
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            names = sorted(archive.files, key=natural_key)
            if len(names) > 1 or archive[names[0]].ndim == 2:
                return [(str(path), name) for name in names]
            return [(str(path), (names[0], n)) for n in range(len(archive[names[0]]))]
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    return [(str(path), n) for n in range(len(rows))] if rows.ndim == 3 else [(str(path), None)]


def _read(path: str, at: Any) -> np.ndarray:
    if path.lower().endswith(_TIFF):
        return np.asarray(tifffile.imread(path, key=at))
    if path.endswith(".npz"):
        name, row = at if isinstance(at, tuple) else (at, ...)
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[name][row])
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.array(found if at is None else found[at])


def _numbers(map_: np.ndarray) -> np.ndarray:
    return np.where(map_ > 0, map_.astype(np.int64), -1).astype(np.int32)
