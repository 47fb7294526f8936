"""An execution as it stands, for people."""

from __future__ import annotations

import msgspec

from actorflow.core.state import ExecutionState, PendingActivity
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.execution import turns_of
from actorflow.engine.failing import FailingTurn, decode_failing
from actorflow.engine.site import Site
from actorflow.exceptions import CorruptJournalError
from actorflow.service import Description, PendingActivityInfo
from actorflow.store.protocol import LoadedRun, RunRecord


async def describe_run(site: Site, record: RunRecord) -> Description:
    """Head, pending work and what keeps failing, as they are on disk."""
    identity, head = record.identity, record.head
    loaded: LoadedRun | None = None
    if head.status == "running":
        loaded = next(iter(await site.store.load([identity.key])), None)
    state = ExecutionState()
    try:
        failing = decode_failing(head.failing) if head.failing else None
        if loaded is not None:
            state = ExecutionState.folded(turns_of(identity, loaded.turns))
    except (CorruptJournalError, msgspec.DecodeError) as problem:
        failing = FailingTurn.unreadable(problem, site.clock.now())
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
        pending_activities=tuple(_pending(site, identity.key, pending) for pending in state.activities.values()),
        pending_timers=len(state.timers),
        inbox_messages=len(loaded.inbox) if loaded is not None else 0,
    )


def _pending(site: Site, key: int, pending: PendingActivity) -> PendingActivityInfo:
    scheduled = pending.scheduled
    actor = site.activities.get(key, {}).get(scheduled.activity_id)
    state, number, next_at, failure = ("scheduled", 1, None, None)
    if isinstance(actor, ActivityActor):
        state, number, next_at, failure = actor.status()
    return PendingActivityInfo(
        activity_id=scheduled.activity_id,
        activity_type=scheduled.activity_type,
        attempt=number,
        state=state,
        scheduled_at=pending.scheduled_at,
        next_attempt_at=next_at,
        last_failure=failure,
    )
