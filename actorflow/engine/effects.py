"""Performs what a committed turn decided. Everything here can be derived from the journal again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from actorflow.core import events as ev
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.state import ExecutionState
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.local_activity import LocalActivityActor
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
    committed = _Committed(site, identity, state, slots)
    for event in turn.events:
        effect = _EFFECTS.get(type(event))
        if effect is not None:
            effect(committed, event)


class _Committed(NamedTuple):
    """What a turn's effects need."""

    site: Site
    identity: Identity
    state: ExecutionState
    slots: Mapping[str, Slots[WorkerHost]]


def _start_activity(committed: _Committed, event: Any) -> None:
    site, identity, state, slots = committed
    pending = state.activities.get(event.activity_id)
    slot = slots.get(event.activity_id)
    if pending is None:  # a later turn, decided while this one was written, has closed the run
        if slot is not None:
            release(site, {event.activity_id: slot})
        return
    ActivityActor(site, identity, pending).start(slot)


def _start_local_activity(committed: _Committed, event: Any) -> None:
    site, identity, state, _ = committed
    pending = (state.local_activities or {}).get(event.activity_id)
    if pending is not None:
        LocalActivityActor(site, identity, pending).start()


def _cancel_activity(committed: _Committed, event: Any) -> None:
    activity = committed.site.activities.get(committed.identity.key, {}).get(event.activity_id)
    if activity is not None:
        activity.request_cancel()


def _accept_update(committed: _Committed, event: Any) -> None:
    committed.site.updates.accepted(committed.identity.key, event.update_id)


def _complete_update(committed: _Committed, event: Any) -> None:
    committed.site.updates.completed(committed.identity.key, event)


def _close(committed: _Committed, event: Any) -> None:
    site, identity, state, _ = committed
    for activity in list(site.activities.get(identity.key, {}).values()):
        activity.abandon()
    site.activity_rows.pop(identity.key, None)  # a row written meanwhile met the end of the run
    if site.updates.is_awaited(identity.key):
        site.updates.closed(identity.key, state.updates or {}, already_closed(identity.workflow_id, state.status))
    site.answer_waiters(identity.key, Closed(identity.run_id, event))


_EFFECTS: Final[Mapping[type[ev.Event], Callable[[_Committed, Any], None]]] = {
    ev.ActivityScheduled: _start_activity,
    ev.ActivityCancelRequested: _cancel_activity,
    ev.LocalActivityScheduled: _start_local_activity,
    ev.LocalActivityCancelRequested: _cancel_activity,
    ev.UpdateAccepted: _accept_update,
    ev.UpdateCompleted: _complete_update,
    **dict.fromkeys(ev.CLOSING, _close),
}


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
    if not state.open_activities:
        return
    known = site.activities.get(identity.key, {})
    resolved = {message.activity_id for message in waiting if isinstance(message, ev.ActivityResolved)}
    row_by_id = {row.activity_id: row for row in rows}
    for activity_id, pending in list(state.activities.items()):
        if activity_id not in known and activity_id not in resolved:
            row = row_by_id.get(activity_id)
            ActivityActor(site, identity, pending, row).recover(row)
    for activity_id, local in list((state.local_activities or {}).items()):
        if activity_id not in known and activity_id not in resolved:
            LocalActivityActor(site, identity, local).start()


def release(site: Site, slots: Mapping[str, Slots[WorkerHost]]) -> None:
    """Give back slots whose activities won't start."""
    for slot in slots.values():
        site.registry.release(slot)
