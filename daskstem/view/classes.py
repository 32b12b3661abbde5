"""K-means classes: their map, their patterns, how they were found."""

from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from daskstem.schema import variables
from daskstem.schema.dims import CENTROID, N_CLASSES, SCAN
from daskstem.view.drawing import axes_or_new, bare, draw_image, log_norm
from daskstem.view.palette import class_colors
from daskstem.view.pictures import POSITIONS, pattern
from daskstem.view.scale import draw_scale_bar, scan_grid
from daskstem.view.wording import as_mapping, counted, percent

MOST_CLASSES: Final = 12
"""Patterns shown: two rows."""

_COLUMNS: Final = 6


def class_map(label: xr.DataArray, *, axes: Axes | None = None, title: str = "") -> Axes:
    """Draw the class of every position, each class in the color that it has in every frame.

    Parameters
    ----------
    label
        (scan_y, scan_x) integer; negative was left out and is drawn dark.
    axes
        Where to draw; a new figure if None.
    title
        Text above the map.

    Returns
    -------
    The matplotlib Axes.
    """
    label = label.transpose(*SCAN)
    axes = axes_or_new(axes)
    grid = scan_grid(label)
    draw_image(axes, class_colors(label.values), grid)
    draw_scale_bar(axes, grid, pixel_name=POSITIONS)
    return bare(axes, title)


def class_montage(classes: xr.Dataset) -> Figure:
    """Draw the mean patterns of the largest classes, framed in the colors of the class map.

    Parameters
    ----------
    classes
        ``pattern`` (centroid, q_y, q_x) and ``n_positions`` (centroid).

    Returns
    -------
    The matplotlib Figure. All patterns share one color scale, that of the largest class.
    """
    sizes = classes[variables.class_n_positions.name].values
    shown = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES])
    means = classes[variables.class_pattern.name]
    norm = log_norm(means.isel({CENTROID: int(np.argmax(sizes))}).values)
    rows = -(-len(shown) // _COLUMNS)
    figure = Figure(figsize=(1.75 * _COLUMNS, 2.0 * rows))
    places = figure.add_gridspec(
        rows, _COLUMNS, left=0.006, right=0.994, bottom=0.02, top=1 - 0.11 / rows, wspace=0.06,
        hspace=0.16,
    )  # fmt: skip
    colors = class_colors(np.arange(len(sizes))) / 255
    for place, number in enumerate(shown):
        axes = figure.add_subplot(places[place // _COLUMNS, place % _COLUMNS])
        title = f"class {number}: {counted(int(sizes[number]), 'position')}"
        pattern(means.isel({CENTROID: int(number)}), axes=axes, norm=norm, title=title)
        axes.spines[:].set_color(colors[number])
        axes.spines[:].set_linewidth(3)
    return figure


def convergence_figure(classes: xr.Dataset) -> Figure:
    """Draw the inertia before each iteration and, for several k, the silhouettes.

    Parameters
    ----------
    classes
        ``inertia`` (n_classes, iteration) and ``silhouette`` (n_classes).
    """
    numbers = classes[N_CLASSES].values
    figure = Figure(figsize=(7.8 if len(numbers) > 1 else 3.9, 2.9), layout="constrained")
    axes = figure.subplots(1, 2 if len(numbers) > 1 else 1, squeeze=False)[0]
    for k, inertia in zip(numbers, classes[variables.inertia.name].values, strict=True):
        known = inertia[np.isfinite(inertia)]
        along = np.arange(1, len(known) + 1)
        axes[0].plot(along, known / known[0], marker="o", markersize=3, label=f"k = {k}")
    axes[0].set_xlabel("iteration")
    axes[0].set_ylabel("inertia, relative to the first")
    axes[0].legend(fontsize=7, frameon=False)
    if len(numbers) > 1:
        silhouettes = classes[variables.silhouette.name].values
        axes[1].plot(numbers, silhouettes, color="#44679f", marker="o", markersize=4)
        axes[1].set_xlabel("number of classes k")
        axes[1].set_ylabel("mean silhouette of a sample")
    for one in axes:
        one.xaxis.set_major_locator(MaxNLocator(integer=True))
        one.grid(color="0.9", linewidth=0.6)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
    return figure


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
