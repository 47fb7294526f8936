"""Local activities: run by the workflow's worker, journaled as one marker."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowHistory, WorkflowParkedError
from actorflow.common import RetryPolicy
from actorflow.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    RetryState,
    TimeoutError,
    TimeoutType,
)
from actorflow.worker import Replayer
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
async def named(order: Order) -> Order:
    return Order(order.name + "!", order.count)


@activity.defn
def in_a_thread(order: Order) -> str:
    return f"{order.name} in {threading.current_thread().name.split('_')[0]}"


class Shop:
    @activity.defn
    async def sell(self, order: Order) -> str:
        return f"sold {order.name}"


@activity.defn
class Greets:
    async def __call__(self, name: str) -> str:
        return f"hello {name}"


@workflow.defn
class CallsAll:
    @workflow.run
    async def run(self) -> list[Any]:
        order = Order("tea", 2)
        timeout: Any = {"start_to_close_timeout": SOON}
        first = await workflow.execute_local_activity(named, order, **timeout)
        return [
            first.name,
            await workflow.execute_local_activity("named", args=[order], result_type=Order, **timeout),
            await workflow.execute_local_activity(in_a_thread, order, **timeout),
            await workflow.execute_local_activity_method(Shop.sell, order, **timeout),
            await workflow.execute_local_activity_class(Greets, "you", **timeout),
            await workflow.start_local_activity_method(Shop.sell, order, schedule_to_close_timeout=SOON),
            await workflow.start_local_activity_class(Greets, "me", **timeout),
            *await asyncio.gather(*[workflow.start_local_activity(named, order, **timeout) for _ in range(3)]),
            await workflow.execute_activity(named, order, **timeout),
        ]


async def test_every_callable_form_runs_in_the_workflows_worker_and_is_one_marker() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as executor:
        activities = [named, in_a_thread, Shop().sell, Greets()]
        async with a_place(CallsAll, activities=activities, activity_executor=executor) as client:
            handle = await start(client, CallsAll.run)
            result = await handle.result()
            history = await handle.fetch_history()
    tea = {"name": "tea!", "count": 2}
    assert result == ["tea!", tea, "tea in mine", "sold tea", "hello you", "sold tea", "hello me", tea, tea, tea, tea]
    kinds = [event.event_type for event in history.events]
    assert kinds == [
        "Started",
        *["LocalActivityResolved"] * 10,
        "ActivityScheduled",
        "ActivityCompleted",
        "Completed",
    ]
    (ordinary,) = [event.attributes for event in history.events if event.event_type == "ActivityScheduled"]
    assert ordinary["activity_id"] == "11"  # local ones are counted, too


async def test_the_public_history_has_one_core_marker_for_each_and_replays() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as executor:
        activities = [named, in_a_thread, Shop().sell, Greets()]
        async with a_place(CallsAll, activities=activities, activity_executor=executor) as client:
            handle = await start(client, CallsAll.run)
            await handle.result()
            history = await handle.fetch_history()
    document = history.to_json_dict()
    markers = [event for event in document["events"] if event["eventType"] == "EVENT_TYPE_MARKER_RECORDED"]
    attributes = [marker["markerRecordedEventAttributes"] for marker in markers]
    assert [found["markerName"] for found in attributes] == ["core_local_activity"] * 10
    assert all({"data", "result"} == set(found["details"]) for found in attributes)
    numbers = [int(event["eventId"]) for event in document["events"]]
    assert numbers == list(range(1, len(numbers) + 1))
    read = WorkflowHistory.from_json("w", history.to_json())
    assert [(event.event_id, event.event_type) for event in read.events] == [
        (event.event_id, event.event_type) for event in history.events
    ]
    for found in (history, read):
        await Replayer(workflows=[CallsAll]).replay_workflow(found)


async def test_its_info_says_that_it_is_local() -> None:
    @activity.defn
    async def asks() -> list[Any]:
        about = activity.info()
        activity.heartbeat("is not kept")
        return [about.is_local, about.attempt, about.task_queue, about.workflow_type, about.activity_id]

    @workflow.defn
    class Asks:
        @workflow.run
        async def run(self) -> list[Any]:
            return await workflow.execute_local_activity(asks, start_to_close_timeout=SOON)

    async with a_place(Asks, activities=[asks]) as client:
        assert await execute(client, Asks.run) == [True, 1, "q", "Asks", "1"]


class Tries:
    """What attempts saw; each test has its own."""

    seen: list[Any]


@pytest.fixture(autouse=True)
def _tries() -> None:
    Tries.seen = []


@activity.defn
async def tries(kind: str) -> str:
    attempt = activity.info().attempt
    Tries.seen.append(attempt)
    if kind == "hopeless":
        raise ApplicationError("hopeless", non_retryable=True)
    if kind == "benign":
        raise ApplicationError("expected", category=ApplicationErrorCategory.BENIGN, non_retryable=True)
    if kind == "hangs":
        await asyncio.Event().wait()
    if kind == "left open":
        activity.raise_complete_async()
    if kind == "never" or attempt < 3:
        raise ValueError(f"attempt {attempt}")
    return f"attempt {attempt}"


@workflow.defn
class TriesLocally:
    @workflow.run
    async def run(self, kind: str, options: dict[str, Any]) -> str:
        policy = RetryPolicy(initial_interval=MILLI, maximum_interval=2 * MILLI, maximum_attempts=options.get("max", 0))
        threshold = options.get("threshold")
        return await workflow.execute_local_activity(
            tries,
            kind,
            start_to_close_timeout=timedelta(milliseconds=40) if options.get("short") else SOON,
            schedule_to_close_timeout=timedelta(milliseconds=60) if options.get("whole") else None,
            retry_policy=policy,
            local_retry_threshold=None if threshold is None else timedelta(milliseconds=threshold),
        )


async def test_it_is_tried_again_in_place_and_nothing_of_that_is_journaled() -> None:
    async with a_place(TriesLocally, activities=[tries]) as client:
        handle = await start(client, TriesLocally.run, "third time", {})
        assert await handle.result() == "attempt 3"
        assert await events_of(handle) == ["Started", "LocalActivityResolved", "Completed"]
    assert Tries.seen == [1, 2, 3]


async def test_a_wait_beyond_the_threshold_is_a_timer_of_the_workflow() -> None:
    async with a_place(TriesLocally, activities=[tries]) as client:
        handle = await start(client, TriesLocally.run, "third time", {"threshold": 0})
        assert await handle.result() == "attempt 3"
        waited = ["LocalActivityResolved", "TimerStarted", "TimerFired"]
        assert await events_of(handle) == ["Started", *waited, *waited, "LocalActivityResolved", "Completed"]
        history = await handle.fetch_history()
        read = WorkflowHistory.from_json("w", history.to_json())
        for found in (history, read):
            await Replayer(workflows=[TriesLocally]).replay_workflow(found)
    assert Tries.seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "options", "attempts", "state"),
    [
        ("never", {"max": 3}, [1, 2, 3], RetryState.MAXIMUM_ATTEMPTS_REACHED),
        ("never", {"max": 3, "threshold": 0}, [1, 2, 3], RetryState.MAXIMUM_ATTEMPTS_REACHED),
        ("hopeless", {}, [1], RetryState.NON_RETRYABLE_FAILURE),
        ("left open", {}, [1], RetryState.NON_RETRYABLE_FAILURE),
    ],
)
async def test_its_retries_end_and_the_error_says_why(
    kind: str, options: dict[str, Any], attempts: list[int], state: RetryState
) -> None:
    async with a_place(TriesLocally, activities=[tries]) as client:
        cause = await failure_of(await start(client, TriesLocally.run, kind, options))
    assert isinstance(cause, ActivityError)
    assert (cause.retry_state, cause.activity_type, cause.activity_id) == (state, "tries", "1")
    assert isinstance(cause.cause, ApplicationError)
    assert Tries.seen == attempts


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"short": True, "max": 1}, TimeoutType.START_TO_CLOSE), ({"whole": True}, TimeoutType.SCHEDULE_TO_CLOSE)],
)
async def test_its_timeouts_end_it(options: dict[str, Any], expected: TimeoutType) -> None:
    async with a_place(TriesLocally, activities=[tries]) as client:
        cause = await failure_of(await start(client, TriesLocally.run, "hangs", options))
    assert isinstance(cause.__cause__, TimeoutError)
    assert cause.__cause__.type == expected


async def test_a_failed_attempt_is_logged_and_a_benign_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(TriesLocally, activities=[tries]) as client:
        for number, kind in enumerate(("hopeless", "benign")):
            await failure_of(await start(client, TriesLocally.run, kind, {}, id=f"w{number}"))
    records = [vars(record) for record in caplog.records if hasattr(record, "temporal_activity")]
    assert [(found["levelno"], found["temporal_activity"]["workflow_id"]) for found in records] == [
        (logging.WARNING, "w0")
    ]


@workflow.defn
class AsksForUnknown:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_local_activity("unknown", start_to_close_timeout=SOON)


@pytest.mark.usefixtures("parks_at_once")
async def test_an_activity_the_worker_does_not_know_fails_the_turn() -> None:
    async with a_place(AsksForUnknown, activities=[tries]) as client:
        handle = await start(client, AsksForUnknown.run)
        with pytest.raises(WorkflowParkedError) as parked:
            await handle.result()
    assert "unknown is not registered on this worker" in str(parked.value.__cause__)


async def test_a_bad_call_is_refused_where_it_is_made() -> None:
    @workflow.defn
    class CallsBadly:
        @workflow.run
        async def run(self) -> list[str]:
            problems: list[str] = []
            calls: list[Any] = [{}, {"start_to_close_timeout": SOON, "task_queue": "other"}]
            for options in calls:
                try:
                    workflow.start_local_activity(tries, "never", **options)
                except (TypeError, ValueError) as problem:
                    problems.append(str(problem))
            return problems

    async with a_place(CallsBadly, activities=[tries]) as client:
        missing, unknown = await execute(client, CallsBadly.run)
    assert "must have start_to_close_timeout or schedule_to_close_timeout" in missing
    assert "'task_queue' is not an option" in unknown


# Cancellation


class Stops:
    """A local activity that waits until it is stopped."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.stopped = asyncio.Event()

    @activity.defn
    async def waits(self) -> str:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.stopped.set()
            assert activity.cancellation_details() == activity.ActivityCancellationDetails(cancel_requested=True)
            raise
        return "never"


