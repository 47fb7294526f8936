"""A client that only looks, and how it names what it finds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from actorflow.cli.jsontext import as_json
from actorflow.cli.settings import Settings
from actorflow.client import Client, WorkflowExecution, WorkflowExecutionStatus
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


def attributes_shown(execution: WorkflowExecution) -> Mapping[str, Any]:
    """Search attributes by name, in the order of their names."""
    return {pair.key.name: pair.value for pair in execution.typed_search_attributes}


def in_one_line(values: Mapping[str, Any]) -> str:
    """Values by name, as a person reads them."""
    return ", ".join(f"{name} = {as_json(value)}" for name, value in values.items())
