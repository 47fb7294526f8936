"""How every connection is set up. SQLite ignores a setting it can't follow, so each one is read back."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal
from urllib.parse import quote

from actorflow.exceptions import StorageFailedError

Synchronous = Literal["full", "normal"]

SQLITE_VERSION_MIN: Final = (3, 38, 0)
"""STRICT tables, UPDATE FROM, and JSON built in."""

SQLITE_VERSION: Final = sqlite3.sqlite_version
"""Of the library this interpreter has."""

WAL_BYTES_MAX: Final = 64 * 1024 * 1024
"""A longer WAL is cut back; a shorter one is written over, which is twice as fast as growing a new one."""

_LEVELS: Final[Mapping[Synchronous, int]] = {"full": 2, "normal": 1}
_WRITER_CACHE_KIB: Final = 4_000
_READER_CACHE_KIB: Final = 1_000
_STATEMENTS_CACHED: Final = 256
_OF_THE_FILE: Final = frozenset(("journal_mode", "journal_size_limit", "locking_mode", "synchronous"))

_log = logging.getLogger("actorflow.store")


def connect(path: str, *, busy_timeout: timedelta, may_create: bool) -> sqlite3.Connection:
    """Open a file in autocommit, with nothing set up; see `apply_settings`."""
    mode = "rwc" if may_create else "rw"
    return sqlite3.connect(
        f"file:{quote(path)}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS_CACHED,
        timeout=busy_timeout.total_seconds(),
    )


def connect_read_only(path: str, *, busy_timeout: timedelta, is_immutable: bool) -> sqlite3.Connection:
    """Open a file that stays as it is, in autocommit.

    An immutable one is read without locks, and nothing appears beside it; it must not change meanwhile. An ordinary
    one may be written by its owner at the same time; SQLite creates the -wal and -shm files it does not find.
    """
    return sqlite3.connect(
        f"file:{quote(path)}?mode=ro&immutable={int(is_immutable)}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_timeout.total_seconds(),
    )


def apply_settings(
    connection: sqlite3.Connection, path: str, *, synchronous: Synchronous, busy_timeout: timedelta, read_only: bool
) -> None:
    """Set a connection up for journals.

    Raises:
        StorageFailedError: a setting did not take.
    """
    _apply(connection, path, _settings(synchronous, busy_timeout, read_only))


def apply_read_only_settings(connection: sqlite3.Connection, path: str, *, busy_timeout: timedelta) -> None:
    """Set up a connection of `connect_read_only`; nothing that would touch the file.

    Raises:
        StorageFailedError: a setting did not take.
    """
    settings = _settings("full", busy_timeout, True)
    _apply(connection, path, {name: wanted for name, wanted in settings.items() if name not in _OF_THE_FILE})


def _apply(connection: sqlite3.Connection, path: str, settings: Mapping[str, object]) -> None:
    if hasattr(connection, "setconfig"):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    for name, wanted in settings.items():
        connection.execute(f"PRAGMA {name} = {wanted}").fetchall()
        found = read_back(connection, name)
        # A library built without memory mapping has no such setting.
        if found != wanted and not (name == "mmap_size" and found is None):
            raise StorageFailedError(
                f"{path}: SQLite setting {name} is {found!r} although it was set to {wanted!r}; "
                "use a local file system that supports shared memory, and a SQLite that was not built to override it"
            )


def read_back(connection: sqlite3.Connection, name: str) -> object:
    """The value of a setting as SQLite reports it."""
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return row[0] if row else None


def keep_wal_on_close(connection: sqlite3.Connection) -> None:
    """Let the close of a failed connection leave the files alone (from Python 3.12; before, SQLite checkpoints)."""
    if hasattr(connection, "setconfig"):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def check_version() -> None:
    """Refuse a library that lacks what we use, and tell of a known bug.

    Raises:
        StorageFailedError: SQLite is too old.
    """
    version = sqlite3.sqlite_version_info
    if version < SQLITE_VERSION_MIN:
        wanted = ".".join(map(str, SQLITE_VERSION_MIN))
        raise StorageFailedError(f"SQLite {sqlite3.sqlite_version} is too old; actorflow needs {wanted} or newer")
    if not _has_wal_reset_fix(version):
        # Not a warning: one checkpointer and the file lock exclude what the bug needs, and most systems have it.
        _log.info(
            "SQLite %s has the WAL-reset bug (fixed in 3.51.3); don't let other programs write to the database",
            sqlite3.sqlite_version,
        )


def _has_wal_reset_fix(version: tuple[int, ...]) -> bool:
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def _settings(synchronous: Synchronous, busy_timeout: timedelta, read_only: bool) -> Mapping[str, object]:
    return {
        "busy_timeout": round(busy_timeout.total_seconds() * 1000),
        "journal_mode": "wal",
        "synchronous": _LEVELS[synchronous],
        # The writer checkpoints between batches, so that no commit waits for it and there is one checkpointer only.
        "wal_autocheckpoint": 0,
        "journal_size_limit": WAL_BYTES_MAX,
        "locking_mode": "normal",
        # With a mapped file an I/O error is a SIGBUS, and a stray pointer writes to the database.
        "mmap_size": 0,
        "cache_size": -(_READER_CACHE_KIB if read_only else _WRITER_CACHE_KIB),
        "temp_store": 2,
        "foreign_keys": 1,
        "cell_size_check": 1,
        "trusted_schema": 0,
        "query_only": int(read_only),
    }
