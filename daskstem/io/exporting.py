"""Files that programs for 3D electron diffraction read, written by the libraries kept for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from daskstem.schema.errors import InputError
from daskstem.schema.provenance import package_version

Format = Literal["smv", "tiff", "mrc", "pets"]
NEEDED: Final[dict[str, str]] = {
    "smv": "fabio", "tiff": "tifffile", "mrc": "mrcfile", "pets": "tifffile",
}  # fmt: skip
PIXEL_MM: Final = 0.05
"""Nominal width of a detector pixel: only its ratio to the distance counts."""
_FULL: Final = 60_000
"""Largest value that a pixel outside the direct beam may take in 16 bits."""
_BEAM_SHARE: Final = 1 / 16
"""Radius of the direct beam, which may saturate, as a share of the detector's shorter side."""


@dataclass(frozen=True)
class Diffraction:
    """Geometry of a tilt series of patterns.

    Attributes
    ----------
    tilt_deg
        Of every frame.
    wavelength
        In angstrom.
    q_step
        Width of a pixel in 1/angstrom.
    center
        Row and column of the direct beam, from the first pixel's centre.
    axis_deg
        Angle of the tilt axis from the detector's rows towards its top.
    """

    tilt_deg: tuple[float, ...]
    wavelength: float
    q_step: float
    center: tuple[float, float]
    axis_deg: float

    @property
    def tilt_step_deg(self) -> float:
        """Typical difference of neighboring tilts, positive."""
        steps = np.diff(np.sort(self.tilt_deg))
        return float(np.median(steps)) if len(steps) else 0.0

    @property
    def numbers(self) -> list[int]:
        """Image number of every frame, from 1 in the order of the tilts."""
        return [int(n) + 1 for n in np.argsort(np.argsort(self.tilt_deg, kind="stable"))]


@dataclass(frozen=True)
class ParticleSeries:
    """Patterns of one particle, read one by one.

    Attributes
    ----------
    name
        Of its files.
    frames
        Those in which it is seen.
    pattern
        Returns the pattern of a frame, float32.
    n_positions
        Positions averaged in each of the frames.
    """

    name: str
    frames: Sequence[int]
    pattern: Callable[[int], np.ndarray]
    n_positions: Sequence[int]


def check_library(to: Format) -> None:
    """Raise InputError if the library that writes a format is not installed."""
    _library(to)


def write_particle(
    folder: Path, to: Format, series: ParticleSeries, geometry: Diffraction
) -> None:
    """Write one particle's series into a folder that is there.

    ``smv``: a 16-bit image for each tilt, numbered along the tilt, for DIALS and XDS.
    ``pets``: 16-bit TIFF and the input file of PETS. ``tiff`` and ``mrc``: float32 as it is,
    an image for each tilt or one stack; the tilts stand in a ``.rawtlt`` file beside them.
    """
    writers: dict[Format, Callable[[Path, Any, ParticleSeries, Diffraction], None]] = {
        "smv": _write_smv, "tiff": _write_tiff, "mrc": _write_mrc, "pets": _write_pets,
    }  # fmt: skip
    writers[to](folder, _library(to), series, geometry)


def _library(to: Format) -> Any:
    try:
        return import_module(NEEDED[to])
    except ImportError as error:
        raise InputError(
            f"--to {to} needs {NEEDED[to]}, which is not installed; "
            f"run: pip install 'daskstem[export]'"
        ) from error


@dataclass(frozen=True)
class _Sixteen:
    """How values become 16-bit ones: round(value * scale) + pedestal."""

    scale: float
    pedestal: int
    gain: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        levels = np.rint(values.astype(np.float64) * self.scale) + self.pedestal
        return levels.clip(0, 65535).astype(np.uint16)


def _sixteen(series: ParticleSeries, geometry: Diffraction) -> _Sixteen:
    """Choose a scale for all tilts: counts summed over the particle, as far as they fit."""
    low, high = 0.0, 0.0
    for frame in series.frames:
        pattern = series.pattern(frame)
        row, column = np.ogrid[: pattern.shape[0], : pattern.shape[1]]
        reach = _BEAM_SHARE * min(pattern.shape)
        beyond = np.hypot(row - geometry.center[0], column - geometry.center[1]) > reach
        low, high = min(low, float(pattern[beyond].min())), max(high, float(pattern[beyond].max()))
    typical = float(np.median(series.n_positions))
    scale = min(typical, _FULL / (high - low)) if high > low else typical
    return _Sixteen(scale, int(np.ceil(-low * scale)), scale / typical)


