"""What is in a store, as the command line prints it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.dims import FRAME, FRAME_COORDS, SERIES
from daskstem.view.scale import unit_text
from daskstem.view.wording import bytes_text, in_order_made, parameters_text

_IN_THE_TABLE: Final = (
    "step", "parameters", "time", "host", "version", "key", "source", "finished", "chosen",
)  # fmt: skip

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def describe(tree: xr.DataTree) -> "RenderableType":
    """Describe a store: the patterns, their calibration, and the state of every group.

    Parameters
    ----------
    tree
        A series as `daskstem.open_series` gives it; ``attrs["unfinished"]`` may name groups
        that a stopped run left half-made, and ``attrs["parameters"]`` of a group may leave
        out what has its default.

    Returns
    -------
    Something that ``rich.console.Console().print`` prints. Reads nothing but metadata and
    coordinates.
    """
    from rich.console import Group

    parts: list[RenderableType] = []
    frames = 0
    if "raw" in tree.children and variables.patterns.name in tree["raw"].data_vars:
        raw = tree["raw"].to_dataset()
        frames = raw.sizes[FRAME]
        parts = [_patterns(raw), "", _axes(raw), ""]
    return Group(*parts, _groups(tree, frames), "", _versions(tree))


def _patterns(raw: xr.Dataset) -> "RenderableType":
    from rich.text import Text

    patterns = raw[variables.patterns.name]
    shape = " x ".join(str(size) for size in patterns.shape)
    lines = [f"patterns  {shape}  {patterns.dtype}  {bytes_text(patterns.nbytes)} uncompressed"]
    lines += [
        f"{name}  {value}"
        for name, value in raw.attrs.items()
        if isinstance(value, (str, int, float)) and name not in _IN_THE_TABLE
    ]
    return Text("\n".join(lines))


def _axes(raw: xr.Dataset) -> "Table":
    """One line for each dimension, and for what the frames are counted in."""
    table = _table("axis", "size", "first", "last", "step", "unit")
    for dim in SERIES:
        _add(table, *_axis_row(raw, dim, dim))
    for name in FRAME_COORDS:
        if name in raw.coords:
            _add(table, *_axis_row(raw, name, FRAME))
    return table


def _axis_row(raw: xr.Dataset, name: str, dim: str) -> list[str]:
    size = raw.sizes[dim]
    if name not in raw.coords:
        return [name, str(size), "", "", "", "" if dim == FRAME else "not calibrated"]
    values = np.asarray(raw.coords[name].values)
    units = unit_text(str(raw.coords[name].attrs.get("units", "")))
    if values.dtype.kind not in "iuf":
        return [name, str(size), str(values[0]), str(values[-1]), "", units]
    steps = np.diff(values.astype(np.float64))
    even = steps.size > 0 and np.allclose(steps, steps[0], rtol=1e-6)
    step = f"{steps[0]:.6g}" if even else "uneven" if steps.size else ""
    return [name, str(size), f"{values[0]:.6g}", f"{values[-1]:.6g}", step, units]


def _groups(tree: xr.DataTree, frames: int) -> "Table":
    table = _table("group", "step", "state", "made (UTC)", "parameters")
    every: dict[str, Mapping] = {name: child.attrs for name, child in tree.children.items()}
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
    for name in tree.attrs.get("unfinished", ()):
        if name not in tree.children:
            _add(table, str(name), "", "not finished", "", "")
    return table


def _versions(tree: xr.DataTree) -> str:
    found = {str(child.attrs.get("version", "")) for child in tree.children.values()} - {""}
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
