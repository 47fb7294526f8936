"""A store that forgets everything with the process: for ``memory://``, and the reference for the other stores."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from actorflow.core.journal import TurnRow
from actorflow.core.letters import Address
from actorflow.core.messages import TERMINATION
from actorflow.core.policy.filter_tree import Condition, CountQuery, ListQuery
from actorflow.core.policy.filter_truth import holds
from actorflow.store.preconditions import begin_conflict, change_conflict, check_shape, is_open
from actorflow.store.protocol import (
    COMMITTED,
    ActivityRow,
    Begin,
    Change,
    Committed,
    Conflict,
    Count,
    Head,
    Identity,
    InboxRow,
    LoadedRun,
    NewRun,
    Outcome,
    Position,
    RunRecord,
    Send,
    Share,
)
from actorflow.store.visibility import judge_run, position_of


class _Run:
    """Everything about one run; the rows are frozen, only the collections change."""

    def __init__(self, identity: Identity, head: Head) -> None:
        self.identity = identity
        self.head = head
        self.turns: list[TurnRow] = []
        self.inbox: dict[int, InboxRow] = {}
        self.activities: dict[str, ActivityRow] = {}

    @property
    def record(self) -> RunRecord:
        return RunRecord(self.identity, self.head)

    def apply(self, change: Change) -> None:
        self.head = change.head or self.head
        self.turns.extend(change.turns)
        self.inbox.update((row.seq, row) for row in change.arrived)
        for seq in change.consumed:
            self.inbox.pop(seq, None)
        self.activities.update((row.activity_id, row) for row in change.activities)
        for activity_id in change.finished:
            self.activities.pop(activity_id, None)

    def sweep(self) -> None:
        """Drop what is left in the inbox."""
        self.inbox.clear()

    def loaded(self) -> LoadedRun:
        inbox = tuple(self.inbox[seq] for seq in sorted(self.inbox))
        activities = tuple(self.activities[name] for name in sorted(self.activities))
        return LoadedRun(self.record, tuple(self.turns), inbox, activities)

    @property
    def is_unattended(self) -> bool:
        """True if the run is open and comes to its end without a worker."""
        may_time_out = self.head.last_event == 0 and self.head.wake_at is not None and bool(self.inbox)
        is_ended = any(row.message.startswith(TERMINATION) for row in self.inbox.values())
        return is_open(self.head) and (may_time_out or is_ended)

    def is_hosted(self, share: Share, workflow_types: Sequence[str] | None) -> bool:
        """True if the run is open, and of this share and one of these types."""
        run = self.identity
        same_share = (run.namespace, run.task_queue, run.shard) == (share.namespace, share.task_queue, share.shard)
        return is_open(self.head) and same_share and (workflow_types is None or run.workflow_type in workflow_types)


class MemoryStore:
    """See `actorflow.store.protocol.Store`; nothing here waits, and nothing is durable."""

    def __init__(self) -> None:
        self._runs: dict[int, _Run] = {}
        self._runs_by_id: dict[tuple[str, str], list[_Run]] = {}
        self._last_key = 0
        self._last_seq = 0
        self._commits = 0
        self._changes = 0

    async def open(self) -> None:
        """See `Store.open`."""

    async def close(self) -> None:
        """See `Store.close`."""

    def new_run_key(self) -> int:
        """See `Store.new_run_key`."""
        self._last_key += 1
        return self._last_key

    def new_inbox_seq(self) -> int:
        """See `Store.new_inbox_seq`."""
        self._last_seq += 1
        return self._last_seq

    def commit(self, batch: Sequence[Change]) -> asyncio.Future[Sequence[Outcome]]:
        """See `Store.commit`."""
        check_shape(batch)
        self._commits += bool(batch)
        self._changes += len(batch)
        committed: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()
        committed.set_result([self._commit(change) for change in batch])
        return committed

    def _commit(self, change: Change) -> Outcome:
        conflict = self._begin(change.begin, change) if change.begin else self._change(change)
        if conflict is not None:
            return conflict
        if change.successor is not None:
            self._begin_new(change.successor)
        received = tuple([self._send(change.key, send) for send in change.sends])
        if change.is_swept:
            self._runs[change.key].sweep()
        return Committed(received) if received else COMMITTED

    def _send(self, sender: int, send: Send) -> int | None:
        to = send.to
        receiver = self._begin_new(to) if isinstance(to, NewRun) else self._deliver(to, send)
        reply = send.refusal if receiver is None else send.receipt
        if reply is not None and is_open(self._runs[sender].head):
            self._runs[sender].inbox[reply.seq] = reply
        return receiver

    def _begin_new(self, new: NewRun) -> int | None:
        key = new.begin.identity.key
        conflict = self._begin(new.begin, Change(key, 0, new.head, new.begin, arrived=new.inbox))
        return key if conflict is None else None

    def _deliver(self, to: Address, send: Send) -> int | None:
        row = send.row
        for run in self._runs_of(to.namespace, to.workflow_id):
            identity = run.identity
            is_wanted = to.run_id in ("", identity.run_id) and to.first_run_id in ("", identity.chain)
            has_room = send.inbox_max is None or len(run.inbox) < send.inbox_max
            if row is not None and is_open(run.head) and is_wanted and has_room:
                run.inbox[row.seq] = row
                return identity.key
        return None

    def _begin(self, begin: Begin, change: Change) -> Conflict | None:
        identity = begin.identity
        runs = self._runs_of(identity.namespace, identity.workflow_id)
        conflict = begin_conflict(
            begin,
            repeated=_record(run for run in runs if begin.identity.request_id == run.identity.request_id != ""),
            open_run=_record(run for run in runs if is_open(run.head)),
            last=_record(reversed(runs)),
        )
        if conflict is None and change.head is not None:
            run = self._runs[change.key] = _Run(identity, change.head)
            self._runs_by_id.setdefault((identity.namespace, identity.workflow_id), []).append(run)
            run.apply(change)
        return conflict

    def _change(self, change: Change) -> Conflict | None:
        run = self._runs.get(change.key)
        conflict = change_conflict(change, run and run.record)
        if conflict is None and run is not None:
            run.apply(change)
        return conflict

    def _runs_of(self, namespace: str, workflow_id: str) -> Sequence[_Run]:
        return self._runs_by_id.get((namespace, workflow_id), ())

    async def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """See `Store.find`."""
        await asyncio.sleep(0)  # as a disk would: a caller in a loop must not keep the event loop for itself
        runs = self._runs_of(namespace, workflow_id)
        if run_id is not None:
            found = [run for run in runs if run.identity.run_id == run_id]
        else:
            found = [run for run in runs if is_open(run.head)] or runs[-1:]
        return RunRecord(found[0].identity, found[0].head, len(found[0].inbox)) if found else None

    async def load(self, keys: Sequence[int]) -> Sequence[LoadedRun]:
        """See `Store.load`."""
        await asyncio.sleep(0)
        return [self._runs[key].loaded() for key in keys if key in self._runs]

    async def busy(self, after: int, limit: int) -> Sequence[int]:
        """See `Store.busy`."""
        return self._keys(
            after, limit, (run for run in self._runs.values() if is_open(run.head) and run.head.open_activities > 0)
        )

    async def arrivals(
        self, share: Share, workflow_types: Sequence[str] | None, after: int, limit: int
    ) -> Sequence[int]:
        """See `Store.arrivals`."""
        hosted = (run for run in self._runs.values() if run.is_hosted(share, workflow_types))
        return self._keys(after, limit, (run for run in hosted if run.inbox or run.head.failing is not None))

    async def unattended(self, after: int, limit: int) -> Sequence[int]:
        """See `Store.unattended`."""
        return self._keys(after, limit, (run for run in self._runs.values() if run.is_unattended))

    def _keys(self, after: int, limit: int, runs: Iterable[_Run]) -> Sequence[int]:
        return sorted(run.identity.key for run in runs if run.identity.key > after)[:limit]

    async def due(
        self, share: Share, workflow_types: Sequence[str] | None, now: datetime, limit: int
    ) -> tuple[Sequence[int], datetime | None]:
        """See `Store.due`."""
        waiting = sorted(
            (run.head.wake_at, run.identity.key)
            for run in self._runs.values()
            if run.is_hosted(share, workflow_types) and run.head.parked is None and run.head.wake_at is not None
        )
        due = [key for wake_at, key in waiting if wake_at <= now]
        return due[:limit], next((wake_at for wake_at, _ in waiting if wake_at > now), None)

    async def list(self, namespace: str, query: ListQuery, after: Position | None, limit: int) -> Sequence[RunRecord]:
        """See `Store.list`."""
        await asyncio.sleep(0)
        is_descending = query.order.is_descending
        start = None if after is None else _sorting(after)
        found = [(_sorting(position_of(run, query.order)), run) for run in self._visible(namespace, query.where)]
        found.sort(key=_place, reverse=is_descending)
        if start is not None:
            found = [(at, run) for at, run in found if (at < start if is_descending else at > start)]
        return [run for _, run in found[:limit]]

    async def count(self, namespace: str, query: CountQuery) -> Count:
        """See `Store.count`."""
        await asyncio.sleep(0)
        statuses = Counter(run.head.status for run in self._visible(namespace, query.where))
        return Count(statuses.total(), dict(statuses) if query.is_by_status else {})

    def _visible(self, namespace: str, where: Condition | None) -> Iterable[RunRecord]:
        for run in self._runs.values():
            if run.identity.namespace == namespace and (where is None or holds(where, partial(judge_run, run.record))):
                yield run.record

    async def journal(self, key: int) -> Sequence[TurnRow]:
        """See `Store.journal`."""
        run = self._runs.get(key)
        return tuple(run.turns) if run else ()

    def facts(self) -> dict[str, object]:
        """See `Store.facts`."""
        return {
            "store": "memory",
            "path": None,
            "synchronous": None,
            "journal_mode": None,
            "commits": self._commits,
            "changes": self._changes,
        }


def _sorting(position: Position) -> tuple[bool, datetime, int]:
    """Open runs close after all others."""
    return (position.at is None, position.at or datetime.max.replace(tzinfo=UTC), position.key)


def _place(found: tuple[Any, RunRecord]) -> Any:
    return found[0]


def _record(runs: Iterable[_Run]) -> RunRecord | None:
    return next((run.record for run in runs), None)
