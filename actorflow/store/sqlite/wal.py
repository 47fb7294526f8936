"""When the write-ahead log is copied into the database.

SQLite would do it inside a commit; here the writer does it between batches, in a pause if there is one. The standard
library does not tell how long the log is, so its length is estimated, and corrected by each checkpoint's answer.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from actorflow.store.sqlite import queries
from actorflow.store.sqlite.settings import WAL_BYTES_MAX

PAGES_DUE: Final = 1_000
"""From here on a pause is used (4 MB): a longer log makes reads and the next start slower."""

PAGES_OVERDUE: Final = 4_000
"""From here on no pause is waited for."""

_PAGES_PER_COMMIT: Final = 4
_RATIO_MIN, _RATIO_MAX = 0.1, 10.0


class WriteAheadLog:
    """The log of one connection, which is the only one to checkpoint it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._file = Path(f"{path}-wal")
        self._work = 0
        self._ratio = 1.0
        # The log starts over once everything is copied; a reader may prevent that.
        self._frames_before = 0
        self._frames_left = 0

    @property
    def pages(self) -> int:
        """About how many pages wait to be copied."""
        return self._frames_left + round(self._work * self._ratio)

    @property
    def is_due(self) -> bool:
        """True if the next pause should be used for a checkpoint."""
        return self._work * self._ratio >= PAGES_DUE

    @property
    def is_overdue(self) -> bool:
        """True if there is no more time to wait for a pause."""
        return self._work * self._ratio >= PAGES_OVERDUE

    def wrote(self, changes: int) -> None:
        """Take note of a commit of so many changes."""
        self._work += _PAGES_PER_COMMIT + changes

    def checkpoint(self) -> None:
        """Copy what no reader needs any more; cut the log back if it grew beyond all measure."""
        _, frames, copied = self._connection.execute(queries.CHECKPOINT).fetchone()
        self._learn(frames - self._frames_before)
        self._frames_left = frames - copied
        self._frames_before = frames if self._frames_left else 0
        if os.stat(self._file).st_size > WAL_BYTES_MAX:
            self._truncate()

    def _learn(self, frames: int) -> None:
        if self._work and frames > 0:
            self._ratio = min(_RATIO_MAX, max(_RATIO_MIN, frames / self._work))
        self._work = 0

    def _truncate(self) -> None:
        """Cut the log back without waiting for readers; the next checkpoint tries again."""
        patience = self._connection.execute("PRAGMA busy_timeout").fetchone()[0]
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute(queries.TRUNCATE_WAL).fetchall()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {patience}")
