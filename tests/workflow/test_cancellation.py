"""Cancellation of workflows and activities, and termination."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import RPCError, RPCStatusCode, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from actorflow.exceptions import ActivityError, CancelledError, RetryState, TerminatedError
from actorflow.workflow import ActivityCancellationType
from tests.support import a_client, a_place, events_of, execute, failure_of, start

SOON = timedelta(seconds=5)


class Stage:
    """What activities of these stories saw; each test has its own."""

    began = asyncio.Event()
    go_on = asyncio.Event()
    shielding = asyncio.Event()
    seen: list[str]


@pytest.fixture(autouse=True)
def _stage() -> None:
    Stage.began = asyncio.Event()
    Stage.go_on = asyncio.Event()
    Stage.shielding = asyncio.Event()
    Stage.seen = []


@activity.defn
async def beats(how: str = "") -> str:
    activity.heartbeat("alive")
    Stage.began.set()
    try:
        await Stage.go_on.wait()
    except asyncio.CancelledError:
        Stage.seen.append("cancelled")
        if how == "swallow":
            return "swallowed"
        if how == "tidy":
            for _ in range(3):
                activity.heartbeat("tidying")
                await asyncio.sleep(0)
            return "tidied"
        raise
    finally:
        Stage.seen.append("over")
    return "went on"


@activity.defn
async def tidy() -> str:
    Stage.seen.append("tidy")
    return "tidied"


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.reason: str | None = "?"

    @workflow.query
    def why(self) -> str | None:
        return workflow.cancellation_reason()

    @workflow.run
    async def run(self, how: str = "") -> Any:
        match how:
            case "finally":
                try:
                    await workflow.wait_condition(lambda: False)
                finally:
                    await workflow.execute_activity(tidy, start_to_close_timeout=SOON)
            case "return":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    await workflow.sleep(0.001)
                    return f"stopped: {workflow.cancellation_reason()}"
            case "first await":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    return "at the first await"
            case "raise ours":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    raise CancelledError("ours") from None
            case "fail":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    raise workflow_failure() from None
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(60))
                    group.create_task(workflow.wait_condition(lambda: False))
            case "group of activities":
                async with asyncio.TaskGroup() as group:
                    group.create_task(workflow.execute_activity(beats, start_to_close_timeout=SOON))
                    group.create_task(asyncio.sleep(60))
            case "gather":
                await asyncio.gather(asyncio.sleep(60), workflow.wait_condition(lambda: False), asyncio.sleep(50))
            case "activity":
                await workflow.execute_activity(beats, start_to_close_timeout=SOON)
            case "absorb":
                task = asyncio.current_task()
                assert task is not None
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    task.uncancel()
                async with asyncio.timeout(0.001):
                    try:
                        await asyncio.sleep(60)
                    finally:
                        await asyncio.sleep(0.001)
            case _:
                await workflow.wait_condition(lambda: False)
        return "returned"


def workflow_failure() -> Exception:
    from actorflow.exceptions import ApplicationError

    return ApplicationError("instead")


async def cancelled(handle: WorkflowHandle[Any, Any]) -> None:
    cause = await failure_of(handle)
    assert isinstance(cause, CancelledError)
    assert str(cause) == "Workflow cancelled"
    assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED


PLACE: dict[str, Any] = {"activities": [beats, tidy]}


@pytest.mark.parametrize("how", ["", "finally", "raise ours", "group", "gather"])
async def test_a_cancelled_workflow_that_lets_it_through_is_cancelled(how: str) -> None:
    async with a_place(Waits, **PLACE) as client:
        handle = await start(client, Waits.run, how)
        await handle.query(Waits.why)
        await handle.cancel()
        await cancelled(handle)
    assert Stage.seen == (["tidy"] if how == "finally" else [])


async def test_cancelling_a_workflow_inside_an_activity_cancels_both() -> None:
    async with a_place(Waits, **PLACE) as client:
        handle = await start(client, Waits.run, "activity")
        await Stage.began.wait()
        await handle.cancel()
        await cancelled(handle)
        assert "ActivityCancelRequested" in await events_of(handle)
    assert Stage.seen == ["cancelled", "over"]


@pytest.mark.usefixtures("quick_retries")
async def test_cancelling_a_workflow_whose_task_group_runs_activities_cancels_it() -> None:
    async with a_place(Waits, **PLACE) as client:
        handle = await start(client, Waits.run, "group of activities")
        await Stage.began.wait()
        await handle.cancel()
        await cancelled(handle)


async def test_a_workflow_that_catches_its_cancellation_may_complete_and_knows_the_reason() -> None:
    async with a_place(Waits, **PLACE) as client:
        handle = await start(client, Waits.run, "return")
        assert await handle.query(Waits.why) is None
        await handle.cancel(reason="enough")
        assert await handle.result() == "stopped: enough"
        assert await handle.query(Waits.why) == "enough"


async def test_a_workflow_that_catches_its_cancellation_may_fail() -> None:
    async with a_place(Waits, **PLACE) as client:
        handle = await start(client, Waits.run, "fail")
        await handle.query(Waits.why)
        await handle.cancel()
        assert str(await failure_of(handle)) == "instead"
        assert await handle.query(Waits.why) == ""


async def test_the_request_is_raised_once_and_uncancel_makes_timeouts_work_again() -> None:
    async with a_place(Waits, **PLACE) as client:
        handle = await start(client, Waits.run, "absorb")
        await handle.query(Waits.why)
        await handle.cancel()
        await handle.cancel()
        cause = await failure_of(handle)
        assert getattr(cause, "type", "") == "TimeoutError"


async def test_a_workflow_cancelled_before_its_first_turn_still_gets_to_its_first_await() -> None:
    async with a_client() as client:
        handle = await start(client, Waits.run, "first await")
        await handle.cancel(reason="early")
        from tests.support import a_worker

        async with asyncio.timeout(10), a_worker(client, workflows=[Waits], **PLACE):
            assert await handle.result() == "at the first await"


async def test_cancelling_a_closed_workflow_is_silent_and_an_unknown_one_is_not_found() -> None:
    @workflow.defn
    class Quick:
        @workflow.run
        async def run(self) -> None: ...

    async with a_place(Quick) as client:
        await execute(client, Quick.run)
        await client.get_workflow_handle("w").cancel()
        for call in (client.get_workflow_handle("x").cancel, client.get_workflow_handle("x").terminate):
            with pytest.raises(RPCError) as refused:
                await call()
            assert refused.value.status == RPCStatusCode.NOT_FOUND
        with pytest.raises(RPCError, match="already completed"):
            await client.get_workflow_handle("w").terminate()
        with pytest.raises(RPCError, match="already completed"):
            await client.get_workflow_handle("w").signal("x")


async def test_a_terminated_workflow_ends_without_being_asked_with_reason_and_details() -> None:
    async with a_place(Waits, **PLACE) as client:
        handle = await start(client, Waits.run, "finally")
        await handle.query(Waits.why)
        await handle.terminate({"by": "me"}, reason="enough")
        cause = await failure_of(handle)
        assert isinstance(cause, TerminatedError)
        assert (str(cause), list(cause.details)) == ("enough", [{"by": "me"}])
        assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        assert (await events_of(handle))[-1] == "Terminated"
    assert Stage.seen == []


# Activities


@workflow.defn
class CancelsActivity:
    @workflow.run
    async def run(self, mode: int, how: str = "", times: int = 1) -> list[str]:
        seen: list[str] = []
        task = asyncio.create_task(
            workflow.execute_activity(
                beats, how, start_to_close_timeout=SOON, cancellation_type=ActivityCancellationType(mode)
            )
        )
        await workflow.execute_activity(began, start_to_close_timeout=SOON)
        for _ in range(times):
            task.cancel()
        try:
            seen.append(str(await task))
        except ActivityError as problem:
            is_cancelled = isinstance(problem.cause, CancelledError)
            is_stated = problem.retry_state == RetryState.CANCEL_REQUESTED
            seen.append("cancelled" if is_cancelled and is_stated else repr(problem.cause))
        await workflow.execute_activity(release, start_to_close_timeout=SOON)
        return seen


@activity.defn
async def began() -> None:
    await Stage.began.wait()


@activity.defn
async def release() -> None:
    Stage.go_on.set()


ALL: dict[str, Any] = {"activities": [beats, began, release, tidy]}


async def test_try_cancel_ends_the_wait_at_once_and_tells_the_activity() -> None:
    async with a_place(CancelsActivity, **ALL) as client:
        handle = await start(client, CancelsActivity.run, 0)
        assert await handle.result() == ["cancelled"]
        assert (await events_of(handle)).count("ActivityCancelRequested") == 1
    assert Stage.seen == ["cancelled", "over"]


@pytest.mark.parametrize(("how", "outcome"), [("", "cancelled"), ("swallow", "swallowed"), ("tidy", "tidied")])
async def test_wait_cancellation_completed_waits_for_the_activitys_own_outcome(how: str, outcome: str) -> None:
    async with a_place(CancelsActivity, **ALL) as client:
        handle = await start(client, CancelsActivity.run, 1, how)
        assert await handle.result() == [outcome]
        assert (await events_of(handle)).count("ActivityCancelRequested") == 1
    assert Stage.seen == ["cancelled", "over"]


async def test_abandon_ends_the_wait_and_does_not_tell_the_activity() -> None:
    async with a_place(CancelsActivity, **ALL) as client:
        handle = await start(client, CancelsActivity.run, 2)
        assert await handle.result() == ["cancelled"]
        assert "ActivityCancelRequested" not in await events_of(handle)
        await Stage.go_on.wait()
    assert Stage.seen[-1] == "over"


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("mode", [0, 1, 2])
async def test_cancelling_twice_in_a_row_is_the_same_as_once(mode: int) -> None:
    async with a_place(CancelsActivity, **ALL) as client:
        handle = await start(client, CancelsActivity.run, mode, "", 2)
        assert await handle.result() == ["cancelled"]
        assert (await events_of(handle)).count("ActivityCancelRequested") == (0 if mode == 2 else 1)


@workflow.defn
class StartsAndCancels:
    @workflow.run
    async def run(self, mode: int) -> str:
        handle = workflow.start_activity(
            beats, start_to_close_timeout=SOON, cancellation_type=ActivityCancellationType(mode)
        )
        handle.cancel()
        try:
            await handle
        except ActivityError as problem:
            return type(problem.cause).__name__
        return "ran"


@pytest.mark.parametrize("mode", [0, 1])
async def test_an_activity_started_and_cancelled_in_one_turn_is_never_sent(mode: int) -> None:
    async with a_place(StartsAndCancels, **ALL) as client:
        handle = await start(client, StartsAndCancels.run, mode)
        assert await handle.result() == "CancelledError"
        assert await events_of(handle) == ["Started", "Completed"]
    assert Stage.seen == []


@workflow.defn
class Shields:
    @workflow.run
    async def run(self) -> str:
        running = asyncio.ensure_future(workflow.execute_activity(beats, start_to_close_timeout=SOON))
        await workflow.execute_activity(began, start_to_close_timeout=SOON)
        Stage.shielding.set()
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            await workflow.execute_activity(release, start_to_close_timeout=SOON)
            return f"shielded, then {await running}"
        return "?"


async def test_shield_keeps_an_activity_running_through_the_cancellation_of_its_workflow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_place(Shields, **ALL) as client:
        handle = await start(client, Shields.run)
        await Stage.began.wait()
        await Stage.shielding.wait()
        await handle.cancel()
        assert await handle.result() == "shielded, then went on"
    assert Stage.seen == ["over"]
    assert "shielded" not in caplog.text


@workflow.defn
class CancelsGather:
    @workflow.run
    async def run(self) -> list[str]:
        calls = [
            workflow.start_activity(beats, start_to_close_timeout=SOON, task_queue="nobody", activity_id=f"a{n}")
            for n in range(3)
        ]
        both = asyncio.gather(*calls, return_exceptions=True)
        await workflow.sleep(0.001)
        both.cancel()
        with suppress(asyncio.CancelledError):
            await both
        return [type(call.exception()).__name__ for call in calls]


async def test_cancelling_a_gather_reaches_each_activity() -> None:
    async with a_place(CancelsGather, **ALL) as client:
        handle = await start(client, CancelsGather.run)
        try:
            assert await handle.result() == ["ActivityError"] * 3
        except WorkflowFailureError as problem:
            raise AssertionError(problem.cause) from problem
        assert (await events_of(handle)).count("ActivityCancelRequested") == 3
