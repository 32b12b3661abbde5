"""Work beside the page: the newest request of a kind is done, older ones end."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from daskstem.schema.errors import InputError

T = TypeVar("T")
_LOG: Final = logging.getLogger(__name__)


class Latest:
    """Runs requests of one kind on a thread of its own, and only the newest to its end.

    Parameters
    ----------
    name
        Name of the thread.
    deliver
        Calls a function where the page may be changed, later and in order.
    failed
        Told what went wrong, there too, in one line.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Callable[[], None]], Any],
        failed: Callable[[str], None],
    ) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"explore-{name}")
        self._deliver = deliver
        self._failed = failed
        self._newest = 0

    def ask(self, steps: Callable[[], Iterable[T]], show: Callable[[T], None]) -> None:
        """Show what ``steps`` yields, one result after the other, until the next request.

        A generator that is overtaken is closed, on the thread: it can cancel what it started.
        """
        self._newest += 1
        self._thread.submit(self._run, self._newest, steps, show)

    def forget(self) -> None:
        """Drop what is under way."""
        self._newest += 1

    def close(self) -> None:
        """Drop what is under way and end the thread."""
        self.forget()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(
        self, number: int, steps: Callable[[], Iterable[T]], show: Callable[[T], None]
    ) -> None:
        if number != self._newest:
            return
        try:
            results = iter(steps())
            for result in results:
                if number != self._newest:
                    # a generator cancels what it has started
                    getattr(results, "close", _nothing)()
                    return
                self._deliver(partial(self._show, number, show, result))
        except InputError as error:
            self._deliver(partial(self._failed, " ".join(str(error).split())))
        except Exception as error:
            if number != self._newest:
                # the page is closed, or nobody waits for it any more
                return
            _LOG.exception("the explorer could not do what was asked")
            self._deliver(partial(self._failed, f"{type(error).__name__}: {error}"))

    def _show(self, number: int, show: Callable[[T], None], result: T) -> None:
        if number == self._newest:
            show(result)


def _nothing() -> None:
    return None
