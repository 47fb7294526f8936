"""A process that gets a message acknowledged in a bad moment: `python -m tests.crashes.accepting DB SITUATION MESSAGE`.

SITUATION is "unhosted" (no worker), "failing" (the code fails when it takes the message) or "parked" (it has failed too
often). MESSAGE is "start", "signal", "cancel", or "nothing": then the process only lives with its broken code.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta
from pathlib import Path

from actorflow import workflow
from actorflow.client import Client, WorkflowParkedError
from actorflow.core import limits
from tests.support import a_client, a_worker


@workflow.defn(name="Takes")
class Takes:
    """What the code should be: notes what reaches it until it is told to finish."""

    @workflow.init
    def __init__(self, first: str) -> None:
        self._received = [first]

    @workflow.signal
    def take(self, text: str) -> None:
        """Note a signal."""
        self._received.append(text)

    @workflow.query
    def received(self) -> list[str]:
        """What it has noted."""
        return self._received

    @workflow.run
    async def run(self, first: str) -> list[str]:
        while "finish" not in self._received:
            try:
                await workflow.wait_condition(lambda: "finish" in self._received)
            except asyncio.CancelledError:
                self._received.append("cancelled")
        return self._received


@workflow.defn(name="Takes")
class BreaksAtOnce:
    """Fails in its first turn."""

    @workflow.run
    async def run(self, first: str) -> list[str]:
        raise RuntimeError("broken at once")


@workflow.defn(name="Takes")
class BreaksLater:
    """Fails when something reaches it."""

    @workflow.signal
    def take(self, text: str) -> None:
        """Fail."""
        raise RuntimeError("broken by a signal")

    @workflow.run
    async def run(self, first: str) -> list[str]:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError as cancelled:
            raise RuntimeError("broken by a cancellation") from cancelled
        return []


async def accept(path: Path, situation: str, message: str) -> None:
    """Get the message acknowledged, say so, and wait for the end."""
    breaks = BreaksLater if situation == "failing" and message != "start" else BreaksAtOnce
    if situation == "parked":
        limits.TURN_RETRY_DELAY_MIN = timedelta(milliseconds=1)
    async with a_client(path) as client, hosting(client, situation, breaks):
        await send(client, situation, message)
        print("acknowledged", flush=True)
        await asyncio.Event().wait()


def hosting(client: Client, situation: str, code: type) -> AbstractAsyncContextManager[object]:
    """A worker with that code, or none."""
    return nullcontext() if situation == "unhosted" else a_worker(client, workflows=[code])


async def send(client: Client, situation: str, message: str) -> None:
    """Start if need be, wait until the situation is there, and send."""
    handle = client.get_workflow_handle("order")
    if message != "nothing":
        await client.start_workflow("Takes", "started", id="order", task_queue="q")
    if situation == "parked":
        try:
            await handle.result()
        except WorkflowParkedError:
            pass
        else:
            raise AssertionError("it did not park")
    if message == "signal":
        await handle.signal("take", "hello")
    if message == "cancel":
        await handle.cancel(reason="enough")


if __name__ == "__main__":
    logging.disable()
    asyncio.run(accept(Path(sys.argv[1]), *sys.argv[2:]))
