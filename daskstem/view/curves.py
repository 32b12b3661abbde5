"""Curves about clusters: how large they are, what every threshold would find."""

from typing import Final, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from daskstem.schema import variables
from daskstem.schema.dims import THRESHOLD
from daskstem.schema.errors import InputError
from daskstem.view.drawing import axes_or_new, label_log_axis, plain, scaling, size_bins

LINE: Final = "#44679f"
MARKED: Final = "#c4501b"

_NEAREST: Final = 1e-3
"""To 1, on an axis of thresholds: its scale has no place for 1 itself."""


def size_histogram(
    n_positions: xr.DataArray | np.ndarray,
    *,
    position_area_nm2: float | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw how many clusters there are of each size, in logarithmic bins.

    Parameters
    ----------
    n_positions : (cluster) integer
        Positions in each cluster.
    position_area_nm2
        Area of one position; adds an upper axis in nm^2.
    ax
        Where to draw; a new figure if None.
    title
        Text above the histogram.

    Returns
    -------
    The matplotlib Axes.

    Examples
    --------
    >>> import numpy as np
    >>> from daskstem import view
    >>> ax = view.size_histogram(np.array([8, 20, 300]), position_area_nm2=4.0)
    >>> int(sum(bar.get_height() for bar in ax.patches))
    3
    """
    ax = axes_or_new(ax)
    sizes = np.asarray(n_positions)
    ax.hist(sizes, bins=size_bins(sizes).tolist(), color=LINE, edgecolor="white", linewidth=0.6)
    ax.set_xscale("log")
    label_log_axis(ax.xaxis, sizes)
    ax.set_xlabel("positions per cluster")
    ax.set_ylabel("clusters")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    plain(ax, grid=False)
    if position_area_nm2:
        ways = scaling(position_area_nm2)
        upper = ax.secondary_xaxis("top", functions=ways)
        label_log_axis(upper.xaxis, sizes)
        upper.set_xlabel("nm²")
    ax.set_title(title, fontsize=9)
    return ax


def threshold_curve(
    hierarchy: xr.Dataset,
    *,
    of: Literal["cluster_count", "cover"] = "cluster_count",
    used: float | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw what every threshold of similarity would find in one frame.

    Parameters
    ----------
    hierarchy
        ``cluster_count`` or ``cover`` (threshold), as ``hierarchy`` makes them; where it has
        ``suggested_threshold``, that is marked.
    of
        The number of clusters, or the share of the mask that they cover.
    used
        A threshold to mark.
    ax
        Where to draw; a new figure if None.
    title
        Text above the curve.

    Returns
    -------
    The matplotlib Axes. What is similar crowds below 1: the axis is logarithmic in the
    distance from it.

    Raises
    ------
    InputError
        If the curve is missing, or there is one for each of several frames.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> found = xr.Dataset({"cluster_count": ("threshold", [1, 4, 9, 3])},
    ...                    {"threshold": [0.5, 0.8, 0.9, 0.99]})
    >>> view.threshold_curve(found, used=0.88).lines[0].get_ydata().tolist()
    [1, 4, 9, 3]
    """
    known = {spec.name: spec for spec in (variables.cluster_count, variables.cover)}
    if of not in known:
        raise InputError(f"no curve {of!r}; there are {', '.join(known)}")
    hierarchy = _one_frame(hierarchy, of, known[of].made_by)
    ax = axes_or_new(ax)
    along = hierarchy.coords[THRESHOLD].values
    below = along < 1
    factor, words = (1, "clusters") if of == "cluster_count" else (100, "cover of the mask (%)")
    ax.plot(1 - along[below], factor * hierarchy[of].values[below], color=LINE)
    suggested = float(hierarchy.get(variables.suggested_threshold.name, np.nan))
    for value, name, style in ((used, "used", "-"), (suggested, "suggested", "--")):
        if value is not None and np.isfinite(value):
            ax.axvline(
                max(1 - value, _NEAREST), color=MARKED, linestyle=style, linewidth=1.1,
                label=f"{name}: {value:z.3f}",
            )  # fmt: skip
    ax.set(xscale="log", xlabel="threshold of similarity", ylabel=words, ylim=(0, None))
    ax.invert_xaxis()
    ax.set_xticks([1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{1 - value:.4g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=8)
    ax.set_title(title, fontsize=9)
    return plain(ax)


def _one_frame(hierarchy: xr.Dataset, name: str, made_by: str) -> xr.Dataset:
    if name not in hierarchy:
        raise InputError(f"no {name!r} among {sorted(map(str, hierarchy))}; run {made_by!r} first")
    names = {name, variables.suggested_threshold.name} & {str(n) for n in hierarchy.data_vars}
    one = hierarchy[sorted(names)].squeeze()
    if one[name].dims != (THRESHOLD,):
        raise InputError(
            f"{name!r} has the dims {hierarchy[name].dims}, a curve needs ({THRESHOLD!r},); "
            f"select one frame first, e.g. with .isel(frame=0)"
        )
    return one
