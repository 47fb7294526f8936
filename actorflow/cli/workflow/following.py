"""A history that is told while it grows, seen from outside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

import anyio

from actorflow.cli.exits import CommandError, Exit, say
from actorflow.cli.settings import Settings
from actorflow.cli.workflow.events import Tell
from actorflow.client.history import history_of
from actorflow.core import limits
from actorflow.engine.execution import turns_of
from actorflow.store.protocol import RunRecord
from actorflow.store.sqlite import ReadOnlyStore


async def follow(settings: Settings, workflow_id: str, run_id: str | None, tell: Tell) -> None:
    """Tell each event of a run as it is committed, from the first on, until the run closes.

    Raises:
        CommandError: the run does not exist (any more).
        StorageError: the journal can't be read.
    """
    async with _opened(settings) as store:
        told, version = 0, await store.version()
        record = await _found(store, settings.namespace, workflow_id, run_id)
        if record.head.status == "running" and await store.owner() is None:
            say(f"No process has {settings.path} open; waiting for one, Ctrl-C ends it.")
        while True:
            if record.head.last_event > told:
                told = await _tell_from(store, record, told, tell)
            if record.head.status != "running":
                return
            version = await _version_after(store, version)
            record = await _found(store, settings.namespace, workflow_id, record.identity.run_id)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[ReadOnlyStore]:
    store = ReadOnlyStore(settings.path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _found(store: ReadOnlyStore, namespace: str, workflow_id: str, run_id: str | None) -> RunRecord:
    record = await store.find(namespace, workflow_id, run_id)
    if record is None:
        raise CommandError(f"workflow {workflow_id!r} is not in the journal any more", Exit.NOT_FOUND)
    return record


async def _tell_from(store: ReadOnlyStore, record: RunRecord, told: int, tell: Tell) -> int:
    """Tell what comes after an event; returns the number of the last one."""
    identity = record.identity
    turns = turns_of(identity, await store.journal(identity.key))
    events = history_of(identity.workflow_id, identity.run_id, turns).events
    for event in events:
        if event.event_id > told:
            tell(event)
    return max(told, events[-1].event_id if events else 0, record.head.last_event)


async def _version_after(store: ReadOnlyStore, version: Hashable) -> Hashable:
    # Another process commits, so there is nobody to wake us.
    while (found := await store.version()) == version:  # noqa: ASYNC110 - see above
        await anyio.sleep(limits.LOOK_INTERVAL.total_seconds())
    return found
