"""An activity that was left open stays open, whatever happens to the process that ran its code."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import anyio

from actorflow import activity, workflow
from actorflow.client import AsyncActivityCancelledError
from actorflow.core import events as ev
from tests.crashes import invariants
from tests.crashes.processes import HANGS, killed_after
from tests.support import a_client, a_worker

LEAVES = """
import asyncio, os, sys
from actorflow import activity
from actorflow.client import Client
from actorflow.worker import Worker
from tests.crashes.test_left_open import Waits

left = asyncio.Event()

@activity.defn
async def leaves() -> str:
    asyncio.current_task().add_done_callback(lambda _: left.set())
    activity.heartbeat("half done")
    activity.raise_complete_async()

async def main():
    async with await Client.connect(f"sqlite:///{sys.argv[1]}") as client:
        async with Worker(client, task_queue="q", workflows=[Waits], activities=[leaves]):
            handle = await client.start_workflow(Waits.run, id="order", task_queue="q")
            await left.wait()
            if sys.argv[2] == "cancelled":
                await handle.signal("cancel")
            await handle.describe()  # waits until everything decided is durable
            os.write(1, b"left open\\n")
            await asyncio.Event().wait()

asyncio.run(main())
"""


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.signal
    def cancel(self) -> None:
        self.is_told = True

    @workflow.run
    async def run(self) -> str:
        handle: workflow.ActivityHandle[str] = workflow.start_activity(
            "leaves",
            start_to_close_timeout=timedelta(minutes=5),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self.is_told or handle.done())
        if self.is_told:
            handle.cancel()
        return await handle


@activity.defn(name="leaves")
async def must_not_run_again() -> str:
    return "it ran again"


async def test_it_is_completed_after_a_kill_and_its_code_does_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    killed_after("left open", "-c", LEAVES, path, "left")
    invariants.check(path)
    with anyio.fail_after(HANGS):
        async with a_client(path) as client, a_worker(client, workflows=[Waits], activities=[must_not_run_again]):
            outside = client.get_async_activity_handle(workflow_id="order", run_id=None, activity_id="1")
            await outside.heartbeat("nearly done")
            await outside.complete("from outside")
            assert await client.get_workflow_handle("order").result() == "from outside"
    (run,) = invariants.check(path)
    assert [event.attempt for event in run.all_of(ev.ActivityCompleted)] == [1]


async def test_a_cancellation_asked_for_before_the_kill_reaches_whoever_works_on_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    killed_after("left open", "-c", LEAVES, path, "cancelled")
    with anyio.fail_after(HANGS):
        async with a_client(path) as client:
            outside = client.get_async_activity_handle(workflow_id="order", run_id=None, activity_id="1")
            try:
                await outside.heartbeat()
            except AsyncActivityCancelledError:
                await outside.complete("finished all the same")
        async with a_client(path) as client, a_worker(client, workflows=[Waits], activities=[must_not_run_again]):
            assert await client.get_workflow_handle("order").result() == "finished all the same"
    invariants.check(path)