@workflow.defn
class CancelsOnSignal:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.signal
    def cancel(self) -> None:
        self.is_told = True

    @workflow.run
    async def run(self, kind: int) -> str:
        handle = workflow.start_local_activity(
            "waits", start_to_close_timeout=SOON, cancellation_type=workflow.ActivityCancellationType(kind)
        )
        await workflow.wait_condition(lambda: self.is_told)
        handle.cancel()
        try:
            return await handle
        except ActivityError as ended:
            await workflow.sleep(0.01)  # what it says afterwards is nobody's business
            return type(ended.cause).__name__


@pytest.mark.parametrize("kind", [0, 1])
async def test_cancelling_it_stops_it_without_a_heartbeat(kind: int) -> None:
    stops = Stops()
    async with a_place(CancelsOnSignal, activities=[stops.waits]) as client:
        handle = await start(client, CancelsOnSignal.run, kind)
        await stops.began.wait()
        await handle.signal(CancelsOnSignal.cancel)
        assert await handle.result() == "CancelledError"
        await stops.stopped.wait()


async def test_one_that_is_abandoned_is_not_told() -> None:
    stops = Stops()
    async with a_place(CancelsOnSignal, activities=[stops.waits]) as client:
        handle = await start(client, CancelsOnSignal.run, 2)
        await stops.began.wait()
        await handle.signal(CancelsOnSignal.cancel)
        assert await handle.result() == "CancelledError"
        assert await events_of(handle) == ["Started", "SignalReceived", "TimerStarted", "TimerFired", "Completed"]


