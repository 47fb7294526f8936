"""Reading beside the writer of this process: a connection of aiosqlite that can't write.

Each read is one statement, fetched whole: it sees one moment, leaves no snapshot open that would keep the WAL from
being copied, and takes one hop to the reader's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Final, cast

import aiosqlite

from actorflow.exceptions import StorageFailedError
from actorflow.store.sqlite.session import Profile
from actorflow.store.sqlite.settings import apply_settings, connect

_ITER_CHUNK_SIZE: Final = 64  # of cursors that are iterated; ours are fetched whole


class Reader:
    """One connection and its thread."""

    def __init__(self, path: Path, profile: Profile, *, name: str) -> None:
        self._path = path
        self._profile = profile
        self._connection = aiosqlite.Connection(self._connect, _ITER_CHUNK_SIZE)
        self._native: sqlite3.Connection | None = None
        self._is_closed = False
        self.waiting = 0
        thread: Thread = self._connection._thread  # pyright: ignore[reportPrivateUsage]
        # The library's thread would keep a program alive that forgot to close its store.
        thread.daemon = True
        thread.name = name

    async def open(self) -> None:
        """Connect; if that fails or is cancelled, nothing stays open."""
        try:
            await self._connection
        except BaseException:
            self._is_closed = True
            if self._native is not None:
                self._native.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        """Runs on the thread, also when nobody waits for it any more."""
        native = connect(str(self._path), busy_timeout=self._profile.busy_timeout, may_create=False)
        try:
            apply_settings(native, str(self._path), **self._profile._asdict(), read_only=True)
            self._native = native
            if self._is_closed:
                raise StorageFailedError(f"{self._path} was closed while it was being opened")
        except BaseException:
            native.close()
            raise
        return native

    async def fetch(self, query: str, values: Sequence[object] | Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """All rows of a query."""
        self.waiting += 1
        try:
            return cast(Sequence[tuple[Any, ...]], await self._connection.execute_fetchall(query, cast(Any, values)))
        finally:
            self.waiting -= 1

    def interrupt(self) -> None:
        """End the statement under way, if there is one, with SQLITE_INTERRUPT."""
        if self._native is not None and not self._is_closed:
            self._native.interrupt()

    async def close(self) -> None:
        """Wait for reads under way and end the thread; harmless if done before."""
        self._is_closed = True
        await self._connection.close()
