"""Workflows of the journals that commands look at."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import actorflow
from actorflow import activity, workflow
from actorflow.client import Client, WorkflowFailureError
from actorflow.common import RetryPolicy
from actorflow.exceptions import ApplicationError

ESCAPES = "\x1b[2J\x1b]0;title\x07 \u202eback to front\u2066"
"""Clears a terminal, names its window, and turns the reading direction."""

LATER = RetryPolicy(initial_interval=timedelta(hours=1))


@activity.defn
async def ship(order: str) -> str:
    """Works."""
    return f"shipped {order}"


@activity.defn
async def flaky(order: str) -> str:
    """Fails, and is tried again in an hour."""
    raise RuntimeError(f"no truck for {order}{ESCAPES}")


@workflow.defn
class Approval:
    """Waits for a word, then ships."""

    def __init__(self) -> None:
        self._is_approved = False

    @workflow.signal
    def approve(self, *_words: object) -> None:
        """The word."""
        self._is_approved = True

    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.wait_condition(lambda: self._is_approved)
        return await workflow.execute_activity(ship, order, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Struggle:
    """Waits for the next attempt of something that failed."""

    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(flaky, order, start_to_close_timeout=timedelta(hours=1), retry_policy=LATER)


@workflow.defn
class Broken:
    """Its code is wrong."""

    @workflow.run
    async def run(self, order: str) -> None:
        raise RuntimeError(f"a bug with {order}{ESCAPES}")


@workflow.defn
class Failing:
    """Fails with everything a message can hold."""

    @workflow.run
    async def run(self, order: str) -> None:
        raise ApplicationError(f"{order} is out of stock{ESCAPES}\nbadly", type="Stock") from ValueError("inner")


@workflow.defn
class Blob:
    """Returns bytes."""

    @workflow.run
    async def run(self, content: bytes) -> bytes:
        return content


WORKFLOWS = [Approval, Struggle, Broken, Failing, Blob]
ACTIVITIES = [ship, flaky]


async def fill(path: Path) -> None:
    """A journal with one execution of each kind, closed in good order."""
    logging.disable()
    try:
        async with actorflow.open(path, workflows=WORKFLOWS, activities=ACTIVITIES) as client:
            await _fill(client)
    finally:
        logging.disable(logging.NOTSET)


async def _fill(client: Client) -> None:
    for order in ("order-1", "order-2", "order-10", "colon:1", "colon:12", "with space", "it's", "back\\slash"):
        await client.start_workflow(Approval.run, order, id=order)
    for order in ("\u202edlo", "日本語", "x" * 900, "-dash"):
        await client.start_workflow(Approval.run, order, id=order)
    await client.execute_workflow(Blob.run, b"\x00\xff", id="blob")
    done = await client.start_workflow(Approval.run, "done", id="done")
    await done.signal(Approval.approve, args=["by hand", {"at": 1}])
    await done.result()
    failing = await client.start_workflow(Failing.run, "lamp", id="failed")
    with suppress(WorkflowFailureError):
        await failing.result()
    stopped = await client.start_workflow(Approval.run, "stopped", id="terminated")
    await stopped.terminate(reason=f"enough{ESCAPES}")
    again = await client.start_workflow(Approval.run, "again", id="terminated")
    await again.terminate(reason="once more")
    broken = await client.start_workflow(Broken.run, "b", id="broken")
    struggle = await client.start_workflow(Struggle.run, "s", id="struggle")
    while not (await broken.describe()).turn_failures:  # noqa: ASYNC110 - as users do
        await asyncio.sleep(0.01)
    while (await struggle.describe()).pending_activities[0].attempt < 2:  # noqa: ASYNC110 - as users do
        await asyncio.sleep(0.01)
