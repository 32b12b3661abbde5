"""What a page holds when it opens: choices, texts, first settings."""

from importlib.resources import files
from typing import Any, Final

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
from daskstem.explorer.pattern_view import SOURCES
from daskstem.explorer.quality import largest_count
from daskstem.explorer.series import Series
from daskstem.explorer.state import Screen
from daskstem.schema import variables
from daskstem.view.scale import PixelGrid, unit_text
from daskstem.view.wording import bytes_text, counted

_USUAL_THRESHOLD: Final = 0.88
_USUAL_SIZE: Final = 8


def scale_of(grid: PixelGrid, pixel_name: str) -> dict[str, Any]:
    """Return what a scale bar is drawn by: the length of a column, and its unit."""
    return {"step": grid.step_x, "units": unit_text(grid.units, pixel_name=pixel_name)}


def first_screen(series: Series) -> Screen:
    """Return what is chosen when a page opens: what the store was made with, if it says."""
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


def page_texts(series: Series) -> dict[str, Any]:
    """Return what ``page.html`` fills in."""
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
        "style": text_of("page.css"),
        "script": text_of("page.js"),
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


def text_of(name: str) -> str:
    """Return the text of a file of this room."""
    return (files("daskstem.explorer") / name).read_text(encoding="utf-8")
