"""The `Store` on one SQLite file: one writer, two readers, and one more for lists."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from actorflow.clock import Clock, SystemClock
from actorflow.core import limits
from actorflow.exceptions import StorageError, StorageFailedError
from actorflow.store.preconditions import check_shape
from actorflow.store.protocol import Change, Outcome
from actorflow.store.sqlite.errors import translate
from actorflow.store.sqlite.listing_reader import ListingReader
from actorflow.store.sqlite.reader import Reader
from actorflow.store.sqlite.reading import Reading
from actorflow.store.sqlite.session import Profile, Session
from actorflow.store.sqlite.settings import Synchronous
from actorflow.store.sqlite.writer import Writer

_READERS: Final = 2
_BUSY_TIMEOUT: Final = timedelta(seconds=5)


class SqliteStore(Reading):
    """Journals in one file. See `actorflow.store.protocol.Store` for what each method promises.

    Args:
        path: the file; it is created if it does not exist. SQLite keeps ``-wal`` and ``-shm`` beside it, we ``.lock``.
        clock: for the note that says who owns the file.
        synchronous: 'full' survives a power cut; 'normal' only the death of the process.
        busy_timeout: how long a lock of somebody else is waited for.
        large_payload_bytes: payloads of more bytes than this are stored beside the rows that use them, once each.
        on_fatal: told once, on the event loop, when the store has failed for good.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        synchronous: Synchronous = "full",
        busy_timeout: timedelta = _BUSY_TIMEOUT,
        large_payload_bytes: int = limits.LARGE_PAYLOAD_BYTES,
        on_fatal: Callable[[StorageError], None] | None = None,
    ) -> None:
        super().__init__(self._fetch, self._fetch_listed)
        self._path = Path(os.path.realpath(path))
        self._clock = clock or SystemClock()
        self._profile = Profile(synchronous, busy_timeout)
        self._large_payload_bytes = large_payload_bytes
        self._on_fatal = on_fatal
        self._writer: Writer | None = None
        self._session: Session | None = None
        self._readers: list[Reader] = []
        self._listing = self._new_listing()
        self._failure: StorageError | None = None
        self._pid = os.getpid()
        self._run_key = 0
        self._inbox_seq = 0
        self._commits = 0
        self._changes = 0

    def _new_listing(self) -> ListingReader:
        return ListingReader(self._path, partial(Reader, self._path, self._profile, name="actorflow-list-reader"))

    async def open(self) -> None:
        """See `Store.open`. A store can be opened again after it was closed."""
        if self._writer is not None:
            raise StorageError(f"{self._path} is open already")
        self._pid = os.getpid()
        self._failure = None
        open_session = partial(
            Session,
            self._path,
            self._profile,
            now=self._clock.now(),
            large_payload_bytes=self._large_payload_bytes,
        )
        self._writer = Writer(open_session, on_failure=self._fail)
        try:
            session = await self._writer.start()
            await self._open_readers()
        except BaseException as error:
            self._writer.abandon()
            self._writer = None
            await self._close_readers()
            if isinstance(error, Exception):
                raise translate(error, path=str(self._path), doing="opening the database") from error
            raise
        self._session = session
        self._listing = self._new_listing()
        self._run_key, self._inbox_seq = session.run_key, session.inbox_seq

    async def _open_readers(self) -> None:
        for number in range(1, _READERS + 1):
            reader = Reader(self._path, self._profile, name=f"actorflow-reader-{number}")
            await reader.open()
            self._readers.append(reader)

    async def close(self) -> None:
        """See `Store.close`."""
        writer, self._writer = self._writer, None
        self._session = None
        # In a forked child neither threads nor locks are ours.
        if writer is None or os.getpid() != self._pid:
            return
        try:
            await self._listing.close()
            await self._close_readers()
        finally:
            await writer.stop()

    async def _close_readers(self) -> None:
        while self._readers:
            await self._readers.pop().close()

    def new_run_key(self) -> int:
        """See `Store.new_run_key`."""
        self._run_key += 1
        return self._run_key

    def new_inbox_seq(self) -> int:
        """See `Store.new_inbox_seq`."""
        self._inbox_seq += 1
        return self._inbox_seq

    def commit(self, batch: Sequence[Change]) -> asyncio.Future[Sequence[Outcome]]:
        """See `Store.commit`."""
        check_shape(batch)
        self._check_alive()
        if self._writer is None:
            raise StorageError(f"{self._path} is not open")
        committed = self._writer.commit(batch, self._run_key, self._inbox_seq)
        committed.add_done_callback(partial(self._on_committed, len(batch)))
        return committed

    def _on_committed(self, changes: int, committed: asyncio.Future[Sequence[Outcome]]) -> None:
        if committed.cancelled():
            return
        problem = committed.exception()
        if problem is None:
            self._commits += 1
            self._changes += changes
        elif isinstance(problem, StorageFailedError):
            self._fail(problem)

    def facts(self) -> dict[str, object]:
        """See `Store.facts`; also the epoch, how many changes the commits held, the length of the WAL in pages, and
        ``large_payload_bytes``."""
        session = self._session
        return {
            "store": "sqlite",
            "path": str(self._path),
            "version": sqlite3.sqlite_version,
            "synchronous": session and session.synchronous,
            "journal_mode": session and session.journal_mode,
            "epoch": session and session.epoch,
            "wal_pages": session and session.wal.pages,
            "commits": self._commits,
            "changes": self._changes,
            "large_payload_bytes": self._large_payload_bytes,
        }

    async def _fetch(self, query: str, values: Sequence[object] | Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        self._check_alive()
        with self._reading():
            return await min(self._readers, key=_waiting).fetch(query, values)

    async def _fetch_listed(self, query: str, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        self._check_alive()
        with self._reading():
            return await self._listing.fetch(query, values)

    @contextmanager
    def _reading(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            failure = translate(error, path=str(self._path), doing="reading")
            if isinstance(failure, StorageFailedError):
                self._fail(failure)
            raise failure from error

    def _check_alive(self) -> None:
        if os.getpid() != self._pid:
            raise StorageFailedError(
                f"{self._path} was opened by process {self._pid}, of which this one is a fork; "
                "use the 'spawn' or 'forkserver' start method for processes"
            )
        if self._failure is not None:
            raise StorageFailedError(str(self._failure))
        if self._session is None:
            raise StorageFailedError(f"{self._path} is not open")

    def _fail(self, error: StorageError) -> None:
        """The store is of no use from now on; says so once."""
        if self._failure is None:
            self._failure = error
            if self._on_fatal is not None:
                self._on_fatal(error)


def _waiting(reader: Reader) -> int:
    return reader.waiting
