"""Activities: how they are called, retried, timed out, and shared out."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowFailureError
from actorflow.common import RetryPolicy
from actorflow.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    RetryState,
    TimeoutError,
    TimeoutType,
)
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start

SOON = timedelta(seconds=5)
MILLI = timedelta(milliseconds=1)
ONCE = RetryPolicy(maximum_attempts=1)
QUICK = RetryPolicy(initial_interval=MILLI, maximum_interval=2 * MILLI)


@dataclass
class Order:
    name: str
    count: int = 1


@activity.defn
async def function(order: Order, suffix: str = "!") -> Order:
    return Order(order.name + suffix, order.count)


@activity.defn(name="renamed")
def threaded(order: Order) -> list[Any]:
    return [order.name, threading.current_thread().name.split("_")[0], activity.info().activity_type]


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @activity.defn
    async def sell(self, order: Order) -> str:
        return f"{self.name} sells {order.name}"

    @activity.defn
    def count(self) -> str:
        return f"{self.name} counts"


@activity.defn
class Greets:
    def __init__(self, word: str) -> None:
        self.word = word

    async def __call__(self, name: str) -> str:
        return f"{self.word} {name}"


@workflow.defn
class CallsAll:
    @workflow.run
    async def run(self) -> list[Any]:
        order = Order("tea", 2)
        timeout: Any = {"start_to_close_timeout": SOON}
        return [
            await workflow.execute_activity(function, order, **timeout),
            await workflow.execute_activity(function, args=[order, "?"], **timeout),
            await workflow.execute_activity("function", order, **timeout),
            await workflow.execute_activity("function", order, result_type=Order, **timeout),
            await workflow.execute_activity(threaded, order, **timeout),
            await workflow.execute_activity("renamed", order, **timeout),
            await workflow.execute_activity_method(Shop.sell, order, **timeout),
            await workflow.execute_activity(Shop.count, **timeout),
            await workflow.execute_activity_class(Greets, "you", **timeout),
            await workflow.start_activity(function, order, activity_id="mine", schedule_to_close_timeout=SOON),
            await workflow.start_activity_method(Shop.sell, order, **timeout),
            await workflow.start_activity_class(Greets, "me", **timeout),
        ]


async def test_every_callable_form_can_be_called() -> None:
    shop = Shop("corner")
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as executor:
        activities = [function, threaded, shop.sell, shop.count, Greets("hello")]
        async with a_place(CallsAll, activities=activities, activity_executor=executor) as client:
            handle = await start(client, CallsAll.run)
            result = await handle.result()
            history = await handle.fetch_history()
    tea = {"name": "tea!", "count": 2}
    assert result == [
        tea,
        {"name": "tea?", "count": 2},
        tea,
        tea,
        ["tea", "mine", "renamed"],
        ["tea", "mine", "renamed"],
        "corner sells tea",
        "corner counts",
        "hello you",
        tea,
        "corner sells tea",
        "hello me",
    ]
    ids = [event.attributes["activity_id"] for event in history.events if event.event_type == "ActivityScheduled"]
    assert ids == [*map(str, range(1, 10)), "mine", "11", "12"]


@workflow.defn
class CallsBadly:
    @workflow.run
    async def run(self, kind: str) -> str:
        options: dict[str, Any] = {"start_to_close_timeout": SOON}
        target: Any = function
        args: list[Any] = [Order("x")]
        match kind:
            case "no timeout":
                options = {}
            case "negative timeout":
                options = {"start_to_close_timeout": -SOON}
            case "seconds as timeout":
                options = {"start_to_close_timeout": 5}
            case "bad policy":
                options["retry_policy"] = RetryPolicy(initial_interval=timedelta(0))
            case "undecorated":
                target = asyncio.sleep
            case "too many":
                args = [1, 2, 3]
            case "too few":
                args = []
            case "id in use":
                workflow.start_activity(function, Order("x"), activity_id="a", **options)
                options["activity_id"] = "a"
        try:
            await workflow.execute_activity(target, args=args, **options)
        except (ValueError, TypeError) as problem:
            return f"{type(problem).__name__}: {problem}"
        return "allowed"


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("no timeout", "ValueError: activity 'function' must have start_to_close_timeout or schedule_to_close_timeout"),
        ("negative timeout", "ValueError: .*start_to_close_timeout must not be negative"),
        ("seconds as timeout", "TypeError: .*start_to_close_timeout must be a timedelta, not 5"),
        ("bad policy", "ValueError: initial_interval must be positive"),
        ("undecorated", "TypeError: sleep is not an activity; put @activity.defn above it"),
        ("too many", "TypeError: activity 'function' takes 2 arguments, but 3 were given"),
        ("too few", "TypeError: activity 'function' takes 2 arguments, but 0 were given"),
        ("id in use", "ValueError: activity id 'a' is taken"),
    ],
)
async def test_a_bad_call_is_refused_where_it_is_made_with_the_remedy(kind: str, pattern: str) -> None:
    async with a_place(CallsBadly, activities=[function]) as client:
        handle = await start(client, CallsBadly.run, kind)
        assert re.match(pattern, await handle.result())


# Retries


class Tries:
    """What attempts saw; each test has its own."""

    seen: list[Any]


@pytest.fixture(autouse=True)
def _tries() -> None:
    Tries.seen = []


@activity.defn
async def tries(kind: str) -> str:
    about = activity.info()
    Tries.seen.append(about.attempt)
    if kind == "third time" and about.attempt < 3:
        raise ValueError(f"attempt {about.attempt}")
    if kind == "never":
        raise ValueError(f"attempt {about.attempt}")
    if kind == "hopeless":
        raise ApplicationError("hopeless", non_retryable=True)
    if kind == "soon" and about.attempt == 1:
        raise ApplicationError("soon", next_retry_delay=MILLI)
    if kind == "benign":
        raise ApplicationError("expected", category=ApplicationErrorCategory.BENIGN, non_retryable=True)
    return f"attempt {about.attempt}"


@workflow.defn
class Tries3:
    @workflow.run
    async def run(self, kind: str) -> str:
        policies = {
            "never": RetryPolicy(initial_interval=MILLI, maximum_attempts=3),
            "typed": RetryPolicy(initial_interval=MILLI, non_retryable_error_types=["ValueError"]),
            "soon": None,
            "late": RetryPolicy(initial_interval=timedelta(seconds=50)),
        }
        return await workflow.execute_activity(
            tries,
            {"typed": "never", "late": "never"}.get(kind, kind),
            schedule_to_close_timeout=SOON,
            retry_policy=policies.get(kind, QUICK),
        )


async def test_an_activity_is_tried_again_until_it_succeeds_with_rising_attempt_numbers() -> None:
    async with a_place(Tries3, activities=[tries]) as client:
        handle = await start(client, Tries3.run, "third time")
        assert await handle.result() == "attempt 3"
        assert (await events_of(handle)).count("ActivityScheduled") == 1
    assert Tries.seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "attempts", "state"),
    [
        ("never", [1, 2, 3], RetryState.MAXIMUM_ATTEMPTS_REACHED),
        ("hopeless", [1], RetryState.NON_RETRYABLE_FAILURE),
        ("typed", [1], RetryState.NON_RETRYABLE_FAILURE),
        ("late", [1], RetryState.TIMEOUT),
    ],
)
async def test_retries_end_and_the_error_says_why(kind: str, attempts: list[int], state: RetryState) -> None:
    async with a_place(Tries3, activities=[tries]) as client:
        cause = await failure_of(await start(client, Tries3.run, kind))
    assert isinstance(cause, ActivityError)
    assert cause.retry_state == state
    assert isinstance(cause.cause, ApplicationError)
    assert Tries.seen == attempts


async def test_the_error_may_choose_the_next_delay() -> None:
    async with a_place(Tries3, activities=[tries]) as client:
        assert await execute(client, Tries3.run, "soon") == "attempt 2"


async def test_a_failed_attempt_is_logged_and_a_benign_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Tries3, activities=[tries]) as client:
        for number, kind in enumerate(("hopeless", "benign")):
            await failure_of(await start(client, Tries3.run, kind, id=f"w{number}"))
    records = [record for record in caplog.records if hasattr(record, "temporal_activity")]
    assert [(record.levelno, getattr(record, "temporal_activity")["workflow_id"]) for record in records] == [  # noqa: B009
        (logging.WARNING, "w0")
    ]


async def test_an_activity_type_nobody_registered_fails_with_a_list_of_those_there_are() -> None:
    @workflow.defn
    class Unknown:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity("missing", start_to_close_timeout=SOON, retry_policy=ONCE)

    async with a_place(Unknown, activities=[tries, function]) as client:
        cause = await failure_of(await start(client, Unknown.run))
    assert isinstance(cause.__cause__, ApplicationError)
    assert cause.__cause__.type == "NotFoundError"
    assert "missing" in str(cause.__cause__)
    assert "function, tries" in str(cause.__cause__)
    assert not cause.__cause__.non_retryable


# Timeouts and heartbeats


@activity.defn
async def slow(kind: str) -> Any:
    about = activity.info()
    Tries.seen.append((about.attempt, list(about.heartbeat_details)))
    if kind == "once" and about.attempt > 1:
        return list(about.heartbeat_details)
    activity.heartbeat("at", about.attempt)
    await asyncio.Event().wait()
    return None


@workflow.defn
class TimesOut:
    @workflow.run
    async def run(self, kind: str) -> Any:
        short = timedelta(milliseconds=40)
        options: dict[str, Any] = {
            "start": {"start_to_close_timeout": short, "retry_policy": ONCE},
            "retried": {"start_to_close_timeout": short, "retry_policy": QUICK},
            "heartbeat": {"start_to_close_timeout": SOON, "heartbeat_timeout": short, "retry_policy": ONCE},
            "beat again": {"start_to_close_timeout": SOON, "heartbeat_timeout": short, "retry_policy": QUICK},
            "close": {"schedule_to_close_timeout": short, "retry_policy": QUICK},
            "queue": {"start_to_close_timeout": SOON, "schedule_to_start_timeout": short, "task_queue": "nobody"},
            "queue close": {"schedule_to_close_timeout": short, "task_queue": "nobody"},
        }[kind]
        sort = "once" if kind in ("retried", "beat again") else "always"
        return await workflow.execute_activity(slow, sort, **options)


@pytest.mark.parametrize(
    ("kind", "expected", "attempts"),
    [
        ("start", TimeoutType.START_TO_CLOSE, 1),
        ("heartbeat", TimeoutType.HEARTBEAT, 1),
        ("close", TimeoutType.SCHEDULE_TO_CLOSE, 1),
        ("queue", TimeoutType.SCHEDULE_TO_START, 0),
        ("queue close", TimeoutType.SCHEDULE_TO_CLOSE, 0),
    ],
)
async def test_each_timeout_ends_the_activity_and_says_which_it_was(
    kind: str, expected: TimeoutType, attempts: int
) -> None:
    async with a_place(TimesOut, activities=[slow]) as client:
        cause = await failure_of(await start(client, TimesOut.run, kind))
    assert isinstance(cause, ActivityError)
    timeout = cause.cause
    assert isinstance(timeout, TimeoutError)
    assert timeout.type == expected
    assert list(timeout.last_heartbeat_details) == (["at", 1] if attempts else [])
    assert len(Tries.seen) == attempts


@pytest.mark.parametrize("kind", ["retried", "beat again"])
async def test_a_timed_out_attempt_is_repeated_with_the_heartbeat_details_of_the_last(kind: str) -> None:
    async with a_place(TimesOut, activities=[slow]) as client:
        assert await execute(client, TimesOut.run, kind) == ["at", 1]
    assert Tries.seen == [(1, []), (2, ["at", 1])]


async def test_the_last_heartbeat_before_a_failure_reaches_the_next_attempt() -> None:
    @activity.defn
    async def resumes() -> list[Any]:
        details = list(activity.info().heartbeat_details)
        if len(details) == 2:
            return details
        for number in range(50):
            activity.heartbeat("step", number)
        raise ValueError("again")

    @workflow.defn
    class Resumes:
        @workflow.run
        async def run(self) -> list[Any]:
            return await workflow.execute_activity(resumes, start_to_close_timeout=SOON, retry_policy=QUICK)

    async with a_place(Resumes, activities=[resumes]) as client:
        assert await execute(client, Resumes.run) == ["step", 49]


async def test_a_thread_may_heartbeat_and_is_told_to_stop_when_its_time_is_over() -> None:
    told = threading.Event()

    @activity.defn(no_thread_cancel_exception=True)
    def beats() -> None:
        activity.heartbeat("from a thread")
        deadline = time.monotonic() + 5
        while not activity.is_cancelled() and time.monotonic() < deadline:
            activity.heartbeat("from a thread")
            time.sleep(0.002)
        told.set()

    @workflow.defn
    class Beats:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(beats, start_to_close_timeout=timedelta(milliseconds=40), retry_policy=ONCE)

    with ThreadPoolExecutor(1) as executor:
        async with a_place(Beats, activities=[beats], activity_executor=executor) as client:
            cause = await failure_of(await start(client, Beats.run))
            assert isinstance(cause.__cause__, TimeoutError)
            assert list(cause.__cause__.last_heartbeat_details) == ["from a thread"]
            assert await asyncio.to_thread(told.wait, 5)


async def test_a_heartbeat_that_can_not_be_encoded_fails_the_attempt() -> None:
    @activity.defn
    async def beats_badly() -> None:
        activity.heartbeat(object())

    @workflow.defn
    class BeatsBadly:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(beats_badly, start_to_close_timeout=SOON, retry_policy=ONCE)

    async with a_place(BeatsBadly, activities=[beats_badly]) as client:
        cause = await failure_of(await start(client, BeatsBadly.run))
    assert "PayloadError" in str(cause.__cause__)


# Slots, queues and workers


async def test_at_most_so_many_activities_run_at_once_and_others_come_in_order() -> None:
    running, most, order = 0, 0, []

    @activity.defn
    async def counts(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        await asyncio.sleep(0)
        running -= 1

    @workflow.defn
    class Many:
        @workflow.run
        async def run(self) -> None:
            await asyncio.gather(
                *[workflow.execute_activity(counts, n, start_to_close_timeout=SOON) for n in range(30)]
            )

    async with a_place(Many, activities=[counts], max_concurrent_activities=3) as client:
        await execute(client, Many.run)
    assert most == 3
    assert order == list(range(30))


async def test_an_activity_can_run_on_another_task_queue() -> None:
    @activity.defn
    async def where() -> list[str]:
        about = activity.info()
        return [about.task_queue, about.workflow_id, about.workflow_type]

    @workflow.defn
    class Elsewhere:
        @workflow.run
        async def run(self) -> list[str]:
            return await workflow.execute_activity(where, task_queue="far", start_to_close_timeout=SOON)

    async with asyncio.timeout(10), a_client() as client, a_worker(client, workflows=[Elsewhere]):
        handle = await start(client, Elsewhere.run)
        async with a_worker(client, task_queue="far", activities=[where]):
            assert await handle.result() == ["far", "w", "Elsewhere"]


@pytest.mark.parametrize("grace", [timedelta(0), timedelta(seconds=5)])
async def test_a_leaving_worker_lets_activities_finish_within_its_grace_and_then_cancels_them(grace: timedelta) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    @activity.defn
    async def waits() -> str:
        attempt = activity.info().attempt
        Tries.seen.append(attempt)
        began.set()
        if attempt == 1:
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                Tries.seen.append("cancelled")
                raise
        return f"attempt {attempt}"

    @workflow.defn
    class WaitsForIt:
        @workflow.run
        async def run(self) -> str:
            return await workflow.execute_activity(waits, start_to_close_timeout=SOON)

    served: dict[str, Any] = {"workflows": [WaitsForIt], "activities": [waits]}
    async with asyncio.timeout(10), a_client() as client:
        async with a_worker(client, **served, graceful_shutdown_timeout=grace):
            handle = await start(client, WaitsForIt.run)
            await began.wait()
            asyncio.get_running_loop().call_later(0.02, go_on.set)
        async with a_worker(client, **served):
            assert await handle.result() == ("attempt 1" if grace else "attempt 2")
    assert Tries.seen == ([1] if grace else [1, "cancelled", 2])


async def test_an_activity_that_may_run_once_and_is_interrupted_by_a_leaving_worker_is_lost() -> None:
    began = asyncio.Event()

    @activity.defn
    async def only_once() -> None:
        Tries.seen.append("ran")
        began.set()
        await asyncio.Event().wait()

    @workflow.defn
    class Once:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(only_once, start_to_close_timeout=SOON, retry_policy=ONCE)

    async with asyncio.timeout(10), a_client() as client:
        async with a_worker(client, workflows=[Once], activities=[only_once]):
            handle = await start(client, Once.run)
            await began.wait()
        async with a_worker(client, workflows=[Once], activities=[only_once]):
            with pytest.raises(WorkflowFailureError) as failed:
                await handle.result()
    assert "AttemptLost" in str(failed.value.cause.__cause__)
    assert Tries.seen == ["ran"]


async def test_an_open_activity_is_described() -> None:
    began = asyncio.Event()

    @activity.defn
    async def hangs() -> None:
        began.set()
        await asyncio.Event().wait()

    @workflow.defn
    class Hangs:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(hangs, start_to_close_timeout=SOON)

    async with a_place(Hangs, activities=[hangs]) as client:
        handle = await start(client, Hangs.run)
        await began.wait()
        (pending,) = (await handle.describe()).pending_activities
        assert (pending.activity_id, pending.activity_type, pending.attempt) == ("1", "hangs", 1)
        await handle.terminate()
