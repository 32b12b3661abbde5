"""Any source of patterns, streamed into a store shard by shard."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr
from distributed import Client

from daskstem.chunks.tiling import Tiling, tiling, windows
from daskstem.io.layout import ArraySpec
from daskstem.io.readers import open_series_of_sources
from daskstem.io.store import (
    RAW,
    begin_group,
    create_root,
    ensure_gathered,
    existing_root,
    finish_frames,
    finish_group,
    finished_frames,
    is_finished,
)
from daskstem.io.stored import StoredArray, local_folder, missing_chunks
from daskstem.io.writing import clear_partial, sole_writer
from daskstem.run.plan import fitting_threads
from daskstem.run.progress import Reporter
from daskstem.run.stages import raw_patterns, same_history
from daskstem.run.tasks import FrameJob, run_frames, write_block
from daskstem.run.workers import connected, resources
from daskstem.schema import variables
from daskstem.schema.calibration import Axis, GivenCalibration
from daskstem.schema.dims import FRAME, FRAME_COORDS, SCAN, SERIES, Q
from daskstem.schema.errors import InputError
from daskstem.schema.provenance import provenance
from daskstem.schema.source import PatternSource

COPY_SHARE: Final = 3
"""A block as it is read, as chunks, and compressed: times its bytes that a task holds."""


def convert(
    sources: str | Path | Sequence[str | Path],
    store: str | Path,
    *,
    scan_shape: tuple[int, int] | None = None,
    dataset: str | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: str | None = None,
    offset_bytes: int = 0,
    reader: str | None = None,
    frame_dim: str | None = None,
    frame_values: Sequence[float] | None = None,
    scan_step_nm: float | tuple[float, float] | None = None,
    q_step: float | tuple[float, float] | None = None,
    q_units: str = "1/angstrom",
    beam_energy_kev: float | None = None,
    workers: int | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> Path:
    """Convert microscope files into a store.

    A conversion that was stopped is continued by the same call; shards that are there are
    kept.

    Parameters
    ----------
    sources
        One file, several, or a pattern such as ``frames/*.h5`` in natural order; several
        make a series.
    store
        Folder to write, by custom ``NAME.zarr``.
    scan_shape
        Rows and columns of the scan, where the file does not say.
    dataset
        Which array of an HDF5 file, an .npz or a Zarr store.
    shape, dtype, offset_bytes
        What a raw binary file holds.
    reader
        Name of the reader, where it cannot be told from the file.
    frame_dim, frame_values
        What counts the frames (``time``, ``tilt``, ``temperature``, ``dose``), and its
        value for each.
    scan_step_nm
        Distance of two positions, or of two rows and two columns, where the file does not say
        or is mistaken.
    q_step, q_units
        Size of a detector pixel in 1/angstrom, 1/nm or mrad; the detector's middle becomes 0.
    beam_energy_kev
        Of the electrons; what exports compute the wavelength from.
    workers, memory_limit, scheduler
        As for ``run_recipe``.
    quiet
        Print nothing.

    Returns
    -------
    Path of the store.

    Raises
    ------
    InputError
        If a source cannot be read, is no diffraction series, or the target is taken.

    Examples
    --------
    >>> import daskstem, numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/scan.npy", np.zeros((6, 5, 16, 16), "u2"))
    ...     store = daskstem.convert(f"{folder}/scan.npy", f"{folder}/scan.zarr", quiet=True)
    ...     daskstem.open_series(store)["raw/patterns"].shape
    (1, 6, 5, 16, 16)
    """
    paths = [sources] if isinstance(sources, (str, Path)) else list(sources)
    # workers may have another working directory
    source = open_series_of_sources(
        [Path(path).absolute() for path in paths],
        scan_shape=scan_shape,
        dataset=dataset,
        shape=shape,
        dtype=dtype,
        offset_bytes=offset_bytes,
        reader=reader,
        calibration=GivenCalibration(scan_step_nm, q_step, q_units, beam_energy_kev),
        frame_dim=frame_dim,
        frame_values=frame_values,
    )
    given = {"sources": [Path(path).name for path in paths]}
    made = provenance(step="convert", parameters=given, source=source.fingerprint, defaults={})
    return write_source(
        source, store, made=made, reporter=Reporter(quiet=quiet), workers=workers,
        memory_limit=memory_limit, scheduler=scheduler,
    )  # fmt: skip


def write_source(
    source: PatternSource,
    store: str | Path,
    *,
    made: dict[str, Any],
    reporter: Reporter,
    workers: int | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
) -> Path:
    """Write a source's patterns as the group ``raw`` of a store, or continue doing so.

    ``made`` is the provenance to be written beside them.

    Raises
    ------
    InputError
        If the store already holds other patterns, or cannot be written.
    """
    available = resources(workers=workers, memory_limit=memory_limit, scheduler=scheduler)
    step = str(made["step"])
    there = existing_root(store)
    if there is not None and _is_complete(there, made["key"]):
        ensure_gathered(there)
        reporter.say(f"{store} is already complete")
        return Path(store)
    tiles = scan_tiling(source.shape, source.dtype)
    block_bytes = int(np.prod((*tiles.side, *source.shape[3:]))) * source.dtype.itemsize
    threads, _ = fitting_threads({step: COPY_SHARE * block_bytes}, available)
    # the store is begun only when there is something that can fill it
    with connected(available, threads) as client:
        root = create_root(store)
        with sole_writer(root):
            group = _raw_group(root, source, made)
            _write_frames(client, group, source, step, reporter)
            ensure_gathered(root)
    return Path(store)


def _write_frames(
    client: Client, group: zarr.Group, source: PatternSource, step: str, reporter: Reporter
) -> None:
    n_bytes = int(np.prod(source.shape[1:])) * source.dtype.itemsize
    todo = [f for f in range(source.shape[0]) if f not in _complete_frames(group)]
    with reporter.stage(step, n_bytes * len(todo)) as progress:
        run_frames(
            client,
            (_job(group, source, frame, n_bytes) for frame in todo),
            on_task=progress.advance,
            on_frame=partial(_frame_done, group, progress, source.shape[0]),
        )
    finish_group(group)


def _is_complete(root: zarr.Group, key: str) -> bool:
    """Whether all patterns are there, or raise InputError if they are others."""
    if RAW not in root:
        return False
    if not same_history(root, RAW, key):
        raise InputError(
            f"{root.store_path} holds patterns of another source, or converted with other options "
            f"({root[RAW].attrs.get('parameters')}); choose another target"
        )
    group = root[RAW]
    if not isinstance(group, zarr.Group) or not is_finished(root, RAW):
        return False
    return len(_complete_frames(group)) == raw_patterns(group).shape[0]


def _complete_frames(group: zarr.Group) -> list[int]:
    """Return the frames that are finished and have lost no file since."""
    array = raw_patterns(group)
    return [frame for frame in finished_frames(group) if not missing_chunks(array, frame)]


def _frame_done(group: zarr.Group, progress: Any, total: int, job: FrameJob, _: Any) -> None:
    finish_frames(group, [job.frame])
    progress.frame_done(len(finished_frames(group)), total)


def _raw_group(root: zarr.Group, source: PatternSource, made: dict[str, Any]) -> zarr.Group:
    group = root.get(RAW)
    if isinstance(group, zarr.Group):
        clear_partial(group)
        return group
    tiles = scan_tiling(source.shape, source.dtype)
    spec = ArraySpec(
        SERIES,
        source.shape,
        source.dtype,
        chunks=(1, *tiles.inner, *source.shape[3:]),
        shards=(1, *tiles.side, *source.shape[3:]),
        attrs={"units": variables.patterns.units, "long_name": variables.patterns.about},
    )
    attrs = {**made, "metadata": dict(source.metadata)}
    coordinates = source_coordinates(source)
    counted = [name for name in FRAME_COORDS if name in coordinates]
    if counted:
        attrs["series_type"] = counted[0]
    return begin_group(root, RAW, {variables.patterns.name: spec}, coordinates, attrs)


def scan_tiling(shape: Sequence[int], dtype: np.dtype) -> Tiling:
    """Choose the blocks of a series."""
    return tiling((shape[1], shape[2]), shape[3] * shape[4] * np.dtype(dtype).itemsize)


def source_coordinates(source: PatternSource) -> dict[str, xr.Variable]:
    """Return the coordinates of a source's patterns, as the store keeps them."""
    sizes = dict(zip(SERIES, source.shape, strict=True))
    coordinates = {
        dim: source.axes.get(dim, Axis()).coordinate(dim, sizes[dim]) for dim in (*SCAN, *Q)
    }
    coordinates[FRAME] = xr.Variable((FRAME,), np.arange(source.shape[0], dtype=np.int64))
    for name, (values, units) in source.frame_coords.items():
        attrs = {"units": units} if units else {}
        coordinates[name] = xr.Variable((FRAME,), np.asarray(values), attrs)
    return coordinates


def _job(group: zarr.Group, source: PatternSource, frame: int, n_bytes: int) -> FrameJob:
    target = StoredArray.whole(raw_patterns(group))
    tiles = scan_tiling(source.shape, source.dtype)
    graph: dict[Any, Any] = {}
    keys: dict[Any, int] = {}
    positions = source.shape[1] * source.shape[2]
    for (i, j), window in windows(tiles.chunks, 0):
        rows, columns = window.region
        region = (slice(frame, frame + 1), rows, columns, *map(_whole, source.shape[3:]))
        key = (f"convert-{group.attrs['key']}", frame, i, j)
        graph[key] = (partial(_copy, source, target, region),)
        keys[key] = n_bytes * window.shape[0] * window.shape[1] // positions
    return FrameJob(frame, graph, keys)


def _whole(size: int) -> slice:
    return slice(0, size)


def _copy(source: PatternSource, target: StoredArray, region: tuple[slice, ...]) -> None:
    """Read one shard from the source and write it, unless it is there already."""
    folder = local_folder(target.array)
    if folder is not None and all((folder / key).exists() for key in target.keys(region)):
        return
    write_block(target, region, source.read(region))
