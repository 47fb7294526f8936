"""What activity code learns about itself, and how it is asked to stop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client
from actorflow.common import MetricMeter, RawValue, RetryPolicy
from actorflow.exceptions import ActivityError, CancelledError
from tests.support import a_client, a_place, a_worker, execute, start

SOON = timedelta(seconds=5)
ONCE = RetryPolicy(maximum_attempts=1)
WAIT = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, name: str) -> Any:
        return await workflow.execute_activity(name, start_to_close_timeout=SOON, retry_policy=ONCE)


@workflow.defn
class CancelsOnSignal:
    """Starts an activity, cancels it when told to, and returns what became of it."""

    def __init__(self) -> None:
        self.is_told = False

    @workflow.signal
    def cancel(self) -> None:
        self.is_told = True

    @workflow.run
    async def run(self, name: str) -> Any:
        handle = workflow.start_activity(
            name, start_to_close_timeout=SOON, heartbeat_timeout=SOON, retry_policy=ONCE, cancellation_type=WAIT
        )
        await workflow.wait_condition(lambda: self.is_told)
        handle.cancel()
        try:
            return await handle
        except ActivityError as ended:
            return str(ended)


async def test_info_says_everything_about_the_attempt() -> None:
    seen: list[activity.Info] = []

    @activity.defn
    async def asks() -> None:
        seen.append(activity.info())

    @workflow.defn
    class Asks:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(
                asks,
                start_to_close_timeout=SOON,
                schedule_to_close_timeout=2 * SOON,
                heartbeat_timeout=SOON,
                retry_policy=RetryPolicy(maximum_attempts=7, non_retryable_error_types=["Bad"]),
            )

    async with a_place(Asks, activities=[asks]) as client:
        handle = await start(client, Asks.run)
        await handle.result()
    (info,) = seen
    assert (info.activity_id, info.activity_type, info.attempt, info.is_local) == ("1", "asks", 1, False)
    assert (info.namespace, info.workflow_namespace, info.task_queue) == ("default", "default", "q")
    assert (info.workflow_id, info.workflow_run_id, info.workflow_type) == ("w", handle.result_run_id, "Asks")
    assert (info.start_to_close_timeout, info.schedule_to_close_timeout) == (SOON, 2 * SOON)
    assert info.heartbeat_timeout == SOON
    assert info.retry_policy == RetryPolicy(
        maximum_attempts=7, maximum_interval=timedelta(seconds=100), non_retryable_error_types=["Bad"]
    )
    assert info.scheduled_time <= info.started_time
    assert info.in_workflow
    assert info.priority.priority_key is None
    assert info.task_token


def test_outside_an_activity_everything_says_so() -> None:
    assert not activity.in_activity()
    outside: list[Callable[[], Any]] = [
        activity.info,
        activity.heartbeat,
        activity.is_cancelled,
        activity.is_worker_shutdown,
        activity.cancellation_details,
        activity.client,
        activity.payload_converter,
        activity.metric_meter,
        activity.shield_thread_cancel_exception,
        activity.raise_complete_async,
        activity.wait_for_cancelled_sync,
        activity.wait_for_worker_shutdown_sync,
    ]
    for function in outside:
        with pytest.raises(RuntimeError, match="Not in activity context"):
            function()


async def test_the_client_is_there_for_async_activities_only() -> None:
    @activity.defn
    async def on_the_loop() -> bool:
        return isinstance(activity.client(), Client)

    @activity.defn
    def in_a_thread() -> str:
        try:
            activity.client()
        except RuntimeError as problem:
            return str(problem)
        return "there is one"

    with ThreadPoolExecutor(1) as executor:
        async with a_place(Calls, activities=[on_the_loop, in_a_thread], activity_executor=executor) as client:
            assert await execute(client, Calls.run, "on_the_loop", id="1") is True
            assert "No client available" in await execute(client, Calls.run, "in_a_thread", id="2")


async def test_sync_activities_and_threads_with_a_copied_context_know_their_activity() -> None:
    @activity.defn
    def asks() -> list[Any]:
        answers: list[Any] = [activity.info().activity_type]
        context = contextvars.copy_context()

        def in_a_child() -> None:
            activity.heartbeat("from a child")
            activity.logger.info("from a child")
            answers.append(activity.info().activity_type)

        child = threading.Thread(target=context.run, args=(in_a_child,))
        child.start()
        child.join()
        return [*answers, activity.in_activity()]

    with ThreadPoolExecutor(1) as executor:
        async with a_place(Calls, activities=[asks], activity_executor=executor) as client:
            assert await execute(client, Calls.run, "asks") == ["asks", "asks", True]


async def test_a_dynamic_activity_decodes_what_it_gets_with_the_payload_converter() -> None:
    @activity.defn(dynamic=True)
    async def anything(values: list[RawValue]) -> list[Any]:
        converter = activity.payload_converter()
        return [activity.info().activity_type, *[converter.from_payload(value.payload) for value in values]]

    @workflow.defn
    class Unknown:
        @workflow.run
        async def run(self) -> Any:
            return await workflow.execute_activity("nobody", args=[1, "two"], start_to_close_timeout=SOON)

    async with a_place(Unknown, activities=[anything]) as client:
        assert await execute(client, Unknown.run) == ["nobody", 1, "two"]


async def test_the_logger_adds_the_activity_and_leaves_the_callers_extra_as_it_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"mine": 1}
    monkeypatch.setattr(activity.logger, "full_activity_info_on_extra", True)

    @activity.defn
    async def speaks() -> None:
        activity.logger.warning("hello", extra=extra)

    async with a_place(Calls, activities=[speaks]) as client:
        await execute(client, Calls.run, "speaks")
    (record,) = [record for record in caplog.records if record.getMessage().startswith("hello")]
    details = vars(record)["temporal_activity"]
    assert (details["activity_type"], details["workflow_id"], details["attempt"]) == ("speaks", "w", 1)
    assert str(details) in record.getMessage()
    assert vars(record)["activity_info"].activity_type == "speaks"
    assert (vars(record)["mine"], extra) == (1, {"mine": 1})
    assert activity.logger.base_logger is logging.getLogger("actorflow.activity")


# Cancellation


async def cancelled(client: Client, name: str, began: asyncio.Event) -> Any:
    handle = await start(client, CancelsOnSignal.run, name)
    await began.wait()
    await handle.signal(CancelsOnSignal.cancel)
    return await handle.result()


async def test_an_async_activity_learns_of_a_cancellation_from_its_heartbeat_and_why() -> None:
    began = asyncio.Event()
    seen: list[Any] = []

    @activity.defn
    async def waits() -> str:
        assert activity.cancellation_details() is None
        activity.heartbeat()
        began.set()
        try:
            await activity.wait_for_cancelled()
            await asyncio.Event().wait()
        except asyncio.CancelledError as stop:
            seen.extend([str(stop), activity.is_cancelled(), activity.cancellation_details()])
        return "completed all the same"

    async with a_place(CancelsOnSignal, activities=[waits]) as client:
        assert await cancelled(client, "waits", began) == "completed all the same"
    assert seen == ["Activity cancelled", True, activity.ActivityCancellationDetails(cancel_requested=True)]


async def test_an_activity_that_never_beats_is_not_told_of_a_cancellation() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    @activity.defn
    async def waits() -> bool:
        began.set()
        await go_on.wait()
        return activity.is_cancelled()

    async with a_place(CancelsOnSignal, activities=[waits]) as client:
        handle = await start(client, CancelsOnSignal.run, "waits")
        await began.wait()
        await handle.signal(CancelsOnSignal.cancel)
        go_on.set()
        assert await handle.result() is False


class Threads:
    """One pool thread, and activities that run in it; what they saw is in ``seen``."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.seen: list[Any] = []

    def begin(self) -> None:
        activity.heartbeat()
        self.loop.call_soon_threadsafe(self.began.set)

    @activity.defn
    def spins(self) -> None:
        self.begin()
        while True:
            activity.wait_for_cancelled_sync(0.001)

    @activity.defn
    def swallows(self) -> str:
        self.begin()
        try:
            while True:
                activity.wait_for_cancelled_sync(0.001)
        except CancelledError:
            self.seen.append(activity.cancellation_details())
        return "completed all the same"

    @activity.defn(no_thread_cancel_exception=True)
    def polls(self) -> str:
        self.begin()
        activity.wait_for_cancelled_sync(timedelta(seconds=5))
        return f"cancelled: {activity.is_cancelled()}"

    @activity.defn
    def is_shielded(self) -> str:
        try:
            with activity.shield_thread_cancel_exception():
                self.begin()
                with activity.shield_thread_cancel_exception():
                    activity.wait_for_cancelled_sync(5)
                    self.seen.append("inner block ran to its end")
                self.seen.append("outer block ran to its end")
        except CancelledError:
            return "raised at the end of the outermost block"
        return "not raised"

    @activity.defn
    def rests(self) -> str:
        """Whatever the activity before left in this thread would be raised here."""
        return ",".join(str(number) for number in range(1000))[:3]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spins", "Activity cancelled"),
        ("swallows", "completed all the same"),
        ("polls", "cancelled: True"),
        ("is_shielded", "raised at the end of the outermost block"),
    ],
)
async def test_a_thread_is_told_as_it_wants_and_the_next_activity_in_it_hears_nothing(name: str, expected: str) -> None:
    threads = Threads()
    activities = [getattr(threads, name), threads.rests]
    with ThreadPoolExecutor(1) as executor:
        async with a_place(CancelsOnSignal, Calls, activities=activities, activity_executor=executor) as client:
            assert await cancelled(client, name, threads.began) == expected
            assert await execute(client, Calls.run, "rests", id="next") == "0,1"
    if name == "swallows":
        assert threads.seen == [activity.ActivityCancellationDetails(cancel_requested=True)]
    if name == "is_shielded":
        assert threads.seen == ["inner block ran to its end", "outer block ran to its end"]


