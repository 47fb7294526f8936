"""One batch in one transaction: all changes at once, or, if they don't agree, one after the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from actorflow.core.letters import Address
from actorflow.exceptions import StorageFailedError
from actorflow.store.preconditions import begin_conflict, change_conflict, is_open
from actorflow.store.protocol import (
    COMMITTED,
    Begin,
    Change,
    Committed,
    Conflict,
    InboxRow,
    NewRun,
    Outcome,
    RunRecord,
    Send,
)
from actorflow.store.sqlite import queries, rows
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
    """Writes batches on one connection, each under the epoch it was given."""

    def __init__(self, connection: sqlite3.Connection, *, epoch: int, path: str) -> None:
        self._connection = connection
        self._epoch = epoch
        self._path = path

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
        self._run(queries.INSERT_TURNS, [rows.turn_row(key, turn) for key, turn in plan.turns])
        self._run(queries.INSERT_INBOX, [rows.inbox_row(key, row) for key, row in plan.arrived])
        received = self._send_all(plan)
        self._run(queries.DELETE_INBOX, plan.consumed)
        self._run(queries.SWEEP_INBOX, plan.swept)
        self._run(queries.PUT_ACTIVITIES, [rows.activity_row(key, row) for key, row in plan.activities])
        self._run(queries.DELETE_ACTIVITIES, plan.finished)
        return received

    def _send_all(self, plan: Plan) -> Mapping[int, Sequence[int | None]]:
        received: dict[int, list[int | None]] = {}
        for place, sender, send in plan.sends:
            to = send.to
            receiver = self._begin_for(to) if isinstance(to, NewRun) else self._deliver(to, send)
            reply = send.refusal if receiver is None else send.receipt
            if reply is not None and plan.is_open(sender):
                self._insert_inbox(sender, reply)
            received.setdefault(place, []).append(receiver)
        return received

    def _begin_for(self, new: NewRun) -> int | None:
        """Begin a run, unless another one is in its way."""
        if self._begin_conflict(new.begin) is not None:
            return None
        key = new.begin.identity.key
        self._run(queries.INSERT_RUNS, [rows.run_row(new.begin.identity, new.head, self._epoch)])
        self._run(queries.INSERT_INBOX, [rows.inbox_row(key, row) for row in new.inbox])
        return key

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
        self._insert_inbox(found[0], send.row)
        return found[0]

    def _insert_inbox(self, key: int, row: InboxRow) -> None:
        self._run(queries.INSERT_INBOX, [rows.inbox_row(key, row)])

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
