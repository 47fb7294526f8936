"""Figures about a file, read from outside. Blocks, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from actorflow.store.protocol import RunRecord
from actorflow.store.sqlite import queries, rows
from actorflow.store.sqlite.ownership import owner_of
from actorflow.store.sqlite.read_only_file import ReadOnlyFile

_TYPES_MAX: Final = 1_000  # shown; names of types are the program's, so there could be any number of them


class Stats(msgspec.Struct, frozen=True):
    """How large a journal is, and what is in it.

    Attributes:
        database_bytes, wal_bytes: sizes of the two files.
        free_bytes: of the database, given back by deleted rows and used again for new ones.
        rows_by_table: how many rows ``run``, ``turn``, ``inbox``, ``activity`` and ``payload`` have.
        runs_by_status, runs_by_type: how many runs there are of each; types with the most runs first.
        journal_bytes: of all turns' events, as JSON, large payloads not included.
        payload_bytes: of large payloads, each once.
        parked: open runs that can't go on.
        oldest_open: the open run that began first.
        epoch: how often the file was opened by an owner; batch: how many commits were made.
        schema: of the file; sqlite_version: of the library that read it.
        owner: who owns the file right now, if anybody does.
    """

    path: str
    database_bytes: int
    wal_bytes: int
    page_bytes: int
    free_bytes: int
    rows_by_table: dict[str, int]
    runs_by_status: dict[str, int]
    runs_by_type: dict[str, int]
    journal_bytes: int
    payload_bytes: int
    parked: int
    oldest_open: RunRecord | None
    epoch: int
    batch: int
    schema: int
    sqlite_version: str
    owner: str | None

    @property
    def turns(self) -> int:
        """Rows of the journal."""
        return self.rows_by_table["turn"]

    @property
    def inbox(self) -> int:
        """Messages accepted but not yet consumed."""
        return self.rows_by_table["inbox"]


def stats(path: str | os.PathLike[str]) -> Stats:
    """Figures about a file, owned or not. Beside its owner each figure is of its own moment: none holds the file back.

    Raises:
        StorageError: there is nothing to read here, or it can't be read.
    """
    owner = owner_of(path)
    file = ReadOnlyFile(path)
    try:
        return _stats(file, owner)
    finally:
        file.close()


def _stats(file: ReadOnlyFile, owner: str | None) -> Stats:
    ((epoch, batch, _, _),) = file.fetch(queries.READ_META)
    oldest = file.fetch(queries.OLDEST_OPEN)
    page_bytes = _number(file, "page_size")
    return Stats(
        path=str(file.path),
        database_bytes=_size(file.path),
        wal_bytes=_size(Path(f"{file.path}-wal")),
        page_bytes=page_bytes,
        free_bytes=_number(file, "freelist_count") * page_bytes,
        rows_by_table=dict(file.fetch(queries.COUNT_ROWS)),
        runs_by_status=dict(file.fetch(queries.RUNS_BY_STATUS)),
        runs_by_type=dict(file.fetch(queries.RUNS_BY_TYPE, (_TYPES_MAX,))),
        journal_bytes=file.fetch(queries.JOURNAL_BYTES)[0][0],
        payload_bytes=file.fetch(queries.PAYLOAD_BYTES)[0][0],
        parked=file.fetch(queries.PARKED_RUNS)[0][0],
        oldest_open=rows.run_record(oldest[0]) if oldest else None,
        epoch=epoch,
        batch=batch,
        schema=_number(file, "user_version"),
        sqlite_version=sqlite3.sqlite_version,
        owner=owner,
    )


def _number(file: ReadOnlyFile, name: str) -> int:
    return int(str(file.setting(name)))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
