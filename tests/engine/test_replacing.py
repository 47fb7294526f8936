"""TERMINATE_EXISTING ends one run and begins another as one thing, or does nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowParkedError
from actorflow.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.exceptions import TerminatedError
from tests.crashes.gated import a_gated_client
from tests.engine.stores import RememberingStore, a_client_on
from tests.support import a_client, a_worker, failure_of, start


@workflow.defn
class Breaks:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("broken")


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.is_called = False

    @workflow.signal
    def call(self) -> None:
        self.is_called = True

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.is_called)
        return "called"


async def replace(client: Client, **options: Any) -> WorkflowHandle[Any, Any]:
    """Put another run in the place of "w"."""
    return await start(client, Waits.run, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING, **options)


@pytest.mark.usefixtures("parks_at_once")
async def test_a_parked_run_is_replaced_in_one_commit(tmp_path: Path) -> None:
    store = RememberingStore(tmp_path / "j.db")
    async with asyncio.timeout(10), a_client_on(store) as client:
        parked = await start(client, Breaks.run)
        async with a_worker(client, workflows=[Breaks, Waits]):
            with pytest.raises(WorkflowParkedError):
                await parked.result()
            replacement = await replace(client)
            heads = [change.head for change in store.batches[-1]]
            assert [head.status for head in heads if head is not None] == ["terminated", "running"]
            assert isinstance(await failure_of(parked), TerminatedError)
            current = await client.get_workflow_handle("w").describe()
            assert (current.run_id, current.status) == (replacement.result_run_id, WorkflowExecutionStatus.RUNNING)
            await replacement.signal(Waits.call)
            assert await replacement.result() == "called"


@pytest.mark.parametrize("is_running", [True, False])
async def test_to_replace_a_run_and_to_reject_duplicates_is_a_contradiction(is_running: bool) -> None:
    async with asyncio.timeout(10), a_client() as client, a_worker(client, workflows=[Waits]):
        if is_running:
            existing = await start(client, Waits.run)
        with pytest.raises(ValueError, match="TERMINATE_EXISTING and REJECT_DUPLICATE"):
            await replace(client, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
        if is_running:
            await existing.signal(Waits.call)
            assert await existing.result() == "called"


async def test_a_caller_who_gives_up_replacing_leaves_the_run_alive_and_its_signals_delivered(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(10),
        a_gated_client(tmp_path / "j.db") as (client, store),
        a_worker(client, workflows=[Waits], max_cached_workflows=0),
    ):
        existing = await start(client, Waits.run)
        store.after_load.close(for_one=True)
        replacing = asyncio.ensure_future(replace(client))
        await store.after_load.reached.wait()
        await existing.signal(Waits.call)
        replacing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await replacing
        store.after_load.open()
        assert await existing.result() == "called"
