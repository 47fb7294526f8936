"""An execution as it stands on disk, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.events import RunOptions
from actorflow.core.failing import FailingTurn, decode_failing
from actorflow.core.journal import TurnRow
from actorflow.core.messages import decode_message
from actorflow.core.policy.succession import successor_id
from actorflow.core.state import NO_OPTIONS, ExecutionState, PendingActivity
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.execution import last_turn_of, turns_of
from actorflow.engine.site import OpenActivity
from actorflow.exceptions import CorruptJournalError
from actorflow.service import Description, PendingActivityInfo, PendingChildInfo, PendingMessageInfo
from actorflow.store.protocol import ActivityRow, Identity, InboxRow, LoadedRun, RunRecord, Store
from actorflow.store.reading import ReadableStore

_decode_failure = msgspec.json.Decoder(Failure).decode


class _Progress(NamedTuple):
    """How far an activity is; as `ActivityActor.status` tells it."""

    state: str
    attempt: int
    next_attempt_at: datetime | None = None
    last_failure: Failure | None = None


class _Read(NamedTuple):
    """What a journal says, as far as it can be read."""

    state: ExecutionState
    failing: FailingTurn | None = None
    options: RunOptions = NO_OPTIONS
    successor: str = ""
    children_started: frozenset[int] = frozenset()

    @staticmethod
    def of_open(loaded: LoadedRun, now: datetime) -> _Read:
        """Of an open run: all of it, for what is pending."""
        head = loaded.record.head
        try:
            failing = decode_failing(head.failing) if head.failing else None
            turns = turns_of(loaded.record.identity, loaded.turns)
            state = ExecutionState.folded(turns)
            options = state.options if state.started is not None else _options_waiting(loaded.inbox)
        except (CorruptJournalError, msgspec.DecodeError) as problem:
            return _Read(ExecutionState(), FailingTurn.unreadable(problem, now))
        events = () if state.children is None else (event for turn in turns for event in turn.events)
        started = frozenset(event.initiated for event in events if isinstance(event, ev.ChildStarted))
        return _Read(state, failing, options, children_started=started)

    @staticmethod
    def of_closed(identity: Identity, rows: Sequence[TurnRow]) -> _Read:
        """Of a closed run: how it began, and how it ended. Damage is told to whoever reads its history."""
        try:
            options = ExecutionState.folded(turns_of(identity, rows[:1])).options
            close = last_turn_of(identity, rows).events[-1] if rows else None
        except (CorruptJournalError, msgspec.DecodeError):
            return _Read(ExecutionState())
        return _Read(ExecutionState(), options=options, successor=successor_id(close))


def _options_waiting(inbox: Sequence[InboxRow]) -> RunOptions:
    """The options of a run whose beginning still waits for a turn."""
    messages = (decode_message(row.message) for row in inbox)
    started = next((message for message in messages if isinstance(message, ev.Started)), None)
    return NO_OPTIONS if started is None or started.options is None else started.options


async def describe_run(
    store: Store | ReadableStore,
    record: RunRecord,
    *,
    now: datetime,
    live: Mapping[int, Mapping[str, OpenActivity]] | None = None,
) -> Description:
    """Head, pending work and what keeps failing, as they are on disk.

    Args:
        store: where the run is.
        record: the run, as it was found.
        now: for a journal that can't be read.
        live: activities that are taken care of in this process, by run: they know best how far they are.
    """
    loaded: LoadedRun | None = None
    if record.head.status == "running":
        loaded = next(iter(await store.load([record.identity.key])), None)
    if loaded is not None:
        record = loaded.record  # it may have gone on since it was found: all that is told is of this moment
    identity = record.identity
    if loaded is not None and record.head.status == "running":
        read = _Read.of_open(loaded, now)
    else:
        loaded, read = None, _Read.of_closed(identity, await store.journal(identity.key))
    return _description(record, loaded, read, (live or {}).get(identity.key, {}))


def _description(
    record: RunRecord, loaded: LoadedRun | None, read: _Read, actors: Mapping[str, OpenActivity]
) -> Description:
    identity, head, failing, state = record.identity, record.head, read.failing, read.state
    stored = {row.activity_id: row for row in loaded.activities} if loaded is not None else {}
    return Description(
        namespace=identity.namespace,
        workflow_id=identity.workflow_id,
        run_id=identity.run_id,
        workflow_type=identity.workflow_type,
        task_queue=identity.task_queue,
        status=head.status,
        started_at=identity.started_at,
        closed_at=head.closed_at,
        history_length=head.last_event,
        parked=failing.reason if failing is not None and failing.is_parked else None,
        last_failure=failing.failure if failing is not None else None,
        turn_failures=failing.attempts if failing is not None and failing.messages else 0,
        pending_activities=tuple(
            _pending(pending, actors.get(id_), stored.get(id_)) for id_, pending in state.activities.items()
        ),
        pending_timers=len(state.timers),
        inbox_messages=len(loaded.inbox) if loaded is not None else 0,
        options=read.options,
        first_run_id=identity.chain,
        successor=read.successor,
        pending_children=tuple(
            _child(initiated, child, has_started=initiated in read.children_started)
            for initiated, child in (state.children or {}).items()
        ),
        pending_messages=tuple(_message(initiated, sent) for initiated, sent in (state.sent or {}).items()),
    )


def _pending(pending: PendingActivity, actor: OpenActivity | None, row: ActivityRow | None) -> PendingActivityInfo:
    progress = _Progress(*actor.status()) if isinstance(actor, ActivityActor) else _on_disk(pending, row)
    return PendingActivityInfo(
        activity_id=pending.scheduled.activity_id,
        activity_type=pending.scheduled.activity_type,
        attempt=progress.attempt,
        state=progress.state,
        scheduled_at=pending.scheduled_at,
        next_attempt_at=progress.next_attempt_at,
        last_failure=progress.last_failure,
    )


def _child(initiated: int, child: ev.ChildScheduled, *, has_started: bool) -> PendingChildInfo:
    return PendingChildInfo(
        workflow_id=child.workflow_id,
        run_id=child.run_id,
        workflow_type=child.workflow_type,
        initiated=initiated,
        parent_close=child.parent_close,
        has_started=has_started,
    )


def _message(initiated: int, sent: ev.SignalSent | ev.CancelSent) -> PendingMessageInfo:
    signal = sent.name if isinstance(sent, ev.SignalSent) else None
    return PendingMessageInfo(sent.workflow_id, sent.run_id, initiated, signal)


def _on_disk(pending: PendingActivity, row: ActivityRow | None) -> _Progress:
    """What is recorded: an attempt that was started may run, or may have been lost with its process."""
    if row is None:
        return _Progress("waiting" if pending.scheduled.waiting else "started", 1)
    if row.started_at is not None:
        state = "started"
    else:
        state = "backing_off" if row.next_attempt_at is not None else "waiting"
    failure = _decode_failure(row.last_failure) if row.last_failure else None
    return _Progress(state, row.attempt, row.next_attempt_at if row.started_at is None else None, failure)
