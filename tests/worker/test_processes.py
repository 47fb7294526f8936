"""Activities in processes: what they can do, and what the death of one means to the others."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from multiprocessing.managers import SyncManager
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client
from actorflow.common import RetryPolicy
from actorflow.exceptions import ActivityError, ApplicationError, RegistrationError
from actorflow.worker import SharedStateManager
from tests.support import a_client, a_worker, execute, failure_of, start
from tests.worker import in_processes as code
from tests.worker.in_processes import Fifo

SOON = timedelta(seconds=30)
ONCE = RetryPolicy(maximum_attempts=1)
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1))


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, name: str, args: list[Any], may_retry: bool = False) -> Any:
        return await workflow.execute_activity(
            name, args=args, start_to_close_timeout=SOON, retry_policy=QUICK if may_retry else ONCE
        )


@workflow.defn
class CancelsOnSignal:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.signal
    def cancel(self) -> None:
        self.is_told = True

    @workflow.run
    async def run(self, name: str, args: list[Any]) -> Any:
        handle: workflow.ActivityHandle[Any] = workflow.start_activity(
            name,
            args=args,
            start_to_close_timeout=SOON,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self.is_told)
        handle.cancel()
        return await handle


@pytest.fixture(scope="module")
def manager() -> Iterator[SyncManager]:
    with multiprocessing.get_context("spawn").Manager() as manager:
        yield manager


@asynccontextmanager
async def a_place(manager: SyncManager, *activities: Any, client: Client | None = None) -> AsyncIterator[Client]:
    """A client and a worker with two processes."""
    shared = SharedStateManager.create_from_multiprocessing(manager)
    with ProcessPoolExecutor(2) as pool:
        options: dict[str, Any] = {"activity_executor": pool, "shared_state_manager": shared}
        async with asyncio.timeout(30), a_client() as own:
            used = client or own
            async with a_worker(used, workflows=[Calls, CancelsOnSignal], activities=activities, **options):
                yield used


@pytest.fixture
def fifo(tmp_path: Path) -> Fifo:
    return Fifo(str(tmp_path / "began")).make()


async def test_an_activity_runs_in_another_process_and_knows_itself(manager: SyncManager) -> None:
    async with a_place(manager, code.where, code.decodes) as client:
        pid, *others = await execute(client, Calls.run, "where", [], id="1")
        assert await execute(client, Calls.run, "decodes", [], id="2") == {"a": 1}
    assert pid != os.getpid()
    assert others == ["where", "1", True]


async def test_what_it_raises_arrives_with_its_cause_and_the_place_where_it_was_raised(manager: SyncManager) -> None:
    async with a_place(manager, code.raises, code.raises_what_can_not_be_sent, code.exits) as client:
        cause = (await failure_of(await start(client, Calls.run, "raises", [], id="1"))).__cause__
        assert isinstance(cause, ApplicationError)
        assert (str(cause), cause.type, list(cause.details), cause.non_retryable) == (
            "Odd: outer",
            "Odd",
            [{"n": 1}],
            True,
        )
        assert "in_processes.py" in cause.stack_trace
        assert isinstance(cause.cause, ApplicationError)
        assert cause.cause.type == "KeyError"
        odd = (await failure_of(await start(client, Calls.run, "raises_what_can_not_be_sent", [], id="2"))).__cause__
        assert str(odd) == "Unpicklable: this and that"
        gone = (await failure_of(await start(client, Calls.run, "exits", [], id="3"))).__cause__
        assert "sys.exit(3)" in str(gone)


async def test_a_result_that_can_not_be_sent_fails_the_attempt_and_not_the_process(manager: SyncManager) -> None:
    async with a_place(manager, code.returns_what_can_not_be_sent, code.where) as client:
        failed = await start(client, Calls.run, "returns_what_can_not_be_sent", [], id="1")
        assert "pickle" in str((await failure_of(failed)).__cause__)
        assert await execute(client, Calls.run, "where", [], id="2")


async def test_the_last_of_many_heartbeats_reaches_the_next_attempt(manager: SyncManager) -> None:
    async with a_place(manager, code.beats_and_fails) as client:
        assert await execute(client, Calls.run, "beats_and_fails", [], True) == ["step", 19]


async def test_a_heartbeat_that_can_not_be_encoded_fails_the_attempt(manager: SyncManager) -> None:
    async with a_place(manager, code.beats_badly) as client:
        cause = await failure_of(await start(client, Calls.run, "beats_badly", []))
    assert "PayloadError" in str(cause.__cause__)


async def test_it_is_told_of_a_cancellation_through_the_manager(manager: SyncManager, fifo: Fifo) -> None:
    async with a_place(manager, code.waits_for_cancel) as client:
        handle = await start(client, CancelsOnSignal.run, "waits_for_cancel", [fifo.path])
        await asyncio.to_thread(fifo.wait)
        await handle.signal(CancelsOnSignal.cancel)
        assert await handle.result() == [True, False]


async def test_it_is_told_that_its_worker_leaves_and_may_finish(manager: SyncManager, fifo: Fifo) -> None:
    shared = SharedStateManager.create_from_multiprocessing(manager)
    with ProcessPoolExecutor(1) as pool:
        options: dict[str, Any] = {"activity_executor": pool, "shared_state_manager": shared}
        served: dict[str, Any] = {"workflows": [Calls], "activities": [code.waits_for_shutdown], **options}
        async with asyncio.timeout(30), a_client() as client:
            async with a_worker(client, **served, graceful_shutdown_timeout=SOON):
                handle = await start(client, Calls.run, "waits_for_shutdown", [fifo.path])
                await asyncio.to_thread(fifo.wait)
            async with a_worker(client, **served):
                assert await handle.result() == [False, True]


async def test_a_process_that_dies_fails_its_own_attempt_and_another_takes_its_place(manager: SyncManager) -> None:
    async with a_place(manager, code.dies_once) as client:
        assert await execute(client, Calls.run, "dies_once", [], True) == 2


async def test_activities_beside_a_process_that_dies_do_not_notice(
    manager: SyncManager, fifo: Fifo, tmp_path: Path
) -> None:
    other, go_on = Fifo(str(tmp_path / "other")).make(), Fifo(str(tmp_path / "go on")).make()
    async with a_place(manager, code.passes, code.hangs, code.where) as client:
        innocent = await start(client, Calls.run, "passes", [other.path, go_on.path], id="innocent")
        innocent_pid = int(await asyncio.to_thread(other.wait))
        victim = await start(client, Calls.run, "hangs", [fifo.path], id="victim")
        os.kill(int(await asyncio.to_thread(fifo.wait)), signal.SIGKILL)
        cause = await failure_of(victim)
        assert isinstance(cause, ActivityError)
        assert isinstance(cause.cause, ApplicationError)
        assert cause.cause.type == "ProcessDiedError"
        assert "ended by signal 9" in str(cause.cause)
        assert (await execute(client, Calls.run, "where", [], id="next"))[0] != innocent_pid
        await asyncio.to_thread(go_on.pass_on)
        assert await innocent.result() == 1


async def test_one_that_is_stuck_ends_with_its_worker(manager: SyncManager, fifo: Fifo) -> None:
    async with a_place(manager, code.hangs) as client:
        await start(client, Calls.run, "hangs", [fifo.path])
        pid = int(await asyncio.to_thread(fifo.wait))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_it_may_be_left_open(manager: SyncManager) -> None:
    async with a_place(manager, code.leaves_open, code.where) as client:
        handle = await start(client, Calls.run, "leaves_open", [], id="1")
        outside = client.get_async_activity_handle(workflow_id="1", run_id=None, activity_id="1")
        await outside.complete("from outside")
        assert await handle.result() == "from outside"


async def test_what_can_not_run_in_processes_is_refused_when_the_worker_is_made(manager: SyncManager) -> None:
    @activity.defn
    def local() -> None:
        """Nobody can import this."""

    shared = SharedStateManager.create_from_multiprocessing(manager)
    with ProcessPoolExecutor(1) as pool:
        async with a_client() as client:
            with pytest.raises(RegistrationError, match="local must be picklable"):
                a_worker(client, activities=[local], activity_executor=pool, shared_state_manager=shared)
            with pytest.raises(RegistrationError, match="shared_state_manager must be present"):
                a_worker(client, activities=[code.where], activity_executor=pool)


async def test_a_manager_that_is_gone_fails_attempts_and_nothing_else() -> None:
    manager = multiprocessing.get_context("spawn").Manager()
    async with a_place(manager, code.where) as client:
        manager.shutdown()
        cause = await failure_of(await start(client, Calls.run, "where", []))
    assert isinstance(cause.__cause__, ApplicationError)
