"""What many tests need: a worker whose cache the environment may switch off, and a client on a real file or memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actorflow.client import Client, WorkflowFailureError, WorkflowHandle
from actorflow.worker import Worker

CACHED = os.environ.get("ACTORFLOW_TEST_MAX_CACHED_WORKFLOWS")


def a_worker(client: Client, **options: Any) -> Worker:
    """A worker on task queue "q"; with ACTORFLOW_TEST_MAX_CACHED_WORKFLOWS=0 every turn rebuilds its program."""
    options.setdefault("task_queue", "q")
    if CACHED is not None:
        options.setdefault("max_cached_workflows", int(CACHED))
    return Worker(client, **options)


@asynccontextmanager
async def a_client(path: Path | None = None, **options: Any) -> AsyncIterator[Client]:
    """A client on a file, or on memory."""
    address = "memory://" if path is None else f"sqlite:///{path}"
    async with await Client.connect(address, **options) as client:
        yield client


@asynccontextmanager
async def a_place(
    *workflows: type, activities: Sequence[Any] = (), path: Path | None = None, **options: Any
) -> AsyncIterator[Client]:
    """A client, and a worker that runs these; every wait inside is over after ten seconds."""
    async with (
        asyncio.timeout(10),
        a_client(path) as client,
        a_worker(client, workflows=workflows, activities=activities, **options),
    ):
        yield client


async def start(client: Client, workflow: Any, *args: Any, id: str = "w", **options: Any) -> WorkflowHandle[Any, Any]:
    """Start a workflow on task queue "q"."""
    return await client.start_workflow(workflow, args=args, id=id, task_queue="q", **options)


async def execute(client: Client, workflow: Any, *args: Any, id: str = "w", **options: Any) -> Any:
    """Run a workflow on task queue "q" to its end."""
    return await (await start(client, workflow, *args, id=id, **options)).result()


async def failure_of(handle: WorkflowHandle[Any, Any]) -> BaseException:
    """What an execution failed with."""
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    return failed.value.cause


async def events_of(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The names of the events of its history."""
    return [event.event_type for event in (await handle.fetch_history()).events]
