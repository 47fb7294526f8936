"""What the engine asks of a store: one way to write, a few ways to read.

A store holds no policy. It writes a batch of changes in one transaction, each compare-and-set on its run's last event
number, and says of each whether it was committed. Everything else is reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from actorflow.core.journal import TurnRow
from actorflow.core.letters import Address
from actorflow.core.policy.filter_tree import CountQuery, ListQuery


class Share(msgspec.Struct, frozen=True):
    """What one engine may own: the runs of a task queue in a namespace."""

    namespace: str
    task_queue: str
    shard: int = 0


class Identity(msgspec.Struct, frozen=True, gc=False):
    """What never changes about a run. ``key`` is the store's own number for it (see `Store.new_run_key`).

    ``first_run_id`` is the first run of the chain this one is part of; empty for that run itself.
    """

    key: int
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    started_at: datetime
    request_id: str = ""
    shard: int = 0
    first_run_id: str = ""

    @property
    def chain(self) -> str:
        """The first run of the chain this one is part of."""
        return self.first_run_id or self.run_id


class Head(msgspec.Struct, frozen=True, gc=False):
    """What changes about a run, as it is after its last turn.

    Attributes:
        last_event: number of the last event.
        checksum: of the last turn's row (of the identity, before the first).
        status: 'running', 'completed', 'failed', 'cancelled', 'terminated', 'timed_out' or 'continued'.
        wake_at: the earliest timer or timeout, if any.
        open_activities: how many activities are scheduled without an outcome.
        closed_at: when it closed, if it has.
        failing: JSON of the turn that keeps failing (`engine.failing.FailingTurn`), if any.
        parked: why the run can't go on, if so.
    """

    last_event: int
    checksum: int
    status: str = "running"
    wake_at: datetime | None = None
    open_activities: int = 0
    closed_at: datetime | None = None
    failing: str | None = None
    parked: str | None = None


class InboxRow(msgspec.Struct, frozen=True, gc=False):
    """A message accepted but not yet consumed by a turn. ``seq`` orders the messages of a store."""

    seq: int
    message: str
    received_at: datetime
    request_id: str = ""


class ActivityRow(msgspec.Struct, frozen=True, gc=False):
    """What the journal must not hold of an open activity: attempts after the first, the last failure, heartbeats.

    Attributes:
        attempt: the attempt that is running, or that runs next.
        charged: how many attempts count against the maximum (an attempt lost with the process does not).
        started_at: when the attempt began; None while it waits for its time or for a slot.
        next_attempt_at: when the attempt may begin; of one that has begun, when its code left it to be completed from
            outside.
        last_failure: JSON of the last attempt's failure, if any.
        heartbeat: JSON of the last heartbeat details, if any.
        cancel_requested: the workflow asked the activity to stop.
    """

    activity_id: str
    attempt: int
    charged: int
    started_at: datetime | None = None
    next_attempt_at: datetime | None = None
    last_failure: str | None = None
    heartbeat: str | None = None
    cancel_requested: bool = False

    @property
    def is_left_open(self) -> bool:
        """True if no code runs any more, and somebody outside is to say how the attempt ends."""
        return self.started_at is not None and self.next_attempt_at is not None


class Begin(msgspec.Struct, frozen=True, gc=False):
    """A run that does not exist yet, and what must hold for it to begin.

    A store always refuses a second open run of a workflow id. ``reuse`` says what closed runs of that id mean:
    'allow' nothing, 'failed_only' the last one must not be completed, 'reject' there must be none.
    With a non-empty ``request_id``, a run of the same id and request id is the same start, repeated.
    """

    identity: Identity
    reuse: str = "allow"


class NewRun(msgspec.Struct, frozen=True, gc=False):
    """A run that begins in another run's transaction; its first messages wait in its inbox."""

    begin: Begin
    head: Head
    inbox: tuple[InboxRow, ...]


class Send(msgspec.Struct, frozen=True, gc=False):
    """What one run sends another in its own transaction.

    Attributes:
        to: who gets it, or begins with it.
        row: what an open run gets in its inbox.
        receipt: what the sender gets in its own inbox if it was received.
        refusal: what it gets if there is no such open run, or a run is in the way of the new one.
        inbox_max: an inbox that holds so many messages takes no other one.
    """

    to: Address | NewRun
    row: InboxRow | None = None
    receipt: InboxRow | None = None
    refusal: InboxRow | None = None
    inbox_max: int | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one commit does to one run; all of it or nothing.

    Attributes:
        key: the run.
        expected: the run's last event number before this change; None for a change that appends no turn (inbox rows
            from outside and activity rows), which only demands that the run is open.
        head: the head after the change; None leaves it alone.
        begin: the run is created by this change.
        turns: rows to append, in order (two when a failed turn is journaled beside another).
        consumed: seqs of inbox rows to delete.
        arrived: inbox rows to insert.
        activities: activity rows to insert or replace.
        finished: ids of activities whose rows go.
        successor: the run that follows this one, which is closed by this change.
        sends: what goes to other runs, in order; after it, replies to a sender that is closed are left out.
        is_swept: whatever is left in the inbox goes: replies to what a closed run has sent.
    """

    key: int
    expected: int | None = None
    head: Head | None = None
    begin: Begin | None = None
    turns: tuple[TurnRow, ...] = ()
    consumed: tuple[int, ...] = ()
    arrived: tuple[InboxRow, ...] = ()
    activities: tuple[ActivityRow, ...] = ()
    finished: tuple[str, ...] = ()
    successor: NewRun | None = None
    sends: tuple[Send, ...] = ()
    is_swept: bool = False


class Committed(msgspec.Struct, frozen=True):
    """The change is durable. ``received`` has for each of its sends the run that got it, or None."""

    received: tuple[int | None, ...] = ()


class Conflict(msgspec.Struct, frozen=True):
    """The change was not made. For a begin, ``run`` is the run that is in its way; otherwise the run as it stands.

    ``repeated`` is true where a begin with the same request id was made before: the caller has what it asked for.
    """

    run: RunRecord | None = None
    repeated: bool = False


Outcome = Committed | Conflict
COMMITTED = Committed()


class RunRecord(msgspec.Struct, frozen=True):
    """A run's identity and head; from `Store.find` also how many inbox rows it has (0 elsewhere)."""

    identity: Identity
    head: Head
    inbox: int = 0


