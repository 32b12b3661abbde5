"""An array in a store, read piece by piece, with damage named."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr
from zarr.storage import LocalStore

from daskstem.io.packed_file import DamagedShardError, MissingShardError
from daskstem.io.shards import shards_of
from daskstem.schema.dims import SERIES
from daskstem.schema.errors import InputError, first_line
from daskstem.schema.source import Piece, Region

if TYPE_CHECKING:
    import dask.array as da

RAW: Final = "raw"
_SMALL_MAP: Final = 2**22
"""Bytes of a frame's map that are read by one task, which takes a millisecond by itself."""


@dataclass(frozen=True)
class StoredArray:
    """A window along the first dimension of a Zarr array.

    Holds the array's metadata and address only, so it travels to the workers in a few
    kilobytes and opens no file before it is read.
    """

    array: zarr.Array
    start: int
    stop: int

    @classmethod
    def whole(cls, array: zarr.Array) -> "StoredArray":
        """Return the window that holds all of an array."""
        return cls(array, 0, array.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the window."""
        return (self.stop - self.start, *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the values."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.array.ndim

    @property
    def block_shape(self) -> tuple[int, ...]:
        """What one file holds: the shard, or the chunk where there are no shards."""
        return self.array.shards or self.array.chunks

    def read(self, region: Region) -> np.ndarray:
        """Return the values of a region of the window.

        Raises
        ------
        InputError
            If a chunk is damaged or its file is gone; the message names it.
        """
        values = np.empty([part.stop - part.start for part in region], self.dtype)
        self.read_into(region, values)
        return values

    def read_into(self, region: Region, out: np.ndarray) -> None:
        """Write the values of a region of the window to a C-contiguous array.

        Raises
        ------
        InputError
            As for ``read``.
        """
        absolute = self._absolute(region)
        shards = shards_of(self.array)
        if shards is not None:
            with self._faults_named():
                shards.read_into(absolute, out)
            return
        self._refuse_missing(absolute)
        try:
            out[...] = self.array[absolute]
        except (ValueError, RuntimeError, OSError) as error:
            raise InputError(self._damage(absolute, error)) from error

    def pieces(self, region: Region) -> Iterator[Piece]:
        """Yield a region in small pieces, where the layout of the store allows.

        A piece is gone when the next one is asked for: all may come in the same buffer.

        Raises
        ------
        InputError
            As for ``read``.
        """
        shards = shards_of(self.array)
        if shards is None:
            yield region, self.read(region)
            return
        with self._faults_named():
            for (first, *others), values in shards.pieces(self._absolute(region)):
                yield (slice(first.start - self.start, first.stop - self.start), *others), values

    def __getitem__(self, key: Any) -> np.ndarray:
        """Index with integers, slices and one list of integers, as Dask does."""
        keys = key if isinstance(key, tuple) else (key,)
        keys = (*keys, *(slice(None),) * (self.ndim - len(keys)))
        region: list[slice] = []
        inside: list[int | slice | np.ndarray] = []
        for k, size in zip(keys, self.shape, strict=True):
            if isinstance(k, (int, np.integer)):
                region.append(slice(int(k) % size, int(k) % size + 1))
                inside.append(0)
                continue
            if not isinstance(k, slice):
                numbers = np.asarray(k, np.intp) % size
                low, high = (int(numbers.min()), int(numbers.max()) + 1) if len(k) else (0, 0)
                region.append(slice(low, high))
                inside.append(numbers - low)
                continue
            start, stop, step = k.indices(size)
            low, high = (start, stop) if step > 0 else (stop + 1, start + 1)
            region.append(slice(low, max(low, high)))
            inside.append(slice(None, None, step))
        return self.read(tuple(region))[tuple(inside)]

    def __dask_tokenize__(self) -> Any:
        """Identify the content by the address: products carry their own history."""
        return (str(self.array.store_path), self.start, self.stop)

    def lazy(self) -> "da.Array":
        """Return a Dask array with one block per stored file, or per frame of a small map."""
        # a third of a second to import, and metadata are looked at without
        import dask.array as da

        name = f"{self.array.basename or 'array'}-{da.core.tokenize(self)}"
        return da.from_array(
            self,
            chunks=self._lazy_chunks(),
            name=name,
            asarray=False,
            # with False Dask would read a whole block and then take one pattern of it
            fancy=True,
            meta=np.empty((0,) * self.ndim, self.dtype),
        )

    def _lazy_chunks(self) -> tuple[int, ...]:
        block = self.block_shape
        frame = (*block[:1], *self.shape[1:])
        small = prod(frame) * self.dtype.itemsize <= _SMALL_MAP
        return frame if small and self.ndim < len(SERIES) else block

    def keys(self, region: Region) -> list[str]:
        """Return the names of the files that hold a region of the whole array."""
        counts = [
            range(s.start // b, -(-s.stop // b)) if s.stop > s.start else range(0)
            for s, b in zip(region, self.block_shape, strict=True)
        ]
        grid = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, self.ndim)
        encode = self.array.metadata.chunk_key_encoding.encode_chunk_key  # type: ignore[union-attr]
        return [encode(tuple(int(i) for i in index)) for index in grid]

    def _refuse_missing(self, region: Region) -> None:
        # Zarr would hand out the fill value for a lost file: zeros that look like data.
        folder = local_folder(self.array)
        if folder is None:
            return
        for key in self.keys(region):
            if not (folder / key).exists():
                raise InputError(self._missing(key))

    def _absolute(self, region: Region) -> Region:
        first, *others = region
        return (slice(self.start + first.start, self.start + first.stop), *others)

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except MissingShardError as error:
            raise InputError(self._missing(error.key)) from error
        except DamagedShardError as error:
            raise InputError(self._damaged(error.key, error.found)) from error

    def _missing(self, key: str) -> str:
        return (
            f"chunk {key} of {self.array.store_path} is missing; restore the file from "
            f"a copy, or {self._remedy()}"
        )

    def _damaged(self, key: str, found: str) -> str:
        return (
            f"chunk {key} of {self.array.store_path} is damaged ({found}); "
            f"restore the file from a copy, or {self._remedy(delete='delete it and ')}"
        )

    def _remedy(self, delete: str = "") -> str:
        group = self.array.path.partition("/")[0]
        if group == RAW:
            return f"{delete}run the convert or simulate command that made it again"
        return f"delete the folder {group} of the store and run the same command again"

    def _damage(self, region: Region, error: Exception) -> str:
        for key in self.keys(region):
            index = [int(i) for i in key.split("/")[1:]]
            block = tuple(
                slice(i * b, min((i + 1) * b, n))
                for i, b, n in zip(index, self.block_shape, self.array.shape, strict=True)
            )
            try:
                self.array[block]
            except (ValueError, RuntimeError, OSError) as cause:
                return self._damaged(key, first_line(cause))
        return f"{self.array.store_path} could not be read ({first_line(error)})"


def missing_chunks(array: zarr.Array, first: int) -> bool:
    """Whether a file is missing of those that hold ``array[first]``."""
    one = StoredArray(array, first, first + 1)
    folder = local_folder(array)
    keys = one.keys((slice(first, first + 1), *(slice(0, n) for n in array.shape[1:])))
    return folder is not None and not all((folder / key).exists() for key in keys)


def local_folder(array: zarr.Array) -> Path | None:
    """Return the folder of an array's chunks, or None if its store is not on a file system."""
    store = array.store_path.store
    return Path(store.root) / array.path if isinstance(store, LocalStore) else None
