"""A database seen from outside: read beside its owner, after a crash, or where nothing may be written. It blocks.

Neither the database nor its ``-wal`` nor its lock file changes. A file with a ``-wal`` is read the ordinary way, with
locks that keep the owner from removing what is being read; only a ``-shm`` may appear. A file without one was closed in
good order: the ordinary way would leave an empty ``-wal`` behind and fail in a folder that can't be written, so it is
read as it stands, without locks. Whether it still stands so is checked around each read; once an owner has come, rows
and errors alike may come of pages of two moments: neither is believed, and reading starts over the ordinary way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from actorflow.exceptions import (
    CorruptJournalError,
    NotOurFileError,
    OlderSchemaError,
    StorageBusyError,
    StorageError,
)
from actorflow.store.sqlite import queries, schema
from actorflow.store.sqlite.errors import translate
from actorflow.store.sqlite.file import check_header, check_readable, check_schema_version
from actorflow.store.sqlite.ownership import lock_note
from actorflow.store.sqlite.settings import apply_read_only_settings, connect_read_only, read_back

BUSY_TIMEOUT: Final = timedelta(seconds=5)
_TRIES_MAX: Final = 5
_UNREACHABLE: Final = frozenset((sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM))
_DAMAGED: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))


class _Sight(NamedTuple):
    """What tells whether a file is the one, and in the state, that was opened."""

    device: int
    inode: int
    log_length: int | None = None
    state: object = None


class ReadOnlyFile:
    """One connection that can't write.

    Args:
        path: of the database.
        busy_timeout: how long to wait while the owner or another looker sets the shared memory up.

    Raises:
        MissingFileError, NotOurFileError, NewerSchemaError, OlderSchemaError: there is nothing to read here.
        StorageError: anything else that keeps it from being opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: timedelta = BUSY_TIMEOUT) -> None:
        self.path = Path(os.path.realpath(path))
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._is_immutable = False
        self._seen: _Sight | None = None
        self._name = str(self.path)
        self._wal_name = f"{self.path}-wal"
        self._lock_name = f"{self.path}.lock"
        self._times_opened = 0
        self.setting("user_version")  # opens it, or says why it can't be

    def fetch(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> Sequence[tuple[Any, ...]]:
        """All rows of a query, as they are at one moment.

        Raises:
            StorageError: they can't be read.
            sqlite3.OperationalError: it was interrupted.
        """
        with self._in_our_words():
            for _ in range(_TRIES_MAX):
                try:
                    found = self._current().execute(query, values).fetchall()
                except sqlite3.DatabaseError as error:
                    if _is_interrupt(error) or self._is_as_seen():
                        raise
                else:
                    if self._is_as_seen():
                        return found
                self.close()
        raise StorageBusyError(f"{self.path} is opened and closed by others all the time; try again")

    def version(self) -> tuple[int, object]:
        """A value that is another one once anything was committed. Costs no look at the tables."""
        found = self.setting("data_version")
        return (self._times_opened, found)

    @contextmanager
    def snapshot(self) -> Generator[sqlite3.Connection]:
        """The connection, seeing one moment for as long as the block lasts; its owner's ``-wal`` grows meanwhile.

        Raises:
            StorageBusyError: the file was replaced, or it had no owner and one came: what was read is of no use.
        """
        with self._in_our_words():
            connection = self._current()
            connection.execute(queries.SNAPSHOT)
        try:
            with self._in_our_words():
                connection.execute(queries.READ_META).fetchone()  # the moment is that of the first read
            yield connection
        except (sqlite3.Error, StorageError) as error:
            self._check_as_seen(error)
            raise
        finally:
            connection.execute(queries.ROLLBACK)
        self._check_as_seen()

    def setting(self, name: str) -> object:
        """The value of a setting as SQLite reports it."""
        ((found,),) = self.fetch(f"PRAGMA {name}")
        return found

    def interrupt(self) -> None:
        """End the query under way, if there is one; may be called on any thread."""
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it was closed in this very instant
                connection.interrupt()

    def close(self) -> None:
        """Let go of the file; harmless if done before."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _current(self) -> sqlite3.Connection:
        """The connection, renewed if the file was replaced, or is no longer as it stood."""
        if not self._is_as_seen():
            self.close()
        if self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        check_readable(self.path)
        check_header(self.path, version=schema.VERSION)
        self._times_opened += 1
        # How it is read and what it must stay like come of one look: between two, an owner could come.
        self._seen = at_rest = self._look(is_immutable=True)
        self._is_immutable = at_rest is not None and at_rest.log_length is None
        if not self._is_immutable:
            self._seen = self._look(is_immutable=False)
        try:
            self._connection = self._connect()
        except sqlite3.OperationalError as error:
            # The shared memory can't be set up. An empty log holds nothing that would need it.
            if _primary_code(error) not in _UNREACHABLE or at_rest is None or at_rest.log_length != 0:
                raise
            self._seen, self._is_immutable = at_rest, True
            self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        path = str(self.path)
        connection = connect_read_only(path, busy_timeout=self._busy_timeout, is_immutable=self._is_immutable)
        try:
            apply_read_only_settings(connection, path, busy_timeout=self._busy_timeout)
            # The header is as old as the last checkpoint; this is as new as the log.
            self._check_version(int(str(read_back(connection, "user_version"))))
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_version(self, found: int) -> None:
        check_schema_version(self.path, found, known=schema.VERSION)
        if found < schema.READABLE_SINCE:
            raise OlderSchemaError(
                f"{self.path} has schema {found}, in which this version can't look for that before it has made it "
                "current; open it once for writing, as a program that runs workflows does"
            )

    def _is_as_seen(self) -> bool:
        """True if what was read until now is of the file that has the name, and of one moment."""
        return self._look(is_immutable=self._is_immutable) == self._seen

    def _check_as_seen(self, error: Exception | None = None) -> None:
        if not self._is_as_seen():
            raise StorageBusyError(
                f"{self.path} was opened by an owner, or replaced, while it was read; try again"
            ) from error

    def _look(self, *, is_immutable: bool) -> _Sight | None:
        # Each read pays for it, so it is plain system calls.
        try:
            found = os.stat(self._name)
            if not is_immutable:
                return _Sight(found.st_dev, found.st_ino)
            state = (found.st_mtime_ns, found.st_size, lock_note(self._lock_name))
            return _Sight(found.st_dev, found.st_ino, _length(self._wal_name), state)
        except OSError:
            return None  # opening it again says what is wrong

    @contextmanager
    def _in_our_words(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _is_interrupt(error):
                raise  # whoever did it knows why
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> StorageError:
        code = _primary_code(error)
        if code in _DAMAGED:
            return CorruptJournalError(f"{self.path} is damaged ({error}); restore it from a backup")
        if code in _UNREACHABLE and not os.access(self.path.parent, os.W_OK):
            return NotOurFileError(
                f"{self.path} was not closed in good order, and reading its -wal file needs a -shm file beside it, "
                f"which this user may not write in {self.path.parent}; ask as its owner, or start its program again"
            )
        if code in _UNREACHABLE:
            return NotOurFileError(f"{self.path} can't be opened ({error}); check its permissions and its folder's")
        return translate(error, path=str(self.path), doing="reading")


def _length(name: str) -> int | None:
    """How long a file is; None if there is none."""
    try:
        return os.stat(name).st_size
    except FileNotFoundError:
        return None


def _is_interrupt(error: sqlite3.Error) -> bool:
    return _primary_code(error) == sqlite3.SQLITE_INTERRUPT


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
