"""A client that only looks: beside a process that owns the file, after it was killed, and through an engine here."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowExecutionStatus,
    WorkflowParkedError,
)
from actorflow.core import limits
from actorflow.exceptions import CorruptJournalError, EngineStoppedError, MissingFileError, ReadOnlyError
from actorflow.store.sqlite.backup import backup
from actorflow.store.sqlite.verify import verify
from actorflow.worker import Worker
from tests.client.owner import ACTIVITIES, WORKFLOWS, Approval
from tests.crashes.processes import expect, running
from tests.store.test_verify import change, leave_a_timer_of
from tests.support import a_client, a_place, a_worker, events_of, start

OWNER = ("-m", "tests.client.owner")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


def tell(owner: subprocess.Popen[str], line: str, answer: str = "done") -> None:
    """Steer the owner, and wait until it has obeyed."""
    assert owner.stdin is not None
    owner.stdin.write(line + "\n")
    owner.stdin.flush()
    if answer:
        expect(owner, answer)


def killed_after(path: Path, *lines: str) -> None:
    """What an owner leaves that was killed."""
    with running(*OWNER, path) as owner:
        expect(owner, "ready")
        for line in lines:
            tell(owner, line)
        owner.kill()
        owner.wait()


async def test_an_execution_of_another_process_is_described_and_its_result_awaited(path: Path) -> None:
    with running(*OWNER, path) as owner:
        expect(owner, "ready")
        tell(owner, "start order")
        async with a_client(path, read_only=True) as client:
            handle = client.get_workflow_handle_for(Approval.run, "order")
            about = await handle.describe()
            assert (about.status, about.parked) == (WorkflowExecutionStatus.RUNNING, None)
            waiting = asyncio.create_task(handle.result())
            later = asyncio.create_task(client.get_workflow_handle("order", run_id=about.run_id).result())
            await asyncio.to_thread(tell, owner, "approve order")
            assert await waiting == await later == "shipped order"
            assert (await events_of(handle))[-1] == "Completed"
            assert await handle.result() == "shipped order"
            assert (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED
        tell(owner, "", answer="")


@pytest.mark.parametrize("is_killed", [False, True])
async def test_open_activities_are_described_by_what_is_recorded(path: Path, is_killed: bool) -> None:
    with running(*OWNER, path) as owner:
        expect(owner, "ready")
        tell(owner, "struggle order")
        if is_killed:
            owner.kill()
            owner.wait()
        async with a_client(path, read_only=True) as client:
            flaky, slow = (await client.get_workflow_handle("order").describe()).pending_activities
        assert (flaky.activity_type, flaky.attempt, flaky.state) == ("flaky", 2, "backing_off")
        assert flaky.next_attempt_time is not None
        assert "no truck for order" in str(flaky.last_failure)
        assert (slow.activity_type, slow.attempt, slow.state) == ("slow", 1, "started")
        owner.kill()


async def test_a_parked_execution_answers_those_who_wait_for_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MIN", timedelta(minutes=10))
    async with a_client(path) as client:
        worker = a_worker(client, workflows=WORKFLOWS)
        async with worker:
            handle = await start(client, "Broken", "order", id="order")
            with pytest.raises(WorkflowParkedError):
                await handle.result()
    async with a_client(path, read_only=True) as client:
        with pytest.raises(WorkflowParkedError, match="a bug with order"):
            await client.get_workflow_handle("order").result()


async def test_a_failing_turn_is_described(path: Path) -> None:
    killed_after(path, "break order")
    async with a_client(path, read_only=True) as client:
        about = await client.get_workflow_handle("order").describe()
    assert about.turn_failures >= 1
    assert "a bug with order" in str(about.last_failure)


CALLS: dict[str, Callable[[Client], Coroutine[Any, Any, Any]]] = {
    "start": lambda client: start(client, Approval.run, "more", id="more"),
    "signal": lambda client: client.get_workflow_handle("order").signal("approve"),
    "query": lambda client: client.get_workflow_handle("order").query("is_approved"),
    "cancel": lambda client: client.get_workflow_handle("order").cancel(),
    "terminate": lambda client: client.get_workflow_handle("order").terminate(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("is_here", [False, True])
async def test_what_would_write_or_needs_a_program_is_refused(path: Path, call: str, is_here: bool) -> None:
    async with a_client(path) as client:
        await start(client, "Approval", "order", id="order")
        if not is_here:
            await client.close()
        async with a_client(path, read_only=True) as looking:
            with pytest.raises(RPCError, match="read-only") as refused:
                await CALLS[call](looking)
            assert refused.value.status == RPCStatusCode.FAILED_PRECONDITION
            assert str(path) in str(refused.value)
            about = await looking.get_workflow_handle("order").describe()
            assert (about.status, about.inbox_messages) == (WorkflowExecutionStatus.RUNNING, 1)


async def test_a_worker_on_a_client_that_only_looks_is_refused(path: Path) -> None:
    async with a_client(path):
        pass
    async with a_client(path, read_only=True) as client:
        with pytest.raises(ReadOnlyError, match="without read_only"):
            Worker(client, task_queue="q", workflows=WORKFLOWS)


async def test_what_does_not_exist_is_not_found(path: Path) -> None:
    async with a_client(path):
        pass
    async with a_client(path, read_only=True) as client:
        for call in (client.get_workflow_handle("order").describe, client.get_workflow_handle("order").result):
            with pytest.raises(RPCError) as refused:
                await call()
            assert refused.value.status == RPCStatusCode.NOT_FOUND


async def test_a_missing_file_is_not_created(path: Path) -> None:
    with pytest.raises(MissingFileError):
        await Client.connect(f"sqlite:///{path}", read_only=True)
    assert list(path.parent.iterdir()) == []


async def test_waiting_for_a_damaged_execution_says_so_instead_of_waiting_for_ever(path: Path) -> None:
    killed_after(path, "start order")
    change(path, "UPDATE turn SET events = replace(events, 'Started', 'Stopped')")
    async with a_client(path, read_only=True) as client:
        with pytest.raises(CorruptJournalError):
            await client.get_workflow_handle("order").result()
        assert "checksum" in str((await client.get_workflow_handle("order").describe()).parked)


DAMAGE = {
    "what fails is junk": "UPDATE run SET failing = 'junk', parked = 'because'",
    "closed without an end": "UPDATE run SET status = 'completed', closed_at = started_at",
    "closed without a turn": "UPDATE run SET status = 'completed', closed_at = started_at; DELETE FROM turn",
    "begun beyond the calendar": "UPDATE run SET started_at = 9223372036854775807",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("read_only", [True, False])
async def test_a_result_that_the_rows_do_not_hold_is_refused_as_damage(
    path: Path, damage: str, read_only: bool
) -> None:
    killed_after(path, "start order")
    change(path, *DAMAGE[damage].split("; "))
    async with asyncio.timeout(10), a_client(path, read_only=read_only) as client:
        with pytest.raises(CorruptJournalError):
            await client.get_workflow_handle("order").result()


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_timer_beyond_the_calendar_is_described_as_what_keeps_a_run_from_going_on(
    path: Path, read_only: bool
) -> None:
    await leave_a_timer_of(path, timedelta.max)
    async with a_client(path, read_only=read_only) as client:
        handle = client.get_workflow_handle("order")
        assert "beyond the calendar" in str((await handle.describe()).parked)
        assert (await handle.fetch_history()).events


async def test_a_list_with_a_run_that_began_beyond_the_calendar_is_refused_as_damage(path: Path) -> None:
    killed_after(path, "start order")
    change(path, "UPDATE run SET started_at = 9223372036854775807")
    async with a_client(path, read_only=True) as client:
        with pytest.raises(CorruptJournalError, match="beyond the calendar"):
            await anext(client.list_workflows())


ASKED: dict[str, Callable[[Client], Coroutine[Any, Any, Any]]] = {
    "describe": lambda client: client.get_workflow_handle("order").describe(),
    "history": lambda client: client.get_workflow_handle("order").fetch_history(),
    "result": lambda client: client.get_workflow_handle("order").result(),
    "list": lambda client: anext(client.list_workflows()),
    "count": lambda client: client.count_workflows(),
}


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("is_here", [False, True])
async def test_a_closed_client_that_looked_is_told_to_connect_again(path: Path, question: str, is_here: bool) -> None:
    async with asyncio.timeout(10), a_client(path) as client:
        await start(client, "Approval", "order", id="order")
        if not is_here:
            await client.close()
        async with a_client(path, read_only=True) as looking:
            assert (await looking.count_workflows()).count == 1
        with pytest.raises(EngineStoppedError, match="connect again"):
            await ASKED[question](looking)


async def test_who_waits_for_a_result_from_outside_is_told_when_the_client_closes(path: Path) -> None:
    killed_after(path, "start order")
    async with a_client(path, read_only=True) as looking:
        waiting = asyncio.create_task(looking.get_workflow_handle("order").result())
        assert (await looking.get_workflow_handle("order").describe()).status == WorkflowExecutionStatus.RUNNING
    with pytest.raises(EngineStoppedError, match="connect again"):
        await waiting


async def test_an_engine_of_this_event_loop_is_shared(path: Path) -> None:
    async with a_place(*WORKFLOWS, activities=ACTIVITIES, path=path) as client:
        async with a_client(path, read_only=True) as looking:
            handle = await start(client, Approval.run, "order", id="order")
            waiting = asyncio.create_task(looking.get_workflow_handle("order").result())
            await handle.signal(Approval.approve)
            assert await waiting == "shipped order"
        assert (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED


async def test_an_engine_of_another_event_loop_is_looked_at_from_outside(path: Path) -> None:
    async with a_place(*WORKFLOWS, activities=ACTIVITIES, path=path) as client:
        handle = await start(client, Approval.run, "order", id="order")

        async def look() -> str:
            async with a_client(path, read_only=True) as looking:
                return await looking.get_workflow_handle("order").result()

        waiting = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(look())))
        await handle.signal(Approval.approve)
        assert await waiting == "shipped order"
        assert (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED


async def test_memory_is_looked_at_only_where_it_is() -> None:
    with pytest.raises(ValueError, match="nobody in this process"):
        await Client.connect("memory://shared", read_only=True)
    async with await Client.connect("memory://shared") as client:
        await start(client, "Approval", "order", id="order")
        async with await Client.connect("memory://shared", read_only=True) as looking:
            assert (await looking.get_workflow_handle("order").describe()).inbox_messages == 1


async def test_a_copy_made_beside_the_owner_goes_on_as_a_journal_of_its_own(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with running(*OWNER, path) as owner:
        expect(owner, "ready")
        tell(owner, "start order")
        assert backup(path, copy).verification.is_sound
        tell(owner, "approve order")
        tell(owner, "", answer="")
    async with a_place(*WORKFLOWS, activities=ACTIVITIES, path=copy) as client:
        handle = client.get_workflow_handle_for(Approval.run, "order")
        assert await handle.query(Approval.is_approved) is False
        await handle.signal(Approval.approve)
        assert await handle.result() == "shipped order"
    assert verify(copy).is_sound
