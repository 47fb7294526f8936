"""A connection for lists and counts alone: opened when first needed, one query at a time, each with an end.

A filter may have to look at every run of a large journal. It does so on a thread of its own, so that nothing else waits
for it, and only for so long, because an open read also keeps the write-ahead log from starting over. Waiting for the
queries before it counts: whoever asks is answered in that time.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from actorflow.core import limits
from actorflow.exceptions import ListTimeoutError, StorageError

_REPEAT_SECONDS: Final = 0.05
"""An interrupt that comes before the statement has begun is lost, so it is repeated."""

_Rows = Sequence[tuple[Any, ...]]


class Interruptible(Protocol):
    """A connection on a thread of its own."""

    async def open(self) -> None:
        """Connect; if that fails or is cancelled, nothing stays open."""
        ...

    async def fetch(self, query: str, values: Mapping[str, object]) -> _Rows:
        """All rows of a query."""
        ...

    def interrupt(self) -> None:
        """End the statement under way, if there is one, with SQLITE_INTERRUPT."""
        ...

    async def close(self) -> None:
        """Let go and end the thread."""
        ...


class ListingReader:
    """See the module's head.

    Args:
        path: the file, for messages.
        new_reader: makes the connection.
    """

    def __init__(self, path: Path, new_reader: Callable[[], Interruptible]) -> None:
        self._path = path
        self._new_reader = new_reader
        self._reader: Interruptible | None = None
        self._turn = asyncio.Lock()
        self._running: asyncio.Task[_Rows] | None = None
        self._is_closed = False

    async def fetch(self, query: str, values: Mapping[str, object]) -> _Rows:
        """All rows of a query.

        Raises:
            ListTimeoutError: it took longer than `limits.LIST_TIMEOUT`.
            StorageError: the file was closed, or SQLite refuses the query.
            sqlite3.Error: SQLite could not do it.
        """
        try:
            async with asyncio.timeout(limits.LIST_TIMEOUT.total_seconds()), self._turn:
                return await self._fetched(await self._opened(), query, values)
        except TimeoutError as late:
            raise ListTimeoutError(limits.LIST_TIMEOUT) from late

    async def _fetched(self, reader: Interruptible, query: str, values: Mapping[str, object]) -> _Rows:
        fetching = reader.fetch(query, values)
        self._running = running = asyncio.get_running_loop().create_task(fetching, name="actorflow-list")
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The next one must not be taken for this one: the thread is free before the turn is given on.
            self._interrupt(reader, running)
            await _done(running)
            raise
        except sqlite3.OperationalError as error:
            raise self._translated(error) from error

    def _interrupt(self, reader: Interruptible, running: asyncio.Task[_Rows]) -> None:
        if not running.done():
            reader.interrupt()
            asyncio.get_running_loop().call_later(_REPEAT_SECONDS, self._interrupt, reader, running)

    async def _opened(self) -> Interruptible:
        if self._reader is None and not self._is_closed:
            reader = self._new_reader()
            await reader.open()
            self._reader = reader
        if self._reader is None or self._is_closed:  # perhaps while it was being opened
            raise self._closed()
        return self._reader

    def _translated(self, error: sqlite3.OperationalError) -> Exception:
        """What ails the query rather than the file."""
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return self._closed()  # nothing else interrupts a query that somebody waits for
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


async def _done(running: asyncio.Task[_Rows]) -> None:
    """Wait for the end of a query nobody wants any more, also if the one who waits is cancelled again."""
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([running])
    running.exception()
