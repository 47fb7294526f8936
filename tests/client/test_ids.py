"""Workflow ids, handles, and what a client sees of an execution."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    RPCError,
    RPCStatusCode,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from actorflow.common import QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.exceptions import ApplicationError, TerminatedError, WorkflowAlreadyStartedError
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start

REUSE = WorkflowIDReusePolicy
CONFLICT = WorkflowIDConflictPolicy


@activity.defn
async def double(number: int) -> int:
    return number * 2


@workflow.defn
class Adds:
    def __init__(self) -> None:
        self.total = 0
        self.is_done = False

    @workflow.signal
    def add(self, number: int) -> None:
        self.total += number

    @workflow.signal(name="end it")
    def finish(self) -> None:
        self.is_done = True

    @workflow.query
    def sum(self) -> int:
        return self.total

    @workflow.query(name="times")
    def multiplied(self, factor: int = 2) -> int:
        return self.total * factor

    @workflow.query
    def broken(self) -> None:
        raise ApplicationError("broken", {"secret": 1}, type="Broken")

    @workflow.run
    async def run(self, ends: str = "wait") -> int:
        if ends == "fail":
            raise ApplicationError("failed")
        if ends == "wait":
            await workflow.wait_condition(lambda: self.is_done)
        return await workflow.execute_activity(double, self.total, start_to_close_timeout=timedelta(seconds=5))


PLACE: dict[str, Any] = {"activities": [double]}


@pytest.mark.parametrize(
    ("policy", "after", "is_allowed"),
    [
        (REUSE.ALLOW_DUPLICATE, "complete", True),
        (REUSE.ALLOW_DUPLICATE, "fail", True),
        (REUSE.ALLOW_DUPLICATE_FAILED_ONLY, "complete", False),
        (REUSE.ALLOW_DUPLICATE_FAILED_ONLY, "fail", True),
        (REUSE.REJECT_DUPLICATE, "complete", False),
        (REUSE.REJECT_DUPLICATE, "fail", False),
    ],
)
async def test_an_id_of_a_closed_run_is_used_again_by_policy(
    tmp_path: Path, policy: WorkflowIDReusePolicy, after: str, *, is_allowed: bool
) -> None:
    async with a_place(Adds, path=tmp_path / "j.db", **PLACE) as client:
        first = await start(client, Adds.run, after)
        with suppress(WorkflowFailureError):
            await first.result()
        if is_allowed:
            second = await start(client, Adds.run, "complete", id_reuse_policy=policy)
            assert await second.result() == 0
            assert second.result_run_id != first.result_run_id
        else:
            with pytest.raises(WorkflowAlreadyStartedError):
                await start(client, Adds.run, "complete", id_reuse_policy=policy)


@pytest.mark.parametrize("policy", [None, CONFLICT.FAIL, CONFLICT.UNSPECIFIED])
async def test_an_id_of_an_open_run_is_refused_and_the_error_names_the_run(policy: Any) -> None:
    options = {} if policy is None else {"id_conflict_policy": policy}
    async with a_place(Adds, **PLACE) as client:
        first = await start(client, Adds.run)
        with pytest.raises(WorkflowAlreadyStartedError) as refused:
            await start(client, Adds.run, **options)
        error = refused.value
        assert (error.workflow_id, error.workflow_type, error.run_id) == ("w", "Adds", first.result_run_id)


async def test_use_existing_gives_a_handle_to_the_open_run() -> None:
    async with a_place(Adds, **PLACE) as client:
        first = await start(client, Adds.run)
        again = await start(client, Adds.run, id_conflict_policy=CONFLICT.USE_EXISTING)
        assert again.result_run_id == first.result_run_id
        await again.signal(Adds.finish)
        assert await first.result() == 0


@pytest.mark.parametrize("is_hosted", [True, False])
async def test_terminate_existing_ends_the_open_run_and_starts_another(tmp_path: Path, *, is_hosted: bool) -> None:
    async with asyncio.timeout(10), a_client(tmp_path / "j.db") as client:
        if is_hosted:
            async with a_worker(client, workflows=[Adds], **PLACE):
                first = await start(client, Adds.run)
                second = await start(client, Adds.run, "complete", id_conflict_policy=CONFLICT.TERMINATE_EXISTING)
                assert await second.result() == 0
        else:
            first = await start(client, Adds.run)
            second = await start(client, Adds.run, "complete", id_conflict_policy=CONFLICT.TERMINATE_EXISTING)
            async with a_worker(client, workflows=[Adds], **PLACE):
                assert await second.result() == 0
        assert isinstance(
            await failure_of(client.get_workflow_handle("w", run_id=first.result_run_id)), TerminatedError
        )
        assert first.result_run_id != second.result_run_id


async def test_of_many_starts_of_one_id_at_once_exactly_one_begins(tmp_path: Path) -> None:
    async with a_place(Adds, path=tmp_path / "j.db", **PLACE) as client:
        outcomes = await asyncio.gather(*[start(client, Adds.run) for _ in range(10)], return_exceptions=True)
        begun = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, WorkflowAlreadyStartedError)]
        assert (len(begun), len(refused)) == (1, 9)
        assert {error.run_id for error in refused} == {begun[0].result_run_id}


@pytest.mark.parametrize("is_closed", [True, False])
async def test_a_start_repeated_with_its_request_id_is_the_same_start(tmp_path: Path, *, is_closed: bool) -> None:
    async with a_place(Adds, path=tmp_path / "j.db", **PLACE) as client:
        first = await start(client, Adds.run, request_id="r1")
        if is_closed:
            await first.signal(Adds.finish)
            await first.result()
        again = await start(client, Adds.run, request_id="r1")
        assert again.result_run_id == first.result_run_id
        if not is_closed:
            with pytest.raises(WorkflowAlreadyStartedError):
                await start(client, Adds.run, request_id="r2")


async def test_a_signal_repeated_with_its_request_id_is_handled_once(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with a_place(Adds, path=path, **PLACE) as client:
        handle = await start(client, Adds.run)
        await handle.signal(Adds.add, 1, request_id="r1")
        await asyncio.gather(*[handle.signal(Adds.add, 10, request_id="r2") for _ in range(5)])
        await handle.signal(Adds.add, 1, request_id="r1")
    async with a_place(Adds, path=path, **PLACE) as client:
        handle = client.get_workflow_handle_for(Adds.run, "w")
        await handle.signal(Adds.add, 1, request_id="r1")
        assert await handle.query(Adds.sum) == 11


async def test_a_handle_knows_its_runs() -> None:
    async with a_place(Adds, **PLACE) as client:
        handle = await start(client, Adds.run)
        assert (handle.id, handle.run_id) == ("w", None)
        assert handle.result_run_id == handle.first_execution_run_id
        assert UUID(handle.result_run_id).version == 7
        found = client.get_workflow_handle("w", run_id="r")
        assert (found.run_id, found.result_run_id, found.first_execution_run_id) == ("r", "r", None)


async def test_a_handle_with_a_run_id_reaches_that_run_and_one_without_the_current_one() -> None:
    async with a_place(Adds, **PLACE) as client:
        first = await start(client, Adds.run, "complete")
        await first.result()
        second = await start(client, Adds.run)
        await client.get_workflow_handle("w").signal(Adds.add, 4)
        old = client.get_workflow_handle("w", run_id=first.result_run_id)
        with pytest.raises(RPCError, match="already completed"):
            await old.signal(Adds.add, 4)
        assert await old.result() == 0
        assert await old.query(Adds.sum) == 0
        assert await second.query(Adds.sum) == 4
        assert (await old.describe()).status == WorkflowExecutionStatus.COMPLETED
        with pytest.raises(RPCError, match="not found"):
            await client.get_workflow_handle("w", run_id="nonsense").describe()


@pytest.mark.parametrize(
    "call",
    [
        lambda handle: handle.signal("add", 1),
        lambda handle: handle.query("sum"),
        lambda handle: handle.cancel(),
        lambda handle: handle.terminate(),
        lambda handle: handle.describe(),
        lambda handle: handle.result(),
        lambda handle: handle.fetch_history(),
    ],
    ids=["signal", "query", "cancel", "terminate", "describe", "result", "fetch_history"],
)
async def test_every_call_to_an_unknown_execution_says_that_it_is_not_found(call: Any) -> None:
    async with a_client() as client:
        with pytest.raises(RPCError, match="unknown") as refused:
            await call(client.get_workflow_handle("unknown"))
        assert refused.value.status == RPCStatusCode.NOT_FOUND


async def test_a_typed_handle_and_one_by_name_decode_alike() -> None:
    async with a_place(Adds, **PLACE) as client:
        await client.start_workflow("Adds", id="w", task_queue="q")
        typed, named = client.get_workflow_handle_for(Adds.run, "w"), client.get_workflow_handle("w", result_type=int)
        await named.signal("add", 3)
        await typed.signal(Adds.add, args=[4])
        assert await typed.query(Adds.multiplied) == await named.query("times") == 14
        assert await typed.query(Adds.multiplied, 3) == await named.query("times", args=[3]) == 21
        await named.signal("end it")
        assert await typed.result() == await named.result() == 14


async def test_a_query_never_shows_a_state_older_than_an_acknowledged_signal(tmp_path: Path) -> None:
    async with a_place(Adds, path=tmp_path / "j.db", **PLACE) as client:
        handle = await start(client, Adds.run)
        for total in range(1, 20):
            await handle.signal(Adds.add, 1)
            assert await handle.query(Adds.sum) == total


@pytest.mark.parametrize("end", ["completed", "failed", "terminated", "cancelled"])
async def test_a_closed_workflow_still_answers_queries(tmp_path: Path, end: str) -> None:
    path = tmp_path / "j.db"
    async with a_place(Adds, path=path, **PLACE) as client:
        handle = await start(client, Adds.run, "fail" if end == "failed" else "wait")
        if end != "failed":
            await handle.signal(Adds.add, 5)
            assert await handle.query(Adds.sum) == 5
            await {"completed": lambda: handle.signal(Adds.finish), "terminated": handle.terminate}.get(
                end, handle.cancel
            )()
        with suppress(WorkflowFailureError):
            await handle.result()
    async with a_place(Adds, path=path, **PLACE) as client:
        handle = client.get_workflow_handle_for(Adds.run, "w")
        assert await handle.query(Adds.sum) == (0 if end == "failed" else 5)
        with pytest.raises(WorkflowQueryRejectedError) as rejected:
            await handle.query(Adds.sum, reject_condition=QueryRejectCondition.NOT_OPEN)
        expected = {"cancelled": "CANCELED"}.get(end, end.upper())
        assert rejected.value.status is not None
        assert rejected.value.status.name == expected


async def test_a_query_that_fails_tells_the_caller_and_touches_nothing() -> None:
    async with a_place(Adds, **PLACE) as client:
        handle = await start(client, Adds.run)
        before = await events_of(handle)
        with pytest.raises(WorkflowQueryFailedError, match="broken"):
            await handle.query(Adds.broken)
        with pytest.raises(WorkflowQueryFailedError, match=r"known queries: .broken sum times"):
            await handle.query("missing")
        assert await handle.query(Adds.sum) == 0
        assert await events_of(handle) == before


async def test_an_execution_is_described() -> None:
    async with a_place(Adds, **PLACE) as client:
        handle = await start(client, Adds.run)
        about = await handle.describe()
        assert (about.id, about.run_id, about.workflow_type) == ("w", handle.result_run_id, "Adds")
        assert (about.task_queue, about.namespace, about.status) == ("q", "default", WorkflowExecutionStatus.RUNNING)
        assert (about.close_time, about.parked, about.pending_timers) == (None, None, 0)
        assert about.start_time.tzinfo is UTC
        await handle.signal(Adds.finish)
        await handle.result()
        closed = await handle.describe()
        assert closed.status == WorkflowExecutionStatus.COMPLETED
        assert closed.close_time is not None
        assert closed.close_time >= closed.start_time


async def test_a_history_is_plain_values_in_order() -> None:
    async with a_place(Adds, **PLACE) as client:
        handle = await start(client, Adds.run)
        await handle.query(Adds.sum)
        await handle.signal(Adds.add, 3)
        await handle.signal(Adds.finish)
        await handle.result()
        history = await handle.fetch_history()
    assert (history.workflow_id, history.run_id) == ("w", handle.result_run_id)
    names = [event.event_type for event in history.events]
    assert names == [
        "Started",
        "SignalReceived",
        "SignalReceived",
        "ActivityScheduled",
        "ActivityCompleted",
        "Completed",
    ]
    numbers = [event.event_id for event in history.events]
    assert numbers == sorted(set(numbers))
    assert history.events[0].attributes["workflow_type"] == "Adds"
    assert history.events[1].attributes["input"] == [{"json": 3}]
    times = [event.event_time for event in history.events]
    assert times == sorted(times)


async def test_a_workflow_can_be_started_with_several_arguments_and_not_with_both_forms() -> None:
    @workflow.defn
    class Takes:
        @workflow.run
        async def run(self, one: int, two: int = 5) -> int:
            return one + two

    async with a_place(Takes) as client:
        assert await client.execute_workflow(Takes.run, args=[1, 2], id="a", task_queue="q") == 3
        assert await client.execute_workflow(Takes.run, 1, id="b", task_queue="q") == 6
        with pytest.raises(ValueError, match="not both"):
            await client.start_workflow(Takes.run, 1, args=[1], id="c", task_queue="q")  # pyright: ignore[reportArgumentType]


async def test_a_workflow_that_is_none_is_refused() -> None:
    async with a_client() as client:
        with pytest.raises(TypeError, match=r"@workflow\.run"):
            await start(client, len)


async def test_executing_is_starting_and_waiting() -> None:
    async with a_place(Adds, **PLACE) as client:
        assert await execute(client, Adds.run, "complete") == 0
