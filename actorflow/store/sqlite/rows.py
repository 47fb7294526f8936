"""Values of the protocol as rows of SQLite, and back. Instants are whole microseconds since 1970."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from actorflow.core.journal import TurnRow
from actorflow.exceptions import CorruptJournalError
from actorflow.store.protocol import ActivityRow, Head, Identity, InboxRow, LoadedRun, RunRecord

Row = tuple[Any, ...]
_Parts = tuple[list[Row], list[Row], list[Row], list[Row]]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RUN, _TURN, _INBOX, _ACTIVITY = range(4)


def to_micros(instant: datetime) -> int:
    """An aware instant as microseconds since 1970."""
    elapsed = instant - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def from_micros(micros: int) -> datetime:
    """The instant (UTC) of microseconds since 1970.

    Raises:
        CorruptJournalError: no calendar has it.
    """
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError as problem:
        raise CorruptJournalError(
            f"a row holds the instant {micros} µs after 1970, which is beyond the calendar; `actorflow db verify` says "
            "which. Restore the database from a backup"
        ) from problem


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else to_micros(instant)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def run_row(run: Identity, head: Head, epoch: int) -> Row:
    """A new row of ``run``."""
    return (
        run.key,
        run.namespace,
        run.workflow_id,
        run.run_id,
        run.workflow_type,
        run.task_queue,
        to_micros(run.started_at),
        run.request_id,
        run.shard,
        run.first_run_id,
        head.last_event,
        head.checksum,
        head.status,
        _micros(head.wake_at),
        head.open_activities,
        _micros(head.closed_at),
        head.failing,
        head.parked,
        epoch,
    )


def open_head_row(key: int, expected: int | None, head: Head, epoch: int) -> Row:
    """What an update of an open run needs: the run, what is expected of it, and its new head."""
    return (
        key,
        expected,
        head.last_event,
        head.checksum,
        _micros(head.wake_at),
        head.open_activities,
        head.failing,
        head.parked,
        epoch,
    )


def closed_head_row(key: int, expected: int | None, head: Head, epoch: int) -> Row:
    """What the update that closes a run needs."""
    return (*open_head_row(key, expected, head, epoch), head.status, _micros(head.closed_at))


def turn_row(key: int, turn: TurnRow) -> Row:
    """A row of ``turn``."""
    return (key, turn.number, to_micros(turn.at), turn.events, turn.checksum)


def inbox_row(key: int, row: InboxRow) -> Row:
    """A row of ``inbox``."""
    return (key, row.seq, row.message, to_micros(row.received_at), row.request_id)


def activity_row(key: int, row: ActivityRow) -> Row:
    """A row of ``activity``."""
    return (
        key,
        row.activity_id,
        row.attempt,
        row.charged,
        _micros(row.started_at),
        _micros(row.next_attempt_at),
        row.last_failure,
        row.heartbeat,
        int(row.cancel_requested),
    )


def run_record(row: Sequence[Any]) -> RunRecord:
    """The record of a row of `queries.RUN_COLUMNS`."""
    key, namespace, workflow_id, run_id, workflow_type, task_queue, started_at, request_id, shard, first, *head = row
    last_event, checksum, status, wake_at, open_activities, closed_at, failing, parked = head
    return RunRecord(
        Identity(
            key,
            namespace,
            workflow_id,
            run_id,
            workflow_type,
            task_queue,
            from_micros(started_at),
            request_id,
            shard,
            first,
        ),
        Head(last_event, checksum, status, _instant(wake_at), open_activities, _instant(closed_at), failing, parked),
    )


def read_turn(row: Sequence[Any]) -> TurnRow:
    """The turn of a row of number, at, events, checksum."""
    number, at, events, checksum = row
    return TurnRow(number, from_micros(at), events, checksum)


def loaded_runs(keys: Sequence[int], rows: Iterable[Row]) -> Sequence[LoadedRun]:
    """Runs from the rows of `queries.LOAD`, in the order of ``keys``."""
    parts: Mapping[int, _Parts] = {key: ([], [], [], []) for key in keys}
    for row in rows:
        kind: int = row[0]
        parts[row[1]][kind].append(row)
    return [_loaded_run(*parts[key]) for key in keys if parts[key][_RUN]]


def _loaded_run(runs: list[Row], turns: list[Row], inbox: list[Row], activities: list[Row]) -> LoadedRun:
    for rows in (turns, inbox, activities):
        rows.sort(key=_number)
    return LoadedRun(
        run_record(runs[0][1:]),
        tuple([read_turn(row[2:6]) for row in turns]),
        tuple([_read_inbox(row) for row in inbox]),
        tuple([_read_activity(row) for row in activities]),
    )


def _number(row: Row) -> Any:
    """What orders a run's rows: number, seq or activity id."""
    return row[2]


def _read_inbox(row: Row) -> InboxRow:
    seq, message, received_at, request_id = row[2:6]
    return InboxRow(seq, message, from_micros(received_at), request_id)


def _read_activity(row: Row) -> ActivityRow:
    activity_id, attempt, charged, started_at, next_attempt_at, last_failure, heartbeat, cancel_requested = row[2:10]
    return ActivityRow(
        activity_id,
        attempt,
        charged,
        _instant(started_at),
        _instant(next_attempt_at),
        last_failure,
        heartbeat,
        bool(cancel_requested),
    )
