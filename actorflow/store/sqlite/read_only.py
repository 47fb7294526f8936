"""The reading half of `Store` on a file somebody else owns, or nobody."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from actorflow.exceptions import StorageError, StorageFailedError
from actorflow.store.sqlite import schema
from actorflow.store.sqlite.ownership import owner_of
from actorflow.store.sqlite.read_only_file import BUSY_TIMEOUT, ReadOnlyFile
from actorflow.store.sqlite.reading import Reading

T = TypeVar("T")


class ReadOnlyStore(Reading):
    """Journals in one file, seen from outside: see `actorflow.store.reading.ReadableStore`.

    It takes no ownership and changes neither the database nor its ``-wal`` nor its lock file; see `read_only_file`.

    Args:
        path: the file; nothing is created if it does not exist.
        busy_timeout: how long a lock of somebody else is waited for.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: timedelta = BUSY_TIMEOUT) -> None:
        super().__init__(self._fetch, self._fetch_listed)
        self._path = Path(os.path.realpath(path))
        self._busy_timeout = busy_timeout
        self._file: ReadOnlyFile | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Connect; needs no owner and disturbs none.

        Raises:
            MissingFileError, NotOurFileError, NewerSchemaError, OlderSchemaError: there is nothing to read here.
            StorageError: anything else that keeps it from being opened.
        """
        if self._thread is not None:
            raise StorageError(f"{self._path} is open already")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="actorflow-looker")
        try:
            await self._call(self._open)
        except BaseException:
            await self.close()
            raise

    def _open(self) -> None:
        self._file = ReadOnlyFile(self._path, busy_timeout=self._busy_timeout)

    async def close(self) -> None:
        """Let go of the file and end the thread; safe to call twice, and after a failed `open`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closed = asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)
            await asyncio.shield(closed)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    async def version(self) -> Hashable:
        """See `ReadableStore.version`."""
        return await self._call(lambda: self._opened.version())

    async def owner(self) -> str | None:
        """Who owns the file right now (see `ownership.owner_of`)."""
        return await self._call(partial(owner_of, self._path))

    def facts(self) -> dict[str, object]:
        """See `Store.facts`."""
        return {"store": "sqlite", "path": str(self._path), "version": sqlite3.sqlite_version, "read_only": True}

    async def _fetch(self, query: str, values: Sequence[object] | Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        return await self._call(lambda: self._opened.fetch(query, values))

    async def _fetch_listed(self, query: str, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        def fetch() -> Sequence[tuple[Any, ...]]:
            self._opened.check_schema(schema.LISTABLE_SINCE)
            return self._opened.fetch(query, values)

        return await self._call(fetch)

    @property
    def _opened(self) -> ReadOnlyFile:
        if self._file is None:
            raise StorageFailedError(f"{self._path} is not open")
        return self._file

    async def _call(self, function: Callable[[], T]) -> T:
        """Run something on the thread of the connection."""
        if self._thread is None:
            raise StorageFailedError(f"{self._path} is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
