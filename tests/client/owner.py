"""A program that owns a journal: `python -m tests.client.owner DB`, steered through its pipes.

Lines it takes: ``start ID``, ``approve ID``, ``break ID``, ``leave``. It answers each with ``done``.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import timedelta
from pathlib import Path

from actorflow import activity, workflow
from actorflow.client import Client
from actorflow.common import RetryPolicy
from tests.support import a_client, a_worker

LATER = RetryPolicy(initial_interval=timedelta(hours=1))


@activity.defn
async def flaky(order: str) -> str:
    """Fails, and is tried again in an hour."""
    raise RuntimeError(f"no truck for {order}")


@activity.defn
async def slow(order: str) -> str:
    """Takes longer than anybody lives here."""
    await asyncio.Event().wait()
    return order


@activity.defn
async def ship(order: str) -> str:
    """Works."""
    return f"shipped {order}"


@workflow.defn
class Approval:
    """Waits for a word, then ships."""

    def __init__(self) -> None:
        self._is_approved = False

    @workflow.signal
    def approve(self) -> None:
        """The word."""
        self._is_approved = True

    @workflow.query
    def is_approved(self) -> bool:
        """Whether it came."""
        return self._is_approved

    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.wait_condition(lambda: self._is_approved)
        return await workflow.execute_activity(ship, order, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Struggle:
    """Has one activity that fails and one that does not end."""

    @workflow.run
    async def run(self, order: str) -> None:
        await asyncio.gather(
            workflow.execute_activity(flaky, order, start_to_close_timeout=timedelta(hours=1), retry_policy=LATER),
            workflow.execute_activity(slow, order, start_to_close_timeout=timedelta(hours=1)),
        )


@workflow.defn
class Broken:
    """Its code is wrong."""

    @workflow.run
    async def run(self, order: str) -> None:
        raise RuntimeError(f"a bug with {order}")


WORKFLOWS = [Approval, Struggle, Broken]
ACTIVITIES = [flaky, slow, ship]


async def obey(client: Client, order: str, about: str) -> None:
    """Do what a line says."""
    match order:
        case "start":
            await client.start_workflow(Approval.run, about, id=about, task_queue="q")
        case "struggle":
            handle = await client.start_workflow(Struggle.run, about, id=about, task_queue="q")
            while (await handle.describe()).pending_activities[0].attempt < 2:  # noqa: ASYNC110 - as users do
                await asyncio.sleep(0.01)
        case "break":
            handle = await client.start_workflow(Broken.run, about, id=about, task_queue="q")
            while (await handle.describe()).turn_failures < 1:  # noqa: ASYNC110 - as users do
                await asyncio.sleep(0.01)
        case "approve":
            handle = client.get_workflow_handle_for(Approval.run, about)
            await handle.signal(Approval.approve)
            await handle.result()
        case _:
            raise AssertionError(order)


async def main(path: Path) -> None:
    """See the module's head."""
    async with a_client(path) as client, a_worker(client, workflows=WORKFLOWS, activities=ACTIVITIES):
        print("ready", flush=True)
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            await obey(client, line[0], line[1])
            print("done", flush=True)


if __name__ == "__main__":
    logging.disable()
    asyncio.run(main(Path(sys.argv[1])))
