"""An open database: claimed, checked, current, and written by one thread. Everything here blocks."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from actorflow.exceptions import (
    CorruptJournalError,
    NotOurFileError,
    StorageBusyError,
    StorageError,
    StorageFailedError,
    StorageFullError,
)
from actorflow.store.protocol import Change, Outcome
from actorflow.store.sqlite import queries, schema
from actorflow.store.sqlite.errors import translate
from actorflow.store.sqlite.file import FileGuard, check_header, check_place, sync_folder
from actorflow.store.sqlite.ownership import Ownership
from actorflow.store.sqlite.settings import (
    Synchronous,
    apply_settings,
    check_version,
    connect,
    keep_wal_on_close,
    read_back,
)
from actorflow.store.sqlite.transaction import Counters, Transaction
from actorflow.store.sqlite.wal import WriteAheadLog

_log = logging.getLogger("actorflow.store")

_LEVELS: Final = ("off", "normal", "full", "extra")
_QUICK_CHECK_BYTES_MAX: Final = 2 * 1024**3
_UNUSABLE: Final = frozenset((sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN))


class Profile(NamedTuple):
    """How durable a commit is, and how long a lock of somebody else is waited for."""

    synchronous: Synchronous
    busy_timeout: timedelta


class Session:
    """The time between opening a database and closing it."""

    def __init__(self, path: Path, profile: Profile, *, now: datetime, large_payload_bytes: int) -> None:
        """Take the file over and make it current; whatever fails, nothing stays open.

        Args:
            path: of the database.
            profile: of every connection.
            now: for the note that says who owns the file.
            large_payload_bytes: see `Transaction`.

        Raises:
            StorageError: see `Store.open`.
        """
        self._path = path
        self._large_payload_bytes = large_payload_bytes
        self._failure: StorageError | None = None
        with ExitStack() as undo:
            try:
                self._open(profile, now, undo)
            except sqlite3.Error as error:
                raise _opening_error(error, path) from error
            self._undo = undo.pop_all()

    def _open(self, profile: Profile, now: datetime, undo: ExitStack) -> None:
        check_version()
        check_place(self._path)
        self._ownership = self._claim(undo)
        is_new = not self._path.exists()
        was_killed = Path(f"{self._path}-wal").exists()
        self._connection = connection = self._connect(profile, undo)
        if was_killed:
            self._quick_check()
        schema.migrate(connection, self._path)
        _, self._batch, self.run_key, self.inbox_seq = connection.execute(queries.READ_META).fetchone()
        self._ownership.check_acknowledged(self._batch)
        (self.epoch,) = connection.execute(queries.RAISE_EPOCH).fetchone()
        self._ownership.sign(epoch=self.epoch, since=now)
        if is_new:
            sync_folder(self._path)
        self._guard = FileGuard(self._path)
        self._transaction = Transaction(
            connection,
            epoch=self.epoch,
            path=str(self._path),
            large_payload_bytes=self._large_payload_bytes,
        )
        self._wal = WriteAheadLog(connection, self._path)
        self.journal_mode = read_back(connection, "journal_mode")
        self.synchronous = _LEVELS[int(str(read_back(connection, "synchronous")))]

    def _claim(self, undo: ExitStack) -> Ownership:
        ownership = Ownership(self._path)
        undo.callback(ownership.release)
        try:
            if not self._path.exists():
                self._check_missing(ownership)
            check_header(self._path, version=schema.VERSION)
        except BaseException:
            ownership.forget()
            raise
        return ownership

    def _check_missing(self, ownership: Ownership) -> None:
        """A database that is gone while its lock file remembers commits was lost, not never there."""
        ownership.check_acknowledged(0)

    def _connect(self, profile: Profile, undo: ExitStack) -> sqlite3.Connection:
        connection = connect(str(self._path), busy_timeout=profile.busy_timeout, may_create=True)
        undo.callback(connection.close)
        schema.stamp(connection)
        apply_settings(connection, str(self._path), **profile._asdict(), read_only=False)
        return connection

    def _quick_check(self) -> None:
        """Look for structural damage after a crash; above some size that would take longer than it is worth."""
        if self._path.stat().st_size > _QUICK_CHECK_BYTES_MAX:
            return
        (found,) = self._connection.execute(queries.QUICK_CHECK).fetchone()
        if found != "ok":
            raise CorruptJournalError(f"{self._path} is damaged ({found}); restore it from a backup")

    def commit(self, batch: Sequence[Change], *, run_key: int, inbox_seq: int) -> Sequence[Outcome]:
        """See `Store.commit`; returns only what may be acknowledged."""
        self._check_alive()
        try:
            outcomes = self._transaction.commit(batch, Counters(self._batch + 1, run_key, inbox_seq))
            self._batch += 1
            self._guard.check()
        except Exception as error:
            raise self._failed(error, "committing") from error
        self._ownership.acknowledge(self._batch)
        self._wal.wrote(len(batch))
        return outcomes

    @property
    def wal(self) -> WriteAheadLog:
        """How long the log is."""
        return self._wal

    def checkpoint(self) -> None:
        """Copy the log into the database; a full disk or a lock only postpones it.

        Raises:
            StorageFailedError: the disk failed.
        """
        self._check_alive()
        try:
            self._guard.check()
            self._wal.checkpoint()
        except Exception as error:
            failure = self._failed(error, "copying the -wal file into the database")
            if not isinstance(failure, StorageFullError | StorageBusyError):
                raise failure from error
            _log.info("%s", failure)

    def close(self) -> None:
        """Copy the log into the database, close it and give the lock back; harmless if done before."""
        try:
            if self._failure is not None:
                keep_wal_on_close(self._connection)
        finally:
            self._undo.close()

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise StorageFailedError(str(self._failure))

    def _failed(self, error: Exception, doing: str) -> StorageError:
        """The error to raise; one that can't be repeated is the end of the session."""
        failure = translate(error, path=str(self._path), doing=doing)
        if not isinstance(failure, StorageFullError | StorageBusyError):
            self._failure = failure
        return failure


def _opening_error(error: sqlite3.Error, path: Path) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _UNUSABLE:
        return NotOurFileError(f"{path} can't be used as a database ({error}); check its permissions and its folder's")
    return translate(error, path=str(path), doing="opening the database")
