"""Activities that are completed from outside, by whoever has their token or knows their ids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    ActivityNotRunningError,
    AsyncActivityCancelledError,
    AsyncActivityHandle,
    Client,
    RPCError,
    RPCStatusCode,
    StaleAttemptError,
)
from actorflow.common import RetryPolicy
from actorflow.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    PayloadError,
    TimeoutError,
    TimeoutType,
)
from tests.support import a_client, a_place, a_worker, failure_of, start

SOON = timedelta(seconds=5)
SHORT = timedelta(milliseconds=40)
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=3)
WAIT = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED


class Leaves:
    """Activities that leave themselves open; ``tokens`` has one token for each attempt whose code has ended."""

    def __init__(self) -> None:
        self.tokens: asyncio.Queue[bytes] = asyncio.Queue()
        self.details: list[list[Any]] = []
        self.loop = asyncio.get_running_loop()

    def note(self) -> None:
        about = activity.info()
        self.details.append(list(about.heartbeat_details))
        token = about.task_token
        task = asyncio.current_task() if asyncio._get_running_loop() is self.loop else None
        if task is not None:
            task.add_done_callback(lambda _: self.tokens.put_nowait(token))
        else:
            self.loop.call_soon_threadsafe(self.tokens.put_nowait, token)

    @activity.defn(name="leaves")
    async def leaves(self) -> str:
        self.note()
        activity.raise_complete_async()

    @activity.defn(name="leaves")
    def leaves_in_a_thread(self) -> str:
        self.note()
        activity.raise_complete_async()


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.signal
    def cancel(self) -> None:
        self.is_told = True

    @workflow.query
    def told(self) -> bool:
        return self.is_told

    @workflow.run
    async def run(self, heartbeat: timedelta | None = None, start_to_close: timedelta = SOON) -> Any:
        handle = workflow.start_activity(
            "leaves",
            start_to_close_timeout=start_to_close,
            heartbeat_timeout=heartbeat,
            retry_policy=QUICK,
            activity_id="mine",
            cancellation_type=WAIT,
        )
        await workflow.wait_condition(lambda: self.is_told or handle.done())
        if self.is_told:
            handle.cancel()
        return await handle


def by_token(client: Client, token: bytes) -> AsyncActivityHandle:
    return client.get_async_activity_handle(task_token=token)


def by_ids(client: Client, _token: bytes) -> AsyncActivityHandle:
    return client.get_async_activity_handle(workflow_id="w", run_id=None, activity_id="mine")


@pytest.mark.parametrize("find", [by_token, by_ids])
@pytest.mark.parametrize("in_a_thread", [False, True])
async def test_an_activity_left_open_is_completed_by_token_or_by_ids(
    find: Callable[[Client, bytes], AsyncActivityHandle], in_a_thread: bool
) -> None:
    leaves = Leaves()
    code = leaves.leaves_in_a_thread if in_a_thread else leaves.leaves
    with ThreadPoolExecutor(1) as executor:
        async with a_place(Waits, activities=[code], activity_executor=executor) as client:
            handle = await start(client, Waits.run)
            await find(client, await leaves.tokens.get()).complete({"done": True})
            assert await handle.result() == {"done": True}


async def test_an_activity_left_open_takes_no_slot() -> None:
    leaves = Leaves()
    async with a_place(Waits, activities=[leaves.leaves], max_concurrent_activities=1) as client:
        handles = [await start(client, Waits.run, id=f"w{number}") for number in range(3)]
        tokens = [await leaves.tokens.get() for _ in handles]
        for token in tokens:
            await by_token(client, token).complete()
        assert [await handle.result() for handle in handles] == [None, None, None]


async def test_a_failure_from_outside_is_tried_again_with_the_details_it_came_with() -> None:
    leaves = Leaves()
    async with a_place(Waits, activities=[leaves.leaves]) as client:
        handle = await start(client, Waits.run)
        first = by_token(client, await leaves.tokens.get())
        await first.fail(ApplicationError("not yet", type="Busy"), last_heartbeat_details=["half"])
        second = by_token(client, await leaves.tokens.get())
        with pytest.raises(StaleAttemptError) as stale:
            await first.complete("too late")
        assert (stale.value.status, stale.value.attempt, stale.value.current_attempt) == (RPCStatusCode.NOT_FOUND, 1, 2)
        await second.fail(ApplicationError("never", non_retryable=True))
        cause = await failure_of(handle)
    assert leaves.details == [[], ["half"]]
    assert isinstance(cause, ActivityError)
    assert str(cause.cause) == "never"


async def test_heartbeats_from_outside_keep_it_alive_and_tell_of_a_cancellation_which_is_then_reported() -> None:
    leaves = Leaves()
    async with a_place(Waits, activities=[leaves.leaves]) as client:
        handle = await start(client, Waits.run, SOON)
        outside = by_token(client, await leaves.tokens.get())
        await outside.heartbeat("alive")
        with pytest.raises(RPCError) as refused:
            await outside.report_cancellation()
        assert refused.value.status is RPCStatusCode.INVALID_ARGUMENT
        await handle.signal(Waits.cancel)
        assert await handle.query(Waits.told)  # what the signal's turn has asked for is durable, so it has been done
        with pytest.raises(AsyncActivityCancelledError) as cancelled:
            await outside.heartbeat("alive")
        assert cancelled.value.details == activity.ActivityCancellationDetails(cancel_requested=True)
        await outside.report_cancellation("tidied up")
        cause = await failure_of(handle)
    assert isinstance(cause, ActivityError)
    assert isinstance(cause.cause, CancelledError)
    assert list(cause.cause.details) == ["tidied up"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [((None, SHORT), TimeoutType.START_TO_CLOSE), ((SHORT,), TimeoutType.HEARTBEAT)],
)
async def test_the_timeouts_of_an_activity_left_open_go_on(options: tuple[Any, ...], expected: TimeoutType) -> None:
    leaves = Leaves()
    async with a_place(Waits, activities=[leaves.leaves]) as client:
        cause = await failure_of(await start(client, Waits.run, *options))
    assert isinstance(cause.__cause__, TimeoutError)
    assert cause.__cause__.type == expected
    assert leaves.tokens.qsize() == 3


async def test_what_is_unknown_or_over_is_refused_by_name() -> None:
    leaves = Leaves()
    async with a_place(Waits, activities=[leaves.leaves]) as client:
        handle = await start(client, Waits.run)
        outside = by_token(client, await leaves.tokens.get())
        other = client.get_async_activity_handle(workflow_id="w", run_id=None, activity_id="other")
        with pytest.raises(ActivityNotRunningError, match="no open activity of that id"):
            await other.complete()
        nobody = client.get_async_activity_handle(workflow_id="nobody", run_id=None, activity_id="1")
        with pytest.raises(RPCError, match="workflow not found"):
            await nobody.heartbeat()
        with pytest.raises(RPCError, match="no task token") as bad:
            await by_token(client, b"junk").complete()
        assert bad.value.status is RPCStatusCode.INVALID_ARGUMENT
        with pytest.raises(PayloadError):
            await outside.complete(object())
        await outside.complete("once")
        calls: list[Callable[[], Awaitable[None]]] = [outside.complete, outside.heartbeat, outside.report_cancellation]
        for call in calls:
            with pytest.raises(ActivityNotRunningError) as over:
                await call()
            assert over.value.status is RPCStatusCode.NOT_FOUND
        assert await handle.result() == "once"
        with pytest.raises(ActivityNotRunningError, match="the workflow is completed"):
            await outside.fail(ValueError("late"))


async def test_a_handle_needs_a_token_or_ids_and_not_both() -> None:
    async with a_client() as client:
        handle: Any = client.get_async_activity_handle
        with pytest.raises(ValueError, match="must be present"):
            handle(workflow_id="w")
        with pytest.raises(ValueError, match="cannot be present"):
            handle(task_token=b"x", workflow_id="w")


async def test_a_token_of_another_namespace_is_refused(tmp_path: Path) -> None:
    leaves, path = Leaves(), tmp_path / "orders.db"
    async with a_place(Waits, activities=[leaves.leaves], path=path) as client:
        await start(client, Waits.run)
        token = await leaves.tokens.get()
        async with a_client(path, namespace="other") as stranger:
            with pytest.raises(RPCError, match="another namespace"):
                await by_token(stranger, token).complete()


async def test_an_activity_may_be_completed_before_its_code_has_ended() -> None:
    go_on = asyncio.Event()
    began = asyncio.Event()

    @activity.defn(name="leaves")
    async def lingers() -> str:
        began.set()
        with suppress(asyncio.CancelledError):
            await go_on.wait()
        return "too late"

    async with a_place(Waits, activities=[lingers]) as client:
        handle = await start(client, Waits.run)
        await began.wait()
        await by_ids(client, b"").complete("from outside")
        assert await handle.result() == "from outside"
        go_on.set()


async def test_one_left_open_waits_through_a_restart_and_is_completed_before_any_worker_comes(tmp_path: Path) -> None:
    leaves, path = Leaves(), tmp_path / "orders.db"
    served: dict[str, Any] = {"workflows": [Waits], "activities": [leaves.leaves]}
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, **served):
        await start(client, Waits.run)
        token = await leaves.tokens.get()
    async with asyncio.timeout(10), a_client(path) as client:
        (pending,) = (await client.get_workflow_handle("w").describe()).pending_activities
        assert (pending.state, pending.attempt, pending.next_attempt_time) == ("started", 1, None)
        await by_token(client, token).complete("after all")
        async with a_worker(client, workflows=[Waits], activities=[leaves.leaves]):
            assert await client.get_workflow_handle("w").result() == "after all"
    assert leaves.tokens.empty()


async def test_its_timeouts_go_on_after_a_restart(tmp_path: Path) -> None:
    leaves, path = Leaves(), tmp_path / "orders.db"
    served: dict[str, Any] = {"workflows": [Waits], "activities": [leaves.leaves]}
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, **served):
        await start(client, Waits.run, None, timedelta(milliseconds=300))
        await leaves.tokens.get()
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, **served):
        await leaves.tokens.get()  # of the next attempt
