"""One page: pictures, controls and the threads behind them, put together."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from bokeh.events import (
    ConnectionLost,
    DocumentReady,
    MouseMove,
    Pan,
    PanEnd,
    PanStart,
    SelectionGeometry,
    Tap,
)
from bokeh.models import ColumnDataSource, CustomJS

from daskstem.explorer import figures
from daskstem.explorer.choices import DRAWN, LABEL
from daskstem.explorer.cluster_view import COLUMNS, ClusterView
from daskstem.explorer.cutting import Clusters
from daskstem.explorer.exporting import export_name, write_clusters
from daskstem.explorer.opening import first_screen, page_texts, scale_of, text_of
from daskstem.explorer.pattern_view import PatternView
from daskstem.explorer.quality import quality_rows
from daskstem.explorer.reading import Patterns, growing_means
from daskstem.explorer.scan_view import ScanView
from daskstem.explorer.series import Series
from daskstem.explorer.session import Session
from daskstem.explorer.wording import screen_recipe
from daskstem.kernels.hierarchy import size_bins
from daskstem.schema import variables
from daskstem.schema.dims import Q
from daskstem.schema.provenance import digest
from daskstem.view.scale import detector_grid, scan_grid, unit_text

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
        self._screen = first_screen(series)
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
        document.template = text_of("page.html")
        document.template_variables["page"] = page_texts(session.series)
        document.js_on_event(DocumentReady, self._start())
        document.js_on_event(
            ConnectionLost, CustomJS(code="window.daskstemPage && window.daskstemPage.lost()")
        )
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
        drawn, chosen = self._scan.drawn, list(self._clusters.chosen)
        clusters = None if drawn is None else drawn.clusters
        if drawn is None or clusters is None or not len(clusters.numbers):
            self._session.tell(message="there are no clusters in this frame to export")
            self._session.answer("export")
            return
        self._session.tell(exported="writing …")
        rows = [clusters.row(number) for number in chosen] or range(len(clusters.numbers))
        write = partial(
            self._exported, clusters, np.array(rows, int), drawn.request.frame, self._recipe()
        )
        self._exports.ask(write, self._say_exported)

    def _exported(
        self, clusters: Clusters, rows: np.ndarray, frame: int, recipe: str
    ) -> Iterator[Path]:
        series, numbers = self._session.series, clusters.numbers[rows]
        table = {name: values[rows] for name, values in clusters.table.items() if name != "row"}
        key = digest({"numbers": numbers.tolist(), "frame": frame, "recipe": recipe})[:8]
        folder = self._setting.export_folder / export_name(series.name, frame, numbers, key)
        axes = {dim: series.seen.coords[dim].values for dim in Q if dim in series.seen.coords}
        yield write_clusters(
            folder, self._mean_patterns(clusters, rows, frame), table,
            axes=axes, label=clusters.label, recipe=recipe,
        )  # fmt: skip

    def _mean_patterns(self, clusters: Clusters, rows: np.ndarray, frame: int) -> np.ndarray:
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
                    "scan": scale_of(scan_grid(series.seen), "positions"),
                    "pattern": scale_of(detector_grid(series.seen), "px"),
                },
            },
            code="window.daskstemPage = window.daskstemExplorer("
            "screen, {cursor, detector, shape, palettes, plots, scales})",
        )
