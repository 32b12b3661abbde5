"""Numbers and parameters as a reader would write them."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from daskstem.schema.dims import FRAME_COORDS
from daskstem.view.scale import PixelGrid, length_text, unit_text

if TYPE_CHECKING:
    import xarray as xr

_PREFIXES: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_USUAL_ORDER: Final = (
    "truth", "summary", "bad_pixels", "virtual", "center", "prefilter", "similarity",
    "background", "hierarchy", "segments", "clusters", "kmeans",
)  # fmt: skip
"""Of the groups whose steps need each other's products."""


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "cluster"), counted(41, "cluster")
    ('1 cluster', '41 clusters')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def bytes_text(size: float) -> str:
    """Write a number of bytes, in powers of 1000.

    Examples
    --------
    >>> bytes_text(19_327_352_832), bytes_text(12)
    ('19.3 GB', '12 bytes')
    """
    for prefix in _PREFIXES[:-1]:
        if size < 999.5:
            return f"{size:.3g} {prefix}"
        size /= 1000
    return f"{size:.3g} {_PREFIXES[-1]}"


def percent(part: float, whole: float) -> str:
    """Write a share; what is not nothing never reads as 0 %."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "under 0.1 %"
    return f"{share:.3g} %" if share < 99.95 or part == whole else "over 99.9 %"


def area_text(n_positions: float, grid: PixelGrid) -> str:
    """Write an area in nm² or µm²; empty if the scan is not calibrated."""
    if grid.pixel_area is None:
        return ""
    square_nm = n_positions * grid.pixel_area
    if square_nm >= 1e6:
        return f"{square_nm / 1e6:.3g} µm²"
    return f"{square_nm:,.0f} nm²" if square_nm >= 100 else f"{square_nm:.3g} nm²"


def step_text(grid: PixelGrid, *, pixel_name: str) -> str:
    """Write the distance between pixels, once if it is the same along both axes."""
    if not grid.calibrated:
        return "not calibrated"
    step_y, step_x = (
        length_text(step, grid.units, digits=4) for step in (grid.step_y, grid.step_x)
    )
    if step_y == step_x:
        return f"{step_y} per {pixel_name}"
    return f"{step_y} per {pixel_name} down, {step_x} across"


def field_text(grid: PixelGrid, *, pixel_name: str) -> str:
    """Write the height and width of the picture."""
    if not grid.calibrated:
        return f"{grid.rows} × {grid.columns} {pixel_name}"
    factor, units = (1e-3, "µm") if grid.units == "nm" and grid.width >= 1000 else (1, grid.units)
    return f"{grid.height * factor:.3g} × {grid.width * factor:.3g} {unit_text(units)}"


def frame_title(number: int, coordinates: "xr.Dataset") -> str:
    """Name a frame by its number and by what the series is counted in."""
    parts = [
        in_frame_units(coordinates, name) for name in FRAME_COORDS if name in coordinates.coords
    ]
    return f"Frame {number}" + "".join(f", {part}" for part in parts)


def in_frame_units(one: "xr.Dataset | xr.DataArray", name: str) -> str:
    """Write one of a frame's coordinates, such as its time, with its unit."""
    coordinate = one.coords[name]
    units = unit_text(coordinate.attrs.get("units", FRAME_COORDS[name]))
    gap = "" if units == "°" else " "
    return f"{name} {coordinate.values.item():.4g}{gap}{units}".rstrip()


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return parameters kept as a mapping, or as the JSON text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return {}
    return value if isinstance(value, Mapping) else {}


def parameters_text(value: Any) -> str:
    """Write parameters as ``name = value``, separated by commas."""
    return ", ".join(f"{name} = {toml_value(v)}" for name, v in as_mapping(value).items())


def in_order_made(groups: Mapping[str, Mapping[Any, Any]]) -> dict[str, Mapping[Any, Any]]:
    """Sort groups by the time in their attributes; a whole run may fit into one second."""

    def place(name: str) -> tuple[str, int, str]:
        usual = _USUAL_ORDER.index(name) if name in _USUAL_ORDER else len(_USUAL_ORDER)
        return str(groups[name].get("time", "")), usual, name

    return {name: groups[name] for name in sorted(groups, key=place)}


def recipe_text(steps: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the recipe (TOML) that runs these steps again.

    Parameters
    ----------
    steps
        Parameters of the steps, by name, in order.
    """
    # TOML has no word for "absent": a parameter that is None is left to its default.
    tables = [
        "\n".join(
            [
                f"[{name}]",
                *(f"{k} = {toml_value(v)}" for k, v in parameters.items() if v is not None),
            ]
        )
        for name, parameters in steps.items()
    ]
    return "\n\n".join(tables)


def toml_value(value: Any) -> str:
    """Write a JSON-like value as TOML does.

    Examples
    --------
    >>> toml_value([0.85, 0.95]), toml_value(True), toml_value("raw")
    ('[0.85, 0.95]', 'true', '"raw"')
    """
    if value is None:
        return "absent"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items())
        return "{" + inside + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, (bool, int, float, str)):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(str(value), ensure_ascii=False)


def times(factor: float) -> str:
    """Write a factor with three digits, never with an exponent.

    Examples
    --------
    >>> times(1024.0), times(7.123)
    ('1,024', '7.12')
    """
    return f"{factor:,.0f}" if factor >= 100 else f"{factor:.3g}"
