"""A message that was acknowledged arrives, once: whatever state its run was in, whatever happened to the process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest

from actorflow.client import Client, WorkflowExecutionStatus
from actorflow.core import events as ev
from actorflow.exceptions import WorkflowAlreadyStartedError
from tests.crashes import invariants
from tests.crashes.accepting import Takes
from tests.crashes.gated import a_gated_client
from tests.crashes.processes import HANGS, killed_after
from tests.support import a_client, a_worker

RECEIVED = {
    "start": ["started", "finish"],
    "signal": ["started", "hello", "finish"],
    "cancel": ["started", "cancelled", "finish"],
}


@pytest.mark.parametrize("message", ["start", "signal", "cancel"])
@pytest.mark.parametrize("situation", ["unhosted", "failing", "parked"])
async def test_a_message_acknowledged_in_a_bad_moment_survives_a_kill_and_is_delivered_once(
    tmp_path: Path, situation: str, message: str
) -> None:
    path = tmp_path / "orders.db"
    killed_after("acknowledged", "-m", "tests.crashes.accepting", path, situation, message)
    await check_delivered_once(path, message)


@pytest.mark.parametrize("message", ["start", "signal", "cancel"])
async def test_a_parked_message_survives_another_process_with_broken_code(tmp_path: Path, message: str) -> None:
    path = tmp_path / "orders.db"
    for sent in (message, "nothing"):
        killed_after("acknowledged", "-m", "tests.crashes.accepting", path, "parked", sent)
    await check_delivered_once(path, message)


async def test_whoever_waits_for_a_parked_run_beside_a_worker_with_repaired_code_gets_its_result(
    tmp_path: Path,
) -> None:
    path = tmp_path / "orders.db"
    killed_after("acknowledged", "-m", "tests.crashes.accepting", path, "parked", "start")
    async with a_client(path) as client:
        handle = client.get_workflow_handle_for(Takes.run, "order")
        await handle.signal(Takes.take, "finish")
        async with a_worker(client, workflows=[Takes]):
            with anyio.fail_after(HANGS):
                assert await handle.result() == ["started", "finish"]


async def check_delivered_once(path: Path, message: str) -> None:
    """Run it with code that works."""
    invariants.check(path, may_wait=lambda run: True)
    async with a_client(path) as client, a_worker(client, workflows=[Takes]):
        handle = client.get_workflow_handle_for(Takes.run, "order")
        assert await handle.query(Takes.received) == RECEIVED[message][:-1]
        await handle.signal(Takes.take, "finish")
        with anyio.fail_after(HANGS):
            assert await handle.result() == RECEIVED[message]
        assert (await handle.describe()).parked is None
    (run,) = invariants.check(path)
    assert len(run.all_of(ev.CancelRequested)) == (message == "cancel")
    assert [event.name for event in run.all_of((ev.SignalReceived, ev.SignalUnhandled))] == ["take"] * (
        2 if message == "signal" else 1
    )


@pytest.mark.parametrize("is_hosted", [True, False])
async def test_of_two_starts_of_one_id_in_one_group_commit_one_wins(tmp_path: Path, is_hosted: bool) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path) as client:
        worker = a_worker(client, workflows=[Takes]) if is_hosted else None
        if worker is not None:
            await worker.__aenter__()
        commits = commits_of(client)
        starts = [client.start_workflow("Takes", f"{number}", id="order", task_queue="q") for number in range(2)]
        won, lost = await asyncio.gather(*starts, return_exceptions=True)
        assert commits_of(client) == commits + 1
        assert not isinstance(won, BaseException)
        assert isinstance(lost, WorkflowAlreadyStartedError)
        assert lost.run_id == won.result_run_id
        if worker is not None:
            await worker.__aexit__(None, None, None)
        async with a_worker(client, workflows=[Takes]):
            await won.signal("take", "finish")
            assert await won.result() == ["0", "finish"]
    assert len(invariants.check(path)) == 1


@pytest.mark.parametrize("gate", ["before_commit", "after_commit"])
async def test_a_start_whose_caller_is_cancelled_in_the_middle_of_its_commit_still_happens(
    tmp_path: Path, gate: str
) -> None:
    path = tmp_path / "orders.db"
    async with a_gated_client(path) as (client, store), a_worker(client, workflows=[Takes]):
        held = getattr(store, gate)
        held.close()
        async with anyio.create_task_group() as group:
            group.start_soon(start_order, client)
            await held.reached.wait()
            group.cancel_scope.cancel()
        held.open()
        handle = client.get_workflow_handle_for(Takes.run, "order")
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        await handle.signal(Takes.take, "finish")
        assert await handle.result() == ["started", "finish"]
    assert len(invariants.check(path)) == 1


@pytest.mark.parametrize("gate", ["before_commit", "after_commit"])
@pytest.mark.parametrize("is_hosted", [True, False])
async def test_a_signal_whose_caller_is_cancelled_in_the_middle_of_its_commit_still_happens(
    tmp_path: Path, gate: str, is_hosted: bool
) -> None:
    path = tmp_path / "orders.db"
    async with a_gated_client(path) as (client, store):
        worker = a_worker(client, workflows=[Takes])
        if is_hosted:
            await worker.__aenter__()
        await start_order(client)
        handle = client.get_workflow_handle_for(Takes.run, "order")
        held = getattr(store, gate)
        held.close()
        async with anyio.create_task_group() as group:
            group.start_soon(handle.signal, "take", "hello")
            await held.reached.wait()
            group.cancel_scope.cancel()
        held.open()
        await handle.signal(Takes.take, "finish")
        if not is_hosted:
            await worker.__aenter__()
        assert await handle.result() == ["started", "hello", "finish"]
        await worker.__aexit__(None, None, None)
    invariants.check(path)


async def test_a_signal_accepted_while_its_run_is_being_recovered_is_delivered(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path) as client:
        await start_order(client)
    async with a_gated_client(path) as (client, store):
        store.after_load.close()
        async with a_worker(client, workflows=[Takes]):
            await store.after_load.reached.wait()  # recovery has read the run, and not looked at it yet
            handle = client.get_workflow_handle_for(Takes.run, "order")
            await handle.signal(Takes.take, "finish")
            store.after_load.open()
            with anyio.fail_after(5):
                assert await handle.result() == ["started", "finish"]
    invariants.check(path)


@pytest.mark.parametrize("cached", [0, 100])
async def test_a_message_that_comes_while_its_run_is_being_read_is_neither_missed_nor_taken_twice(
    tmp_path: Path, cached: int
) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path) as client:
        await start_order(client)
    async with a_gated_client(path) as (client, store), anyio.create_task_group() as group:
        handle = client.get_workflow_handle_for(Takes.run, "order")
        store.after_load.close(for_one=True)
        group.start_soon(handle.query, Takes.received)
        await store.after_load.reached.wait()  # the run has been read for the question, and not looked at yet
        async with a_worker(client, workflows=[Takes], max_cached_workflows=cached):
            await handle.signal(Takes.take, "hello")
            store.after_load.open()
            await handle.signal(Takes.take, "finish")
            with anyio.fail_after(HANGS):
                assert await handle.result() == ["started", "hello", "finish"]
    invariants.check(path)


async def test_a_signal_repeated_under_its_request_id_is_handled_once_and_not_called_unhandled(
    tmp_path: Path,
) -> None:
    path = tmp_path / "orders.db"
    async with a_client(path) as client:
        await start_order(client)
        handle = client.get_workflow_handle_for(Takes.run, "order")
        for text in ("hello", "hello", "finish", "finish"):
            await handle.signal(Takes.take, text, request_id=text)
        async with a_worker(client, workflows=[Takes]):
            assert await handle.result() == ["started", "hello", "finish"]
    (run,) = invariants.check(path)
    assert [event.request_id for event in run.all_of(ev.SignalReceived)] == ["hello", "finish"]
    assert run.all_of(ev.SignalUnhandled) == []


async def start_order(client: Client) -> None:
    """The order the messages are for."""
    await client.start_workflow("Takes", "started", id="order", task_queue="q")


def commits_of(client: Client) -> int:
    """How many batches have been written."""
    return int(str(client.engine.store.facts()["commits"]))
