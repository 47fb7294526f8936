"""A connection for lists and counts alone: opened when first needed, one query at a time, each with an end.

A filter may have to look at every run of a large journal. It does so on a thread of its own, so that nothing else waits
for it, and only for so long, because an open read also keeps the write-ahead log from starting over.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from actorflow.clock import Clock
from actorflow.core import limits
from actorflow.exceptions import ListTimeoutError, StorageError
from actorflow.store.sqlite.reader import Reader
from actorflow.store.sqlite.session import Profile

_REPEAT_SECONDS: Final = 0.05
"""An interrupt that comes before the statement has begun is lost, so it is repeated."""

_Rows = Sequence[tuple[Any, ...]]


class ListingReader:
    """See the module's head.

    Args:
        path: the file.
        profile: how connections are set up.
        clock: for the end of a query.
    """

    def __init__(self, path: Path, profile: Profile, clock: Clock) -> None:
        self._path = path
        self._profile = profile
        self._clock = clock
        self._reader: Reader | None = None
        self._turn = asyncio.Lock()
        self._running: asyncio.Task[_Rows] | None = None
        self._is_closed = False

    async def fetch(self, query: str, values: Mapping[str, object]) -> _Rows:
        """All rows of a query.

        Raises:
            ListTimeoutError: it took longer than `limits.LIST_TIMEOUT`.
            sqlite3.Error: SQLite could not do it.
        """
        async with self._turn:
            reader = await self._opened()
            self._running = asyncio.get_running_loop().create_task(reader.fetch(query, values), name="actorflow-list")
            try:
                return await self._ended(reader, self._running)
            except sqlite3.OperationalError as error:
                raise self._translated(error) from error

    async def _ended(self, reader: Reader, running: asyncio.Task[_Rows]) -> _Rows:
        interrupt = partial(self._interrupt, reader, running)
        timer = self._clock.call_later(limits.LIST_TIMEOUT.total_seconds(), interrupt)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The next one must not be taken for this one: the thread is free before the turn is given on.
            interrupt()
            await asyncio.wait([running])
            running.exception()
            raise
        finally:
            timer.cancel()

    def _interrupt(self, reader: Reader, running: asyncio.Task[_Rows]) -> None:
        if not running.done():
            reader.interrupt()
            self._clock.call_later(_REPEAT_SECONDS, partial(self._interrupt, reader, running))

    async def _opened(self) -> Reader:
        if self._is_closed:
            raise self._closed()
        if self._reader is None:
            reader = Reader(self._path, self._profile, name="actorflow-list-reader")
            await reader.open()
            self._reader = reader
        return self._reader

    def _translated(self, error: sqlite3.OperationalError) -> Exception:
        """What ails the query rather than the file."""
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return self._closed() if self._is_closed else ListTimeoutError(limits.LIST_TIMEOUT)
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            return StorageError(f"{self._path}: SQLite refuses this filter ({error}); make it simpler")
        return error

    def _closed(self) -> StorageError:
        return StorageError(f"{self._path} was closed while executions were being listed; connect again")

    async def close(self) -> None:
        """End what is under way and the thread; harmless if done before."""
        self._is_closed = True
        if self._reader is not None and self._running is not None:
            self._interrupt(self._reader, self._running)
        async with self._turn:
            reader, self._reader = self._reader, None
            if reader is not None:
                await reader.close()
