"""The virtual clock by itself: it jumps, holds, and rings in order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from actorflow.testing.clock import VirtualClock

HOUR = 3600.0


async def test_alarms_ring_by_their_instants_and_those_of_one_instant_as_they_were_armed() -> None:
    clock, rung = VirtualClock(), []
    for name, delay in (("late", 2 * HOUR), ("first", HOUR), ("second", HOUR)):
        clock.call_later(delay, lambda name=name: rung.append(name))
    began_at = clock.now()
    clock.skip()
    assert rung == ["first", "second"]
    clock.skip()
    assert rung == ["first", "second", "late"]
    assert timedelta(hours=2) <= clock.now() - began_at < timedelta(hours=2, minutes=1)
    assert not clock.has_alarms
    clock.skip()


async def test_it_stands_still_while_it_is_told_to_and_never_goes_back() -> None:
    clock = VirtualClock()
    clock.is_flowing = lambda: False
    held, held_monotonic = clock.now(), clock.monotonic()
    clock.call_later(HOUR, lambda: None)
    await asyncio.sleep(0)
    assert (clock.now(), clock.monotonic()) == (held, held_monotonic)
    clock.skip()
    assert clock.now() == held + timedelta(hours=1)
    clock.is_flowing = lambda: True
    assert clock.now() >= held + timedelta(hours=1)


async def test_an_alarm_nobody_skips_to_rings_in_its_time() -> None:
    clock, rung = VirtualClock(), asyncio.Event()
    clock.is_flowing = lambda: False  # also while work is done
    held = clock.now()
    clock.call_later(0.01, rung.set)
    async with asyncio.timeout(10):
        await rung.wait()
    assert clock.now() == held + timedelta(seconds=0.01)


async def test_an_alarm_that_was_cancelled_does_not_ring_and_is_nothing_to_skip_to() -> None:
    clock, rung = VirtualClock(), []
    alarms = [clock.call_later(HOUR + number, lambda: rung.append("cancelled")) for number in range(1_000)]
    clock.call_later(HOUR / 2, alarms[-1].cancel)
    for alarm in alarms[:-1]:
        alarm.cancel()
        alarm.cancel()
    clock.skip()
    assert not clock.has_alarms
    assert rung == []


async def test_an_alarm_that_arms_itself_again_at_once_leaves_others_their_turn() -> None:
    clock, rung = VirtualClock(), []

    def again() -> None:
        rung.append("again")
        clock.call_later(0, again)

    clock.call_later(HOUR, again)
    clock.call_later(HOUR, lambda: rung.append("other"))
    clock.skip()
    assert rung == ["again", "other"]
    clock.close()


async def test_an_alarm_that_raises_is_reported_and_the_others_ring() -> None:
    clock, rung = VirtualClock(), asyncio.Event()

    def fails() -> None:
        raise ValueError("no")

    clock.call_later(HOUR, fails)
    clock.call_later(HOUR, rung.set)
    with pytest.raises(ValueError, match="no"):
        clock.skip()
    async with asyncio.timeout(10):
        await rung.wait()


async def test_whoever_looks_from_a_thread_changes_nothing() -> None:
    clock = VirtualClock()
    held = clock.now()
    seen: Any = await asyncio.to_thread(clock.now)
    assert seen >= held
