"""What SQLite reports, in our words: repeat the batch, or stop."""

from __future__ import annotations

import sqlite3
from typing import Final

from actorflow.exceptions import StorageBusyError, StorageError, StorageFailedError, StorageFullError

_PRIMARY: Final = 0xFF
# The disk is full, seen while the shared memory file grows: the transaction was undone like after SQLITE_FULL.
_IOERR_SHMSIZE: Final = 4874
_FULL: Final = frozenset((sqlite3.SQLITE_FULL, _IOERR_SHMSIZE))
_BUSY: Final = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL))


def translate(error: BaseException, *, path: str, doing: str) -> StorageError:
    """The error of ours for one of SQLite's; `StorageFullError` and `StorageBusyError` mean nothing was written."""
    if isinstance(error, StorageError):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    if code in _FULL:
        return StorageFullError(f"{path}: the disk is full while {doing}; nothing was written. Free some space")
    if isinstance(code, int) and code & _PRIMARY in _BUSY:
        return StorageBusyError(
            f"{path}: another connection holds a lock while {doing}; nothing was written. "
            "Find the program that has the file open for writing and end it"
        )
    return StorageFailedError(
        f"{path}: {_describe(error)} while {doing}; nothing more is acknowledged. "
        "Look after the disk and the file, then restart the process to read it again"
    )


def _describe(error: BaseException) -> str:
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return f"{name} ({error})"