class LoadedRun(msgspec.Struct, frozen=True):
    """All that is stored of a run: head, journal, inbox and activity rows, in order."""

    record: RunRecord
    turns: Sequence[TurnRow] = ()
    inbox: Sequence[InboxRow] = ()
    activities: Sequence[ActivityRow] = ()


class Position(msgspec.Struct, frozen=True):
    """Where a run stands in a list: the time the list is ordered by (None: it has not closed), then its key."""

    at: datetime | None
    key: int


class Count(msgspec.Struct, frozen=True):
    """How many runs there are, and how many of each status if that was asked (statuses without a run are left out)."""

    total: int
    by_status: Mapping[str, int] = {}


class Store(Protocol):
    """Keeps journals. What waits for the disk is awaited; nothing blocks the event loop.

    Raises (all methods):
        StorageError: one of its subclasses; `StorageFullError` and `StorageBusyError` mean nothing was written and the
            same call may be repeated, `StorageFailedError` that the store is of no use any more.
    """

    async def open(self) -> None:
        """Take ownership and make the schema current.

        Raises:
            StorageOwnedError: somebody else owns it (it says who).
            NotOurFileError, NewerSchemaError: and the file is byte for byte as before.
        """
        ...

    async def close(self) -> None:
        """Give ownership back and end every thread; safe to call twice, and after a failed `open`."""
        ...

    def new_run_key(self) -> int:
        """A number for a run that is about to begin; rising, never given out twice."""
        ...

    def new_inbox_seq(self) -> int:
        """A number for an inbox row that is about to be inserted; rising, never given out twice."""
        ...

    def commit(self, batch: Sequence[Change]) -> asyncio.Future[Sequence[Outcome]]:
        """Write a batch in one transaction with one sync, and say of each change whether it was made.

        The commit is on its way when this returns; cancelling the future forgets the answer, not the commit.
        A change sees those before it in the batch: a run may begin, turn twice and close in one batch, and the
        second of two begins of one workflow id meets the first. One change in conflict does not harm the others.
        Only one call may be under way.
        """
        ...

    async def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """The run of that id; without a run id the open one, else the one that began last."""
        ...

    async def load(self, keys: Sequence[int]) -> Sequence[LoadedRun]:
        """Everything about some runs, in the order asked for; unknown keys are left out."""
        ...

    async def busy(self, after: int, limit: int) -> Sequence[int]:
        """Keys (ascending, greater than ``after``) of open runs with open activities."""
        ...

    async def arrivals(
        self, share: Share, workflow_types: Sequence[str] | None, after: int, limit: int
    ) -> Sequence[int]:
        """Keys (ascending, greater than ``after``) of open runs of a share and these types (None: all) with inbox rows
        or a failing turn."""
        ...

    async def unattended(self, after: int, limit: int) -> Sequence[int]:
        """Keys (ascending, greater than ``after``) of open runs that come to their end without a worker: a termination
        waits in their inbox, or they have not begun and may time out before they do."""
        ...

    async def due(
        self, share: Share, workflow_types: Sequence[str] | None, now: datetime, limit: int
    ) -> tuple[Sequence[int], datetime | None]:
        """Open, not parked runs of these types (None: all) whose ``wake_at`` has come, earliest first; and the earliest
        ``wake_at`` after now."""
        ...

    async def list(self, namespace: str, query: ListQuery, after: Position | None, limit: int) -> Sequence[RunRecord]:
        """Runs of a namespace that meet a filter, in its order, beginning after a position.

        Raises:
            ListTimeoutError: it takes longer than `limits.LIST_TIMEOUT`.
        """
        ...

    async def count(self, namespace: str, query: CountQuery) -> Count:
        """How many runs of a namespace meet a filter.

        Raises:
            ListTimeoutError: it takes longer than `limits.LIST_TIMEOUT`.
        """
        ...

    async def journal(self, key: int) -> Sequence[TurnRow]:
        """The turns of a run, in order."""
        ...

    def facts(self) -> dict[str, object]:
        """What the store says about itself: ``synchronous``, ``journal_mode``, ``commits`` so far, version, path."""
        ...
