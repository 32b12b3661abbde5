"""The clusters on the page: their table, those that are chosen, what is known of one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from bokeh.models import ColumnDataSource

from daskstem.explorer.choices import TRACK
from daskstem.explorer.cutting import Border, Clusters, borders
from daskstem.explorer.painting import edges
from daskstem.explorer.session import Session
from daskstem.schema import variables
from daskstem.view.scale import scan_grid
from daskstem.view.wording import area_text, counted

COLUMNS: Final = (
    (variables.cluster_label.name, "cluster", "0"),
    (variables.n_positions.name, "positions", "0,0"),
    (variables.cluster_similarity.name, "similarity", "0.000"),
    (TRACK, "track", "0"),
)
"""Of the table: column, title, format."""
_MOST_NEIGHBORS: Final = 12


@dataclass(frozen=True)
class Details:
    """What is said of one cluster."""

    fields: list[list[str]]
    neighbors: list[list[str]]


class ClusterView:
    """Keeps the table, the chosen clusters and what is said of the last of them.

    Attributes
    ----------
    chosen
        Numbers of the chosen clusters, the last one chosen last.
    """

    def __init__(
        self, session: Session, table: ColumnDataSource, outline: ColumnDataSource
    ) -> None:
        self._session = session
        self._table = table
        self._outline = outline
        self._latest = session.latest("cluster", "click")
        self._clusters: Clusters | None = None
        self._frame = -1
        self._own_change = False
        self.chosen: list[int] = []
        table.selected.on_change("indices", self._chosen_in_table)

    def is_other(self, clusters: Clusters | None) -> bool:
        """Whether these are not the clusters in the table."""
        return clusters is not self._clusters or self._frame != self._session.frame

    def show(self, clusters: Clusters | None) -> None:
        """Take the clusters that are on the screen; chosen ones stay chosen by their track."""
        if not self.is_other(clusters):
            return
        followed = self._tracks_of(self.chosen)
        self._clusters, self._frame = clusters, self._session.frame
        columns = {} if clusters is None else clusters.table
        with_all = {
            name: columns.get(
                name, np.full(0 if clusters is None else len(clusters.numbers), np.nan)
            )
            for name, _, _ in COLUMNS
        }
        self._own_change = True
        self._table.data = {name: _plain(values) for name, values in with_all.items()}
        self._own_change = False
        self.choose(self._with_tracks(followed))

    def clicked(self) -> None:
        """Choose what was clicked: a cluster's number, a position, or nothing (-2)."""
        screen, clusters = self._session.screen, self._clusters
        picked = int(screen.picked)
        if picked == -1 and clusters is not None:
            rows, columns = clusters.label.shape
            y = min(max(int(screen.picked_y), 0), rows - 1)
            x = min(max(int(screen.picked_x), 0), columns - 1)
            picked = int(clusters.label[y, x])
        if picked < 0 or clusters is None or clusters.row(picked) is None:
            kept = self.chosen if screen.extend else []
        elif screen.extend:
            kept = [n for n in self.chosen if n != picked]
            kept = kept if picked in self.chosen else [*kept, picked]
        else:
            kept = [picked]
        self.choose(kept)

    def choose(self, numbers: Sequence[int]) -> None:
        """Make these the chosen clusters, in the table and on the scan."""
        clusters = self._clusters
        rows = [] if clusters is None else [clusters.row(number) for number in numbers]
        self.chosen = [n for n, row in zip(numbers, rows, strict=False) if row is not None]
        self._own_change = True
        self._table.selected.indices = [row for row in rows if row is not None]
        self._own_change = False
        x = y = np.empty(0, np.float32)
        if clusters is not None and self.chosen:
            x, y = edges(np.where(np.isin(clusters.label, self.chosen), clusters.label, -1))
        self._outline.data = {"x": x, "y": y}
        self._session.screen.selected = list(self.chosen)
        self._latest.ask(partial(self._details, clusters, self.chosen), self._say)

    def _chosen_in_table(self, _attr: str, _old: Any, new: list[int]) -> None:
        if self._own_change or self._clusters is None:
            return
        numbers = [int(self._clusters.numbers[row]) for row in new]
        added = [n for n in numbers if n not in self.chosen]
        self.choose([*(n for n in self.chosen if n in numbers), *added])

    def _tracks_of(self, numbers: Sequence[int]) -> list[int]:
        clusters = self._clusters
        if clusters is None or TRACK not in clusters.table:
            return []
        rows = [row for n in numbers if (row := clusters.row(n)) is not None]
        return [int(clusters.table[TRACK][row]) for row in rows]

    def _with_tracks(self, tracks: Sequence[int]) -> list[int]:
        clusters = self._clusters
        if clusters is None or TRACK not in clusters.table:
            return []
        found = [np.flatnonzero(clusters.table[TRACK] == track) for track in tracks]
        return [int(clusters.numbers[rows[0]]) for rows in found if len(rows)]

    def _details(self, clusters: Clusters | None, chosen: list[int]) -> Iterator[Details]:
        if clusters is None or not chosen:
            yield Details([], [])
            return
        number = chosen[-1]
        similarity = self._session.series.neighbor_similarity(self._frame)
        found = [] if similarity is None else borders(clusters, similarity, number)
        yield Details(
            self._fields(clusters, number, len(chosen), len(found)),
            [_neighbor_row(clusters, border) for border in found[:_MOST_NEIGHBORS]],
        )

    def _fields(
        self, clusters: Clusters, number: int, n_chosen: int, n_neighbors: int
    ) -> list[list[str]]:
        series, row = self._session.series, clusters.row(number)
        column = {name: values[row] for name, values in clusters.table.items()}
        size = int(column[variables.n_positions.name])
        area = area_text(size, scan_grid(series.seen))
        fields = [
            ["cluster", f"{number}" + (f" (last of {n_chosen} chosen)" if n_chosen > 1 else "")],
            ["size", counted(size, "position") + (area and f", {area}")],
        ]
        if variables.centroid_y.name in column:
            center = (column[spec.name] for spec in (variables.centroid_y, variables.centroid_x))
            fields.append(["centre", "row {:.1f}, column {:.1f}".format(*center)])
        for spec, name in (
            (variables.cluster_similarity, "mean similarity"),
            (variables.cluster_min_similarity, "lowest similarity"),
            (variables.residual, "residual"),
        ):
            if spec.name in column:
                fields.append([name, f"{column[spec.name]:.3f}"])
        if TRACK in column:
            fields.append([TRACK, self._track_text(int(column[TRACK]))])
        return [*fields, ["neighbors", f"{n_neighbors}"]]

    def _track_text(self, track: int) -> str:
        frames = self._session.series.frames_of_track(track)
        seen = counted(len(frames), "frame")
        return f"{track}, in {seen} from {frames[0] + 1} to {frames[-1] + 1}"

    def _say(self, details: Details) -> None:
        self._session.screen.cluster = details.fields
        self._session.screen.neighbors = details.neighbors
        self._session.answer("click")


def _neighbor_row(clusters: Clusters, border: Border) -> list[str]:
    row = clusters.row(border.number)
    track = clusters.table[TRACK][row] if TRACK in clusters.table and row is not None else ""
    return [str(border.number), str(border.n_pairs), f"{border.similarity:.3f}", str(track)]


def _plain(values: np.ndarray) -> np.ndarray:
    # the browser knows no whole numbers of eight bytes
    return values.astype(np.int32) if values.dtype.kind in "iu" else values.astype(np.float32)
