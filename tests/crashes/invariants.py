"""What must hold of a journal file whatever happened to the processes that wrote it; read offline, nothing is changed.

The names I1 … I12 are those of the project's contract. I8 and I9 speak of runs that continue as others and of
children, I13 of replay: `tests.crashes` replays every run through queries instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from actorflow.core import events as ev
from actorflow.core.journal import Turn, TurnRow, decode_turns, identity_checksum
from actorflow.core.messages import decode_message
from actorflow.core.state import ExecutionState, turn_width

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OUTCOMES = (ev.ActivityCompleted, ev.ActivityFailed, ev.ActivityTimedOut, ev.ActivityCancelled)
_ENDS_OF_TIMERS = (ev.TimerFired, ev.TimerCancelled)


@dataclass(frozen=True)
class Run:
    """One run as it is on disk."""

    key: int
    workflow_id: str
    run_id: str
    status: str
    row: sqlite3.Row
    turns: Sequence[Turn]
    inbox: Sequence[Any]
    activity_rows: Sequence[sqlite3.Row]
    state: ExecutionState = field(repr=False)

    @property
    def events(self) -> list[Any]:
        """All events in order."""
        return [event for turn in self.turns for event in turn.events]

    def all_of(self, kind: type[Any] | tuple[type[Any], ...]) -> list[Any]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


def read_runs(path: Path) -> list[Run]:
    """Every run of a file that nobody has open; checksums and numbers are verified on the way (I1, I2).

    Raises:
        CorruptJournalError: a row does not match its checksum.
        AssertionError: numbers have a gap, or the database is damaged.
    """
    with _opened(path) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall()[0][0] == "ok"
        (epoch,) = connection.execute("SELECT epoch FROM meta").fetchone()
        rows = connection.execute("SELECT * FROM run ORDER BY key").fetchall()
        runs = [_run(connection, row) for row in rows]
        keys = {run.key for run in runs}
        for table in ("turn", "inbox", "activity"):
            owners = {key for (key,) in connection.execute(f"SELECT DISTINCT run FROM {table}")}
            assert owners <= keys, f"{table} rows of runs that don't exist: {owners - keys}"
        assert all(run.row["epoch"] <= epoch for run in runs), "a run was written under an epoch to come (I12)"
    return runs


def check(path: Path, *, may_wait: Callable[[Run], bool] = lambda run: False) -> list[Run]:
    """Check a file that nobody has open.

    Args:
        path: of the database.
        may_wait: says of an open run with nothing pending that its program waits for a condition or a signal.

    Returns:
        Its runs.

    Raises:
        AssertionError: names the run and what does not hold.
    """
    runs = read_runs(path)
    for run in runs:
        _check_ends(run)
        _check_activities(run)
        _check_timers(run)
        _check_head(run)
        _check_is_not_stuck(run, may_wait)
    open_ids = [run.workflow_id for run in runs if run.status == "running"]
    assert len(open_ids) == len(set(open_ids)), "one workflow id has two open runs"
    return runs


def _check_ends(run: Run) -> None:
    """I3: begun once, closed at most once, and then nothing follows."""
    arrived = [message for message in run.inbox if isinstance(message, ev.Started)]
    assert len(run.all_of(ev.Started)) + len(arrived) == 1, f"{run.workflow_id} has not begun exactly once (I3)"
    ordinary = [event for event in run.events if not isinstance(event, ev.TurnFailed)]
    assert not ordinary or isinstance(ordinary[0], ev.Started | ev.SignalUnhandled | ev.Terminated), (
        f"{run.workflow_id} begins with {ordinary[0]} (I3)"
    )
    ends = [number for number, event in enumerate(run.events) if type(event) in ev.CLOSING]
    assert not ends or ends == [len(run.events) - 1], f"{run.workflow_id} goes on after its end (I3)"


def _check_activities(run: Run) -> None:
    """I4, and what the journal says of I5: one outcome for what was scheduled, none for what was not."""
    scheduled: set[str] = set()
    ended: set[str] = set()
    for event in run.events:
        if isinstance(event, ev.ActivityScheduled):
            assert event.activity_id not in scheduled, f"{run.workflow_id}: {event.activity_id} scheduled twice (I4)"
            scheduled.add(event.activity_id)
        elif isinstance(event, _OUTCOMES):
            assert event.activity_id in scheduled, f"{run.workflow_id}: outcome before schedule {event} (I4)"
            assert event.activity_id not in ended, f"{run.workflow_id}: two outcomes of {event.activity_id} (I4)"
            ended.add(event.activity_id)


def _check_timers(run: Run) -> None:
    """I6: a timer fires or is cancelled, once."""
    started: set[str] = set()
    ended: set[str] = set()
    for event in run.events:
        if isinstance(event, ev.TimerStarted):
            assert event.timer_id not in started, f"{run.workflow_id}: timer {event.timer_id} started twice (I6)"
            started.add(event.timer_id)
        elif isinstance(event, _ENDS_OF_TIMERS):
            assert event.timer_id in started, f"{run.workflow_id}: {event} ends no timer (I6)"
            assert event.timer_id not in ended, f"{run.workflow_id}: timer {event.timer_id} ended twice (I6)"
            ended.add(event.timer_id)


def _check_head(run: Run) -> None:
    """I11: the head and its indexes say what the journal says."""
    row, state = run.row, run.state
    assert row["status"] == state.status, (
        f"{run.workflow_id}: the head says {row['status']}, the journal {state.status}"
    )
    assert row["last_event"] == state.last_event, f"{run.workflow_id}: the head is at another event (I11)"
    assert row["open_activities"] == len(state.activities), f"{run.workflow_id}: open activities differ (I11)"
    wake_at = None if row["wake_at"] is None else _EPOCH + timedelta(microseconds=row["wake_at"])
    assert wake_at == state.wake_at, f"{run.workflow_id}: the head wakes at {wake_at}, the journal at {state.wake_at}"
    assert (row["closed_at"] is None) == (state.close is None), f"{run.workflow_id}: closed_at contradicts (I11)"
    assert row["parked"] is None or row["failing"] is not None, f"{run.workflow_id}: parked without a reason"


def _check_is_not_stuck(run: Run, may_wait: Callable[[Run], bool]) -> None:
    """I7 and I10: closed runs leave nothing behind, open ones have something to wait for."""
    open_ids = set(run.state.activities)
    strays = {row["activity_id"] for row in run.activity_rows} - open_ids
    assert not strays, f"{run.workflow_id} ({run.status}): activity rows without an open activity: {strays} (I10)"
    if run.status != "running":
        assert not run.inbox, f"{run.workflow_id} closed and left messages: {run.inbox} (I7)"
        return
    is_pending = open_ids or run.state.timers or run.inbox or run.row["failing"]
    assert is_pending or may_wait(run), f"{run.workflow_id} is open and waits for nothing (I10)"


def _run(connection: sqlite3.Connection, row: sqlite3.Row) -> Run:
    key, run_id = row["key"], row["run_id"]
    seed = identity_checksum(row["namespace"], row["workflow_id"], run_id, row["workflow_type"])
    stored = connection.execute("SELECT number, at, events, checksum FROM turn WHERE run = ? ORDER BY number", (key,))
    rows = [TurnRow(number, _EPOCH + timedelta(microseconds=at), events, sum) for number, at, events, sum in stored]
    turns = decode_turns(rows, seed=seed, run_id=run_id)
    number = 0
    for turn in turns:
        number += turn_width(turn.events)
        assert turn.number == number, f"{row['workflow_id']}: event {number} is missing or doubled (I1)"
    assert row["checksum"] == (rows[-1].checksum if rows else seed), f"{row['workflow_id']}: the head's checksum (I2)"
    inbox = connection.execute("SELECT message FROM inbox WHERE run = ? ORDER BY seq", (key,)).fetchall()
    return Run(
        key=key,
        workflow_id=row["workflow_id"],
        run_id=run_id,
        status=row["status"],
        row=row,
        turns=turns,
        inbox=[decode_message(message) for (message,) in inbox],
        activity_rows=connection.execute("SELECT * FROM activity WHERE run = ?", (key,)).fetchall(),
        state=ExecutionState.folded(turns),
    )


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection
