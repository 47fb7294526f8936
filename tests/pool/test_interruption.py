"""An exception thrown into a thread reaches the code it is for, once, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from actorflow.pool.interruption import Interruption


class Stop(Exception):
    """What is thrown."""


@pytest.fixture
def hasty_switches() -> Iterator[None]:
    """Threads take turns a thousand times as often, so that a throw meets the code at every place."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def test_code_that_runs_is_stopped_and_the_exception_is_raised_once() -> None:
    interruption = Interruption(Stop)
    caught: list[str] = []

    def code() -> str:
        try:
            interruption.throw()
            interruption.throw()
            for _ in range(1000):
                pass
        except Stop:
            caught.append("once")
        return "ended"

    assert interruption.run(code) == "ended"
    assert caught == ["once"]


def test_what_was_asked_for_before_the_code_began_stops_it_at_once() -> None:
    interruption = Interruption(Stop)
    interruption.throw()
    with pytest.raises(Stop):
        interruption.run(lambda: pytest.fail("it ran"))


def test_after_its_end_nothing_is_thrown() -> None:
    interruption = Interruption(Stop)
    assert interruption.run(lambda: 1) == 1
    interruption.throw()
    assert sum(range(1000)) == 499_500


@pytest.mark.usefixtures("hasty_switches")
def test_wherever_a_throw_meets_the_code_the_thread_goes_on_undisturbed_afterwards() -> None:
    def whole(interruption: Interruption, steps: int) -> str:
        def code() -> int:
            return sum(number for number in range(steps))

        try:
            interruption.run(code)
        except Stop:
            return "stopped"
        return "ended" if sum(number for number in range(20)) == 190 else "disturbed"

    with ThreadPoolExecutor(1) as executor:
        outcomes = set[str]()
        for number in range(3000):
            interruption = Interruption(Stop)
            running = executor.submit(whole, interruption, number % 60)
            for _ in range(number % 37):
                pass
            interruption.throw()
            outcomes.add(running.result())  # raises what leaked out of the code
    assert outcomes <= {"stopped", "ended"}


def test_a_shield_holds_a_throw_back_until_the_outermost_block_ends() -> None:
    interruption = Interruption(Stop)
    seen: list[str] = []

    def code() -> None:
        with interruption.shield():
            with interruption.shield():
                interruption.throw()
                seen.append("inner")
            seen.append("outer")
        seen.append("not reached")

    with pytest.raises(Stop):
        interruption.run(code)
    assert seen == ["inner", "outer"]
