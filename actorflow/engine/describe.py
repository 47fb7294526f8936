"""An execution as it stands on disk, for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from actorflow.converter import Failure
from actorflow.core.failing import FailingTurn, decode_failing
from actorflow.core.notes import NO_NOTES
from actorflow.core.state import ExecutionState, PendingActivity
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.execution import turns_of
from actorflow.engine.site import OpenActivity
from actorflow.exceptions import CorruptJournalError
from actorflow.service import Description, PendingActivityInfo
from actorflow.store.protocol import ActivityRow, LoadedRun, RunRecord, Store
from actorflow.store.reading import ReadableStore

_decode_failure = msgspec.json.Decoder(Failure).decode


class _Progress(NamedTuple):
    """How far an activity is; as `ActivityActor.status` tells it."""

    state: str
    attempt: int
    next_attempt_at: datetime | None = None
    last_failure: Failure | None = None


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
    identity, head = record.identity, record.head
    if head.status != "running":
        loaded = None
    state = ExecutionState()
    try:
        failing = decode_failing(head.failing) if head.failing else None
        if loaded is not None:
            state = ExecutionState.folded(turns_of(identity, loaded.turns))
    except (CorruptJournalError, msgspec.DecodeError) as problem:
        failing = FailingTurn.unreadable(problem, now)
    notes = await store.notes([identity.key])
    actors = (live or {}).get(identity.key, {})
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
        notes=notes.get(identity.key, NO_NOTES),
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
