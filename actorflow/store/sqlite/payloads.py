"""Large payloads beside the rows that use them: written once, and gone with the last user.

Every statement that deletes a row, or puts another in its place, releases what the row used, in the same transaction;
what nobody uses any more is dropped at its end. A file without large payloads is asked for none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from actorflow.store.sqlite import queries
from actorflow.store.sqlite.references import cut, is_marked
from actorflow.store.sqlite.rows import Holder, Row

_BYTES_PER_CHAR_MAX = 4

RunAll = Callable[[str, Sequence[Row]], Iterable[sqlite3.Cursor]]
"""Runs a statement over rows, some at a time."""


class Payloads:
    """See the module's head.

    Args:
        connection: of the one writer.
        run_all: on that connection.
        limit: bytes of the largest payload that stays in its row.
    """

    def __init__(self, connection: sqlite3.Connection, run_all: RunAll, limit: int) -> None:
        self._connection = connection
        self._run_all = run_all
        self._limit = limit
        self._chars_max = limit // _BYTES_PER_CHAR_MAX
        (self._has_any,) = connection.execute(queries.HAS_PAYLOADS).fetchone()
        self._released: set[str] = set()

    def beside(self, holder: Holder, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows about to be written, with references in the place of large payloads, which are written.

        Short rows, which are nearly all, cost the look at their length.
        """
        columns, chars_max = holder.columns, self._chars_max
        for row in rows:
            for column in columns:
                text = row[column]
                if text is not None and len(text) > chars_max:
                    return [self._beside(holder, row) for row in rows]
        return rows

    def _beside(self, holder: Holder, row: Row) -> Row:
        values = list(row)
        texts = [values[column] for column in holder.columns if values[column] is not None]
        if any(is_marked(text) for text in texts):
            return (
                row  # who uses payloads is known of a row, not of a text, so what is put back goes into all its texts
            )
        for column in holder.columns:
            if values[column] is not None:
                values[column] = self.shortened(values[column], row[0], holder.name(row))
        return tuple(values)

    def shortened(self, text: str, run: int, holder: str) -> str:
        """One text, whose large payloads are written beside it."""
        if len(text) <= self._chars_max or (len(text) <= self._limit and text.isascii()):
            return text
        short, bodies = cut(text, self._limit)
        self._put(bodies)
        self._over(queries.USE_PAYLOADS, [(run, holder, name) for name in bodies])
        return short

    def _put(self, bodies: Mapping[str, str]) -> None:
        for name, body in bodies.items():
            self._has_any = True
            # Asked first, because most are there where one is given to many.
            if self._connection.execute(queries.FIND_PAYLOAD, (name,)).fetchone() is None:
                self._connection.execute(queries.INSERT_PAYLOAD, (name, len(body.encode()), body))

    def release(self, holders: Iterable[tuple[int, str]]) -> None:
        """Rows go, or others take their place; an iterator, because mostly nobody looks at it."""
        if self._has_any:
            self._release(queries.RELEASE_PAYLOADS, [*holders])

    def release_inboxes(self, runs: Sequence[Row]) -> None:
        """All messages of some runs go."""
        if self._has_any:
            self._release(queries.RELEASE_INBOX, runs)

    def _release(self, statement: str, rows: Sequence[Row]) -> None:
        for cursor in self._run_all(statement, rows):
            self._released.update([name for (name,) in cursor.fetchall()])

    def drop_unused(self) -> None:
        """Of what was released, delete what has no user left."""
        if self._released:
            self._over(queries.DROP_UNUSED_PAYLOADS, [(name,) for name in sorted(self._released)])
            self._released.clear()

    def _over(self, statement: str, rows: Sequence[Any]) -> None:
        for _ in self._run_all(statement, rows):
            pass
