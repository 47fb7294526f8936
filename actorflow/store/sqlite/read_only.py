"""`ReadableStore` on a file somebody else owns, or nobody: the queries of `reading`, asked of two `looker`s."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Hashable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from actorflow.exceptions import StorageError, StorageFailedError
from actorflow.store.sqlite.listing_reader import ListingReader
from actorflow.store.sqlite.looker import Looker
from actorflow.store.sqlite.ownership import owner_of
from actorflow.store.sqlite.read_only_file import BUSY_TIMEOUT
from actorflow.store.sqlite.reading import Reading


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
        self._new_looker = partial(Looker, self._path, busy_timeout)
        self._looker: Looker | None = None
        self._listing = self._new_listing()

    def _new_listing(self) -> ListingReader:
        return ListingReader(self._path, partial(self._new_looker, name="actorflow-list-looker"))

    async def open(self) -> None:
        """Connect; needs no owner and disturbs none.

        Raises:
            MissingFileError, NotOurFileError, NewerSchemaError, OlderSchemaError: there is nothing to read here.
            StorageError: anything else that keeps it from being opened.
        """
        if self._looker is not None:
            raise StorageError(f"{self._path} is open already")
        self._looker = self._new_looker(name="actorflow-looker")
        try:
            await self._looker.open()
        except BaseException:
            self._looker = None
            raise
        self._listing = self._new_listing()

    async def close(self) -> None:
        """Let go of the file and end the threads; safe to call twice, and after a failed `open`."""
        looker, self._looker = self._looker, None
        if looker is not None:
            try:
                await self._listing.close()
            finally:
                await looker.close()

    async def version(self) -> Hashable:
        """See `ReadableStore.version`."""
        return await self._opened.ask(lambda file: file.version())

    async def owner(self) -> str | None:
        """Who owns the file right now (see `ownership.owner_of`)."""
        return await self._opened.ask(lambda file: owner_of(file.path))

    def facts(self) -> dict[str, object]:
        """See `Store.facts`."""
        return {"store": "sqlite", "path": str(self._path), "version": sqlite3.sqlite_version, "read_only": True}

    async def _fetch(self, query: str, values: Sequence[object] | Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        return await self._opened.fetch(query, values)

    async def _fetch_listed(self, query: str, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        return await self._listing.fetch(query, values)

    @property
    def _opened(self) -> Looker:
        if self._looker is None:
            raise StorageFailedError(f"{self._path} is not open")
        return self._looker
