"""What is in a store, as the command line prints it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from daskstem.schema.content import PATTERNS, GroupContent, StoreContent
from daskstem.schema.dims import FRAME, FRAME_COORDS, SERIES
from daskstem.view.scale import unit_text
from daskstem.view.wording import bytes_text, in_order_made, parameters_text

_IN_THE_TABLE: Final = (
    "step", "parameters", "time", "host", "version", "key", "source", "finished", "chosen",
)  # fmt: skip

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def describe(content: StoreContent) -> "RenderableType":
    """Describe a store: the patterns, their calibration, and the state of every group.

    Parameters
    ----------
    content
        Metadata of a series; ``attrs["parameters"]`` of a group may leave out what has its
        default.

    Returns
    -------
    Something that ``rich.console.Console().print`` prints.
    """
    from rich.console import Group

    parts: list[RenderableType] = []
    frames = 0
    raw = content.groups.get("raw")
    if raw is not None and PATTERNS in raw.arrays:
        frames = raw.arrays[PATTERNS].shape[0]
        parts = [_patterns(raw), "", _axes(raw), ""]
    return Group(*parts, _groups(content, frames), "", _versions(content))


def _patterns(raw: GroupContent) -> "RenderableType":
    from rich.text import Text

    patterns = raw.arrays[PATTERNS]
    shape = " x ".join(str(size) for size in patterns.shape)
    lines = [f"patterns  {shape}  {patterns.dtype}  {bytes_text(patterns.nbytes)} uncompressed"]
    lines += [
        f"{name}  {value}"
        for name, value in raw.attrs.items()
        if isinstance(value, (str, int, float)) and name not in _IN_THE_TABLE
    ]
    return Text("\n".join(lines))


def _axes(raw: GroupContent) -> "Table":
    """One line for each dimension, and for what the frames are counted in."""
    table = _table("axis", "size", "first", "last", "step", "unit")
    for dim in SERIES:
        _add(table, *_axis_row(raw, dim, dim))
    for name in FRAME_COORDS:
        if name in raw.arrays:
            _add(table, *_axis_row(raw, name, FRAME))
    return table


def _axis_row(raw: GroupContent, name: str, dim: str) -> list[str]:
    size = str(dict(zip(SERIES, raw.arrays[PATTERNS].shape, strict=True))[dim])
    axis = raw.arrays.get(name)
    if axis is None or axis.values is None:
        return [name, size, "", "", "", "" if dim == FRAME else "not calibrated"]
    values = axis.values
    units = unit_text(str(axis.attrs.get("units", "")))
    if values.dtype.kind not in "iuf":
        return [name, size, str(values[0]), str(values[-1]), "", units]
    steps = np.diff(values.astype(np.float64))
    even = steps.size > 0 and np.allclose(steps, steps[0], rtol=1e-6)
    step = f"{steps[0]:.6g}" if even else "uneven" if steps.size else ""
    return [name, size, f"{values[0]:.6g}", f"{values[-1]:.6g}", step, units]


def _groups(content: StoreContent, frames: int) -> "Table":
    table = _table("group", "step", "state", "made (UTC)", "parameters")
    every: dict[str, Mapping] = {name: group.attrs for name, group in content.groups.items()}
    ordered = in_order_made(every)
    first = {"raw": ordered.pop("raw")} if "raw" in ordered else {}
    for name, attrs in {**first, **ordered}.items():
        _add(
            table,
            name,
            str(attrs.get("step", "")),
            _state(attrs, frames),
            str(attrs.get("time", ""))[:16].replace("T", " "),
            parameters_text(attrs.get("parameters")),
        )
    return table


def _versions(content: StoreContent) -> str:
    found = {str(group.attrs.get("version", "")) for group in content.groups.values()} - {""}
    made = [f"made with daskstem {', '.join(sorted(found))}"] if found else []
    return "; ".join([*made, "parameters that have their defaults are left out"])


def _state(attrs: Mapping, frames: int) -> str:
    if attrs.get("finished", True):
        return "finished"
    return f"{len(attrs.get('finished_frames', ()))} of {frames} frames"


def _add(table: "Table", *cells: str) -> None:
    from rich.text import Text

    # As Text, what stands in brackets in the data is not taken for markup.
    table.add_row(*(Text(cell) for cell in cells))


def _table(*columns: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        # Folded and not cut: half a parameter is worse than a second line.
        table.add_column(column, overflow="fold", no_wrap=column != "parameters")
    return table
