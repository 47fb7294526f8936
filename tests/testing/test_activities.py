"""Activity code runs by itself, and sees what a test wants it to see."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from actorflow import activity
from actorflow.activity import ActivityCancellationDetails
from actorflow.client import Client
from actorflow.exceptions import CancelledError, PayloadError
from actorflow.testing import ActivityEnvironment


@activity.defn
def adds(one: int, other: int = 0) -> str:
    return f"{activity.info().activity_id}: {one + other}"


@activity.defn
async def adds_async(one: int, other: int = 0) -> str:
    await asyncio.sleep(0)
    return f"{activity.info().activity_id}: {one + other}"


class Shop:
    """Activities that are methods, and one that is a callable object."""

    @activity.defn
    async def sell(self, what: str) -> str:
        return f"sold {what}"

    async def __call__(self, what: str) -> str:
        return f"called with {what}"


async def test_sync_and_async_activities_run_in_every_form() -> None:
    env = ActivityEnvironment()
    assert env.run(adds, 1, other=2) == "test: 3"
    assert await env.run(adds_async, 1, other=2) == "test: 3"
    assert await env.run(Shop().sell, "books") == "sold books"
    assert await env.run(Shop(), "books") == "called with books"
    assert env.run(lambda: activity.in_activity())
    assert not activity.in_activity()


def test_info_is_what_the_test_says() -> None:
    env = ActivityEnvironment()
    env.info = replace(env.default_info(), activity_id="mine", attempt=3)
    assert env.run(adds, 1) == "mine: 1"
    assert env.run(lambda: activity.info().attempt) == 3


def test_heartbeats_are_heard_and_must_be_what_a_journal_can_hold() -> None:
    heard: list[tuple[object, ...]] = []
    env = ActivityEnvironment()
    env.on_heartbeat = lambda *details: heard.append(details)

    def beats() -> None:
        activity.heartbeat("half", 50)
        activity.heartbeat()
        activity.heartbeat(object())

    with pytest.raises(PayloadError):
        env.run(beats)
    assert heard == [("half", 50), ()]


def test_what_an_activity_raises_reaches_the_test() -> None:
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ActivityEnvironment().run(fails)


async def test_an_async_activity_is_cancelled_with_the_reason_it_is_given() -> None:
    env = ActivityEnvironment()
    is_waiting = asyncio.Event()

    async def waits() -> ActivityCancellationDetails | None:
        is_waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert activity.is_cancelled()
        return activity.cancellation_details()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(env.run(waits))
        await is_waiting.wait()
        env.cancel(cancellation_details=ActivityCancellationDetails(paused=True))
        env.cancel()
    assert running.result() == ActivityCancellationDetails(paused=True)


async def test_an_async_activity_that_gives_in_raises_and_nothing_is_left() -> None:
    env = ActivityEnvironment()
    tidied: list[str] = []
    before = asyncio.all_tasks()

    async def waits() -> None:
        env.cancel()
        try:
            await asyncio.Event().wait()
        finally:
            tidied.append("up")

    with pytest.raises(asyncio.CancelledError):
        await env.run(waits)
    assert tidied == ["up"]
    assert asyncio.all_tasks() == before


async def test_a_test_that_is_cancelled_takes_its_activity_along() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await ActivityEnvironment().run(waits)
    assert ended == []  # it had not begun
    task = asyncio.ensure_future(ActivityEnvironment().run(waits))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


def test_a_sync_activity_is_stopped_in_its_thread() -> None:
    env = ActivityEnvironment()
    is_running, told = threading.Event(), []

    def spins() -> None:
        is_running.set()
        while True:
            pass

    def runs() -> None:
        try:
            env.run(spins)
        except CancelledError as problem:
            told.append(problem)

    thread = threading.Thread(target=runs)
    thread.start()
    is_running.wait()
    env.cancel()
    thread.join()
    assert len(told) == 1


def test_a_sync_activity_that_wants_no_exception_gets_none() -> None:
    @activity.defn(no_thread_cancel_exception=True)
    def asks() -> bool:
        activity.wait_for_cancelled_sync()
        return activity.is_cancelled()

    env = ActivityEnvironment()
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(env.run(asks)))
    thread.start()
    env.cancel()
    thread.join()
    assert results == [True]


def test_a_shield_holds_a_cancellation_back() -> None:
    env = ActivityEnvironment()
    done: list[str] = []

    def beats() -> None:
        with activity.shield_thread_cancel_exception():
            env.cancel()
            done.append("inside")
        done.append("behind")

    with pytest.raises(CancelledError):
        env.run(beats)
    assert done == ["inside"]


def test_one_that_begins_after_the_cancellation_is_told_and_not_thrown_out() -> None:
    env = ActivityEnvironment()
    env.cancel()
    assert env.run(lambda: activity.is_cancelled())


async def test_the_workers_shutdown_is_told() -> None:
    env = ActivityEnvironment()

    async def waits() -> bool:
        assert not activity.is_worker_shutdown()
        env.worker_shutdown()
        await activity.wait_for_worker_shutdown()
        activity.wait_for_worker_shutdown_sync(timedelta(0))
        return activity.is_worker_shutdown()

    assert await env.run(waits)


async def test_an_async_activity_gets_the_client_of_the_environment() -> None:
    async def asks() -> Client:
        return activity.client()

    async with await Client.connect("memory://") as client:
        assert await ActivityEnvironment(client).run(asks) is client
        with pytest.raises(RuntimeError, match="No client"):
            ActivityEnvironment(client).run(lambda: activity.client())
        with pytest.raises(RuntimeError, match="No client"):
            await ActivityEnvironment().run(asks)


def test_values_are_converted_and_counted_by_what_the_test_gives() -> None:
    env = ActivityEnvironment()
    assert env.run(lambda: activity.payload_converter()) is env.payload_converter
    assert env.run(lambda: activity.metric_meter()) is env.metric_meter
    env.run(lambda: activity.metric_meter().create_counter("sold").add(1))


async def test_two_environments_do_not_see_each_other() -> None:
    one, other = ActivityEnvironment(), ActivityEnvironment()
    one.info = replace(one.info, activity_id="one")
    one.cancel()

    async def asks() -> tuple[str, bool]:
        await asyncio.sleep(0)
        return activity.info().activity_id, activity.is_cancelled()

    assert await asyncio.gather(one.run(asks), other.run(asks)) == [("one", True), ("test", False)]
