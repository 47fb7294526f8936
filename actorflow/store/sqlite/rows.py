"""Values of the protocol as rows of SQLite, and back. Instants are whole microseconds since 1970."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from actorflow.core.journal import TurnRow
from actorflow.core.notes import Notes, decode_notes, encode_notes, terms_of
from actorflow.exceptions import CorruptJournalError
from actorflow.store.protocol import ActivityRow, FoundBy, Head, Identity, InboxRow, LoadedRun, RunRecord, ScheduleRow
from actorflow.store.sqlite.references import joined, sound

Row = tuple[Any, ...]
_Parts = tuple[list[Row], list[Row], list[Row], list[Row], list[Row], list[Row], list[Row]]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RUN: Final = 0
_PAYLOAD: Final = 7
_NO_BODIES: Final = "{}"


class Holder(NamedTuple):
    """A kind of rows that may hold large payloads: what ``payload_use`` calls it, and which columns hold them."""

    kind: str
    columns: Sequence[int]

    def name(self, row: Sequence[Any]) -> str:
        """What ``payload_use`` calls a row."""
        return self.kind if self is NOTE else f"{self.kind} {row[1]}"


TURN: Final = Holder("turn", (3,))
INBOX: Final = Holder("inbox", (2,))
ACTIVITY: Final = Holder("activity", (6, 7))
NOTE: Final = Holder("note", (1,))


def schedule_holder(namespace: str, schedule_id: str) -> str:
    """What ``payload_use`` calls a schedule."""
    return f"schedule {len(namespace)} {namespace} {schedule_id}"


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


def note_row(key: int, notes: Notes) -> Row:
    """A row of ``note``."""
    return (key, encode_notes(notes))


def declared_rows(key: int, notes: Notes) -> Iterable[Row]:
    """Which types the search attributes of a run come with."""
    return [(key, name, value.type) for name, value in notes.search_attributes.items()]


def search_value_rows(key: int, notes: Notes) -> Iterable[Row]:
    """By what a run is found."""
    return [(key, name, term) for name, value in notes.search_attributes.items() for term in terms_of(value)]


def read_notes(row: Sequence[Any]) -> tuple[int, Notes]:
    """A run and its notes, of a row of ``note``.

    Raises:
        CorruptJournalError: they can't be read.
    """
    key, text, bodies = row
    try:
        return key, decode_notes(whole(text, bodies))
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise CorruptJournalError(
            f"memo and search attributes of run {key} can't be read ({problem}); `actorflow db verify` says more. "
            "Restore the database from a backup"
        ) from problem


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
    """The turn of a row of `queries.JOURNAL`."""
    number, at, events, checksum, bodies = row
    return _turn(number, at, whole(events, bodies), checksum)


def _turn(number: int, at: int, events: str, checksum: int) -> TurnRow:
    return TurnRow(number, from_micros(at), events, checksum)


def read_schedule(row: Sequence[Any]) -> ScheduleRow:
    """The schedule of a row of `queries.SCHEDULE`."""
    namespace, schedule_id, version, record, bodies = row
    return ScheduleRow(namespace, schedule_id, version, whole(record, bodies))


def whole(text: str, bodies: str) -> str:
    """A text with its large payloads, which come as a JSON object by hash; mostly it is empty."""
    return text if bodies == _NO_BODIES else joined(text, _sound(msgspec.json.decode(bodies).items()))


def _sound(bodies: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Without those that are not what their names say: SQLite does not checksum its pages."""
    return {name: body for name, body in bodies if sound(name, body)}


def loaded_runs(keys: Sequence[int], rows: Iterable[Row]) -> Sequence[LoadedRun]:
    """Runs from the rows of `queries.LOAD` or `queries.LOAD_ALL`, in the order of ``keys``."""
    parts: Mapping[int, _Parts] = {key: ([], [], [], [], [], [], []) for key in keys}
    payloads: list[tuple[str, str]] = []
    for row in rows:
        kind: int = row[0]
        if kind == _PAYLOAD:
            payloads.append((row[2], row[3]))
        else:
            parts[row[1]][kind].append(row)
    bodies = _sound(payloads)
    return [_loaded_run(*parts[key], bodies) for key in keys if parts[key][_RUN]]


def _loaded_run(
    runs: list[Row],
    turns: list[Row],
    inbox: list[Row],
    activities: list[Row],
    uses: list[Row],
    notes: list[Row],
    found: list[Row],
    bodies: Mapping[str, str],
) -> LoadedRun:
    if uses:
        holders = {row[2] for row in uses}
        for holder, rows in ((TURN, turns), (INBOX, inbox), (ACTIVITY, activities), (NOTE, notes)):
            rows[:] = [_whole_row(holder, row, holders, bodies) for row in rows]
    for rows in (turns, inbox, activities):
        rows.sort(key=_number)
    return LoadedRun(
        run_record(runs[0][1:]),
        tuple([_turn(*row[2:6]) for row in turns]),
        tuple([_read_inbox(row) for row in inbox]),
        tuple([_read_activity(row) for row in activities]),
        notes[0][2] if notes else None,
        tuple([FoundBy(str(row[2]), int(row[3] or 0), row[4]) for row in found]),
    )


def _whole_row(holder: Holder, row: Row, holders: Set[str], bodies: Mapping[str, str]) -> Row:
    """A row of `queries.LOAD` (behind its kind) with its large payloads, if it is one that has any."""
    kind, *columns = row
    if holder.name(columns) not in holders:
        return row
    for column in holder.columns:
        columns[column] = columns[column] and joined(columns[column], bodies)
    return (kind, *columns)


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
