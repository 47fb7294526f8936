"""A store on a file that can be held up, so that a test can do something at the very moment it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from actorflow.client import Client
from actorflow.clock import SystemClock
from actorflow.engine.engine import Engine
from actorflow.store.protocol import Change, LoadedRun, Outcome
from actorflow.store.sqlite import SqliteStore


class Gate:
    """Open, or closed: then whoever comes is held up until it is opened."""

    def __init__(self) -> None:
        self.open_again = asyncio.Event()
        self.open_again.set()
        self.reached = asyncio.Event()
        self._is_for_one = False

    def close(self, *, for_one: bool = False) -> None:
        """Hold up whoever comes from now on, or only the next one."""
        self._is_for_one = for_one
        self.reached.clear()
        self.open_again.clear()

    def open(self) -> None:
        """Let all go on."""
        self.open_again.set()

    async def pass_(self) -> None:
        """Go through."""
        if self._is_for_one and self.reached.is_set():
            return
        self.reached.set()
        await self.open_again.wait()


class GatedStore(SqliteStore):
    """`before_commit` holds a batch up before it is written, `after_commit` its answer, `after_load` what was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, busy_timeout=timedelta(milliseconds=50))
        self.before_commit = Gate()
        self.after_commit = Gate()
        self.after_load = Gate()
        self._tasks: set[asyncio.Task[Any]] = set()

    def commit(self, batch: Sequence[Change]) -> asyncio.Future[Sequence[Outcome]]:
        """See `Store.commit`."""
        task = asyncio.get_running_loop().create_task(self._commit(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _commit(self, batch: Sequence[Change]) -> Sequence[Outcome]:
        await self.before_commit.pass_()
        outcomes = await super().commit(batch)
        await self.after_commit.pass_()
        return outcomes

    async def load(self, keys: Sequence[int]) -> Sequence[LoadedRun]:
        """See `Store.load`."""
        runs = await super().load(keys)
        if runs:
            await self.after_load.pass_()
        return runs


@asynccontextmanager
async def a_gated_client(path: Path) -> AsyncIterator[tuple[Client, GatedStore]]:
    """A client on a gated store of its own."""
    store = GatedStore(path)
    engine = Engine(store, SystemClock(), str(path))
    await engine.opened()
    async with Client(engine) as client:
        yield client, store
