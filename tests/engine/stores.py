"""Stores that count, wait or refuse, and a clock that is ahead: what these stories need to choose their moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from actorflow.client import Client
from actorflow.clock import SystemClock
from actorflow.engine.engine import Engine
from actorflow.exceptions import StorageFullError
from actorflow.store.memory import MemoryStore
from actorflow.store.protocol import Change, LoadedRun, Outcome, RunRecord, Store
from actorflow.store.sqlite import SqliteStore
from tests.crashes.gated import Gate, GatedStore


class CountingStore(MemoryStore):
    """Knows how often runs were loaded from it."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0

    async def load(self, keys: Sequence[int]) -> Sequence[LoadedRun]:
        """See `Store.load`."""
        self.loads += 1
        return await super().load(keys)


class RememberingStore(SqliteStore):
    """Knows what it was asked to write, batch by batch."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.batches: list[Sequence[Change]] = []

    def commit(self, batch: Sequence[Change]) -> asyncio.Future[Sequence[Outcome]]:
        """See `Store.commit`."""
        self.batches.append(tuple(batch))
        return super().commit(batch)


class SlowlyFindingStore(GatedStore):
    """`after_find` holds up what was found."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.after_find = Gate()

    async def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """See `Store.find`."""
        record = await super().find(namespace, workflow_id, run_id)
        await self.after_find.pass_()
        return record


class FullStore(SqliteStore):
    """A file on a disk that may be full."""

    is_full = False

    def commit(self, batch: Sequence[Change]) -> asyncio.Future[Sequence[Outcome]]:
        """See `Store.commit`."""
        if not self.is_full:
            return super().commit(batch)
        refused: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()
        refused.set_exception(StorageFullError("the disk is full; nothing was written"))
        return refused


class LaterClock(SystemClock):
    """Two hours ahead: what was to happen in an hour is overdue."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return super().now() + timedelta(hours=2)


@asynccontextmanager
async def a_client_on(store: Store) -> AsyncIterator[Client]:
    """A client on this store alone."""
    engine = Engine(store, SystemClock(), "journal")
    await engine.opened()
    async with Client(engine) as client:
        yield client
