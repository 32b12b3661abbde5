"""K-means classes: their map, their patterns, how they were found."""

from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from daskstem.schema import variables
from daskstem.schema.dims import CENTROID, ITERATION, N_CLASSES, SCAN
from daskstem.view.drawing import (
    axes_or_new,
    bare,
    draw_image,
    log_norm,
    plain,
    two_dimensional,
)
from daskstem.view.montages import montage
from daskstem.view.palette import class_colors
from daskstem.view.pictures import POSITIONS
from daskstem.view.scale import draw_scale_bar, scan_grid
from daskstem.view.wording import as_mapping, counted, percent

MOST_CLASSES: Final = 12
"""Patterns shown: two rows."""


def class_map(label: xr.DataArray, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the class of every position, each class in the color that it has in every frame.

    Parameters
    ----------
    label
        (scan_y, scan_x) integer; negative was left out and is drawn dark.
    ax
        Where to draw; a new figure if None.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.
    """
    label, ax = two_dimensional(label, SCAN), axes_or_new(ax)
    grid = scan_grid(label)
    draw_image(ax, class_colors(label.values), grid)
    draw_scale_bar(ax, grid, pixel_name=POSITIONS)
    return bare(ax, title)


def class_montage(classes: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the mean patterns of the largest classes, framed in the colors of the class map.

    Parameters
    ----------
    classes
        ``pattern`` (centroid, q_y, q_x) and ``n_positions`` (centroid), as ``kmeans`` makes
        them.
    ax
        Whose area the patterns share; a new figure if None.

    Returns
    -------
    The matplotlib Axes, itself empty: each pattern is one of its ``child_axes``. All share one
    color scale, that of the largest class.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> counts = np.random.default_rng(0).poisson(2.0, (2, 16, 16))
    >>> found = xr.Dataset({"pattern": (("centroid", "q_y", "q_x"), counts),
    ...                     "n_positions": ("centroid", [90, 6])})
    >>> [one.get_title() for one in view.class_montage(found).child_axes]
    ['class 0: 90 positions', 'class 1: 6 positions']
    """
    sizes = classes[variables.class_n_positions.name].values
    shown = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES])
    means = classes[variables.class_pattern.name]
    norm = log_norm(means.isel({CENTROID: int(np.argmax(sizes))}).values)
    titles = [f"class {number}: {counted(int(sizes[number]), 'position')}" for number in shown]
    ax = montage(means.isel({CENTROID: shown}), norm=norm, titles=titles, ax=ax)
    for one, color in zip(ax.child_axes, class_colors(shown) / 255, strict=True):
        one.spines[:].set_color(color)
        one.spines[:].set_linewidth(3)
    return ax


def inertia_curve(classes: xr.Dataset, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the inertia before each iteration, relative to the first, for every k.

    Parameters
    ----------
    classes
        ``inertia`` (n_classes, iteration), as ``kmeans`` makes it.
    ax
        Where to draw; a new figure if None.
    title
        Text above the curves.

    Returns
    -------
    The matplotlib Axes.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskstem import view
    >>> found = xr.Dataset({"inertia": (("n_classes", "iteration"), [[8.0, 6.0, np.nan]])},
    ...                    {"n_classes": [3]})
    >>> view.inertia_curve(found).lines[0].get_ydata().tolist()
    [1.0, 0.75]
    """
    ax = axes_or_new(ax)
    inertia = classes[variables.inertia.name].transpose(N_CLASSES, ITERATION).values
    for k, values in zip(classes[N_CLASSES].values, inertia, strict=True):
        known = values[np.isfinite(values)]
        along = np.arange(1, len(known) + 1)
        ax.plot(along, known / known[0], marker="o", markersize=3, label=f"k = {k}")
    ax.set(xlabel="iteration", ylabel="inertia, relative to the first")
    ax.legend(fontsize=7, frameon=False)
    # it may fall by less than a thousandth: whole numbers read better than an offset
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(title, fontsize=9)
    return plain(ax)


def silhouette_curve(classes: xr.Dataset, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw how well separated the classes are, for every k.

    Parameters
    ----------
    classes
        ``silhouette`` (n_classes), as ``kmeans`` makes it.
    ax
        Where to draw; a new figure if None.
    title
        Text above the curve.

    Returns
    -------
    The matplotlib Axes.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskstem import view
    >>> found = xr.Dataset({"silhouette": ("n_classes", [0.2, 0.4])}, {"n_classes": [2, 3]})
    >>> view.silhouette_curve(found).get_ylabel()
    'mean silhouette of a sample'
    """
    ax = axes_or_new(ax)
    ax.plot(
        classes[N_CLASSES].values, classes[variables.silhouette.name].values,
        color="#44679f", marker="o", markersize=4,
    )  # fmt: skip
    ax.set(xlabel="number of classes k", ylabel="mean silhouette of a sample")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(title, fontsize=9)
    return plain(ax)


def class_words(classes: xr.Dataset) -> str:
    """Say how many classes there are, how they were chosen and when iterations ended."""
    sizes = classes[variables.class_n_positions.name].values
    numbers = classes[N_CLASSES].values
    chosen = int(np.flatnonzero(numbers == len(sizes))[0])
    steps = np.isfinite(classes[variables.inertia.name].values).sum(axis=1)
    words = f"{counted(len(sizes), 'class', 'classes')} of {sizes.sum():,} positions, after "
    words += f"{counted(int(steps[chosen]), 'iteration')}."
    if len(numbers) > 1:
        tried = ", ".join(str(k) for k in numbers)
        words += f" Of k = {tried} this one has the highest silhouette."
    return words


def class_notes(classes: xr.Dataset, parameters: object) -> list[str]:
    """List what to keep in mind when the classes are used."""
    if variables.class_n_positions.name not in classes:
        return []
    sizes = classes[variables.class_n_positions.name].values
    numbers = classes[N_CLASSES].values
    chosen = int(np.flatnonzero(numbers == len(sizes))[0])
    reseeded = int(classes[variables.n_reseeded.name].values[chosen])
    steps = int(np.isfinite(classes[variables.inertia.name].values[chosen]).sum())
    constant, unusable = (
        int(classes[spec.name].sum()) for spec in (variables.n_constant, variables.n_unusable)
    )
    empty = int((sizes == 0).sum())
    found = (
        (empty, f"{counted(empty, 'class', 'classes')} without any pattern: there are fewer "
                f"kinds of pattern than classes."),
        (reseeded, f"A class ran empty {counted(reseeded, 'time')} and was begun anew with the "
                   f"pattern farthest from its centroid; fewer classes may do."),
        (constant, f"{counted(constant, 'pattern')} in the classes "
                   f"({percent(constant, sizes.sum())}) have the same value at all pixels."),
        (unusable, f"{counted(unusable, 'pattern')} left out of the classes: a value is not "
                   f"finite."),
        (steps == as_mapping(parameters).get("max_iter"),
         f"The classes were still moving after {counted(steps, 'iteration')}, the most that "
         f"max_iter allows."),
    )  # fmt: skip
    odd = [words for number, words in found if number]
    return odd or ["No class is empty, and no pattern in the classes is constant or left out."]
