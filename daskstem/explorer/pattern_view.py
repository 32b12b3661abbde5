"""The pattern on the page: under the cursor, filtered, or a mean, with what lies on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from bokeh.models import ColumnDataSource
from skimage.draw import polygon2mask

from daskstem.explorer.choices import CHOICES, CLASS, TRACK
from daskstem.explorer.cutting import Clusters
from daskstem.explorer.figures import Picture
from daskstem.explorer.reading import growing_means
from daskstem.explorer.session import Session
from daskstem.explorer.tones import Shades, Tone, shades
from daskstem.explorer.wording import range_text
from daskstem.schema import variables
from daskstem.schema.errors import InputError
from daskstem.steps.comparing import offsets_of
from daskstem.steps.registry import STEPS
from daskstem.view.scale import scan_grid, unit_text
from daskstem.view.wording import counted

SOURCES: Final = (
    ("raw", "under the cursor", None),
    ("filtered", "filtered", variables.weights),
    ("cluster", "mean of the cluster", variables.label),
    ("region", "mean of the region", None),
    ("mean", "mean of the frame", variables.mean_pattern),
    ("largest", "largest of the frame", variables.max_pattern),
)
"""What the pattern may be of: its name on the page, title, and the variable it needs."""


@dataclass(frozen=True, eq=False)
class Found:
    """A pattern and what it is."""

    values: np.ndarray
    title: str
    share: float = 1.0


@dataclass(frozen=True)
class Request:
    """What the pattern is to show."""

    frame: int
    y: int
    x: int
    source: str
    tone: Tone
    clip: tuple[float, float]
    exponent: float
    marks: bool


class PatternView:
    """Draws the pattern that is asked for.

    Attributes
    ----------
    region
        Positions (scan_y, scan_x) drawn on the scan; None without any.
    """

    def __init__(
        self,
        session: Session,
        picture: Picture,
        drawn_region: ColumnDataSource,
        clusters: Callable[[], Clusters | None],
    ) -> None:
        self._session = session
        self._picture = picture
        self._drawn_region = drawn_region
        self._clusters = clusters
        self._latest = session.latest("pattern", "pattern")
        self._held: tuple[object, Found] | None = None
        self._marked: object = None
        self._n_regions = 0
        self.region: np.ndarray | None = None

    def refresh(self) -> None:
        """Draw what the screen asks for, and no longer what it asked for before."""
        screen, (y, x) = self._session.screen, self._session.cursor
        low, high = sorted((float(screen.clip_low), float(screen.clip_high)))
        request = Request(
            self._session.frame, y, x, screen.pattern, screen.tone,
            (max(low, 0.0), min(high, 100.0)), max(float(screen.exponent), 0.01), screen.marks,
        )  # fmt: skip
        self._latest.ask(
            partial(self._drawings, request, self._clusters(), self.region),
            partial(self._draw, request),
        )

    def region_drawn(self, columns: np.ndarray, rows: np.ndarray) -> None:
        """Take a polygon on the scan: the mean of what lies in it is to be shown."""
        corners = np.stack([rows, columns], axis=1)
        self.region = polygon2mask(self._session.series.scan, corners)
        self._n_regions += 1
        self._drawn_region.data = {"x": [columns], "y": [rows]}
        self._session.screen.pattern = "region"
        self.refresh()

    def _drawings(
        self, request: Request, clusters: Clusters | None, region: np.ndarray | None
    ) -> Iterator[tuple[Found, Shades]]:
        for found in self._found(request, clusters, region):
            yield (
                found,
                shades(found.values, request.tone, clip=request.clip, exponent=request.exponent),
            )

    def _found(
        self, request: Request, clusters: Clusters | None, region: np.ndarray | None
    ) -> Iterator[Found]:
        key = (request.frame, *self._place(request, clusters))
        if self._held is not None and self._held[0] == key:
            yield self._held[1]
            return
        for found in self._read(request, clusters, region):
            if found.share == 1:
                self._held = key, found
            yield found

    def _place(self, request: Request, clusters: Clusters | None) -> tuple[object, ...]:
        """Return what, beside the frame, decides the pattern."""
        if request.source in ("raw", "filtered"):
            return request.source, request.y, request.x
        if request.source == "cluster" and clusters is not None:
            return request.source, clusters, int(clusters.label[request.y, request.x])
        return request.source, self._n_regions

    def _read(
        self, request: Request, clusters: Clusters | None, region: np.ndarray | None
    ) -> Iterator[Found]:
        series, frame, source = self._session.series, request.frame, request.source
        here = f"row {request.y}, column {request.x}"
        if source == "filtered":
            yield Found(self._filtered(frame, request.y, request.x), f"filtered, {here}")
        elif source == "cluster":
            yield from self._of_cluster(request, clusters)
        elif source == "region":
            yield from self._of_region(frame, region)
        elif source in ("mean", "largest"):
            spec = variables.mean_pattern if source == "mean" else variables.max_pattern
            values = series.detector_map(spec, frame)
            if values is None:
                raise InputError(f"no {spec.name} of this frame; run {spec.made_by!r} first")
            yield Found(values, f"{source} of the frame")
        else:
            yield Found(self._session.patterns.pattern(frame, request.y, request.x), here)

    def _filtered(self, frame: int, y: int, x: int) -> np.ndarray:
        ds = self._session.series.groups.get(STEPS[variables.weights.made_by].group)
        weights = self._session.series.weights(frame, y, x)
        if ds is None or weights is None:
            raise InputError("filtered patterns need weights; run 'prefilter' first")
        return filtered_pattern(self._session.patterns.around, weights, offsets_of(ds),
                                (frame, y, x), self._session.series.scan)  # fmt: skip

    def _of_cluster(self, request: Request, clusters: Clusters | None) -> Iterator[Found]:
        if clusters is None:
            raise InputError("there are no clusters yet; run 'grow' or 'hierarchy' first")
        number = int(clusters.label[request.y, request.x])
        if number < 0:
            raw = self._session.patterns.pattern(request.frame, request.y, request.x)
            place = f"row {request.y}, column {request.x}"
            yield Found(raw, f"{place}: in no cluster, its own pattern")
            return
        row = clusters.row(number)
        title = f"mean of cluster {number}"
        if row is not None and "row" in clusters.table:
            stored = self._session.series.cluster_patterns(clusters.table["row"][[row]])
            size = counted(int(clusters.sizes[row]), "position")
            yield Found(stored[0], f"{title}, {size}")
            return
        yield from self._mean_of(request.frame, clusters.label == number, title)

    def _of_region(self, frame: int, region: np.ndarray | None) -> Iterator[Found]:
        if region is None or not region.any():
            raise InputError("no region is drawn; drag a box or an outline on the scan first")
        yield from self._mean_of(frame, region, "mean of the region")

    def _mean_of(self, frame: int, inside: np.ndarray, title: str) -> Iterator[Found]:
        groups = inside.astype(np.int32) - 1
        for means in growing_means(self._session.patterns, frame, groups, 1):
            read = counted(int(means.counts[0]), "position")
            yield Found(means.patterns[0], f"{title}, {read}", means.share)

    def _draw(self, request: Request, drawn: tuple[Found, Shades]) -> None:
        found, toned = drawn
        self._picture.show_shades(toned.image, "inferno")
        self._draw_marks(request)
        growing = "" if found.share == 1 else f" ({found.share:.0%})"
        self._session.tell(
            pattern_title=f"{found.title}{growing}: {_sum_text(found.values)}",
            pattern_palette="inferno",
            pattern_range=range_text(toned.low, toned.high, "counts"),
            place=self._place_text(request),
            message="",
        )
        self._session.answer("pattern")

    def _place_text(self, request: Request) -> str:
        series, clusters = self._session.series, self._clusters()
        y, x = request.y, request.x
        grid = scan_grid(series.seen)
        parts = [f"row {y}, column {x}"]
        if grid.calibrated:
            parts.append(f"{y * grid.step_y:.4g}, {x * grid.step_x:.4g} {unit_text(grid.units)}")
        similar = series.position_value(variables.mean_similarity, request.frame, y, x)
        if similar is not None:
            parts.append(f"mean similarity {similar:.3f}")
        if clusters is not None:
            number = int(clusters.label[y, x])
            parts.append("in no cluster" if number < 0 else f"cluster {number}")
        for key in (CLASS, TRACK):
            if not series.missing(CHOICES[key]):
                number = int(series.scan_map(CHOICES[key], request.frame)[y, x])
                parts += [f"{CHOICES[key].title} {number}"] if number >= 0 else []
        return " · ".join(parts)

    def _draw_marks(self, request: Request) -> None:
        series, marks = self._session.series, self._picture.marks
        beam = self._beam(request)
        key = (request.frame, request.marks, beam)
        if self._marked == key:
            return
        self._marked = key
        rings = self._mask_radii() if request.marks else []
        middle = self._mask_center()
        marks["mask"].data = {
            "x": [middle[1]] * len(rings),
            "y": [middle[0]] * len(rings),
            "width": [2 * radius for radius in rings],
            "height": [2 * radius for radius in rings],
        }
        shown = [beam] if request.marks else []
        marks["beam"].data = {"x": [b[1] for b in shown], "y": [b[0] for b in shown]}
        bad = series.detector_map(variables.bad_pixel, request.frame) if request.marks else None
        rows, columns = np.nonzero(bad) if bad is not None else (np.empty(0), np.empty(0))
        marks["bad"].data = {"x": columns, "y": rows}

    def _beam(self, request: Request) -> tuple[float, float]:
        series = self._session.series
        place = (request.frame, request.y, request.x)
        found = [
            series.position_value(spec, *place)
            for spec in (variables.descan_y, variables.descan_x)
        ]
        # corrected patterns are centred: there the measured centre is no longer the beam's
        if found[0] is None or found[1] is None or series.is_centered:
            return self._middle
        return found[0], found[1]

    @property
    def _middle(self) -> tuple[float, float]:
        rows, columns = self._session.series.detector
        return (rows - 1) / 2, (columns - 1) / 2

    def _mask_center(self) -> tuple[float, float]:
        center = self._session.series.parameters("similarity").get("center")
        return (float(center[0]), float(center[1])) if center else self._middle

    def _mask_radii(self) -> list[float]:
        series = self._session.series
        if variables.similarity.name not in series.seen:
            return []
        given = series.parameters(STEPS[variables.similarity.made_by].group)
        inner, outer = given.get("q_inner_px"), given.get("q_outer_px")
        # as the step has it where nothing was chosen
        radii = [min(series.detector) / 16 if inner is None else float(inner)]
        return radii if outer is None else [*radii, float(outer)]


def filtered_pattern(
    around: Callable[[int, slice, slice], np.ndarray],
    weights: np.ndarray,
    offsets: np.ndarray,
    place: tuple[int, int, int],
    scan: tuple[int, int],
) -> np.ndarray:
    """Return the weighted mean of the patterns around a position, as the prefilter has it.

    Parameters
    ----------
    around
        Reads patterns (scan_y, scan_x, q_y, q_x) of a frame by rows and columns.
    weights : (K,) float32
        Of the neighbors at ``offsets``; 0 outside the scan.
    offsets : (K, 2) int64
        The footprint.
    place
        Frame, row and column.
    scan
        Rows and columns of positions.
    """
    frame, *at = place
    rows, columns = (offsets[:, i] + at[i] for i in (0, 1))
    used = (weights != 0) & (rows >= 0) & (rows < scan[0]) & (columns >= 0) & (columns < scan[1])
    rows, columns = rows[used], columns[used]
    window = [slice(int(one.min()), int(one.max()) + 1) for one in (rows, columns)]
    patterns = around(frame, *window)
    coefficients = np.zeros(patterns.shape[:2], np.float32)
    coefficients[rows - window[0].start, columns - window[1].start] = weights[used]
    return np.tensordot(coefficients, patterns.astype(np.float32), axes=2)


def _sum_text(values: np.ndarray) -> str:
    return f"sum {np.nansum(values):,.0f}, largest {np.nanmax(values):,.4g} counts"
