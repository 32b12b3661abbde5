"""Only the newest request of a kind comes to its end."""

import threading
import time

import pytest

from daskstem.explorer.latest import Latest
from daskstem.schema.errors import InputError


@pytest.fixture
def failures():
    return []


@pytest.fixture
def latest(failures):
    one = Latest("test", lambda call: call(), failures.append)
    yield one
    one.close()


def waited(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_every_step_of_a_request_is_shown_in_order(latest):
    shown = []
    latest.ask(lambda: iter(range(5)), shown.append)
    waited(lambda: len(shown) == 5)
    assert shown == list(range(5))


def test_an_overtaken_request_is_closed_and_shows_nothing_more(latest):
    shown, closed, begun, go = [], threading.Event(), threading.Event(), threading.Event()

    def endless():
        try:
            for number in range(10**6):
                yield number
                begun.set()
                assert go.wait(10)
        finally:
            closed.set()

    latest.ask(endless, shown.append)
    assert begun.wait(10)
    latest.ask(lambda: iter(["newest"]), shown.append)
    go.set()
    waited(lambda: "newest" in shown)
    assert closed.is_set()
    assert shown[-1] == "newest"
    assert len(shown) <= 3


def test_requests_between_the_first_and_the_newest_never_begin(latest):
    shown, begun, go = [], threading.Event(), threading.Event()

    def first():
        begun.set()
        assert go.wait(10)
        yield "first"

    latest.ask(first, shown.append)
    assert begun.wait(10)
    for number in range(20):
        latest.ask(lambda number=number: iter([number]), shown.append)
    go.set()
    waited(lambda: shown)
    assert shown == [19]


def test_what_the_user_can_mend_is_told_in_one_line(latest, failures):
    def wrong():
        yield 1
        raise InputError("no labels\n  in this store; run 'grow' first")

    latest.ask(wrong, lambda _: None)
    waited(lambda: failures)
    assert failures == ["no labels in this store; run 'grow' first"]


def test_a_defect_is_told_and_logged(latest, failures, caplog):
    latest.ask(lambda: iter([1 / 0]), lambda _: None)
    waited(lambda: failures)
    assert failures == ["ZeroDivisionError: division by zero"]
    assert "Traceback" in caplog.text


def test_nothing_is_shown_after_the_page_is_closed(latest, failures):
    shown, begun, go = [], threading.Event(), threading.Event()

    def late():
        begun.set()
        assert go.wait(10)
        raise RuntimeError("the page is gone")
        yield

    latest.ask(late, shown.append)
    assert begun.wait(10)
    latest.close()
    go.set()
    time.sleep(0.05)
    assert not shown
    assert not failures
