"""Kills this very process at a chosen moment of what it does with its store."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from actorflow.store.sqlite import SqliteStore
from tests.crashes.ledger import Ledger


def die() -> None:
    """What no handler can see."""
    os.kill(os.getpid(), signal.SIGKILL)


def arrange(moment: str, path: Path) -> None:
    """Arrange this process's death.

    Args:
        moment: "never", or "before:CALL:N", "after:CALL:N" around the nth call of a method of the store (open,
            commit, load, busy, arrivals, due, find, close), "during:commit:N": when the nth commit has begun to write
            its log and has not been answered, or "body:TYPE:N": when the nth body of an activity of that type began.
        path: of the database.
    """
    if moment == "never":
        return
    when, call, number = moment.split(":")
    if when == "body":
        _die_in_body(call, int(number))
        return
    original = getattr(SqliteStore, call)
    calls: Counter[str] = Counter()

    def begun() -> bool:
        """Note a call; True if it is the one."""
        calls[call] += 1
        is_due = calls[call] == int(number)
        if is_due and when == "before":
            die()
        if is_due and when == "during":
            threading.Thread(target=_die_when_written, args=(Path(f"{path}-wal"),), daemon=True).start()
        return is_due

    def commit(self: SqliteStore, batch: Any) -> Any:
        is_due = begun()
        committed = original(self, batch)
        if is_due:
            # Before anybody else is told.
            committed.add_done_callback(lambda _: die())
        return committed

    async def other(self: SqliteStore, *args: Any) -> Any:
        is_due = begun()
        answer = await original(self, *args)
        if is_due:
            die()
        return answer

    setattr(SqliteStore, call, commit if call == "commit" else other)


def _die_in_body(activity_type: str, number: int) -> None:
    original = Ledger.write
    bodies = itertools.count(1)

    def write(self: Ledger, what: str, **facts: Any) -> None:
        original(self, what, **facts)
        if what == "begin" and facts["type"] == activity_type and next(bodies) == number:
            die()

    setattr(Ledger, "write", write)  # noqa: B010 - a method is replaced on purpose


def _die_when_written(wal: Path) -> None:
    before = _shape(wal)
    while _shape(wal) == before:
        pass
    die()


def _shape(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
