"""Runs that close, workers that leave and clients that come back, all at the wrong moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, RPCError, RPCStatusCode, WorkflowExecutionStatus
from actorflow.common import RetryPolicy
from tests.crashes.gated import a_gated_client
from tests.engine.stores import SlowlyFindingStore, a_client_on
from tests.support import a_client, a_worker, events_of, start


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.is_called = False

    @workflow.signal
    def call(self) -> None:
        self.is_called = True

    @workflow.query
    def was_called(self) -> bool:
        return self.is_called

    @workflow.run
    async def run(self, answer: str = "called") -> str:
        await workflow.wait_condition(lambda: self.is_called)
        return answer


async def test_an_activity_whose_turn_is_in_flight_while_the_worker_leaves_runs_once_with_the_next_one(
    tmp_path: Path,
) -> None:
    ran: list[str] = []

    def an_activity_of(name: str) -> Any:
        @activity.defn(name="notes")
        async def notes() -> str:
            ran.append(name)
            return name

        return notes

    @workflow.defn
    class Notes:
        @workflow.run
        async def run(self) -> str:
            return await workflow.execute_activity(
                "notes",
                result_type=str,
                start_to_close_timeout=timedelta(seconds=5),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )

    async with asyncio.timeout(10), a_gated_client(tmp_path / "j.db") as (client, store):
        async with a_worker(client, workflows=[Notes], activities=[an_activity_of("first")]) as worker:
            store.before_commit.close(for_one=True)
            starting = asyncio.ensure_future(start(client, Notes.run))
            await store.before_commit.reached.wait()
            leaving = asyncio.ensure_future(worker.shutdown())
            await asyncio.sleep(0)  # it has begun to leave
            assert not worker.is_running
            store.before_commit.open()
            await leaving
        handle = await starting
        assert ran == []
        async with a_worker(client, workflows=[Notes], activities=[an_activity_of("second")]):
            assert await handle.result() == "second"
    assert ran == ["second"]


async def close_while_found(client: Client, store: SlowlyFindingStore, call: Callable[[], Any]) -> asyncio.Future[Any]:
    """Make a call that finds the run open, and then is held up until it has closed."""
    handle = await start(client, Waits.run)
    store.after_find.close(for_one=True)
    calling = asyncio.ensure_future(call())
    await store.after_find.reached.wait()
    await handle.signal(Waits.call)
    assert await handle.result() == "called"
    store.after_find.open()
    return calling


async def test_a_description_is_of_one_moment_although_the_run_has_just_closed(tmp_path: Path) -> None:
    store = SlowlyFindingStore(tmp_path / "j.db")
    async with asyncio.timeout(10), a_client_on(store) as client, a_worker(client, workflows=[Waits]):
        handle = client.get_workflow_handle("w")
        about = await (await close_while_found(client, store, handle.describe))
        assert about.status == WorkflowExecutionStatus.COMPLETED
        assert about.close_time is not None
        assert about.history_length == (await handle.describe()).history_length


async def test_who_terminates_a_run_that_has_just_closed_is_told_so(tmp_path: Path) -> None:
    store = SlowlyFindingStore(tmp_path / "j.db")
    async with (
        asyncio.timeout(10),
        a_client_on(store) as client,
        a_worker(client, workflows=[Waits], max_cached_workflows=0),
    ):
        late = await close_while_found(client, store, client.get_workflow_handle("w").terminate)
        with pytest.raises(RPCError, match="completed") as refused:
            await late
        assert refused.value.status == RPCStatusCode.NOT_FOUND


async def test_who_waits_for_a_run_that_another_late_caller_believes_open_gets_its_result(tmp_path: Path) -> None:
    store = SlowlyFindingStore(tmp_path / "j.db")
    async with (
        asyncio.timeout(10),
        a_client_on(store) as client,
        a_worker(client, workflows=[Waits], max_cached_workflows=0),
    ):
        late = await close_while_found(client, store, client.get_workflow_handle("w").terminate)
        assert await client.get_workflow_handle("w").result() == "called"
        with pytest.raises(RPCError, match="completed"):
            await late


async def test_a_run_terminated_before_its_first_turn_has_a_beginning_and_answers_from_its_initial_state() -> None:
    async with asyncio.timeout(10), a_client() as client:
        handle = await start(client, Waits.run, "never")
        await handle.cancel(reason="not needed")
        await handle.terminate(reason="not needed at all")
        events = await events_of(handle)
        assert (events[0], events[-1]) == ("Started", "Terminated")
        async with a_worker(client, workflows=[Waits]):
            assert await handle.query(Waits.was_called) is False


async def test_connecting_while_the_last_client_closes_waits_for_it_and_succeeds(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'j.db'}"
    async with asyncio.timeout(10):
        last = await Client.connect(address)
        await start(last, Waits.run)
        closing = asyncio.ensure_future(last.close())
        await asyncio.sleep(0)  # it has begun to close
        async with await Client.connect(address) as client:
            assert closing.done()
            assert (await client.get_workflow_handle("w").describe()).status is WorkflowExecutionStatus.RUNNING
        await closing