async def test_one_that_is_cancelled_before_it_was_sent_is_never_run() -> None:
    @workflow.defn
    class CancelsAtOnce:
        @workflow.run
        async def run(self) -> str:
            handle = workflow.start_local_activity(tries, "never", start_to_close_timeout=SOON)
            handle.cancel()
            try:
                return await handle
            except ActivityError as ended:
                return str(ended)

    async with a_place(CancelsAtOnce, activities=[tries]) as client:
        handle = await start(client, CancelsAtOnce.run)
        assert await handle.result() == "Activity cancelled"
        assert await events_of(handle) == ["Started", "Completed"]
    assert Tries.seen == []


async def test_one_that_waits_for_its_timer_is_cancelled_with_it() -> None:
    @workflow.defn
    class CancelsWhileItWaits:
        @workflow.run
        async def run(self) -> str:
            handle = workflow.start_local_activity(
                tries,
                "never",
                start_to_close_timeout=SOON,
                retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            try:
                return await asyncio.wait_for(handle, 0.05)
            except ActivityError as ended:
                return f"{type(ended.cause).__name__}"

    async with a_place(CancelsWhileItWaits, activities=[tries]) as client:
        assert await execute(client, CancelsWhileItWaits.run) == "CancelledError"
    assert Tries.seen == [1]


async def test_one_that_is_running_when_its_worker_leaves_runs_again_with_the_next(tmp_path: Path) -> None:
    began = asyncio.Event()

    @activity.defn
    async def waits() -> str:
        Tries.seen.append(activity.info().attempt)
        if len(Tries.seen) > 1:
            return "done"
        began.set()
        await asyncio.Event().wait()
        return "never"

    @workflow.defn
    class WaitsLocally:
        @workflow.run
        async def run(self) -> str:
            return await workflow.execute_local_activity(waits, start_to_close_timeout=SOON)

    served: dict[str, Any] = {"workflows": [WaitsLocally], "activities": [waits]}
    async with asyncio.timeout(10), a_client(tmp_path / "orders.db") as client:
        async with a_worker(client, **served):
            handle = await start(client, WaitsLocally.run)
            await began.wait()
        async with a_worker(client, **served):
            assert await handle.result() == "done"
    assert len(Tries.seen) == 2


async def test_at_most_so_many_run_at_once() -> None:
    running, most = 0, 0

    @activity.defn
    async def counts() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    @workflow.defn
    class Many:
        @workflow.run
        async def run(self) -> None:
            await asyncio.gather(
                *[workflow.start_local_activity(counts, start_to_close_timeout=SOON) for _ in range(20)]
            )

    async with a_place(Many, activities=[counts], max_concurrent_local_activities=2) as client:
        await execute(client, Many.run)
    assert most == 2


async def test_it_may_not_be_asked_for_in_a_query() -> None:
    @workflow.defn
    class Queried:
        @workflow.query
        def ask(self) -> str:
            try:
                workflow.start_local_activity(tries, "never", start_to_close_timeout=SOON)
            except workflow.ReadOnlyContextError as problem:
                return str(problem)
            return "allowed"

        @workflow.run
        async def run(self) -> None:
            await workflow.wait_condition(lambda: False)

    async with a_place(Queried, activities=[tries]) as client:
        handle = await start(client, Queried.run)
        assert "can't start a local activity in a query" in await handle.query(Queried.ask)
        await handle.terminate()
