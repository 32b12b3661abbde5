"""One page: pictures, controls and the threads behind them, put together."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from bokeh.events import DocumentReady, MouseMove, Pan, PanEnd, PanStart, SelectionGeometry, Tap
from bokeh.models import ColumnDataSource, CustomJS

from daskstem.explorer import figures
from daskstem.explorer.choices import (
    CHOICES,
    CUT,
    DRAWN,
    IMAGES,
    LABEL,
    OUTLINES,
    QUALITY,
    REGIONS,
    Choice,
)
from daskstem.explorer.cluster_view import COLUMNS, ClusterView
from daskstem.explorer.exporting import export_name, write_clusters
from daskstem.explorer.pattern_view import SOURCES, PatternView
from daskstem.explorer.quality import largest_count, quality_rows
from daskstem.explorer.reading import Patterns, growing_means
from daskstem.explorer.scan_view import ScanView
from daskstem.explorer.series import Series
from daskstem.explorer.session import Session
from daskstem.explorer.state import Screen
from daskstem.explorer.wording import screen_recipe
from daskstem.kernels.hierarchy import size_bins
from daskstem.schema import variables
from daskstem.schema.dims import Q
from daskstem.schema.provenance import digest
from daskstem.view.scale import PixelGrid, detector_grid, scan_grid, unit_text
from daskstem.view.wording import bytes_text, counted

_USUAL_THRESHOLD: Final = 0.88
_USUAL_SIZE: Final = 8
_STOPS: Final = 9
"""Colors of a legend's ramp."""


@dataclass(frozen=True)
class Setting:
    """What every page of a server has in common."""

    series: Series
    patterns: Patterns
    export_folder: Path
    sessions: list[Session] = field(default_factory=list)

    def close(self) -> None:
        """End what works for the pages."""
        for session in self.sessions:
            session.close()
        self.patterns.readers.executor.shutdown(wait=False, cancel_futures=True)


def open_page(setting: Setting, document: Any) -> None:
    """Fill a Bokeh document with the page of a series."""
    Page(setting, document).open()


