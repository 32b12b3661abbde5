"""The scan on the page: a map, its outlines, the clusters at the threshold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from daskstem.explorer.choices import CHOICES, CUT, DRAWN, LABEL, SATURATED, TRACK
from daskstem.explorer.cutting import Clusters, cut_clusters, size_histogram
from daskstem.explorer.figures import Counts, Picture
from daskstem.explorer.painting import edges, packed, painted
from daskstem.explorer.reading import CountFrom, DetectorSum, Image, Measure, growing_image
from daskstem.explorer.series import frame_values
from daskstem.explorer.session import Session
from daskstem.explorer.tones import Shades, shades
from daskstem.explorer.wording import range_text
from daskstem.kernels.hierarchy import Tree
from daskstem.kernels.similarity import annulus
from daskstem.schema import variables
from daskstem.schema.dims import THRESHOLD
from daskstem.schema.errors import InputError
from daskstem.steps.registry import STEPS
from daskstem.view.palette import BACKGROUND, colors_through
from daskstem.view.scale import unit_text
from daskstem.view.wording import counted

CLIP: Final = (0.5, 99.5)
_PALETTES: Final = {"mean_similarity": "cividis"}
_FROM_PATTERNS: Final = (DRAWN, SATURATED)
"""Maps that are measured when they are asked for; all others are stored."""
_MOST_MAPS: Final = 12
"""Frames whose maps decide the colors of the tracks."""
_HELD: Final = 8


@dataclass(frozen=True)
class Request:
    """What the scan is to show."""

    frame: int
    shown: str
    outlined: str
    clusters: str
    threshold: float
    min_size: int
    saturation: float | None
    detector: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a request looks like, ready to be sent.

    Attributes
    ----------
    shades, colors
        The map; one of the two.
    outline
        Columns and rows of lines.
    clusters
        Those that a click means; None without any.
    sizes
        Histogram of their sizes.
    curve
        Thresholds and number of clusters at each; empty if not made.
    share
        Of the map, what is final.
    """

    request: Request
    shades: Shades | None
    colors: np.ndarray | None
    outline: tuple[np.ndarray, np.ndarray]
    clusters: Clusters | None
    sizes: np.ndarray
    curve: tuple[np.ndarray, np.ndarray]
    share: float = 1.0