def _write_smv(folder: Path, fabio: Any, series: ParticleSeries, geometry: Diffraction) -> None:
    write = fabio.dtrekimage.DtrekImage
    sixteen = _sixteen(series, geometry)
    distance = PIXEL_MM / (geometry.wavelength * geometry.q_step)
    for frame, count in zip(series.frames, series.n_positions, strict=True):
        values = sixteen(series.pattern(frame))
        rows, columns = values.shape
        tilt = geometry.tilt_deg[frame]
        # ADSC counts X along the slow axis, from the pixels' corner: dxtbx FormatSMVADSC
        center_x, center_y = (
            PIXEL_MM * (geometry.center[0] + 0.5), PIXEL_MM * (geometry.center[1] + 0.5),
        )  # fmt: skip
        header = {
            "DIM": 2, "BYTE_ORDER": "little_endian", "TYPE": "unsigned_short",
            "SIZE1": columns, "SIZE2": rows, "PIXEL_SIZE": PIXEL_MM, "BIN": "1x1",
            "BEAMLINE": "daskstem", "DETECTOR_SN": 0, "TIME": 1.0, "TWOTHETA": 0.0,
            "DISTANCE": f"{distance:.4f}", "WAVELENGTH": f"{geometry.wavelength:.6f}",
            "PHI": f"{tilt:.4f}", "OSC_START": f"{tilt:.4f}",
            "OSC_RANGE": f"{geometry.tilt_step_deg:.4f}",
            "BEAM_CENTER_X": f"{center_x:.4f}", "BEAM_CENTER_Y": f"{center_y:.4f}",
            "IMAGE_PEDESTAL": sixteen.pedestal, "GAIN": f"{sixteen.gain:.6g}",
            "SCALE": f"{sixteen.scale:.6g}", "N_POSITIONS": count,
        }  # fmt: skip
        image = write(data=values, header={key: str(value) for key, value in header.items()})
        image.write(str(folder / f"{series.name}_{geometry.numbers[frame]:05d}.img"))


def _write_tiff(
    folder: Path, tifffile: Any, series: ParticleSeries, geometry: Diffraction
) -> None:
    for frame in series.frames:
        path = folder / f"{series.name}_{geometry.numbers[frame]:05d}.tiff"
        described = {"tilt_deg": geometry.tilt_deg[frame], "wavelength_angstrom":
                     geometry.wavelength, "q_step_per_angstrom": geometry.q_step}  # fmt: skip
        tifffile.imwrite(path, series.pattern(frame), metadata=described)
    _write_tilts(folder, series, geometry)


def _write_mrc(folder: Path, mrcfile: Any, series: ParticleSeries, geometry: Diffraction) -> None:
    ordered = _by_tilt(series, geometry)
    shape = (len(ordered), *series.pattern(ordered[0]).shape)
    with mrcfile.new_mmap(folder / f"{series.name}.mrc", shape, mrc_mode=2) as file:
        file.set_image_stack()
        for section, frame in enumerate(ordered):
            file.data[section] = series.pattern(frame)
        # the header knows lengths only: a pixel of q_step 1/angstrom is written as such
        file.voxel_size = geometry.q_step
        file.add_label(f"q_step 1/angstrom {geometry.q_step:.6g}; wavelength angstrom "
                       f"{geometry.wavelength:.6f}")  # fmt: skip
        file.update_header_stats()
    _write_tilts(folder, series, geometry)


def _write_pets(
    folder: Path, tifffile: Any, series: ParticleSeries, geometry: Diffraction
) -> None:
    sixteen = _sixteen(series, geometry)
    (folder / "tiff").mkdir()
    images = []
    for frame in _by_tilt(series, geometry):
        name = f"tiff/{geometry.numbers[frame]:05d}.tiff"
        # no metadata: PETS reads plain 16-bit images
        tifffile.imwrite(folder / name, sixteen(series.pattern(frame)), metadata=None)
        images.append(f"{name} {geometry.tilt_deg[frame]:10.4f} 0.00")
    lines = [
        f"# written by daskstem {package_version()}; keywords: http://pets.fzu.cz",
        f"# values are counts times {sixteen.scale:.6g}, plus {sixteen.pedestal}",
        f"lambda {geometry.wavelength:.6f}",
        f"Aperpixel {geometry.q_step:.8f}",
        "geometry static",
        "phi 0.0",
        f"omega {geometry.axis_deg % 360:.4f}",
        "bin 1",
        # PETS counts pixels from 1
        f"center {geometry.center[1] + 1:.3f} {geometry.center[0] + 1:.3f}",
        "imagelist",
        *images,
        "endimagelist",
    ]
    (folder / f"{series.name}.pts").write_text("\n".join(lines) + "\n", encoding="ascii")


def _write_tilts(folder: Path, series: ParticleSeries, geometry: Diffraction) -> None:
    """Write the tilts of the images in their order, as IMOD does."""
    tilts = "".join(f"{geometry.tilt_deg[f]:.4f}\n" for f in _by_tilt(series, geometry))
    (folder / f"{series.name}.rawtlt").write_text(tilts, encoding="ascii")


def _by_tilt(series: ParticleSeries, geometry: Diffraction) -> list[int]:
    return sorted(series.frames, key=lambda frame: geometry.numbers[frame])
