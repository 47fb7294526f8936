"""An execution as it stands, for people."""

from __future__ import annotations

from actorflow.core.journal import decode_turns, identity_checksum
from actorflow.core.state import ExecutionState, PendingActivity
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.failing import decode_failing
from actorflow.engine.site import Site
from actorflow.exceptions import CorruptJournalError
from actorflow.service import Description, PendingActivityInfo
from actorflow.store.protocol import LoadedRun, RunRecord


async def describe_run(site: Site, record: RunRecord) -> Description:
    """Head, pending work and what keeps failing, as they are on disk."""
    identity, head = record.identity, record.head
    failing = decode_failing(head.failing) if head.failing else None
    loaded: LoadedRun | None = None
    if head.status == "running":
        loaded = next(iter(await site.store.load([identity.key])), None)
    state = _folded(loaded)
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
        parked=head.parked,
        last_failure=failing.failure if failing is not None else None,
        turn_failures=failing.attempts if failing is not None else 0,
        pending_activities=tuple(_pending(site, identity.key, pending) for pending in state.activities.values()),
        pending_timers=len(state.timers),
        inbox_messages=len(loaded.inbox) if loaded is not None else 0,
    )


def _folded(loaded: LoadedRun | None) -> ExecutionState:
    if loaded is None:
        return ExecutionState()
    identity = loaded.record.identity
    seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
    try:
        return ExecutionState.folded(decode_turns(loaded.turns, seed=seed, run_id=identity.run_id))
    except CorruptJournalError:
        return ExecutionState()  # describing is still possible; whoever runs it is told


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
