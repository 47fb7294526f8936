"""One batch in one transaction: all changes at once, or, if they don't agree, one after the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from actorflow.core.journal import TurnRow
from actorflow.core.letters import Address
from actorflow.core.notes import Notes
from actorflow.exceptions import StorageFailedError
from actorflow.store.preconditions import begin_conflict, change_conflict, is_open, schedule_conflict
from actorflow.store.protocol import (
    COMMITTED,
    NO_RUN,
    Begin,
    Change,
    Committed,
    Conflict,
    InboxRow,
    NewRun,
    Outcome,
    RunRecord,
    ScheduleWrite,
    Send,
)
from actorflow.store.sqlite import queries, rows
from actorflow.store.sqlite.payloads import Payloads
from actorflow.store.sqlite.plan import InconsistentBatchError, Plan

REFUSALS: Final = (
    InconsistentBatchError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    UnicodeError,
    OverflowError,
)
"""What one change does wrong (a constraint, a value that can't be stored), unlike what ails the file or the disk."""


class Counters:
    """Numbers that must survive: of the last batch, and the last ones given to runs and inbox rows."""

    def __init__(self, batch: int, run_key: int, inbox_seq: int) -> None:
        self.batch = batch
        self.run_key = run_key
        self.inbox_seq = inbox_seq


class Transaction:
    """Writes batches on one connection, each under the epoch it was given.

    Args:
        connection: of the one writer.
        epoch: that every batch asserts.
        path: for messages.
        large_payload_bytes: larger payloads are stored beside the rows that use them.
    """

    def __init__(self, connection: sqlite3.Connection, *, epoch: int, path: str, large_payload_bytes: int) -> None:
        self._connection = connection
        self._epoch = epoch
        self._path = path
        self._payloads = Payloads(connection, self._cursors, large_payload_bytes)

    def commit(self, batch: Sequence[Change], counters: Counters) -> Sequence[Outcome]:
        """Write a batch durably and say of each change whether it was made.

        Raises:
            StorageFailedError: the epoch is another owner's; nothing was written.
            sqlite3.Error: nothing was written.
        """
        try:
            return self._all_at_once(batch, counters)
        except REFUSALS:
            return self._one_by_one(batch, counters)

    def _all_at_once(self, batch: Sequence[Change], counters: Counters) -> Sequence[Outcome]:
        plan = Plan(batch)
        with _Undo(self._connection):
            self._begin(counters)
            self._check_begins(plan)
            received = self._write(plan)
            self._connection.execute(queries.COMMIT)
        if not received:
            return [COMMITTED] * len(batch)
        return [Committed(tuple(received[place])) if place in received else COMMITTED for place in range(len(batch))]

    def _one_by_one(self, batch: Sequence[Change], counters: Counters) -> Sequence[Outcome]:
        with _Undo(self._connection):
            self._begin(counters)
            outcomes = [self._change(change) for change in batch]
            self._connection.execute(queries.COMMIT)
        return outcomes

    def _begin(self, counters: Counters) -> None:
        self._connection.execute(queries.BEGIN)
        values = (counters.batch, counters.run_key, counters.inbox_seq, self._epoch)
        if self._connection.execute(queries.NEXT_BATCH, values).rowcount != 1:
            raise StorageFailedError(
                f"{self._path}: another engine has taken the database over (epoch {self._epoch} is past); "
                "this one has stopped. Keep one process per database"
            )

    def _change(self, change: Change) -> Outcome:
        """Make one change, or none of it."""
        if change.schedule is not None:
            conflict = self._schedule_conflict(change.schedule)
        else:
            conflict = self._begin_conflict(change.begin) if change.begin else self._change_conflict(change)
        if conflict is not None:
            return conflict
        self._connection.execute(queries.SAVEPOINT)
        outcome: Outcome = COMMITTED
        try:
            received = self._write(Plan((change,)))
            if received:
                outcome = Committed(tuple(received[0]))
        except REFUSALS:
            self._connection.execute(queries.ROLLBACK_TO)
            outcome = Conflict(self._record(queries.RUN_BY_KEY, change.key))
        self._connection.execute(queries.RELEASE)
        return outcome

    def _change_conflict(self, change: Change) -> Conflict | None:
        return change_conflict(change, self._record(queries.RUN_BY_KEY, change.key))

    def _begin_conflict(self, begin: Begin) -> Conflict | None:
        run = begin.identity
        workflow = (run.namespace, run.workflow_id)
        return begin_conflict(
            begin,
            repeated=self._record(queries.RUN_BY_REQUEST, *workflow, run.request_id),
            open_run=self._record(queries.OPEN_RUN, *workflow),
            last=self._record(queries.LAST_RUN, *workflow),
        )

    def _schedule_conflict(self, write: ScheduleWrite) -> Conflict | None:
        found = self._connection.execute(queries.SCHEDULE_VERSION, (write.row.namespace, write.row.schedule_id))
        version = found.fetchone()
        return schedule_conflict(write, 0 if version is None else version[0])

    def _record(self, query: str, *values: object) -> RunRecord | None:
        row = self._connection.execute(query, values).fetchone()
        return row and rows.run_record(row)

    def _check_begins(self, plan: Plan) -> None:
        """The unique indexes speak for the rest; a policy that forbids closed runs needs a look at them."""
        strict = [(b.identity.namespace, b.identity.workflow_id) for b, _ in plan.begins if b.reuse != "allow"]
        if self._count(queries.COUNT_PREDECESSORS, strict):
            raise InconsistentBatchError

    def _write(self, plan: Plan) -> Mapping[int, Sequence[int | None]]:
        """Write everything; returns who received what was sent, by the place of the change that sent it."""
        # Begins come before updates: in a batch that closes a run and begins one in its place they collide, and the
        # changes are then made in their order. Successors are known to follow.
        self._run(queries.INSERT_RUNS, [rows.run_row(b.identity, head, self._epoch) for b, head in plan.begins])
        updates = plan.updates
        still_open = [rows.open_head_row(*update, self._epoch) for update in updates if is_open(update[2])]
        closed = [rows.closed_head_row(*update, self._epoch) for update in updates if not is_open(update[2])]
        updated = self._run(queries.UPDATE_OPEN, still_open) + self._run(queries.UPDATE_CLOSED, closed)
        if updated != len(updates):
            raise InconsistentBatchError
        self._run(queries.INSERT_RUNS, [rows.run_row(b.identity, head, self._epoch) for b, head in plan.successors])
        untouched = plan.untouched
        if self._count(queries.COUNT_UNCHANGED, untouched) != len(untouched):
            raise InconsistentBatchError
        self._insert_turns(plan.turns)
        self._insert_inbox(plan.arrived)
        if plan.notes:
            self._note(plan.notes)
        received = self._send_all(plan)
        self._delete_inbox(plan)
        self._put_activities(plan)
        for write in plan.schedules:
            self._write_schedule(write)
        self._payloads.drop_unused()
        return received

    def _insert_turns(self, turns: Sequence[tuple[int, TurnRow]]) -> None:
        written = self._payloads.beside(rows.TURN, [rows.turn_row(key, turn) for key, turn in turns])
        self._run(queries.INSERT_TURNS, written)

    def _insert_inbox(self, arrived: Sequence[tuple[int, InboxRow]]) -> None:
        written = self._payloads.beside(rows.INBOX, [rows.inbox_row(key, row) for key, row in arrived])
        self._run(queries.INSERT_INBOX, written)

    def _delete_inbox(self, plan: Plan) -> None:
        self._payloads.release((row[0], rows.INBOX.name(row)) for row in plan.consumed)
        self._run(queries.DELETE_INBOX, [(seq,) for _, seq in plan.consumed])
        self._payloads.release_inboxes(plan.swept)
        self._run(queries.SWEEP_INBOX, plan.swept)

    def _put_activities(self, plan: Plan) -> None:
        put = [rows.activity_row(key, row) for key, row in plan.activities]
        self._payloads.release((row[0], rows.ACTIVITY.name(row)) for row in (*put, *plan.finished))
        self._run(queries.PUT_ACTIVITIES, self._payloads.beside(rows.ACTIVITY, put))
        self._run(queries.DELETE_ACTIVITIES, plan.finished)

    def _write_schedule(self, write: ScheduleWrite) -> None:
        row = write.row
        holder = rows.schedule_holder(row.namespace, row.schedule_id)
        self._payloads.release([(NO_RUN, holder)])
        if write.is_deleted:
            statement, values = queries.DELETE_SCHEDULE, (row.namespace, row.schedule_id, row.version)
        else:
            statement = queries.INSERT_SCHEDULE if row.version == 1 else queries.UPDATE_SCHEDULE
            record = self._payloads.shortened(row.record, NO_RUN, holder)
            values = (row.namespace, row.schedule_id, row.version, record)
        if self._connection.execute(statement, values).rowcount != 1:
            raise InconsistentBatchError

    def _send_all(self, plan: Plan) -> Mapping[int, Sequence[int | None]]:
        received: dict[int, list[int | None]] = {}
        for place, sender, send in plan.sends:
            to = send.to
            receiver = self._begin_for(to) if isinstance(to, NewRun) else self._deliver(to, send)
            reply = send.refusal if receiver is None else send.receipt
            if reply is not None and plan.is_open(sender):
                self._insert_inbox([(sender, reply)])
            received.setdefault(place, []).append(receiver)
        return received

    def _begin_for(self, new: NewRun) -> int | None:
        """Begin a run, unless another one is in its way."""
        if self._begin_conflict(new.begin) is not None:
            return None
        key = new.begin.identity.key
        self._run(queries.INSERT_RUNS, [rows.run_row(new.begin.identity, new.head, self._epoch)])
        self._insert_inbox([(key, row) for row in new.inbox])
        if new.notes is not None:
            self._note({key: new.notes})
        return key

    def _note(self, notes_by_run: Mapping[int, Notes]) -> None:
        """Put notes in the place of those there are, with the index of what they say."""
        notes = notes_by_run.items()
        put = [rows.note_row(key, one) for key, one in notes]
        self._payloads.release((row[0], rows.NOTE.name(row)) for row in put)
        self._run(queries.PUT_NOTES, self._payloads.beside(rows.NOTE, put))
        declared = [row for key, one in notes for row in rows.declared_rows(key, one)]
        self._run(queries.DECLARE_ATTRIBUTES, declared)
        self._run(queries.DELETE_SEARCH_VALUES, [(key,) for key in notes_by_run])
        values = [row for key, one in notes for row in rows.search_value_rows(key, one)]
        self._run(queries.INSERT_SEARCH_VALUES, values)

    def _deliver(self, to: Address, send: Send) -> int | None:
        """Put a message into the inbox of the run it is for, if that is open."""
        values = (to.namespace, to.workflow_id, to.run_id, to.first_run_id)
        found = self._connection.execute(queries.ADDRESSED, values).fetchone()
        if found is None or send.row is None:
            return None
        if send.inbox_max is not None:
            (waiting,) = self._connection.execute(queries.INBOX_SIZE, found).fetchone()
            if waiting >= send.inbox_max:
                return None
        self._insert_inbox([(found[0], send.row)])
        return found[0]

    def _run(self, statement: str, values: Sequence[rows.Row]) -> int:
        """Run a statement over rows; returns how many rows of the table it changed."""
        return sum(cursor.rowcount for cursor in self._cursors(statement, values))

    def _count(self, query: str, values: Sequence[rows.Row]) -> int:
        return sum(cursor.fetchone()[0] for cursor in self._cursors(query, values))

    def _cursors(self, statement: str, values: Sequence[rows.Row]) -> Iterable[sqlite3.Cursor]:
        start = 0
        for count in queries.portions(len(values)):
            portion = values[start : start + count]
            start += count
            text = queries.rows_statement(statement, count, len(portion[0]))
            yield self._connection.execute(text, tuple(chain.from_iterable(portion)))


class _Undo:
    """Rolls back what an error left open; after some errors SQLite has done it already."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None and self._connection.in_transaction:
            self._connection.execute(queries.ROLLBACK)
