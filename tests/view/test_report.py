import tomllib
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.calibration import Axis
from daskstem.schema.dims import CLUSTER, FRAME, Q_X, Q_Y, SCAN, SCAN_X, SCAN_Y
from daskstem.view.content import (
    AT_BORDER,
    BELOW_THRESHOLD,
    HOMOGENEITY,
    SEED_PATTERN,
    SMALL_PATTERN,
    Example,
    FrameContent,
    ReportContent,
    StepContent,
)
from daskstem.view.figures import threshold_figure
from daskstem.view.report import page
from daskstem.view.wording import bytes_text, percent, recipe_text

MAPS = ("dark_field", "mean_similarity", "mask", "label")
EVIL = '<script>alert("1")</script>'


class Reader(HTMLParser):
    """Collects tags, sources and text, and checks that what is opened is closed."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.alternatives: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [v or "" for k, v in attrs if k in ("src", "href")]
        self.alternatives += [v or "" for k, v in attrs if k == "alt"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def frame_content(number: int, size: int = 24, names: Sequence[str] = MAPS) -> FrameContent:
    rng = np.random.default_rng(number)
    every = {
        "dark_field": rng.random((size, size), dtype=np.float32),
        "mean_similarity": rng.random((size, size), dtype=np.float32),
        "mask": rng.random((size, size)) > 0.2,
        "label": np.repeat(np.repeat(np.arange(4).reshape(2, 2), size // 2, 0), size // 2, 1),
        "truth_label": np.zeros((size, size), np.int32),
    }
    scan = {d: Axis(2.0, units="nm").coordinate(d, size) for d in SCAN}
    maps = xr.Dataset({name: (SCAN, every[name]) for name in names}, coords=scan)
    table = xr.Dataset(
        {"label": (CLUSTER, np.arange(4)), "n_positions": (CLUSTER, [144, 144, 144, 144])}
    )
    patterns = {
        variables.pattern.name: ((CLUSTER, Q_Y, Q_X), rng.random((4, 16, 16))),
        SEED_PATTERN: ((CLUSTER, Q_Y, Q_X), rng.poisson(1, (4, 16, 16))),
    }
    return FrameContent(number, maps, table, table.assign(patterns))


def report_content(
    frames: int = 1, shown: Sequence[int] | None = None, **changes: Any
) -> ReportContent:
    shape = (frames, 24, 24, 16, 16)
    coords = {d: Axis(2.0, units="nm").coordinate(d, 24) for d in (SCAN_Y, SCAN_X)}
    coords |= {d: Axis().coordinate(d, 16) for d in (Q_Y, Q_X)}
    step = {"step": "grow", "parameters": {"threshold": 0.9, "min_size": None}, "time": "2026"}
    steps = tuple(
        StepContent(name, group, f"What {name} makes.", parameters, parameters, "2026")
        for name, group, parameters in (
            ("similarity", "similarity", {}),
            ("background", "background", {"method": "signal"}),
            ("hierarchy", "hierarchy", {"linkage": "single", "min_size": 4}),
            ("grow", "segments", {"threshold": 0.9, "linkage": "single"}),
            ("average", "clusters", {"of": "raw"}),
        )
    )
    table = xr.Dataset(
        {
            "frame": (CLUSTER, np.repeat(np.arange(frames), 4)),
            "label": (CLUSTER, np.tile(np.arange(4), frames)),
            "n_positions": (CLUSTER, np.full(4 * frames, 144)),
            AT_BORDER: (CLUSTER, np.ones(4 * frames)),
            HOMOGENEITY: (CLUSTER, np.full(4 * frames, 0.99)),
            BELOW_THRESHOLD: (CLUSTER, np.zeros(4 * frames)),
        }
    )
    small = np.random.default_rng(1).random((4 * frames, 8, 8), dtype=np.float32)
    per_frame = xr.Dataset(
        {
            "n_clusters": (FRAME, np.full(frames, 4.0)),
            "n_assigned": (FRAME, np.full(frames, 570.0)),
            "n_at_border": (FRAME, np.full(frames, 4.0)),
            "n_flat": (FRAME, np.full(frames, 2.0)),
        },
        coords={"time": (FRAME, np.arange(frames) * 13.0, {"units": "s"})},
    )
    content: dict[str, Any] = {
        "store": "scan.zarr",
        "shape": shape,
        "dtype": np.dtype(np.uint16),
        "raw": xr.Dataset(coords=coords, attrs={"step": "convert"}),
        "per_frame": per_frame,
        "frames": tuple(frame_content(n) for n in (range(frames) if shown is None else shown)),
        "groups": {"segments": step, "clusters": {"step": "average"}},
        "unfinished": (),
        "cluster_bytes": 4 * frames * 16 * 16 * 4,
        "n_positions": np.full(4 * frames, 144),
        "steps": steps,
        "table": table,
        "largest": table.assign({SMALL_PATTERN: ((CLUSTER, Q_Y, Q_X), small)}),
        "example": Example(next(iter(range(frames) if shown is None else shown), 0)),
        "versions": {"numpy": "2.2"},
    }
    return ReportContent(**{**content, **changes})


def test_is_one_page_that_needs_no_network() -> None:
    text = page(report_content())
    read = Reader(text)
    assert not read.open
    # one script, in the page itself: it sorts the table, which is whole without it
    assert read.tags.count("script") == 1
    assert "link" not in read.tags
    # three that matter; similarity, mask, clusters, patterns, sizes; one for each cluster
    assert len(read.sources) == 3 + 5 + 4
    assert len(read.alternatives) == len(read.sources)
    assert all(len(words) > 8 for words in read.alternatives)
    assert all(source.startswith("data:image/png;base64,") for source in read.sources)
    assert "http" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_the_threshold_is_said_and_marked_on_the_curves() -> None:
    curves = xr.Dataset(
        {"cluster_count": ("threshold", [1, 4, 0]), "cover": ("threshold", [1.0, 0.8, 0.0])},
        coords={"threshold": [0.5, 0.9, 1.0]},
    )
    figure = threshold_figure(curves, used=0.9)
    for axes in figure.axes:
        marks = {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
        assert list(marks) == ["used: 0.900"]
        assert marks["used: 0.900"].get_xdata()[0] == pytest.approx(0.1)
    content = report_content()
    shown = replace(content.frames[0], curves=curves)
    numbers = content.per_frame.assign(used_threshold=(FRAME, [0.9]))
    text = Reader(page(replace(content, frames=(shown,), per_frame=numbers)))
    assert "Threshold of similarity: 0.900." in text.text
    assert len(text.sources) == 3 + 6 + 4


def test_the_numbers_are_those_of_the_content() -> None:
    text = Reader(page(report_content(frames=2))).text
    assert "590 kB" in text  # 2 * 24 * 24 * 16 * 16 * 2 bytes = 589,824
    assert "8 clusters cover 99 % of the positions" in text
    assert "8 clusters of 8 (100 %) touch" in text
    assert "4 flat positions (0.347 %)" in text
    assert "Frame 1, time 13 s" in text


def test_everything_from_the_data_is_escaped() -> None:
    attrs = {"step": EVIL, "parameters": {EVIL: EVIL}, "time": EVIL, "host": EVIL}
    content = report_content(store=f"a/{EVIL}.zarr", groups={EVIL: attrs}, unfinished=(EVIL,))
    content = ReportContent(**{**vars(content), "raw": content.raw.assign_attrs(series_type=EVIL)})
    text = page(content)
    assert text.count("<script") == 1
    assert EVIL in Reader(text).text


def test_missing_groups_are_named_with_their_step() -> None:
    nothing = FrameContent(0, xr.Dataset(coords=report_content().raw.coords), *(xr.Dataset(),) * 2)
    content = ReportContent(
        **{
            **vars(report_content()),
            "groups": {},
            "frames": (nothing,),
            "per_frame": xr.Dataset(coords={FRAME: [0]}),
            "cluster_bytes": None,
            "n_positions": np.empty(0, int),
            "table": xr.Dataset(),
            "largest": xr.Dataset(),
            "steps": (),
        }
    )
    text = Reader(page(content)).text
    assert "segments (made by the step 'grow')" in text
    assert "No clusters have been grown yet" in text


def test_a_half_made_group_is_named() -> None:
    text = Reader(page(report_content(unfinished=("clusters",)))).text
    assert "Half-made by a stopped run: clusters" in text


def test_truth_is_shown_beside_the_clusters() -> None:
    names = ("mean_similarity", "label", "truth_label")
    content = report_content(frames=1)
    per_frame = content.per_frame.assign(adjusted_rand=(FRAME, [0.8751]))
    frames = (frame_content(0, names=names),)
    text = page(ReportContent(**{**vars(content), "per_frame": per_frame, "frames": frames}))
    read = Reader(text).text
    assert "The known grains under the outlines of the clusters found" in read
    assert read.count("0.8751") == 2


def test_a_long_series_says_which_frames_are_shown() -> None:
    text = Reader(page(report_content(frames=30, shown=(0, 15, 29)))).text
    assert "3 of the 30 frames, evenly chosen: 0, 15, 29" in text
    assert "Growth." in text


def test_unfinished_frames_are_not_counted() -> None:
    content = report_content(frames=2, shown=(0,))
    per_frame = content.per_frame.where(content.per_frame["time"] == 0)
    text = Reader(page(ReportContent(**{**vars(content), "per_frame": per_frame}))).text
    assert "4 clusters cover 99 % of the positions" in text


def test_a_page_of_twelve_noisy_frames_is_under_ten_megabytes() -> None:
    frame = frame_content(0, size=512)
    content = report_content(frames=2, shown=())
    size = len(page(ReportContent(**{**vars(content), "frames": (frame,) * 2})))
    assert 6 * size < 10e6


def test_the_recipe_reads_back_as_toml() -> None:
    steps: dict[str, dict[str, Any]] = {
        "similarity": {"center": [1.5, 2.0], "blur": None},
        "grow": {"threshold": 0.9, "text": 'a"b\\c'},
    }
    assert tomllib.loads(recipe_text(steps)) == {
        "similarity": {"center": [1.5, 2.0]},
        "grow": {"threshold": 0.9, "text": 'a"b\\c'},
    }


@pytest.mark.parametrize(("part", "whole", "text"), [(1, 10**6, "under 0.1 %"), (0, 5, "0 %"),
                                                     (5, 5, "100 %"), (9999, 10000, "over 99.9 %"),
                                                     (0, 0, "0 %")])  # fmt: skip
def test_a_share_is_never_rounded_to_nothing_or_all(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_bytes_are_counted_in_powers_of_1000() -> None:
    assert [bytes_text(n) for n in (999, 1000, 999_999)] == ["999 bytes", "1 kB", "1 MB"]


def test_the_recipe_holds_the_views_too() -> None:
    crop = StepContent("crop", "", "A part.", {"scan_y": [4, 20]}, {"scan_y": [4, 20]}, "")
    content = report_content()
    text = Reader(page(replace(content, steps=(crop, *content.steps)))).text
    assert "[crop]\nscan_y = [4, 20]" in text
    assert text.index("Crop") < text.index("Background")


def test_three_pictures_come_before_everything_else() -> None:
    text = page(report_content())
    first = [text.index(f"<b>{title}.</b>") for title in ("The scan", "What was found")]
    assert first == sorted(first)
    assert first[-1] < text.index("<b>What it gives.</b>") < text.index("<h2>Warnings</h2>")


def test_the_table_sorts_by_the_numbers_it_shows() -> None:
    text = page(report_content(frames=2))
    table = text[text.index("table of clusters") : text.index("The series")]
    assert table.count("<img") == 8
    assert 'data-v="144">144' in table
    assert 'data-v="0.99">0.990' in table
    assert 'alt="pattern of cluster 3 of frame 1"' in table


def test_of_many_clusters_the_page_says_which_are_shown() -> None:
    content = report_content(frames=2)
    few = content.largest.isel({CLUSTER: slice(0, 5)})
    text = Reader(page(replace(content, largest=few))).text
    assert "The 5 largest of 8" in text


def test_what_was_chosen_stands_beside_its_step() -> None:
    text = Reader(page(report_content())).text
    assert "What grow makes." in text
    assert 'Chosen: threshold = 0.9, linkage = "single".' in text
