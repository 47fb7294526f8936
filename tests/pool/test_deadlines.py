"""Deadlines: lines by duration that ring in order, and forget what was cancelled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorflow.clock import SystemClock
from actorflow.pool.deadlines import Deadlines


class Hand(SystemClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        self.waiting: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        return self.at

    def call_later(self, delay: float, callback: Callable[[], object]) -> Hand:
        self.waiting.append((self.at + delay, callback))
        return self

    def cancel(self) -> None:
        raise AssertionError("nobody cancels these")

    def go_to(self, at: float) -> None:
        while self.waiting and min(self.waiting, key=lambda w: w[0])[0] <= at:
            self.at, ring = min(self.waiting, key=lambda w: w[0])
            self.waiting.remove((self.at, ring))
            ring()
        self.at = at


@pytest.fixture
def clock() -> Hand:
    return Hand()


def test_a_deadline_rings_when_its_time_has_come_and_not_before(clock: Hand) -> None:
    rang: list[str] = []
    deadlines = Deadlines(clock)
    deadlines.add(10, lambda: rang.append("first"))
    clock.go_to(4)
    deadlines.add(10, lambda: rang.append("second"))
    clock.go_to(9.9)
    assert rang == []
    clock.go_to(10)
    assert rang == ["first"]
    clock.go_to(13.9)
    assert rang == ["first"]
    clock.go_to(14)
    assert rang == ["first", "second"]
    assert len(deadlines) == 0
    assert clock.waiting == []


def test_a_cancelled_deadline_does_not_ring(clock: Hand) -> None:
    rang: list[int] = []
    deadlines = Deadlines(clock)
    added = [deadlines.add(1, lambda n=n: rang.append(n)) for n in range(4)]
    added[0].cancel()
    added[2].cancel()
    clock.go_to(2)
    assert rang == [1, 3]


def test_what_was_cancelled_behind_a_live_one_does_not_pile_up(clock: Hand) -> None:
    deadlines = Deadlines(clock)
    deadlines.add(3600, lambda: None)
    for _ in range(10_000):
        deadlines.add(3600, lambda: None).cancel()
    assert len(deadlines) < 200


def test_a_ring_that_adds_the_same_duration_again_is_heard_again(clock: Hand) -> None:
    rang: list[float] = []
    deadlines = Deadlines(clock)

    def again() -> None:
        rang.append(clock.at)
        if len(rang) < 3:
            deadlines.add(5, again)

    deadlines.add(5, again)
    clock.go_to(100)
    assert rang == [5, 10, 15]


def test_a_ring_that_raises_does_not_silence_the_others(clock: Hand) -> None:
    rang: list[str] = []
    deadlines = Deadlines(clock)

    def raises() -> None:
        raise ZeroDivisionError

    deadlines.add(1, raises)
    clock.go_to(0.5)
    deadlines.add(1, lambda: rang.append("second"))
    with pytest.raises(ZeroDivisionError):
        clock.go_to(1)
    clock.go_to(2)
    assert rang == ["second"]
