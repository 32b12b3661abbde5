"""Simulated series in a store, with the truth beside them."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

from daskstem.io.layout import ArraySpec, writable
from daskstem.io.store import (
    begin_group,
    ensure_gathered,
    finish_frames,
    finish_group,
    is_finished,
    open_root,
)
from daskstem.io.writing import sole_writer, writing
from daskstem.run.convert import write_source
from daskstem.run.progress import Reporter
from daskstem.schema.dims import FRAME
from daskstem.schema.parameters import defaults_of
from daskstem.schema.provenance import provenance
from daskstem.testing import SimulatedSeries, simulated_series, truth_of

TRUTH: Final = "truth"


def simulate(
    store: str | Path,
    *,
    shape: tuple[int, int, int, int, int] = (3, 64, 64, 96, 96),
    seed: int = 0,
    counts_per_pixel: float = 2.0,
    step_nm: float = 1.0,
    probe_sigma: float = 0.6,
    particle_radius: float | None = None,
    hot_pixels: int = 0,
    descan_px: tuple[float, float] = (0.0, 0.0),
    birth_share: float = 0.0,
    drift_steps: tuple[float, float] = (0.0, 0.0),
    tilt_deg: tuple[float, float] | None = None,
    workers: int | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
    quiet: bool = True,
) -> Path:
    """Simulate gold particles that grow, move and rotate on a film, into a store.

    Patterns are streamed to the store, so a series may be of any size; a simulation that
    was stopped is continued by the same call.

    Parameters
    ----------
    store
        Folder to write.
    shape
        Sizes of frame, scan_y, scan_x, q_y, q_x.
    seed
        The same seed and parameters give the same bytes.
    counts_per_pixel
        Beam electrons per detector pixel and pattern.
    step_nm
        Distance of two probe positions.
    probe_sigma
        Standard deviation of the probe, in steps.
    particle_radius
        Mean radius of the particles at the last frame, in steps.
    hot_pixels
        Number of detector pixels with a large constant value added.
    descan_px
        By how much patterns move from the first scan row (column) to the last.
    birth_share
        Share of the particles that nucleate after the first frame.
    drift_steps
        By how much the specimen moves through the scan from the first frame to the last, in
        scan rows and columns.
    tilt_deg
        Tilt of the first and the last frame: agglomerated crystals are turned through the
        Ewald sphere, and the truth holds the intensity of their reflections.
    workers, memory_limit, scheduler
        As for ``run_recipe``.
    quiet
        Print nothing.

    Returns
    -------
    Path of the store, which also holds ``truth``: label, purity, orientation, strain, and of a
    tilt series the reflections.

    Raises
    ------
    InputError
        If a parameter is out of range or the target is taken.

    Examples
    --------
    >>> import daskstem, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = daskstem.simulate(f"{folder}/s.zarr", shape=(1, 16, 16, 32, 32))
    ...     sorted(daskstem.open_series(store).children)
    ['raw', 'truth']
    """
    described: dict[str, Any] = {
        "seed": seed,
        "counts_per_pixel": counts_per_pixel,
        "step_nm": step_nm,
        "probe_sigma": probe_sigma,
        "particle_radius": particle_radius,
        "hot_pixels": hot_pixels,
        "descan_px": descan_px,
        "birth_share": birth_share,
        "drift_steps": drift_steps,
    }
    if tilt_deg is not None:
        described["tilt_deg"] = tilt_deg
    series = simulated_series(shape, **described)
    listed = {"shape": list(shape), "descan_px": list(descan_px), "drift_steps": list(drift_steps)}
    if tilt_deg is not None:
        listed["tilt_deg"] = list(tilt_deg)
    made = provenance(
        step="simulate",
        parameters={**described, **listed},
        source=series.fingerprint,
        defaults=defaults_of(simulate),
    )
    path = write_source(
        series, store, made=made, reporter=Reporter(quiet=quiet), workers=workers,
        memory_limit=memory_limit, scheduler=scheduler,
    )  # fmt: skip
    root = open_root(store, mode="r+")
    if not is_finished(root, TRUTH):
        with sole_writer(root), writing(root):
            _write_truth(root, series, made)
    return path


def _write_truth(root: zarr.Group, series: SimulatedSeries, made: dict[str, Any]) -> None:
    truth = truth_of(series)
    specs = {
        str(name): ArraySpec(
            [str(dim) for dim in array.dims],
            array.shape,
            array.dtype,
            chunks=tuple(1 if d == FRAME else max(1, n) for d, n in array.sizes.items()),
            attrs=array.attrs,
        )
        for name, array in truth.data_vars.items()
    }
    coordinates = {str(name): array.variable for name, array in truth.coords.items()}
    group = begin_group(root, TRUTH, specs, coordinates, made)
    for name, array in truth.data_vars.items():
        target = group[str(name)]
        if isinstance(target, zarr.Array):
            writable(target)[...] = np.asarray(array.values)
    finish_frames(group, range(truth.sizes[FRAME]))
    finish_group(group)
    ensure_gathered(root)
