"""The file on disk: which one it is, whether it is ours, and whether it is still the one we opened."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from actorflow.exceptions import MissingFileError, NewerSchemaError, NotOurFileError, StorageFailedError
from actorflow.store.sqlite.settings import connect_read_only, read_back

APPLICATION_ID: Final = 0x61666C77
"""'aflw', in the header of every database of ours."""

# Their locks or their shared memory don't keep two hosts apart. Local ones that look similar (9p, overlay) are left in.
_NETWORK_FILE_SYSTEMS: Final = frozenset(
    ("afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs")
)

Identity = tuple[int, int]
"""Device and inode: what a file is, whatever name it is reached by."""


def file_identity(path: str | os.PathLike[str]) -> Identity | None:
    """Device and inode of a file, or None where none can be reached. Links to one file have one identity."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def check_place(path: Path) -> None:
    """Refuse a path where no database can be kept, before anything is created there.

    Raises:
        NotOurFileError: the path can't be reached, is a directory or not a plain file, it or its folder can't be
            written, it has more than one hard link, or its file system is shared over a network.
    """
    folder = path.parent
    if not os.path.isdir(folder):  # unlike `Path.is_dir` it has an answer for names that are too long
        raise NotOurFileError(f"{path}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotOurFileError(f"{path}: the folder {folder} can't be written; SQLite keeps two more files beside it")
    file_system = _file_system(folder)
    if file_system in _NETWORK_FILE_SYSTEMS:
        raise NotOurFileError(f"{path}: {file_system} is a network file system; put the database on a local disk")
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreachable(path, error) from error
    _check_file(path, found)


def _check_file(path: Path, found: os.stat_result) -> None:
    _check_plain(path, found)
    if not os.access(path, os.R_OK | os.W_OK):
        raise NotOurFileError(f"{path} can't be read and written by this user; change its permissions")
    if found.st_nlink > 1:
        raise NotOurFileError(
            f"{path} has {found.st_nlink} hard links: each name would have a WAL and a lock of its own, and the "
            "journal would be torn; remove the other names"
        )


def _check_plain(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise NotOurFileError(f"{path} is a directory; name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise NotOurFileError(f"{path} is not a plain file; name another one")


def _unreachable(path: Path, error: OSError) -> NotOurFileError:
    return NotOurFileError(f"{path} can't be reached: {error.strerror}; name another file")


def check_readable(path: Path) -> None:
    """Refuse a path where there is nothing to read; nothing is created.

    Raises:
        MissingFileError: there is no file.
        NotOurFileError: it is a directory or not a plain file, or this user may not read it.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(
            f"there is no file {path}"
            + ("" if path.parent.is_dir() else f" and no folder {path.parent}")
            + "; nothing was created. Name the database a program of yours has written"
        ) from None
    except PermissionError as error:
        raise NotOurFileError(f"{path} can't be reached by this user; change the permissions of its folder") from error
    except OSError as error:
        raise _unreachable(path, error) from error
    _check_plain(path, found)
    if not os.access(path, os.R_OK):
        raise NotOurFileError(f"{path} can't be read by this user; change its permissions, or ask as its owner")
    if not found.st_size:
        raise NotOurFileError(f"{path} is empty: no program has written a journal to it yet")


def check_header(path: Path, *, version: int) -> None:
    """Refuse a file that is not ours or that a newer version wrote; it is only read. An empty file may become ours.

    SQLite itself reads the header: opening and closing the file by other means would drop the locks that SQLite holds
    on it for this process, if another store here has it open. No lock is taken and no file appears beside it.

    Raises:
        NotOurFileError, NewerSchemaError: see `Store.open`.
    """
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with closing(connect_read_only(str(path), busy_timeout=timedelta(0), is_immutable=True)) as connection:
            # A process killed while it copied the log leaves a header that promises more pages than there are yet.
            connection.execute("PRAGMA writable_schema = ON")
            owner, found = read_back(connection, "application_id"), read_back(connection, "user_version")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise NotOurFileError(f"{path} is not a SQLite database; it was left as it is. Name another file") from error
    if owner != APPLICATION_ID:
        raise NotOurFileError(f"{path} is a database of another program; it was left as it is. Name another file")
    check_schema_version(path, int(str(found)), known=version)


def check_schema_version(path: Path, found: int, *, known: int) -> None:
    """Raise NewerSchemaError if a newer version of actorflow wrote the file."""
    if found > known:
        raise NewerSchemaError(
            f"{path} has schema {found}, this version of actorflow knows {known}; it was left as it is. "
            "Install the version that wrote it, or a newer one"
        )


def sync_folder(path: Path) -> None:
    """Make a file's name durable: syncing a new file says nothing about its folder's entry."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileGuard:
    """Notices when the database or its WAL was deleted or replaced under an open connection.

    SQLite goes on writing to the deleted file: every commit succeeds and is gone with the process. It happens when
    another program closes the database as the last one it knows of.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._identities = self._look()

    def check(self) -> None:
        """Raise StorageFailedError if either file is not the one that was opened."""
        if self._look() != self._identities:
            raise StorageFailedError(
                f"{self._path}: the database or its -wal file was deleted or replaced while it was in use; the last "
                "commits may be lost and are not acknowledged. Find the program that touched it, then restart"
            )

    def _look(self) -> tuple[Identity | None, Identity | None]:
        return (file_identity(self._path), file_identity(self._wal))


def _file_system(folder: Path) -> str | None:
    """The type of file system a folder is on, where the system says so (Linux)."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return None
    best: tuple[int, str] | None = None
    for line in mounts.read_text(errors="replace").splitlines():
        _, place, kind, *_ = line.split(" ")
        mounted = place.replace("\\040", " ")
        if folder.is_relative_to(mounted) and (best is None or len(mounted) >= best[0]):
            best = (len(mounted), kind)
    return best[1] if best else None
