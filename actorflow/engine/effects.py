"""Performs what a committed turn decided. Everything here can be derived from the journal again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actorflow.core import events as ev
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.state import ExecutionState
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.registry import WorkerHost
from actorflow.engine.site import Site
from actorflow.pool.slots import Slots
from actorflow.service import Closed, already_closed
from actorflow.store.protocol import ActivityRow, Identity


def perform(
    site: Site, identity: Identity, state: ExecutionState, turn: Turn, slots: Mapping[str, Slots[WorkerHost]]
) -> None:
    """Start activities, ask for cancellations, answer who waits for the end.

    Args:
        site: collaborators.
        identity: of the run.
        state: of the execution; it may be ahead of the turn.
        turn: what was committed.
        slots: reserved for first attempts, by activity id.
    """
    for event in turn.events:
        if isinstance(event, ev.ActivityScheduled):
            _start_activity(site, identity, state, event.activity_id, slots)
        elif isinstance(event, ev.ActivityCancelRequested):
            activity = site.activities.get(identity.key, {}).get(event.activity_id)
            if activity is not None:
                activity.request_cancel()
        elif isinstance(event, ev.UpdateAccepted):
            site.updates.accepted(identity.key, event.update_id)
        elif isinstance(event, ev.UpdateCompleted):
            site.updates.completed(identity.key, event)
        elif type(event) in ev.CLOSING:
            _close(site, identity, state, event)


def _start_activity(
    site: Site, identity: Identity, state: ExecutionState, activity_id: str, slots: Mapping[str, Slots[WorkerHost]]
) -> None:
    pending = state.activities.get(activity_id)
    slot = slots.get(activity_id)
    if pending is None:  # a later turn, decided while this one was written, has closed the run
        if slot is not None:
            release(site, {activity_id: slot})
        return
    ActivityActor(site, identity, pending).start(slot)


def _close(site: Site, identity: Identity, state: ExecutionState, event: ev.AnyEvent) -> None:
    for activity in list(site.activities.get(identity.key, {}).values()):
        activity.abandon()
    site.activity_rows.pop(identity.key, None)  # a row written meanwhile met the end of the run
    site.updates.closed(identity.key, state.updates or {}, already_closed(identity.workflow_id, state.status))
    site.answer_waiters(identity.key, Closed(identity.run_id, event))


def recover_activities(
    site: Site,
    identity: Identity,
    state: ExecutionState,
    rows: Sequence[ActivityRow],
    waiting: Sequence[Message],
) -> None:
    """Take care of open activities nobody takes care of yet: those an earlier process left.

    Args:
        site: collaborators.
        identity: of the run.
        state: of the execution.
        rows: what is known of attempts beside the journal.
        waiting: messages in the mailbox; an activity whose outcome is among them must not run again.
    """
    if not state.activities:
        return
    known = site.activities.get(identity.key, {})
    resolved = {message.activity_id for message in waiting if isinstance(message, ev.ActivityResolved)}
    row_by_id = {row.activity_id: row for row in rows}
    for activity_id, pending in list(state.activities.items()):
        if activity_id not in known and activity_id not in resolved:
            row = row_by_id.get(activity_id)
            ActivityActor(site, identity, pending, row).recover(row)


def release(site: Site, slots: Mapping[str, Slots[WorkerHost]]) -> None:
    """Give back slots whose activities won't start."""
    for slot in slots.values():
        site.registry.release(slot)
