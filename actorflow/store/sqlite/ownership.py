"""Who owns a database: a lock beside it, a note of who holds it, and how many commits were acknowledged.

The lock is an `flock` on a file of its own, so that neither SQLite's locks nor another open of the database can undo
it; it ends with the process, however that dies. The file starts with a slot of sixteen digits: the number of the last
acknowledged batch. It is written after the commit is durable, so the journal is never behind it, unless somebody took
acknowledged commits away. The owner's name follows, for people.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
import weakref
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from actorflow.exceptions import CorruptJournalError, StorageFailedError, StorageOwnedError

_SLOT_BYTES: Final = 16
_OWNER_AT: Final = _SLOT_BYTES + 1
_OWNER_BYTES_MAX: Final = 1_000
_TRIES_MAX: Final = 10
_LOOKERS_GONE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.001
_HELD_BY_ANOTHER: Final = frozenset((errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK))


class Ownership:
    """The claim on one database file. A fork does not inherit it."""

    def __init__(self, database: Path) -> None:
        """Take the lock.

        Raises:
            StorageOwnedError: another process, or another store of this one, has it.
            StorageFailedError: the lock file can't be used.
        """
        self._database = database
        self._path = Path(f"{database}.lock")
        self._is_new = not self._path.exists()
        try:
            self._descriptor = self._take()
        except OSError as error:
            raise StorageFailedError(f"{self._path} can't be locked: {error}; check the folder") from error
        _close_in_forks(self)

    def _take(self) -> int:
        for _ in range(_TRIES_MAX):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._lock(descriptor)
                if self._is_current(descriptor):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise StorageFailedError(f"{self._path} is deleted as often as it is created; leave it alone")

    def _lock(self, descriptor: int) -> None:
        """Take the lock, also if somebody is just looking whether it is taken (see `owner_of`)."""
        patience = time.monotonic() + _LOOKERS_GONE_SECONDS
        while not _lock(descriptor, fcntl.LOCK_EX):
            # An owner admits nobody beside it. Lookers admit each other, so if we may look too, nobody owns the file.
            is_owned = not _lock(descriptor, fcntl.LOCK_SH)
            if is_owned or time.monotonic() > patience:
                owner = (is_owned and _owner(descriptor)) or "another process"
                raise StorageOwnedError(f"{self._database} is in use by {owner}; stop it, or connect in that process")
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            time.sleep(_LOOK_SECONDS)

    def _is_current(self, descriptor: int) -> bool:
        """False if the lock file was deleted between opening and locking it."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(descriptor))

    def acknowledged(self) -> int:
        """The number of the last acknowledged batch; 0 if none is known."""
        return _batch(os.pread(self._descriptor, _SLOT_BYTES, 0))

    def check_acknowledged(self, batch: int) -> None:
        """Refuse a journal that ends before the last acknowledged batch.

        Raises:
            CorruptJournalError: commits that were acknowledged are gone; the message says how many.
        """
        acknowledged = self.acknowledged()
        if batch < acknowledged:
            raise CorruptJournalError(
                f"{self._database} ends with commit {batch}, but commit {acknowledged} was acknowledged: "
                f"{acknowledged - batch} commits are gone (a deleted -wal file, or an older copy of the database). "
                f"Restore the newest files; to go on without those commits, delete {self._path}"
            )

    def acknowledge(self, batch: int) -> None:
        """Note the last batch whose callers are about to hear of it."""
        # A note that can't be written stays too low, which is still true; the commit itself is durable.
        with suppress(OSError):
            os.pwrite(self._descriptor, b"%0*d" % (_SLOT_BYTES, batch), 0)

    def sign(self, *, epoch: int, since: datetime) -> None:
        """Write who holds the lock, for the one who is refused."""
        owner = f"process {os.getpid()} on {socket.gethostname()} since {since.isoformat(timespec='seconds')}"
        text = f"{owner} (epoch {epoch})\n".encode()[:_OWNER_BYTES_MAX]
        with suppress(OSError):
            os.pwrite(self._descriptor, b"%0*d\n" % (_SLOT_BYTES, self.acknowledged()) + text, 0)
            os.ftruncate(self._descriptor, _OWNER_AT + len(text))

    def forget(self) -> None:
        """Give the lock back and leave no trace, where there is no database of ours to lock."""
        if self._is_new:
            with suppress(OSError):
                self._path.unlink()
        self.release()

    def release(self) -> None:
        """Give the lock back; harmless if done before. The file stays, with its slot."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def owner_of(database: str | os.PathLike[str]) -> str | None:
    """Who owns a database right now (process, host, since when, epoch); None if nobody does. Nothing is written.

    Asking takes the lock for an instant, shared with others who ask. Only the lock tells the truth: what is written in
    its file outlives its writer, and /proc/locks shows neither other hosts' containers nor exists everywhere. An owner
    that starts in this very instant tells a looker from an owner and waits for it, so nobody is refused because of a
    look.

    Raises:
        StorageFailedError: the lock file can't be read.
    """
    path = lock_file(database)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return None if _lock(descriptor, fcntl.LOCK_SH) else _owner(descriptor) or "another process"
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFailedError(f"{path} can't be read: {error}; ask as the user who runs the program") from error


def lock_note(path: str | os.PathLike[str]) -> bytes:
    """What a lock file says, current or not: it changes with each owner. Empty if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, _OWNER_AT + _OWNER_BYTES_MAX, 0)
    finally:
        os.close(descriptor)


def lock_file(database: str | os.PathLike[str]) -> Path:
    """The file whose lock says who owns a database, whatever name the database is reached by."""
    return Path(f"{os.path.realpath(database)}.lock")


def acknowledged_batch(database: str | os.PathLike[str]) -> int:
    """The number of the last acknowledged batch, as the lock file has it; 0 if none is known."""
    return _batch(lock_note(lock_file(database))[:_SLOT_BYTES])


def _batch(slot: bytes) -> int:
    return int(slot) if slot.isdigit() else 0


def _lock(descriptor: int, kind: int) -> bool:
    """Take a lock without waiting; False if others are in the way."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD_BY_ANOTHER:
            raise
        return False
    return True


def _owner(descriptor: int) -> str:
    return os.pread(descriptor, _OWNER_BYTES_MAX, _OWNER_AT).decode(errors="replace").strip()


def _close_in_forks(ownership: Ownership) -> None:
    """Let no forked child keep the lock of a killed parent; closing the child's copy leaves the parent's lock alone."""
    weak = weakref.ref(ownership)

    def close() -> None:
        owned = weak()
        if owned is not None:
            owned.release()

    os.register_at_fork(after_in_child=close)
