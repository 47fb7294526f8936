"""A client that only looks, and how it names what it finds."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from actorflow.cli.settings import Settings
from actorflow.client import Client, WorkflowExecutionStatus
from actorflow.client.address import address_of_file


@asynccontextmanager
async def reading(settings: Settings) -> AsyncGenerator[Client]:
    """A client that can't write; it may read beside the process that owns the journal."""
    async with await Client.connect(
        address_of_file(settings.path), namespace=settings.namespace, read_only=True
    ) as client:
        yield client


def status_name(status: WorkflowExecutionStatus) -> str:
    """A status as filters write it."""
    return "".join(word.capitalize() for word in status.name.split("_"))