class Page:
    """The parts of one page, and what happens when the page asks for something."""

    def __init__(self, setting: Setting, document: Any) -> None:
        self._setting = setting
        series, self._document = setting.series, document
        self._screen = _first_screen(series)
        self._session = Session(series, setting.patterns, self._screen, document)
        self._scan_picture = figures.scan_picture(scan_grid(series.seen))
        self._pattern_picture = figures.pattern_picture(detector_grid(series.seen))
        counts = figures.Counts.empty(size_bins(int(np.prod(series.scan))))
        table = ColumnDataSource({name: [] for name, _, _ in COLUMNS})
        self._roots = (
            self._scan_picture.plot,
            self._pattern_picture.plot,
            counts.curve,
            counts.sizes,
            figures.cluster_list(table, COLUMNS),
        )
        marks = self._scan_picture.marks
        self._scan = ScanView(self._session, self._scan_picture, counts, self._scan_drawn)
        self._pattern = PatternView(
            self._session, self._pattern_picture, marks["region"], lambda: self._scan.clusters
        )
        self._clusters = ClusterView(self._session, table, marks["picked"])
        self._exports = self._session.latest("export", "export")
        self._known: dict[str, int] = {}
        self._quality_of: object = None

    def open(self) -> None:
        """Show the first pictures and listen to the page."""
        document, session = self._document, self._session
        document.title = f"{session.series.name} – daskstem"
        document.template = _text("page.html")
        document.template_variables["page"] = _page_texts(session.series)
        document.js_on_event(DocumentReady, self._start())
        self._forward(self._scan_picture.plot, {MouseMove: "scanMove", Tap: "scanTap"})
        self._forward(
            self._pattern_picture.plot,
            {PanStart: "patternPanStart", Pan: "patternPan", PanEnd: "patternPanEnd"},
        )
        self._scan_picture.plot.on_event(SelectionGeometry, self._region_drawn)
        # what listens to events must do so before it is part of the document
        for root in self._roots:
            document.add_root(root)
        self._screen.on_change("asked", self._asked)
        document.on_session_destroyed(self._closed)
        self._setting.sessions.append(session)
        self._scan.refresh()
        self._pattern.refresh()

    def _closed(self, _context: Any) -> None:
        self._setting.sessions.remove(self._session)
        self._session.close()

    def _asked(self, _attr: str, _old: Any, new: Mapping[str, int]) -> None:
        actions: dict[str, Callable[[], None]] = {
            "scan": self._refresh_scan,
            "detector": self._refresh_scan,
            "pattern": self._pattern.refresh,
            "click": self._clusters.clicked,
            "export": self._export,
        }
        for channel, number in new.items():
            if self._known.get(channel) != number and channel in actions:
                self._known[channel] = number
                actions[channel]()

    def _refresh_scan(self) -> None:
        self._scan.refresh()

    def _scan_drawn(self) -> None:
        """Bring the rest of the page up to the scan's frame and clusters."""
        drawn, screen = self._scan.drawn, self._screen
        if drawn is None:
            return
        changed = self._clusters.is_other(self._scan.clusters)
        self._clusters.show(self._scan.clusters)
        if changed:
            self._pattern.refresh()
        quality = (drawn.request.frame, drawn.request.saturation)
        if self._quality_of != quality:
            self._quality_of = quality
            screen.quality = quality_rows(self._session.series, *quality)
        self._session.tell(recipe=self._recipe(), detector=self._detector_text())

    def _recipe(self) -> str:
        series, screen = self._session.series, self._screen
        has_tree = variables.rank.name in series.seen
        stored = self._session.clusters_key == LABEL
        return screen_recipe(
            series.recipe,
            threshold=float(screen.threshold) if has_tree and not stored else None,
            min_size=int(screen.min_size),
            detector=self._session.detector if screen.shown == DRAWN else None,
        )

    def _detector_text(self) -> str:
        grid, (_, _, inner, outer) = (
            detector_grid(self._session.series.seen),
            self._session.detector,
        )
        if not grid.calibrated:
            return ""
        radii = [f"{r * grid.step_x:.4g}" for r in ((inner, outer) if inner > 0 else (outer,))]
        unit = unit_text(grid.units)
        return f"{'annulus' if inner > 0 else 'disk'}: {' to '.join(radii)} {unit}"

    def _region_drawn(self, event: Any) -> None:
        geometry = event.geometry
        if not event.final:
            return
        if geometry["type"] == "rect":
            left, right = sorted((geometry["x0"], geometry["x1"]))
            top, bottom = sorted((geometry["y0"], geometry["y1"]))
            columns, rows = [left, right, right, left, left], [top, top, bottom, bottom, top]
        elif geometry["type"] == "poly" and len(geometry["x"]) > 2:
            columns, rows = (list(geometry[axis].values()) if isinstance(geometry[axis], dict)
                             else list(geometry[axis]) for axis in "xy")  # fmt: skip
        else:
            return
        self._pattern.region_drawn(np.asarray(columns, float), np.asarray(rows, float))

    def _export(self) -> None:
        clusters, chosen = self._scan.clusters, list(self._clusters.chosen)
        if clusters is None:
            self._session.tell(message="there are no clusters to export; run 'grow' first")
            self._session.answer("export")
            return
        self._session.tell(exported="writing …")
        self._exports.ask(partial(self._exported, clusters, chosen), self._say_exported)

    def _exported(self, clusters: Any, chosen: list[int]) -> Iterator[Path]:
        series, frame = self._session.series, self._session.frame
        numbers = np.array(chosen or clusters.numbers.tolist())
        rows = np.array([clusters.row(int(number)) for number in numbers], int)
        table = {name: values[rows] for name, values in clusters.table.items() if name != "row"}
        recipe = self._recipe()
        key = digest({"numbers": numbers.tolist(), "frame": frame, "recipe": recipe})[:8]
        folder = self._setting.export_folder / export_name(series.name, frame, numbers, key)
        axes = {dim: series.seen.coords[dim].values for dim in Q if dim in series.seen.coords}
        yield write_clusters(
            folder, self._mean_patterns(clusters, rows, frame), table,
            axes=axes, label=clusters.label, recipe=recipe,
        )  # fmt: skip

    def _mean_patterns(self, clusters: Any, rows: np.ndarray, frame: int) -> np.ndarray:
        if "row" in clusters.table:
            return self._session.series.cluster_patterns(clusters.table["row"][rows])
        numbers = clusters.numbers[rows]
        group = np.full(int(clusters.label.max(initial=-1)) + 2, -1, np.int32)
        group[numbers + 1] = np.arange(len(numbers))
        *_, last = growing_means(
            self._session.patterns, frame, group[clusters.label + 1], len(numbers)
        )
        return last.patterns

    def _say_exported(self, folder: Path) -> None:
        self._session.tell(exported=f"written: {folder}", message="")
        self._session.answer("export")

    def _forward(self, plot: Any, handlers: Mapping[Any, str]) -> None:
        for event, name in handlers.items():
            code = f"window.daskstemPage && window.daskstemPage.{name}(cb_obj)"
            # the browser keeps in touch with what hangs on a root only
            plot.js_on_event(event, CustomJS(args={"screen": self._screen}, code=code))

    def _start(self) -> CustomJS:
        series = self._session.series
        ramps = {
            name: ", ".join(colors[:: len(colors) // _STOPS])
            for name, colors in figures.PALETTES.items()
        }
        return CustomJS(
            args={
                "screen": self._screen,
                "cursor": self._scan_picture.marks["cursor"],
                "detector": self._pattern_picture.marks["detector"],
                "shape": {
                    "frames": series.n_frames,
                    "scan": list(series.scan),
                    "detector": list(series.detector),
                },
                "palettes": ramps,
                "plots": {"scan": self._roots[0], "pattern": self._roots[1]},
                "scales": {
                    "scan": _scale(scan_grid(series.seen), "positions"),
                    "pattern": _scale(detector_grid(series.seen), "px"),
                },
            },
            code="window.daskstemPage = window.daskstemExplorer("
            "screen, {cursor, detector, shape, palettes, plots, scales})",
        )


def _scale(grid: PixelGrid, pixel_name: str) -> dict[str, Any]:
    """Return what a scale bar is drawn by: the length of a column, and its unit."""
    return {"step": grid.step_x, "units": unit_text(grid.units, pixel_name=pixel_name)}


def _first_screen(series: Series) -> Screen:
    rows, columns = series.detector
    shorter = min(rows, columns)
    given = series.parameters("segments") or series.parameters("hierarchy")
    threshold = given.get("threshold", _USUAL_THRESHOLD)
    first = ("dark_field", "mean_similarity", DRAWN)
    return Screen(
        name="screen",
        shown=next(key for key in first if not series.missing(CHOICES[key])),
        y=series.scan[0] // 2,
        x=series.scan[1] // 2,
        center_y=(rows - 1) / 2,
        center_x=(columns - 1) / 2,
        inner=shorter / 8,
        outer=shorter / 2,
        threshold=threshold if isinstance(threshold, float) else _USUAL_THRESHOLD,
        min_size=int(given.get("min_size", _USUAL_SIZE)),
        saturation=largest_count(series.patterns.dtype),
    )


def _page_texts(series: Series) -> dict[str, Any]:
    frames, rows, columns, q_rows, q_columns = series.patterns.shape
    about = (
        f"{counted(frames, 'frame')} of {rows} × {columns} positions, {q_rows} × {q_columns} "
        f"pixels {series.patterns.dtype}, {bytes_text(series.patterns.nbytes)}"
    )
    half_made = f"; half-made: {', '.join(series.unfinished)}" if series.unfinished else ""
    return {
        "name": series.name,
        "about": about + half_made,
        "n_frames": frames,
        "style": _text("page.css"),
        "script": _text("page.js"),
        "lowest": 0,
        "cut_missing": _way_to_cut(series),
        "no_clusters": bool(series.missing(CHOICES[CUT]) and series.missing(CHOICES[LABEL])),
        "maps": [
            (title, [_option(series, choice) for choice in choices])
            for title, choices in (("images", IMAGES), ("regions", REGIONS), ("quality", QUALITY))
        ],
        "outlines": [
            ("", [("none", "none", ""), *(_option(series, CHOICES[key]) for key in OUTLINES)])
        ],
        "patterns": [("", [_pattern_option(series, *source) for source in SOURCES])],
    }


def _way_to_cut(series: Series) -> str:
    """Return the command that makes the tree of clusters; empty if it is there."""
    missing = series.missing(CHOICES[CUT])
    ready = not (series.missing(CHOICES["mean_similarity"]) or series.missing(CHOICES["mask"]))
    return missing and (
        f"daskstem step {missing} STORE" if ready else "daskstem run default STORE"
    )


def _option(series: Series, choice: Choice) -> tuple[str, str, str]:
    return choice.key, choice.title, series.missing(choice)


def _pattern_option(
    series: Series, key: str, title: str, spec: variables.Variable | None
) -> tuple[str, str, str]:
    there = spec is None or spec.name in series.seen
    if key == "cluster":
        there = there or variables.rank.name in series.seen
    return key, title, "" if there or spec is None else spec.made_by


def _text(name: str) -> str:
    return (files("daskstem.explorer") / name).read_text(encoding="utf-8")
