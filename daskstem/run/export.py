"""Extracted particles as files for programs that solve structures."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import xarray as xr
import zarr

from daskstem.io.exporting import (
    Diffraction,
    Format,
    ParticleSeries,
    check_library,
    write_particle,
)
from daskstem.io.store import RAW, group_attributes, is_finished, open_group, open_root
from daskstem.schema import extract_variables as made
from daskstem.schema.beam import wavelength_angstrom
from daskstem.schema.calibration import Axis, axes_of
from daskstem.schema.dims import FRAME, PARTICLE, Q
from daskstem.schema.errors import InputError
from daskstem.steps.registry import STEPS

_SQUARE: Final = 0.01
"""By how much the widths of a pixel may differ: the formats know only square ones."""


def export(
    store: str | Path,
    out: str | Path,
    *,
    to: Format,
    particles: Sequence[int] | None = None,
    voltage_kv: float | None = None,
    q_step: float | None = None,
    axis_deg: float = 0.0,
) -> list[Path]:
    """Write the patterns that ``extract`` made as files for 3D electron diffraction.

    Images are numbered from 1 along the tilt, the same for all particles; a tilt at which a
    particle is missing has no image.

    Parameters
    ----------
    store
        Path of a store that holds ``extract``.
    out
        Folder in which every particle gets one of its own, ``particle_NUMBER``.
    to
        ``smv`` for DIALS and XDS, ``pets`` for PETS, ``tiff`` or ``mrc``.
    particles
        Numbers of the particles; by default all.
    voltage_kv
        Acceleration voltage, where the store does not know it.
    q_step
        Width of a detector pixel in 1/angstrom, where the store does not know it.
    axis_deg
        Angle of the tilt axis from the detector's rows towards its top, for PETS.

    Returns
    -------
    The folders written.

    Raises
    ------
    InputError
        If there is nothing to export, tilts, voltage or calibration are not known, a
        particle's folder is there, or the library that writes the format is missing.
    """
    if to not in get_args(Format):
        raise InputError(f"to = {to!r} is not one of {', '.join(get_args(Format))}")
    check_library(to)
    root = open_root(store, mode="r")
    ds = _extracted(root, store)
    geometry = _geometry(root, ds, voltage_kv, q_step, axis_deg)
    rows = _rows(ds[made.particle_number.name].values, particles)
    folders = {Path(out) / f"particle_{number:04d}": row for number, row in rows.items()}
    taken = [folder for folder in folders if folder.exists()]
    if taken:
        raise InputError(f"{taken[0]} is there already; choose another folder or remove it")
    seen = ds[made.particle_n_positions.name].values
    for folder, row in folders.items():
        frames = np.flatnonzero(seen[row]).tolist()
        if not frames:
            raise InputError(f"{folder.name} is seen in no frame; choose other --particles")
        series = ParticleSeries(
            folder.name, frames, partial(_pattern, ds, row), seen[row][frames].tolist()
        )
        _write_whole(folder, to, series, geometry)
    return list(folders)


def _write_whole(folder: Path, to: Format, series: ParticleSeries, geometry: Diffraction) -> None:
    """Write a particle's folder under another name first: it is whole or not there."""
    partly = folder.with_name(f"{folder.name}.partial")
    if partly.exists():
        shutil.rmtree(partly)
    try:
        partly.mkdir(parents=True)
        write_particle(partly, to, series, geometry)
        partly.rename(folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error})") from error


def _pattern(ds: xr.Dataset, row: int, frame: int) -> np.ndarray:
    chosen = ds[made.particle_pattern.name].isel({PARTICLE: row, FRAME: frame})
    return np.asarray(chosen.values, np.float32)


def _extracted(root: zarr.Group, store: str | Path) -> xr.Dataset:
    name = STEPS["extract"].group
    if name not in root or not is_finished(root, name):
        raise InputError(
            f"{store} holds no extracted particles; run 'daskstem step extract "
            f"{store}' after the recipe 'series', or 'daskstem run tilt {store}' with masks"
        )
    ds = open_group(root, name)
    if "tilt" not in ds.coords:
        raise InputError(
            f"the frames of {store} have no tilts; convert with --frame-dim tilt "
            f"--frame-values V,V,... (degrees)"
        )
    if not np.isfinite(ds.coords["tilt"].values.astype(float)).all():
        raise InputError(f"some tilts of {store} are no numbers; convert with the right ones")
    return ds


def _geometry(
    root: zarr.Group, ds: xr.Dataset, voltage_kv: float | None, q_step: float | None, axis: float
) -> Diffraction:
    metadata: Any = group_attributes(root, RAW).get("metadata", {})
    wavelength = wavelength_angstrom(_voltage(metadata, voltage_kv))
    axes = axes_of(ds)
    if q_step is not None and not (np.isfinite(q_step) and q_step > 0):
        raise InputError(f"q_step = {q_step} is not a positive number of 1/angstrom")
    steps = [q_step or _q_step(axes[dim], wavelength) for dim in Q]
    if abs(steps[0] - steps[1]) > _SQUARE * max(steps):
        raise InputError(
            f"detector pixels of {steps[0]:.4g} x {steps[1]:.4g} 1/angstrom are not square, as "
            f"these formats want them; rebin the detector, or give --q-step"
        )
    return Diffraction(
        tilt_deg=tuple(float(tilt) for tilt in ds.coords["tilt"].values),
        wavelength=wavelength,
        q_step=float(np.mean(steps)),
        center=_center(ds, axes),
        axis_deg=axis,
    )


def _voltage(metadata: Mapping[str, Any], given: float | None) -> float:
    found = metadata.get("beam_energy_kev") if given is None else given
    try:
        voltage = float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        voltage = np.nan
    if not (np.isfinite(voltage) and 1 <= voltage <= 3000):
        raise InputError(
            f"the beam energy is {'not in the store' if found is None else found}; give the "
            f"acceleration voltage in kV, between 1 and 3000, with --voltage-kv"
        )
    return voltage


def _q_step(axis: Axis, wavelength: float) -> float:
    if axis.units == "1/angstrom":
        return abs(axis.step)
    if axis.units == "mrad":
        return abs(axis.step) * 1e-3 / wavelength
    raise InputError(
        "the detector is not calibrated; give the width of a pixel in 1/angstrom with --q-step"
    )


def _center(ds: xr.Dataset, axes: Mapping[str, Axis]) -> tuple[float, float]:
    """Return where the direct beam is: in the middle if the patterns were moved there."""
    middle = tuple((ds.sizes[dim] - 1) / 2 for dim in Q)
    moved = any(
        call["step"] == "correct" and call["parameters"].get("descan") != "none"
        for call in ds.attrs.get("recipe", [])
    )
    zeros = tuple(-axes[dim].origin / axes[dim].step for dim in Q)
    inside = all(0 < zero < ds.sizes[dim] - 1 for zero, dim in zip(zeros, Q, strict=True))
    row, column = middle if moved or not inside else zeros
    return row, column


def _rows(numbers: np.ndarray, chosen: Sequence[int] | None) -> dict[int, int]:
    rows = {int(number): row for row, number in enumerate(numbers)}
    missing = [number for number in chosen or () if number not in rows]
    if missing or not rows:
        raise InputError(
            f"particle {missing[0] if missing else ''} was not extracted; there are {list(rows)}"
        )
    return rows if chosen is None else {number: rows[number] for number in chosen}
