"""How soon the explorer answers, measured in a real browser.

    python -m tests.benchmarks.explorer STORE

Every time is taken in the page: from the mouse's, the slider's or the key's event to the first
repaint after the answer's picture is there.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.explorer.browser import Explored, browser, served  # noqa: E402

_CLOCK = """() => {
    const {screen} = window.daskstemPage;
    // a timer that is set while a frame is prepared runs when the frame is painted
    const repainted = (done) => requestAnimationFrame(() => setTimeout(done, 0));
    const waiting = [];
    screen.properties.answered.change.connect(() => {
        for (const one of waiting.splice(0)) {
            const asked = screen.asked[one.channel] || 0;
            if (asked > (screen.answered[one.channel] || 0)) waiting.push(one);
            else repainted(() => one.done(performance.now() - one.begun));
        }
    });
    window.answer = (channel, start) => new Promise((done) => {
        waiting.push({channel, done, begun: performance.now()});
        start();
    });
}"""
_LISTEN = """() => {
    window.timed = new Promise((done) => document.addEventListener("mousemove", (event) => {
        const late = performance.now() - event.timeStamp;
        window.answer("pattern", () => {}).then((time) => done(time + late));
    }, {capture: true, once: true}));
}"""
_SLIDE = """([name, value]) => window.answer("scan", () => {
    const control = document.querySelector(`[data-state=${name}]`);
    control.value = value;
    control.dispatchEvent(new Event("input", {bubbles: true}));
})"""
_FIRST = """() => new Promise((done) => {
    const wait = () => {
        const page = window.daskstemPage;
        const there = page && page.screen.facts.frame && page.screen.facts.pattern_title;
        if (!there) requestAnimationFrame(wait);
        else requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0));
    };
    wait();
})"""


@dataclass(frozen=True)
class Line:
    """What was timed, how often, and how long it may take (ms)."""

    name: str
    times_ms: np.ndarray
    limit_ms: float
    percentile: float = 95.0

    @property
    def found_ms(self) -> float:
        return float(np.percentile(self.times_ms, self.percentile))

    def __str__(self) -> str:
        return (
            f"{self.name:<34} {len(self.times_ms):4d} x  median {np.median(self.times_ms):6.0f} ms"
            f"  p95 {np.percentile(self.times_ms, 95):6.0f} ms"
            f"  largest {self.times_ms.max():6.0f} ms  (at most {self.limit_ms:.0f} ms)"
        )


def measured(store, *, samples=60, openings=3, seed=0):
    """Return the lines of a store that holds all steps' products."""
    random = np.random.default_rng(seed)
    with served(store) as address, browser() as started:
        first = []
        for _ in range(openings):
            page = started.new_page(viewport={"width": 1280, "height": 720})
            page.goto(address, wait_until="commit")
            first.append(page.evaluate(_FIRST))
            page.close()
        explored = Explored.opened(started, address).settled()
        page = explored.page
        page.evaluate(_CLOCK)
        lines = [Line("first useful picture", np.array(first), 2000, 100)]
        lines.append(Line("pattern under the cursor", _patterns(explored, random, samples), 100))
        explored.choose("pattern", "filtered")
        lines.append(Line("filtered pattern", _patterns(explored, random, samples), 100))
        explored.choose("pattern", "raw").choose("shown", "cut")
        thresholds = random.uniform(0.3, 0.99, samples).round(3)
        cuts = [page.evaluate(_SLIDE, ["threshold", str(t)]) for t in thresholds]
        lines.append(Line("threshold slider", np.array(cuts), 200))
        explored.choose("shown", "dark_field").choose("outlined", "cut")
        over = [page.evaluate(_SLIDE, ["threshold", str(t)]) for t in thresholds]
        lines.append(Line("threshold slider, outlines", np.array(over), 200))
        frames = page.evaluate("() => window.daskstemPage.sources.shape.frames")
        if frames > 1:
            explored.choose("outlined", "none")
            order = [str(1 + i % (frames - 1) if i % 2 == 0 else 0) for i in range(samples // 2)]
            for shown in ("dark_field", "label"):
                explored.choose("shown", shown)
                times = [page.evaluate(_SLIDE, ["frame", one]) for one in order]
                lines.append(Line(f"frame change, {shown}", np.array(times), 500))
        lines += _drawn(explored)
    return lines


def _patterns(explored, random, samples):
    rows, columns = explored.page.evaluate("() => window.daskstemPage.sources.shape.scan")
    found = []
    for _ in range(samples):
        row, column = random.integers(0, rows), random.integers(0, columns)
        before = explored.screen("y"), explored.screen("x")
        if before == (row, column):
            continue
        place = explored.place("scan", int(row), int(column))
        # the picture before is painted, as it is for a hand that stops to look
        explored.page.wait_for_timeout(100)
        explored.page.evaluate(_LISTEN)
        explored.page.mouse.move(*place)
        found.append(explored.page.evaluate("() => window.timed"))
        assert (explored.screen("y"), explored.screen("x")) == (row, column)
    return np.array(found)


def _drawn(explored):
    """Time a virtual image: until something is to be seen, and until it is complete."""
    page = explored.page
    coarse, whole = [], []
    for radius in (20.5, 22.5, 24.5):
        first, last = page.evaluate(
            """(outer) => window.answer("detector", () => window.daskstemPage.ask(
                "detector", {inner: 0, outer, shown: "drawn"})).then((first) => {
                const begun = performance.now() - first;
                return new Promise((done) => {
                    const wait = () => window.daskstemPage.screen.facts.share
                        ? setTimeout(wait, 2) : done([first, performance.now() - begun]);
                    wait();
                });
            })""",
            radius,
        )
        coarse.append(first)
        whole.append(last)
    return [
        Line("virtual image, first seen", np.array(coarse), 1000),
        Line("virtual image, complete", np.array(whole), 10000),
    ]


def main():
    """Measure a store and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--samples", type=int, default=60)
    given = parser.parse_args()
    for line in measured(given.store, samples=given.samples):
        print(line)


if __name__ == "__main__":
    main()
