"""A real browser on a page of the explorer: chromium, headless, driven by playwright."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20
SIZE = {"width": 1280, "height": 720}

_IMAGE = """renderer => {
    const image = renderer.data_source.get("image")[0];
    return [Array.from(image), image.shape];
}"""
_PLACE = """([name, row, column]) => {
    const plot = window.daskstemPage.sources.plots[name];
    const view = Bokeh.index.find_one(plot);
    const box = view.el.getBoundingClientRect();
    const frame = view.frame;
    return [box.x + frame.x_scale.compute(column), box.y + frame.y_scale.compute(row)];
}"""


def chromium():
    """Return the path of a browser, or skip where there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed (the extra 'test')")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine; 'apt-get install chromium' gets one")
    return found


@contextmanager
def served(store, *options):
    """Run ``daskstem explore`` on a store and yield the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "daskstem", "explore", str(store), "--port", "0", "--no-browser",
         *map(str, options)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        told = process.stdout.readline()
        assert told.startswith("explorer: http://127.0.0.1:"), told
        yield told.split()[1]
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        process.stdout.close()


@contextmanager
def browser():
    """Yield a browser with a fresh profile."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        # as root, in a container, there is no sandbox to be had
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@dataclass
class Explored:
    """One open page and what is on it."""

    page: object
    complaints: list = field(default_factory=list)

    @classmethod
    def opened(cls, started, address, size=SIZE, *, ready=True):
        """Open the page and wait for its first pictures, or only until it is there."""
        page = started.new_page(viewport=size)
        page.set_default_timeout(1000 * PATIENCE_S)
        explored = cls(page)
        page.on("pageerror", lambda error: explored.complaints.append(str(error)))
        page.on("console", explored._heard)
        page.goto(address)
        page.wait_for_function("window.daskstemPage")
        if not ready:
            return explored
        page.wait_for_function(
            """() => {
                const {facts} = window.daskstemPage.screen;
                return facts.pattern_title && facts.frame;
            }"""
        )
        page.evaluate(
            """() => {
                const {screen} = window.daskstemPage;
                window.first = Object.fromEntries([...document.querySelectorAll("[data-state]")]
                    .map(({dataset: {state}}) => [state, screen[state]]));
            }"""
        )
        return explored

    def reset(self):
        """Put every control back to what it was when the page opened."""
        self.page.mouse.move(1, 1)
        self.page.evaluate(
            """() => {
                const {screen, ask} = window.daskstemPage;
                document.activeElement.blur();
                for (const control of document.querySelectorAll("[data-state]")) {
                    const {state, channel} = control.dataset;
                    ask(channel, {[state]: window.first[state]});
                }
                const {frame, shown} = window.first;
                ask("scan", {frame, shown});
            }"""
        )
        return self.press("Escape", "1")

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def screen(self, name):
        """Return a property of what page and process share."""
        return self.page.evaluate(
            "name => Bokeh.documents[0].get_model_by_name('screen')[name]", name
        )

    def fact(self, name):
        """Return a text that the process says."""
        return self.screen("facts").get(name, "")

    def until(self, condition, told=""):
        """Wait until ``condition()`` is true, and return what it returned."""
        end = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < end, told or self.screen("facts")
            self.page.wait_for_timeout(20)
        return found

    def settled(self):
        """Wait until every request of the page is answered and no picture is growing."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")
        self.page.wait_for_function(
            """() => {
                const {screen} = window.daskstemPage;
                return !screen.facts.share && Object.entries(screen.asked).every(
                    ([name, count]) => screen.answered[name] === count);
            }"""
        )
        return self

    def image(self, name, renderer="image"):
        """Return the image in a picture: shades, or packed colors."""
        plot = f"window.daskstemPage.sources.plots.{name}"
        which = f"{plot}.renderers.find(r => r.name === '{name}_{renderer}')"
        values, shape = self.page.evaluate(f"() => ({_IMAGE})({which})")
        return np.array(values).reshape(shape)

    def source(self, name):
        """Return the columns of a named source of lines or markers."""
        columns = self.page.evaluate(
            """name => Object.fromEntries([...Object.entries(
                Bokeh.documents[0].get_model_by_name(name).data)].map(
                ([key, column]) => [key, Array.from(column, v => Array.isArray(v) ||
                    ArrayBuffer.isView(v) ? Array.from(v) : v)]))""",
            name,
        )
        return {key: np.array(column, dtype=float) for key, column in columns.items()}

    def choose(self, name, value):
        """Choose an option, or type a number, and wait for the answer."""
        control = self.page.locator(f"[data-state={name}]")
        if not control.is_visible():
            panel = control.evaluate("element => element.closest('[data-panel]').dataset.panel")
            self.page.locator(f"[data-tab={panel}]").click()
        if control.evaluate("element => element.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(str(value))
        return self.settled()

    def place(self, name, row, column):
        """Return where on the screen a row and column of a picture are."""
        return self.page.evaluate(_PLACE, [name, row, column])

    def hover(self, name, row, column):
        """Move the mouse there."""
        self.page.mouse.move(*self.place(name, row, column))
        return self.settled()

    def click(self, name, row, column, **given):
        """Click there."""
        for key in given.get("modifiers", ()):
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.place(name, row, column))
        for key in given.get("modifiers", ()):
            self.page.keyboard.up(key)
        return self.settled()

    def drag(self, name, start, stop, steps=6):
        """Drag from one row and column to another."""
        self.page.mouse.move(*self.place(name, *start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(name, *stop), steps=steps)
        self.page.mouse.up()
        return self.settled()

    def press(self, *keys):
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        return self.settled()