class ScanView:
    """Draws what is asked of the scan.

    Attributes
    ----------
    clusters
        The clusters of the last drawing.
    drawn
        The last drawing.
    """

    def __init__(
        self,
        session: Session,
        picture: Picture,
        counts: Counts,
        changed: Callable[[], None],
    ) -> None:
        self._session = session
        self._picture = picture
        self._counts = counts
        self._changed = changed
        self._latest = session.latest("scan", "scan", "detector")
        self._grower = session.latest("image", "scan", "detector")
        self._growing: object = None
        self._images: dict[object, Image] = {}
        self._trees: dict[int, Tree] = {}
        self._cut: tuple[object, Clusters] | None = None
        self._track_colors: np.ndarray | None = None
        self.clusters: Clusters | None = None
        self.drawn: Drawing | None = None

    def request(self) -> Request:
        """Return what the screen asks for."""
        session, screen = self._session, self._session.screen
        shown = screen.shown if screen.shown in CHOICES else DRAWN
        return Request(
            session.frame, shown, screen.outlined, session.clusters_key,
            float(np.clip(screen.threshold, -1, 1)), max(1, int(screen.min_size)),
            screen.saturation, session.detector,
        )  # fmt: skip

    def refresh(self) -> None:
        """Draw what the screen asks for, and no longer what it asked for before."""
        request = self.request()
        try:
            self._grow_image(request)
        except InputError as error:
            self._latest.forget()
            self._session.tell(message=str(error))
            self._session.answer("scan", "detector")
            return
        self._latest.ask(partial(self._drawings, request), self._draw)

    def _drawings(self, request: Request) -> Iterator[Drawing]:
        session = self._session
        clusters = self._clusters(request.clusters, request)
        outlined = self._outlined(request, clusters)
        no_line = np.empty(0, np.float32)
        drawing = Drawing(
            request,
            shades=None,
            colors=None,
            outline=(no_line, no_line) if outlined is None else edges(outlined),
            clusters=clusters,
            sizes=size_histogram(
                np.empty(0) if clusters is None else clusters.sizes,
                int(np.prod(session.series.scan)),
            ),
            curve=self._count_curve(request.frame),
        )
        choice = CHOICES[request.shown]
        if request.shown in _FROM_PATTERNS:
            # what there is of the image is added when it is drawn: it grows meanwhile
            yield drawing
        elif choice.kind in ("number", "flag"):
            values = session.series.scan_map(choice, request.frame)
            yield replace(drawing, shades=shades(values, clip=CLIP))
        else:
            yield replace(drawing, colors=self._colors(request, clusters))

    def _grow_image(self, request: Request) -> None:
        """Begin to measure the patterns where that is asked for, not done and not under way."""
        measure, key = self._measure(request) if request.shown in _FROM_PATTERNS else (None, None)
        if key == self._growing:
            return
        self._growing = key
        done = key in self._images and self._images[key].share == 1
        if measure is None or done:
            self._grower.forget()
            return
        patterns = self._session.patterns
        self._grower.ask(
            partial(growing_image, patterns, request.frame, measure), partial(self._grown, key)
        )

    def _grown(self, key: object, image: Image) -> None:
        """Keep what there is of an image, and show it if it is still asked for."""
        while len(self._images) >= _HELD and key not in self._images:
            self._images.pop(next(iter(self._images)))
        self._images[key] = image
        if self.drawn is not None and key == self._key(self.drawn.request):
            self._draw(self.drawn)

    def _with_image(self, drawing: Drawing) -> Drawing:
        """Add what there is of the image; nothing before its first sight."""
        image = self._images.get(self._key(drawing.request))
        if image is None:
            return drawing
        return replace(drawing, shades=shades(image.values, clip=CLIP), share=image.share)

    def _key(self, request: Request) -> object:
        return self._measure(request)[1] if request.shown in _FROM_PATTERNS else None

    def _measure(self, request: Request) -> tuple[Measure, object]:
        series = self._session.series
        if request.shown == SATURATED:
            level = request.saturation
            if level is None:
                raise InputError(
                    f"patterns of {series.patterns.dtype} have no largest value; say from which "
                    f"count on a pixel is saturated, under Quality"
                )
            return CountFrom(level), (request.frame, SATURATED, level)
        center_y, center_x, inner, outer = request.detector
        ring = annulus(series.detector, inner, outer, (center_y, center_x))
        return DetectorSum.of(ring), (request.frame, request.detector)

    def _clusters(self, key: str, request: Request) -> Clusters | None:
        series, frame = self._session.series, request.frame
        if key == LABEL:
            table = series.table(frame)
            label = series.scan_map(CHOICES[LABEL], frame)
            # labels without a table of clusters still have numbers and sizes
            return Clusters(label, table) if table else Clusters(label, _counted(label))
        if key != CUT:
            return None
        wanted = (frame, request.threshold, request.min_size)
        if self._cut is None or self._cut[0] != wanted:
            mean = series.scan_map(CHOICES["mean_similarity"], frame)
            found = cut_clusters(self._tree(frame), mean, request.threshold, request.min_size)
            self._cut = wanted, found
        return self._cut[1]

    def _tree(self, frame: int) -> Tree:
        if frame not in self._trees:
            while len(self._trees) >= _HELD:
                self._trees.pop(next(iter(self._trees)))
            self._trees[frame] = self._session.series.tree(frame)
        return self._trees[frame]

    def _outlined(self, request: Request, clusters: Clusters | None) -> np.ndarray | None:
        choice = CHOICES.get(request.outlined)
        if choice is None or self._session.series.missing(choice):
            return None
        if request.outlined == request.clusters and clusters is not None:
            return clusters.label
        if request.outlined == CUT:
            found = self._clusters(CUT, request)
            return None if found is None else found.label
        values = self._session.series.scan_map(choice, request.frame)
        return values.astype(np.int32) - 1 if values.dtype == bool else values

    def _colors(self, request: Request, clusters: Clusters | None) -> np.ndarray:
        series, choice = self._session.series, CHOICES[request.shown]
        if request.shown == CUT:
            if clusters is None:
                raise InputError(f"there is no tree of clusters; run {choice.step!r} first")
            return painted(clusters.label)
        values = series.scan_map(choice, request.frame)
        if request.shown != TRACK:
            return painted(values, by_number=choice.kind == "class")
        if self._track_colors is None:
            frames = np.linspace(0, series.n_frames - 1, min(series.n_frames, _MOST_MAPS))
            maps = [series.scan_map(choice, int(frame)) for frame in frames.round()]
            count = max(1 + int(one.max(initial=-1)) for one in (*maps, values))
            self._track_colors = colors_through(maps, max(count, series.n_tracks))
        return packed(np.array([*self._track_colors, BACKGROUND], np.uint8)[values])

    def _count_curve(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        ds = self._session.series.groups.get(STEPS["hierarchy"].group)
        if ds is None or variables.cluster_count.name not in ds:
            return np.empty(0), np.empty(0)
        return ds[THRESHOLD].values, frame_values(ds[variables.cluster_count.name], frame)

    def _draw(self, drawing: Drawing) -> None:
        session, request = self._session, drawing.request
        self.drawn, self.clusters = drawing, drawing.clusters
        drawing = self._with_image(drawing)
        palette = "" if drawing.colors is not None else _PALETTES.get(request.shown, "gray")
        if drawing.shades is not None:
            self._picture.show_shades(drawing.shades.image, palette)
        elif drawing.colors is not None:
            self._picture.show_colors(drawing.colors)
        x, y = drawing.outline
        self._picture.marks["outline"].data = {"x": x, "y": y}
        self._counts.show(drawing.sizes, drawing.curve, request.threshold)
        session.tell(
            frame=session.series.frame_text(request.frame),
            scan_palette=palette,
            scan_range=_range_text(drawing),
            clusters=_clusters_text(drawing),
            share=_share_text(drawing),
            message="",
        )
        self._changed()
        # last: who waits for the answer reads what else has changed with it
        there = drawing.shades is not None or drawing.colors is not None
        session.answer("scan", *(("detector",) if there else ()))


def _counted(label: np.ndarray) -> dict[str, np.ndarray]:
    numbers, sizes = np.unique(label[label >= 0], return_counts=True)
    return {variables.cluster_label.name: numbers, variables.n_positions.name: sizes}


def _share_text(drawing: Drawing) -> str:
    if drawing.shades is None and drawing.colors is None:
        return "0%"
    return "" if drawing.share == 1 else f"{100 * drawing.share:.0f}%"


def _range_text(drawing: Drawing) -> str:
    choice = CHOICES[drawing.request.shown]
    if drawing.shades is None or choice.kind == "flag":
        return ""
    units = "counts" if choice.spec is None else unit_text(choice.spec.units)
    units = "pixels" if choice.key == SATURATED else units
    return range_text(drawing.shades.low, drawing.shades.high, units)


def _clusters_text(drawing: Drawing) -> str:
    if drawing.clusters is None:
        return ""
    number, held = len(drawing.clusters.numbers), int(drawing.clusters.sizes.sum())
    share = held / drawing.clusters.label.size
    how = "at the threshold" if drawing.request.clusters == CUT else "as stored"
    return f"{counted(number, 'cluster')} {how}, {share:.0%} of the scan"
