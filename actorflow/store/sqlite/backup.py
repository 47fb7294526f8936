"""Copies a journal while it is in use. Blocks; the source does not change.

The copy shows one moment: everything that was committed before the backup began is in it. It is written under another
name first, so whoever finds a file under the name that was asked for finds a whole one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from actorflow.exceptions import NotOurFileError, StorageBusyError, StorageError, StorageFullError, StorageOwnedError
from actorflow.store.sqlite import queries
from actorflow.store.sqlite.errors import translate
from actorflow.store.sqlite.file import sync_folder
from actorflow.store.sqlite.ownership import lock_file, owner_of
from actorflow.store.sqlite.read_only_file import ReadOnlyFile
from actorflow.store.sqlite.verify import Progress, Verification, unwatched, verify

_PAGES_PER_STEP: Final = 500  # 2 MB: often enough for whoever wants to stop it
_NO_LINKS_HERE: Final = frozenset((errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP))
_PARTIAL_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Backup(msgspec.Struct, frozen=True):
    """A copy that was made.

    Attributes:
        path: of the copy.
        size: of the copy, in bytes.
        batch: the last commit that is in it.
        verification: of the copy. What is damaged in the source is damaged here, too.
        seconds: how long copying took, without the verification.
    """

    path: str
    size: int
    batch: int
    verification: Verification
    seconds: float


def backup(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    force: bool = False,
) -> Backup:
    """Copy a journal, owned or not, to a file that is a journal by itself; only this user may read it.

    Args:
        path: of the database.
        target: of the copy; its folder must exist.
        progress: told how many pages are copied, and of how many; what it raises ends the backup, and nothing is left.
        force: replace a file that is there, unless it is in use as a journal.

    Raises:
        NotOurFileError: the target can't be written, exists, or is or was in use as a journal.
        StorageBusyError: another backup to this target is under way.
        StorageError: the source can't be read, or the copy can't be written.
    """
    begun = time.monotonic()
    source = ReadOnlyFile(path)
    try:
        copy = Path(os.path.abspath(target))
        _finish_naming(copy)
        _check_target(copy, source.path, force=force)
        with _partial_of(copy) as (partial, descriptor):
            batch = _copied(source, partial, progress or unwatched)
            _put_in_place(partial, descriptor, copy, force=force)
    finally:
        source.close()
    seconds = time.monotonic() - begun
    return Backup(str(copy), copy.stat().st_size, batch, verify(copy), seconds)


def _partial(target: Path) -> Path:
    return Path(f"{target}.partial")


def _finish_naming(target: Path) -> None:
    """A backup that was killed between giving its copy a name and taking the other away left a journal with two."""
    partial = _partial(target)
    with suppress(FileNotFoundError, NotADirectoryError):
        if os.path.samestat(os.lstat(partial), os.lstat(target)):
            partial.unlink()


def _check_target(target: Path, source: Path, *, force: bool) -> None:
    if not target.parent.is_dir():
        raise NotOurFileError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise NotOurFileError(f"{target} is a directory; name a file in it")
    if os.path.realpath(target) == str(source) or (target.exists() and target.samefile(source)):
        raise NotOurFileError(f"{target} is the journal itself; name another file for its copy")
    owner = owner_of(target)
    if owner is not None:
        raise StorageOwnedError(f"{target} is in use by {owner}; name another file")
    if lock_file(target).exists() or Path(f"{os.path.realpath(target)}-wal").exists():
        raise NotOurFileError(
            f"{target} is in use as a journal, or was: it has a .lock or -wal file beside it, which would belong to "
            "the wrong database; name another file"
        )
    if os.path.lexists(target) and not force:
        raise _exists(target)


def _exists(target: Path) -> NotOurFileError:
    return NotOurFileError(f"{target} exists and was left as it is; name another file, or ask for it to be replaced")


@contextmanager
def _partial_of(target: Path) -> Generator[tuple[Path, int]]:
    """An empty file to copy into, for this backup alone; it is gone in the end, unless it was renamed."""
    partial = _partial(target)
    try:
        descriptor = os.open(partial, _PARTIAL_FLAGS, 0o600)
    except OSError as error:
        raise NotOurFileError(f"{partial} can't be written: {error.strerror}; name another target") from error
    try:
        _claim(descriptor, partial)
        try:
            yield partial, descriptor
        finally:
            if _is_at(partial, descriptor):  # else it has its last name, and this one may be another backup's by now
                partial.unlink()
    finally:
        os.close(descriptor)  # not before SQLite has closed the file: this would drop its locks


def _claim(descriptor: int, partial: Path) -> None:
    """One that a killed backup left is used again, one that is being written is not."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise NotOurFileError(f"{partial} is not a plain file with one name; remove it, or name another target")
    if not _is_free(descriptor, partial):
        raise StorageBusyError(f"{partial} is being written by another backup; wait for its end")
    os.fchmod(descriptor, 0o600)
    os.ftruncate(descriptor, 0)


def _is_free(descriptor: int, partial: Path) -> bool:
    """Take the file; False if another backup has it, or had it until now and has given it its last name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return _is_at(partial, descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """True if this is (still) the name of the open file."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _copied(source: ReadOnlyFile, partial: Path, progress: Progress) -> int:
    """Copy everything; returns the last commit that is in the copy."""

    def tell(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy, source.snapshot() as connection:
            # What is half written is thrown away, so it needs no journal, and it is synced once, at the end.
            copy.execute("PRAGMA journal_mode = OFF").fetchall()
            copy.execute("PRAGMA synchronous = OFF").fetchall()
            # Without the snapshot, each commit of the owner would make the copy start over.
            connection.backup(copy, pages=_PAGES_PER_STEP, progress=tell)
            batch: int = connection.execute(queries.READ_META).fetchone()[1]
    except sqlite3.Error as error:
        raise _failure(error, partial) from error
    return batch


def _failure(error: sqlite3.Error, partial: Path) -> StorageError:
    if isinstance(translate(error, path=str(partial), doing="copying"), StorageFullError):
        return StorageFullError(
            f"{partial}: the disk is full; the copy was removed. Free some space, or copy elsewhere"
        )
    return StorageError(f"{partial} can't be written ({error}); the copy was removed. Copy to another disk or folder")


def _put_in_place(partial: Path, descriptor: int, target: Path, *, force: bool) -> None:
    """Make the copy durable, then give it its name."""
    try:
        os.fsync(descriptor)
        if force:
            partial.replace(target)
        else:
            _rename_to_new(partial, target)
        sync_folder(target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise StorageError(f"{target} can't be written: {error}; copy to another disk or folder") from error


def _rename_to_new(partial: Path, target: Path) -> None:
    """Rename, but never over what has come there meanwhile."""
    try:
        os.link(partial, target)
    except OSError as error:
        if error.errno not in _NO_LINKS_HERE:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        partial.replace(target)
    else:
        partial.unlink(missing_ok=True)  # the next backup may have been quicker
