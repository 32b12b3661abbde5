"""The pictures of the page: a scan, a pattern, a curve and a histogram, to be filled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from bokeh.models import (
    BoxSelectTool,
    BoxZoomTool,
    ColumnDataSource,
    DataRange1d,
    DataTable,
    FixedTicker,
    LassoSelectTool,
    LinearColorMapper,
    NumberFormatter,
    PanTool,
    ResetTool,
    Span,
    TableColumn,
    WheelZoomTool,
)
from bokeh.palettes import Cividis256, Greys256, Inferno256
from bokeh.plotting import figure

from daskstem.schema.dims import THRESHOLD
from daskstem.view.scale import PixelGrid

MISSING: Final = "#7d7d85"
"""What no value is drawn in."""
PALETTES: Final = {
    "inferno": Inferno256, "gray": Greys256, "cividis": Cividis256,
}  # fmt: skip
"""Perceptually uniform maps, from dark to bright."""
_STAGE: Final = "#16161a"
_DARK_TOOLBAR: Final = ":host { background: #2a2a30; --icon-color: #d8d8de; }"
_LINE: Final = "#ffffff"
_PICKED: Final = "#ffe14d"


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure that shows an image, and what lies on it.

    Attributes
    ----------
    plot
        The Bokeh figure; its coordinates are rows and columns of the image.
    image, colors
        Renderers of an image of one byte a pixel, and of one of whole colors; one of the two
        is to be seen.
    marks
        Sources of lines and markers, by their names.
    """

    plot: Any
    image: Any
    colors: Any
    marks: dict[str, ColumnDataSource]

    def show_shades(self, image: np.ndarray, palette: str) -> None:
        """Show an image of one byte a pixel."""
        self.image.glyph.color_mapper.palette = [MISSING, *PALETTES[palette][1:]]
        self.image.data_source.data = {"image": [image], **_extent(image)}
        self._only(self.image)

    def show_colors(self, image: np.ndarray) -> None:
        """Show an image of packed colors."""
        self.colors.data_source.data = {"image": [image], **_extent(image)}
        self._only(self.colors)

    def _only(self, shown: Any) -> None:
        for renderer in (self.image, self.colors):
            renderer.visible = renderer is shown


def scan_picture(grid: PixelGrid) -> Picture:
    """Return an empty picture of a scan: outlines, the chosen clusters, a region, a cursor."""
    picture = _picture(grid, "scan")
    plot = picture.plot
    lasso, box = LassoSelectTool(renderers=[]), BoxSelectTool(renderers=[])
    box.overlay.update(fill_alpha=0.1, line_color=_PICKED, line_dash="solid")
    lasso.overlay.update(fill_alpha=0.1, line_color=_PICKED, line_dash="solid")
    plot.add_tools(box, lasso, PanTool())
    plot.toolbar.active_drag = box
    lines = (("outline", _LINE, 1.0), ("picked", "black", 5.0), ("picked", _PICKED, 2.5))
    for name, color, width in lines:
        plot.line("x", "y", source=picture.marks[name], line_color=color, line_width=width)
    plot.multi_line("x", "y", source=picture.marks["region"], line_color=_PICKED, line_width=1.5)
    for color, width in (("black", 4), ("white", 1.5)):
        plot.scatter("x", "y", source=picture.marks["cursor"], marker="square", size=11,
                     fill_color=None, line_color=color, line_width=width)  # fmt: skip
    return picture


def pattern_picture(grid: PixelGrid) -> Picture:
    """Return an empty picture of a pattern: beam centre, q mask, bad pixels, a detector."""
    picture = _picture(grid, "pattern")
    plot = picture.plot
    plot.add_tools(BoxZoomTool(match_aspect=True), PanTool())
    plot.toolbar.active_drag = None
    marks = picture.marks
    plot.ellipse("x", "y", "width", "height", source=marks["mask"], fill_color=None,
                 line_color="#9fd8ff", line_dash="dotted", line_width=1.2)  # fmt: skip
    plot.scatter("x", "y", source=marks["bad"], marker="x", size=7, line_color="#4dff88")
    for color, width in (("black", 4), ("#9fd8ff", 1.5)):
        plot.scatter("x", "y", source=marks["beam"], marker="cross", size=13, line_color=color,
                     line_width=width)  # fmt: skip
    for color, width in (("black", 3.5), (_PICKED, 1.7)):
        plot.ellipse("x", "y", "width", "height", source=marks["detector"], fill_color=None,
                     line_color=color, line_width=width)  # fmt: skip
    return picture


def _small_figure(name: str, x_label: str, y_label: str, **given: Any) -> Any:
    plot = figure(name=name, sizing_mode="stretch_both", toolbar_location=None, tools="",
                  min_border=2, outline_line_color=None, **given)  # fmt: skip
    for axis, text in ((plot.xaxis, x_label), (plot.yaxis, y_label)):
        axis.axis_label = text
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "10px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_standoff = 2
        axis.minor_tick_line_color = None
    plot.grid.grid_line_alpha = 0.5
    return plot