async def test_a_shield_just_runs_its_block_in_an_async_activity() -> None:
    @activity.defn
    async def shields() -> str:
        with activity.shield_thread_cancel_exception():
            return "ran"

    async with a_place(Calls, activities=[shields]) as client:
        assert await execute(client, Calls.run, "shields") == "ran"


async def test_a_slot_comes_back_from_a_thread_that_was_interrupted() -> None:
    threads = Threads()
    activities = [threads.spins, threads.rests]
    options: dict[str, Any] = {"activities": activities, "max_concurrent_activities": 1}
    with ThreadPoolExecutor(1) as executor:
        async with a_place(CancelsOnSignal, Calls, activity_executor=executor, **options) as client:
            await cancelled(client, "spins", threads.began)
            assert await execute(client, Calls.run, "rests", id="next") == "0,1"


# A worker that leaves


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_activity_sees_its_worker_leave_has_its_grace_and_is_then_cancelled(is_async: bool) -> None:
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    seen: list[Any] = []

    def note() -> None:
        seen.append((activity.is_worker_shutdown(), activity.is_cancelled(), activity.cancellation_details()))

    @activity.defn(name="waits")
    async def waits() -> None:
        note()
        began.set()
        try:
            await activity.wait_for_worker_shutdown()
            note()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            note()
            raise

    @activity.defn(name="waits")
    def waits_in_a_thread() -> None:
        note()
        loop.call_soon_threadsafe(began.set)
        try:
            activity.wait_for_worker_shutdown_sync()
            note()
            while True:
                activity.wait_for_cancelled_sync(0.001)
        except CancelledError:
            note()
            raise

    grace = timedelta(milliseconds=30)
    with ThreadPoolExecutor(1) as executor:
        async with asyncio.timeout(10), a_client() as client:
            activities = [waits if is_async else waits_in_a_thread]
            options: dict[str, Any] = {"activity_executor": executor, "graceful_shutdown_timeout": grace}
            async with a_worker(client, workflows=[Calls], activities=activities, **options):
                await start(client, Calls.run, "waits")
                await began.wait()
    why = activity.ActivityCancellationDetails(worker_shutdown=True)
    assert seen == [(False, False, None), (True, False, None), (True, True, why)]


async def test_an_activity_that_returns_within_the_grace_has_completed() -> None:
    began = asyncio.Event()

    @activity.defn
    async def finishes() -> str:
        began.set()
        await activity.wait_for_worker_shutdown()
        return "finished in time"

    async with asyncio.timeout(10), a_client() as client:
        async with a_worker(client, workflows=[Calls], activities=[finishes], graceful_shutdown_timeout=SOON):
            handle = await start(client, Calls.run, "finishes")
            await began.wait()
        async with a_worker(client, workflows=[Calls], activities=[finishes]):
            assert await handle.result() == "finished in time"


def test_a_meter_that_counts_nothing_takes_everything() -> None:
    meter = MetricMeter.noop.with_additional_attributes({"a": 1})
    meter.create_counter("c").add(1)
    meter.create_gauge("g").set(2)
    meter.create_gauge_float("g").set(2.5)
    meter.create_histogram_timedelta("h").record(SOON)
    with pytest.raises(ValueError, match="must not be negative"):
        meter.create_counter("c").add(-1)
