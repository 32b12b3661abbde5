"""One open page: its series, its screen, and the threads that work for it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from daskstem.explorer.choices import CUT, LABEL
from daskstem.explorer.latest import Latest
from daskstem.explorer.reading import Patterns
from daskstem.explorer.series import Series
from daskstem.explorer.state import Screen
from daskstem.schema import variables


@dataclass(eq=False)
class Session:
    """What all parts of a page share.

    Attributes
    ----------
    series, patterns
        What is looked at.
    screen
        What is on the screen.
    document
        The Bokeh document: changed in its callbacks only.
    """

    series: Series
    patterns: Patterns
    screen: Screen
    document: Any
    _threads: list[Latest] = field(default_factory=list)
    _waiting: deque[Callable[[], None]] = field(default_factory=deque)

    def latest(self, name: str, *channels: str) -> Latest:
        """Return a thread for one kind of request; what fails is said and answered."""

        def failed(text: str) -> None:
            self.tell(message=text, share="")
            self.answer(*channels)

        self._threads.append(Latest(name, self.deliver, failed))
        return self._threads[-1]

    def deliver(self, function: Callable[[], None]) -> None:
        """Call a function where the page may be changed, after those that came before."""
        # Bokeh keeps what is to be called once a page is open in a set: an older picture could
        # come after a newer one
        self._waiting.append(function)
        self.document.add_next_tick_callback(self._call_next)

    def _call_next(self) -> None:
        self._waiting.popleft()()

    def tell(self, **facts: str) -> None:
        """Change texts of the page."""
        known = self.screen.facts
        if any(known.get(name) != text for name, text in facts.items()):
            self.screen.facts = {**known, **facts}

    def answer(self, *channels: str) -> None:
        """Tell the page that its requests so far are answered."""
        asked = {name: self.screen.asked[name] for name in channels if name in self.screen.asked}
        if any(self.screen.answered.get(name) != count for name, count in asked.items()):
            self.screen.answered = {**self.screen.answered, **asked}

    def close(self) -> None:
        """End the threads."""
        for thread in self._threads:
            thread.close()

    @property
    def frame(self) -> int:
        """The frame that is shown, whatever the page sent."""
        return min(max(int(self.screen.frame), 0), self.series.n_frames - 1)

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, within the scan."""
        rows, columns = self.series.scan
        return (
            min(max(int(self.screen.y), 0), rows - 1),
            min(max(int(self.screen.x), 0), columns - 1),
        )

    @property
    def clusters_key(self) -> str:
        """Which clusters are meant by a click: stored ones, cut ones, or none (empty)."""
        screen = self.screen
        there = {
            LABEL: variables.label.name in self.series.seen,
            CUT: variables.rank.name in self.series.seen,
        }
        wanted = CUT if CUT in (screen.shown, screen.outlined) else LABEL
        order = (wanted, LABEL, CUT)
        return next((key for key in order if there[key]), "")

    @property
    def detector(self) -> tuple[float, float, float, float]:
        """Row and column of the drawn detector's centre, its inner and outer radius."""
        screen = self.screen
        outer = max(float(screen.outer), 0.0)
        return screen.center_y, screen.center_x, min(max(screen.inner, 0.0), outer), outer