@dataclass(frozen=True, eq=False)
class Counts:
    """How many clusters there are: against the threshold, and of each size.

    Attributes
    ----------
    curve, sizes
        The two figures.
    """

    curve: Any
    sizes: Any
    _curve: ColumnDataSource
    _line: Span
    _bars: ColumnDataSource

    @classmethod
    def empty(cls, n_bins: int) -> "Counts":
        """Return empty figures; sizes fall into ``n_bins`` powers of two."""
        curve = ColumnDataSource({THRESHOLD: [], "count": []}, name="curve_line")
        bars = ColumnDataSource({"left": [], "right": [], "top": []}, name="size_bars")
        line = Span(location=0, dimension="height", line_color="#c03030")
        figures = _threshold_curve(curve, line), _size_bars(bars, n_bins)
        return cls(*figures, curve, line, bars)

    def show(
        self, sizes: np.ndarray, curve: tuple[np.ndarray, np.ndarray], threshold: float
    ) -> None:
        """Show a histogram, a curve, and where on it the chosen threshold lies."""
        bins = np.arange(len(sizes))
        self._bars.data = {"left": bins, "right": bins + 1, "top": sizes}
        self._curve.data = {THRESHOLD: curve[0], "count": curve[1]}
        self._line.location = threshold
        for figure_, counts in ((self.curve, curve[1]), (self.sizes, sizes)):
            figure_.y_range.end = 1.08 * max(1, int(counts.max(initial=0)))


def _threshold_curve(curve: ColumnDataSource, line: Span) -> Any:
    plot = _small_figure("curve", THRESHOLD, "clusters", x_range=(-0.02, 1.02), y_range=(0, 1))
    plot.line(THRESHOLD, "count", source=curve, line_color="#44679f", line_width=1.5)
    plot.add_layout(line)
    return plot


def _size_bars(bars: ColumnDataSource, n_bins: int) -> Any:
    ranges = {"x_range": (0, n_bins), "y_range": (0, 1)}
    plot = _small_figure("sizes", "positions per cluster", "clusters", **ranges)
    plot.quad("left", "right", "top", 0, source=bars, fill_color="#44679f", line_color="white")
    shown = list(range(0, n_bins, 3))
    plot.xaxis.ticker = FixedTicker(ticks=shown)
    plot.xaxis.major_label_overrides = {i: f"{2**i:,}" for i in shown}
    return plot


def cluster_list(source: ColumnDataSource, columns: Sequence[tuple[str, str, str]]) -> DataTable:
    """Return the table of clusters: (column, title, number format) each."""
    return DataTable(
        name="table",
        source=source,
        columns=[
            TableColumn(field=field, title=title, formatter=NumberFormatter(format=form), width=60)
            for field, title, form in columns
        ],
        index_position=None,
        sizing_mode="stretch_both",
        row_height=22,
        reorderable=False,
        autosize_mode="fit_columns",
    )


def _picture(grid: PixelGrid, name: str) -> Picture:
    plot = figure(
        name=name,
        sizing_mode="stretch_both",
        match_aspect=True,
        aspect_scale=grid.step_x / grid.step_y,
        x_range=DataRange1d(range_padding=0.01),
        y_range=DataRange1d(range_padding=0.01, flipped=True),
        tools="",
        toolbar_location="right",
        min_border=0,
        background_fill_color=_STAGE,
        outline_line_color=None,
    )
    wheel = WheelZoomTool()
    plot.add_tools(wheel, ResetTool())
    plot.toolbar.active_scroll = wheel
    plot.toolbar.logo = None
    plot.toolbar.stylesheets = [_DARK_TOOLBAR]
    plot.axis.visible = False
    plot.grid.visible = False
    image = plot.image(
        "image", name=f"{name}_image", source=_one_image(grid, np.uint8),
        x="x", y="y", dw="dw", dh="dh",
        color_mapper=LinearColorMapper(palette=[MISSING, *Inferno256[1:]], low=0, high=255),
    )  # fmt: skip
    colors = plot.image_rgba(
        "image",
        name=f"{name}_colors",
        source=_one_image(grid, np.uint32),
        x="x",
        y="y",
        dw="dw",
        dh="dh",
    )
    for renderer in (image, colors):
        renderer.nonselection_glyph = renderer.selection_glyph = None
    colors.visible = False
    # lines would stretch the ranges that the image alone is to decide
    for axis in (plot.x_range, plot.y_range):
        axis.renderers = [image]
    return Picture(plot, image, colors, {key: _empty(key) for key in _MARKS[name]})


_MARKS: Final = {
    "scan": ("outline", "picked", "region", "cursor"),
    "pattern": ("mask", "bad", "beam", "detector"),
}


def _empty(name: str) -> ColumnDataSource:
    columns = ("x", "y", "width", "height") if name in ("mask", "detector") else ("x", "y")
    return ColumnDataSource({column: [] for column in columns}, name=name)


def _one_image(grid: PixelGrid, dtype: Any) -> ColumnDataSource:
    image = np.zeros((grid.rows, grid.columns), dtype)
    return ColumnDataSource({"image": [image], **_extent(image)})


def _extent(image: np.ndarray) -> dict[str, list[float]]:
    rows, columns = image.shape
    return {"x": [-0.5], "y": [-0.5], "dw": [columns], "dh": [rows]}
