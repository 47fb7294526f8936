"""What many tests need: a worker whose cache the environment may switch off, and a client on a real file or memory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actorflow.client import Client
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
