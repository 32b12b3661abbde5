"""Two runs on one scan, side by side on one page."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.colors import ListedColormap, Normalize, to_hex, to_rgb
from matplotlib.figure import Figure

from daskstem.schema import variables
from daskstem.schema.dims import FRAME, THRESHOLD
from daskstem.view import html
from daskstem.view.content import MOVES, ComparedFrame, ComparisonContent
from daskstem.view.curves import MARKED
from daskstem.view.drawing import bare, draw_image, label_log_axis, plain, size_bins
from daskstem.view.figures import map_axes, png
from daskstem.view.palette import BACKGROUND
from daskstem.view.pictures import POSITIONS, label_map
from daskstem.view.scale import draw_scale_bar, scan_grid
from daskstem.view.tracks import frame_axis
from daskstem.view.wording import frame_title, percent, toml_value

_DPI: Final = 110
_FIRST: Final = "#44679f"
_SECOND: Final = MARKED
_MOVED_COLORS: Final = (
    tuple(value / 255 for value in BACKGROUND), to_rgb("0.62"), to_rgb("#ffd92f"),
    to_rgb("#5b8fd9"), to_rgb("#e0743a"),
)  # fmt: skip
_MOVED_WORDS: Final = (
    "in no cluster", "in the same cluster", "in another cluster", "in the first only",
    "in the second only",
)  # fmt: skip


def comparison_page(content: ComparisonContent) -> str:
    """Write the page.

    Parameters
    ----------
    content
        All numbers and maps, computed.

    Returns
    -------
    One HTML page with its pictures inside; nothing is fetched from anywhere.
    """
    title = " and ".join(_short(store) for store in content.stores) + ", compared"
    parts = [
        html.heading(1, title),
        html.opening(
            [html.paragraph(_summary(content), kind="lead")], html.facts(_facts(content))
        ),
        *_differences(content),
        html.heading(2, "What moved"),
        html.paragraph(
            "Two clusters are the same if they share more than half of the positions that lie "
            "in either. Colors of clusters are chosen for each map by itself."
        ),
        html.legend(zip(map(to_hex, _MOVED_COLORS), _MOVED_WORDS, strict=True)),
    ]
    parts += [_frame(content, frame) for frame in content.frames]
    parts += [html.heading(2, "Numbers and sizes"), html.gallery(_curves(content))]
    return html.document(title, parts)


def _short(store: str) -> str:
    return store.rstrip("/").rsplit("/", 1)[-1]


def _summary(content: ComparisonContent) -> str:
    total = {name: float(content.per_frame[name].sum()) for name in MOVES}
    either = sum(total.values())
    rand = content.per_frame["adjusted_rand"].values
    clusters = [int(content.per_frame[f"{n}_clusters"].sum()) for n in ("first", "second")]
    words = (
        f"The first run found {clusters[0]:,} clusters, the second {clusters[1]:,}. Their "
        f"adjusted Rand index is {np.mean(rand):.3f} (1: the same partition, 0: no better than "
        f"chance). Of all positions in a cluster of either run "
        f"{percent(total['same'], either)} are in the same cluster in both, "
        f"{percent(total['moved'], either)} in another, "
        f"{percent(total['first_only'], either)} in one of the first run only and "
        f"{percent(total['second_only'], either)} of the second only."
    )
    if content.same_patterns is False:
        words += " The two stores hold different patterns, so differences need not be due to "
        words += "parameters."
    return words


def _facts(content: ComparisonContent) -> Iterator[tuple[str, str]]:
    yield "First", content.stores[0]
    yield "Second", content.stores[1]
    if content.same_patterns is not None:
        yield "Patterns", "the same" if content.same_patterns else "different"
    for name, words in (
        ("adjusted_rand", "Adjusted Rand index"),
        ("adjusted_rand_inside", "where both have clusters"),
    ):
        values = content.per_frame[name].values
        known = values[np.isfinite(values)]
        if known.size:
            spread = f" (mean; lowest frame {known.min():.4f})" if values.size > 1 else ""
            yield words, f"{known.mean():.4f}{spread}"


def _differences(content: ComparisonContent) -> list[str]:
    rows = []
    first, second = content.steps
    for step in dict.fromkeys([*first, *second]):
        if step not in first or step not in second:
            here, there = ("run" if step in run else "not run" for run in content.steps)
            rows.append([step, "", here, there])
            continue
        names = dict.fromkeys([*first[step], *second[step]])
        rows += [
            [step, name, toml_value(first[step].get(name)), toml_value(second[step].get(name))]
            for name in names
            if first[step].get(name) != second[step].get(name)
        ]
    parts = [html.heading(2, "Parameters that differ")]
    if not rows:
        return [*parts, html.paragraph("None: both runs had the same steps and parameters.")]
    return [*parts, html.table(["Step", "Parameter", "First", "Second"], rows)]


def _frame(content: ComparisonContent, frame: ComparedFrame) -> str:
    one = content.per_frame.isel({FRAME: frame.number})
    several = content.per_frame.sizes[FRAME] > 1
    parts = [html.heading(3, frame_title(frame.number, one))] if several else []
    pictures = [
        html.picture(
            png(_label_figure(frame.maps[name]), dpi=_DPI),
            title=f"{name.capitalize()}: {int(one[f'{name}_clusters'])} clusters",
            caption=store,
        )
        for name, store in zip(("first", "second"), content.stores, strict=True)
        if name in frame.maps
    ]
    moved = png(_moved_figure(frame.maps["moved"]), dpi=_DPI)
    rand = float(one["adjusted_rand"])
    pictures.append(
        html.picture(moved, title="What moved", caption=f"Adjusted Rand index {rand:.4f}.")
    )
    return html.section([*parts, html.gallery(pictures)])


def _label_figure(label: xr.DataArray) -> Figure:
    figure, ax = map_axes(scan_grid(label))
    label_map(label, ax=ax)
    return figure


def _moved_figure(moved: xr.DataArray) -> Figure:
    grid = scan_grid(moved)
    figure, ax = map_axes(grid)
    colors = ListedColormap(_MOVED_COLORS)
    draw_image(ax, moved.values, grid, cmap=colors, norm=Normalize(-0.5, 4.5))
    draw_scale_bar(ax, grid, pixel_name=POSITIONS)
    bare(ax, "")
    return figure


def _curves(content: ComparisonContent) -> Iterator[str]:
    yield html.picture(
        png(_size_figure(content), dpi=_DPI), title="Sizes", caption="Clusters of each size."
    )
    if all(content.curves):
        yield html.picture(
            png(_threshold_figure(content), dpi=_DPI),
            title="Thresholds",
            caption="Clusters that each threshold would find, in the first frame.",
        )
    if content.per_frame.sizes[FRAME] > 1:
        yield html.picture(
            png(_series_figure(content), dpi=_DPI),
            title="Frame by frame",
            caption="Number of clusters, and the runs' agreement.",
            double=True,
        )


def _size_figure(content: ComparisonContent) -> Figure:
    figure = Figure(figsize=(3.9, 3.0), layout="constrained")
    ax = figure.add_subplot()
    every = np.concatenate(content.sizes)
    edges = size_bins(every)
    for sizes, color, name in zip(
        content.sizes, (_FIRST, _SECOND), ("first", "second"), strict=True
    ):
        ax.stairs(np.histogram(sizes, edges)[0], edges, color=color, linewidth=1.4, label=name)
    ax.set(xscale="log", xlabel="positions per cluster", ylabel="clusters")
    label_log_axis(ax.xaxis, every)
    ax.legend(fontsize=7, frameon=False)
    plain(ax)
    return figure


def _threshold_figure(content: ComparisonContent) -> Figure:
    figure = Figure(figsize=(3.9, 3.0), layout="constrained")
    ax = figure.add_subplot()
    for curves, color, name in zip(
        content.curves, (_FIRST, _SECOND), ("first", "second"), strict=True
    ):
        counts = curves[variables.cluster_count.name].values
        ax.plot(curves[THRESHOLD].values, counts, color=color, linewidth=1.2, label=name)
    ax.set(xlabel="threshold of similarity", ylabel="clusters", xlim=(0.5, 1))
    ax.legend(fontsize=7, frameon=False)
    plain(ax)
    return figure


def _series_figure(content: ComparisonContent) -> Figure:
    figure = Figure(figsize=(7.8, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    along, words = frame_axis(content.per_frame)
    for name, color in (("first", _FIRST), ("second", _SECOND)):
        values = content.per_frame[f"{name}_clusters"].values
        left.plot(along, values, color=color, marker="o", markersize=3, label=name)
    left.set(xlabel=words, ylabel="clusters")
    left.legend(fontsize=7, frameon=False)
    right.plot(along, content.per_frame["adjusted_rand"].values, color="0.3", marker="o",
               markersize=3)  # fmt: skip
    right.set(xlabel=words, ylabel="adjusted Rand index", ylim=(None, 1.02))
    for ax in (left, right):
        plain(ax)
    return figure
