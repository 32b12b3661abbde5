"""Several patterns side by side in one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from daskstem.schema import variables
from daskstem.schema.dims import FRAME_COORDS, Q
from daskstem.schema.errors import InputError
from daskstem.view.drawing import log_norm
from daskstem.view.pictures import pattern
from daskstem.view.scale import detector_grid
from daskstem.view.wording import in_frame_units

MOST: Final = 12
COLUMNS: Final = 6

_INCHES: Final = 1.75
"""Width of a pattern in a figure of the montage's own."""

_TITLE: Final = 0.13
"""Height of a title, as a share of a pattern's width; so is the gap."""

_GAP: Final = 0.03


def montage(
    patterns: xr.DataArray,
    *,
    below: xr.DataArray | None = None,
    most: int = MOST,
    columns: int = COLUMNS,
    norm: LogNorm | None = None,
    titles: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw patterns side by side in log scale.

    Parameters
    ----------
    patterns
        One dimension more than (q_y, q_x), such as ``clusters/pattern`` (cluster, q_y, q_x) or
        a track's patterns (frame, q_y, q_x).
    below
        Of the same dimensions: each is drawn below its pattern, on the same scale.
    most
        Of more patterns, those of the most positions are drawn, largest first, or evenly
        chosen ones where ``n_positions`` is not among the coordinates.
    columns
        Patterns in a row.
    norm
        The color scale of all; by default each pattern has its own.
    titles
        One for each pattern; by default from its coordinates.
    ax
        Whose area the patterns share; a new figure if None.

    Returns
    -------
    The matplotlib Axes, itself empty: each pattern is one of its ``child_axes``, first all of
    ``patterns`` and then those below.

    Raises
    ------
    InputError
        If there is not exactly one dimension more than (q_y, q_x).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> counts = np.random.default_rng(0).poisson(2.0, (3, 16, 16))
    >>> means = xr.DataArray(counts, dims=("cluster", "q_y", "q_x"),
    ...                      coords={"n_positions": ("cluster", [9, 800, 30])})
    >>> [one.get_title() for one in view.montage(means, most=2).child_axes]
    ['#1: mean of 800', '#2: mean of 30']
    """
    dim = _along(patterns)
    chosen = _chosen(patterns, dim, most)
    stacks = [patterns] if below is None else [patterns, below]
    cells = _Cells.of(patterns, len(chosen), columns, len(stacks))
    ax = cells.area(ax)
    norms: list[LogNorm] = []
    for row, stack in enumerate(stacks):
        for place, at in enumerate(chosen):
            # one by one: each may lie in a file of its own
            one = stack.isel({dim: at}).load()
            norms += [norm or log_norm(one.values)] if not row else []
            title = (titles[at] if titles else _title(patterns, dim, at)) if not row else ""
            pattern(one, ax=cells.inset(ax, place, row), norm=norms[place], title=title)
    return ax


def montage_size(
    patterns: xr.DataArray, *, rows: int = 1, columns: int = COLUMNS, most: int = MOST
) -> tuple[float, float]:
    """Return width and height in inches that suit a montage of these patterns."""
    count = min(patterns.sizes[_along(patterns)], most)
    return _Cells.of(patterns, count, columns, rows).inches


@dataclass(frozen=True)
class _Cells:
    """Where the patterns lie: lengths are in widths of a pattern."""

    columns: int
    bands: int
    rows: int
    shape: float

    @classmethod
    def of(cls, patterns: xr.DataArray, count: int, columns: int, rows: int) -> "_Cells":
        grid = detector_grid(patterns)
        # patterns stay as wide when they are fewer than a full row
        return cls(columns, max(-(-count // columns), 1), rows, grid.height / grid.width)

    @property
    def width(self) -> float:
        return self.columns * (1 + _GAP) - _GAP

    @property
    def band(self) -> float:
        return _TITLE + self.rows * (self.shape + _GAP)

    @property
    def inches(self) -> tuple[float, float]:
        return _INCHES * self.width, _INCHES * self.band * self.bands

    def area(self, ax: Axes | None) -> Axes:
        """Return the axes that the patterns share, emptied."""
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.figure(figsize=self.inches).add_axes((0.0, 0.0, 1.0, 1.0))
        ax.axis("off")
        return ax

    def inset(self, ax: Axes, place: int, row: int) -> Axes:
        """Return the axes of one pattern: a place, counted along the rows, and a row in it."""
        band, column = divmod(place, self.columns)
        top = band * self.band + _TITLE + row * (self.shape + _GAP)
        height = self.bands * self.band
        return ax.inset_axes(
            (column * (1 + _GAP) / self.width, 1 - (top + self.shape) / height,
             1 / self.width, self.shape / height)
        )  # fmt: skip


def _along(patterns: xr.DataArray) -> str:
    others = [str(dim) for dim in patterns.dims if dim not in Q]
    if len(others) != 1 or patterns.ndim != 3:
        raise InputError(
            f"{patterns.name!r} has the dims {patterns.dims}, a montage needs {Q} and one more; "
            f"select along the others first, e.g. with .isel"
        )
    return others[0]


def _chosen(patterns: xr.DataArray, dim: str, most: int) -> list[int]:
    count = patterns.sizes[dim]
    sizes = patterns.coords.get(variables.n_positions.name)
    if sizes is not None and sizes.dims == (dim,):
        return [int(at) for at in np.argsort(-sizes.values, kind="stable")[:most]]
    return [int(at) for at in np.unique(np.linspace(0, count - 1, min(most, count)).round())]


def _title(patterns: xr.DataArray, dim: str, at: int) -> str:
    one = patterns.isel({dim: at})
    known = {str(name): value.item() for name, value in one.coords.items() if not value.ndim}
    if variables.n_positions.name in known:
        number = known.get(variables.cluster_label.name, at)
        title = f"#{number}: mean of {known[variables.n_positions.name]:,}"
        frames = patterns.coords.get(variables.cluster_frame.name)
        # a number is that of another cluster in another frame
        several = frames is not None and np.unique(frames.values).size > 1
        return f"frame {known[variables.cluster_frame.name]}, {title}" if several else title
    units = next((in_frame_units(one, name) for name in FRAME_COORDS if name in known), None)
    return units or f"{dim} {known.get(dim, at)}"
