"""Who gets a turn, and who stays in memory."""

from __future__ import annotations

import asyncio
import time

import pytest

from actorflow.actors.dispatcher import Dispatcher
from actorflow.actors.residency import Residency


class Actor:
    """Takes turns and writes down when."""

    def __init__(self, name: str, log: list[str], dispatcher: Dispatcher | None = None, *, again: int = 0) -> None:
        self.name = name
        self.is_ready = False
        self.last_used = 0.0
        self.is_evictable = True
        self._log = log
        self._dispatcher = dispatcher
        self._again = again

    def step(self) -> None:
        self._log.append(self.name)
        if self._again and self._dispatcher is not None:
            self._again -= 1
            self._dispatcher.wake(self)

    def passivate(self, reason: str) -> None:
        self._log.append(f"{self.name} left")


async def turns_of(loop: asyncio.AbstractEventLoop, rounds: int = 3) -> None:
    for _ in range(rounds):
        done = loop.create_future()
        loop.call_soon(done.set_result, None)
        await done


async def test_actors_take_turns_in_the_order_in_which_they_became_ready() -> None:
    log: list[str] = []
    dispatcher = Dispatcher(asyncio.get_running_loop(), lambda: log.append("written"), slice_seconds=1)
    one, two = (Actor(name, log, dispatcher, again=2) for name in "ab")
    dispatcher.wake(one)
    dispatcher.wake(two)
    dispatcher.wake(one)
    await turns_of(asyncio.get_running_loop())
    assert [entry for entry in log if entry != "written"] == ["a", "b"] * 3
    assert log[-1] == "written"


async def test_a_long_queue_of_turns_lets_the_rest_of_the_loop_go_on() -> None:
    log: list[str] = []
    loop = asyncio.get_running_loop()

    class Slow(Actor):
        def step(self) -> None:
            ends_at = time.perf_counter() + 0.0005
            while time.perf_counter() < ends_at:
                pass
            super().step()

    dispatcher = Dispatcher(loop, lambda: log.append("written"), slice_seconds=0.001)
    for number in range(64):
        dispatcher.wake(Slow(str(number), log))
    loop.call_soon(log.append, "somebody else")
    await turns_of(loop, 100)
    assert log.index("somebody else") < log.index("63")
    assert [entry for entry in log if entry.isdigit()] == [str(number) for number in range(64)]
    assert log.count("written") > 1


def residency(maximum: int, log: list[str]) -> tuple[Residency, list[Actor], list[float]]:
    now = [0.0]
    known = Residency(maximum, lambda: now[0])
    actors = [Actor(name, log) for name in "abcd"]
    for key, actor in enumerate(actors):
        now[0] += 1
        known.touch(key, actor)
    return known, actors, now


def test_the_least_recently_used_leave_first() -> None:
    log: list[str] = []
    known, actors, _ = residency(2, log)
    known.touch(0, actors[0])
    known.trim()
    assert log == ["b left", "c left"]


def test_who_can_not_leave_yet_is_passed_over() -> None:
    log: list[str] = []
    known, actors, _ = residency(3, log)
    actors[0].is_evictable = False
    known.trim()
    assert log == ["b left"]


def test_within_the_bound_everybody_stays() -> None:
    log: list[str] = []
    residency(4, log)[0].trim()
    assert log == []


@pytest.mark.parametrize(
    ("idle", "left"), [(10, []), (1.5, ["a left", "b left"]), (0, ["a left", "b left", "c left", "d left"])]
)
def test_who_was_idle_for_long_leaves(idle: float, left: list[str]) -> None:
    log: list[str] = []
    known, _, _ = residency(100, log)
    known.passivate_idle(idle)
    assert log == left


def test_who_left_is_counted_no_more() -> None:
    known, _, _ = residency(4, [])
    known.drop(1)
    known.drop(99)
    assert len(known) == 3
