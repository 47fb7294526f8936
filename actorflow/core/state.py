"""An execution as its events have left it: what is pending, and whether it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from actorflow.core import events as ev, limits
from actorflow.core.journal import Turn
from actorflow.exceptions import CorruptJournalError


class PendingActivity(msgspec.Struct, gc=False):
    """A scheduled activity without an outcome."""

    scheduled: ev.ActivityScheduled
    number: int
    scheduled_at: datetime
    cancel_requested: bool = False


class PendingLocalActivity(msgspec.Struct, gc=False):
    """A local activity without an outcome; ``scheduled_at`` is when it was asked for first."""

    scheduled: ev.LocalActivityScheduled
    scheduled_at: datetime
    cancel_requested: bool = False


class PendingTimer(msgspec.Struct, frozen=True, gc=False):
    """A timer that has neither fired nor been cancelled."""

    fires_at: datetime
    number: int
    summary: str = ""


STATUS_BY_CLOSE: Final[dict[type[ev.Event], str]] = {
    ev.Completed: "completed",
    ev.Failed: "failed",
    ev.Cancelled: "cancelled",
    ev.ContinuedAsNew: "continued",
    ev.Terminated: "terminated",
    ev.TimedOut: "timed_out",
}


NO_OPTIONS: Final = ev.RunOptions()


class ExecutionState:
    """Events folded into what a turn and a recovery need to know. Owned by one actor, changed by `apply` alone."""

    __slots__ = (
        "_request_ids",
        "activities",
        "cancel_requested",
        "children",
        "close",
        "closed_at",
        "expires_at",
        "last_at",
        "last_event",
        "local_activities",
        "sent",
        "started",
        "timers",
        "updates",
    )

    def __init__(self) -> None:
        self.last_event = 0
        self.last_at: datetime | None = None
        self.started: ev.Started | None = None
        self.cancel_requested = False
        self.close: ev.Event | None = None
        self.closed_at: datetime | None = None
        self.expires_at: datetime | None = None
        self.activities: dict[str, PendingActivity] = {}
        self.timers: dict[str, PendingTimer] = {}
        self.local_activities: dict[str, PendingLocalActivity] | None = None
        """None until there was one."""
        self.updates: dict[str, ev.UpdateCompleted | None] | None = None
        """Accepted updates by id, with their outcome once they have one; None while there are none at all."""
        self.children: dict[int, ev.ChildScheduled] | None = None
        """Children by the event that asked for them; None until there was one."""
        self.sent: dict[int, ev.SignalSent | ev.CancelSent] | None = None
        """What is on its way to other executions, by the event that sent it; None until there was something."""
        self._request_ids: dict[str, None] | None = None

    @staticmethod
    def folded(turns: Iterable[Turn]) -> ExecutionState:
        """The state after these turns.

        Raises:
            CorruptJournalError: they speak of instants no calendar has.
        """
        state = ExecutionState()
        try:
            for turn in turns:
                state.apply(turn)
        except OverflowError as problem:
            raise CorruptJournalError(
                f"a turn after event {state.last_event} reaches beyond the calendar ({problem}); "
                "restore the database from a backup, or terminate this execution"
            ) from problem
        return state

    @property
    def status(self) -> str:
        """As in the run's head."""
        return "running" if self.close is None else STATUS_BY_CLOSE[type(self.close)]

    @property
    def wake_at(self) -> datetime | None:
        """When the earliest timer fires, or the run times out."""
        if not self.timers:
            return self.expires_at
        earliest = min([timer.fires_at for timer in self.timers.values()])
        return earliest if self.expires_at is None else min(earliest, self.expires_at)

    @property
    def open_activities(self) -> int:
        """How many activities have no outcome yet, local ones included."""
        return len(self.activities) + (len(self.local_activities) if self.local_activities else 0)

    @property
    def options(self) -> ev.RunOptions:
        """What the run brought along beside its input."""
        started = self.started
        return NO_OPTIONS if started is None or started.options is None else started.options

    @property
    def is_connected(self) -> bool:
        """True if other executions may have something to do with this one."""
        return (
            self.children is not None
            or self.sent is not None
            or (self.started is not None and self.started.options is not None)
            or bool(getattr(self.close, "successor", ""))
        )

    def due_timers(self, now: datetime) -> list[str]:
        """Ids of timers whose time has come, the oldest first; those of one instant in the order of their start."""
        due = [(timer.fires_at, timer.number, id_) for id_, timer in self.timers.items() if timer.fires_at <= now]
        return [timer_id for _, _, timer_id in sorted(due)]

    def apply(self, turn: Turn) -> None:
        """Take a turn's events in; each kind knows what it changes."""
        number = self.last_event
        has_decided = False
        for event in turn.events:
            kind = type(event)
            if not has_decided and kind in ev.DECISIONS:
                has_decided = True
                number += ev.TASK_EVENTS
            number += ev.width(event)
            change = _CHANGES.get(kind)
            if change is not None:
                change(self, event, turn.at, number)
        self.last_event = turn.number
        self.last_at = turn.at

    def admits(self, message: ev.Event) -> bool:
        """False for what has no effect any more: a resolved timer or activity, a signal that was taken already."""
        admits = _ADMITS.get(type(message))
        return admits is None or admits(self, message)


def _admits_signal(state: ExecutionState, message: Any) -> bool:
    known = state._request_ids  # pyright: ignore[reportPrivateUsage]
    return known is None or message.request_id not in known


def _admits_update(state: ExecutionState, message: Any) -> bool:
    return state.updates is None or message.update_id not in state.updates


def _admits_timer(state: ExecutionState, message: Any) -> bool:
    return message.timer_id in state.timers


def _admits_outcome(state: ExecutionState, message: Any) -> bool:
    return message.activity_id in state.activities


def _admits_local(state: ExecutionState, message: Any) -> bool:
    return state.local_activities is not None and message.activity_id in state.local_activities


def _admits_child(state: ExecutionState, message: Any) -> bool:
    return state.children is not None and message.initiated in state.children


def _admits_reply(state: ExecutionState, message: Any) -> bool:
    return state.sent is not None and message.initiated in state.sent


_ADMITS: Final[dict[type[ev.Event], Callable[[ExecutionState, Any], bool]]] = {
    ev.SignalReceived: _admits_signal,
    ev.UpdateRequested: _admits_update,
    ev.TimerFired: _admits_timer,
    ev.ActivityCompleted: _admits_outcome,
    ev.ActivityFailed: _admits_outcome,
    ev.ActivityTimedOut: _admits_outcome,
    ev.ActivityCancelled: _admits_outcome,
    ev.LocalActivityResolved: _admits_local,
    ev.ChildStarted: _admits_child,
    ev.ChildStartFailed: _admits_child,
    ev.ChildCompleted: _admits_child,
    ev.ChildFailed: _admits_child,
    ev.ChildCancelled: _admits_child,
    ev.ChildTimedOut: _admits_child,
    ev.ChildTerminated: _admits_child,
    ev.MessageDelivered: _admits_reply,
    ev.MessageRefused: _admits_reply,
}


def turn_width(events: Iterable[ev.Event]) -> int:
    """How many events of the public history a turn stands for, its own task events included."""
    total = 0
    has_task = True
    for event in events:
        total += ev.width(event)
        if type(event) is ev.TurnFailed or type(event) in ev.UNASKED:
            has_task = False
    return total + (ev.TASK_EVENTS if has_task else 0)


def _started(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    state.started = event
    if event.options is not None:
        state.expires_at = event.options.expires_at


def _cancel_requested(state: ExecutionState, _event: Any, _at: datetime, _number: int) -> None:
    state.cancel_requested = True


def _signal_received(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    if event.request_id:
        if state._request_ids is None:  # pyright: ignore[reportPrivateUsage]
            state._request_ids = {}  # pyright: ignore[reportPrivateUsage]
        known = state._request_ids  # pyright: ignore[reportPrivateUsage]
        known[event.request_id] = None
        if len(known) > limits.REQUEST_IDS_MAX:
            del known[next(iter(known))]


def _update_accepted(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    if state.updates is None:
        state.updates = {}
    state.updates[event.update_id] = None


def _update_completed(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    if state.updates is not None:
        state.updates[event.update_id] = event


def _timer_started(state: ExecutionState, event: Any, at: datetime, number: int) -> None:
    state.timers[event.timer_id] = PendingTimer(at + event.duration, number, event.summary)


def _timer_over(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    state.timers.pop(event.timer_id, None)


def _activity_scheduled(state: ExecutionState, event: Any, at: datetime, number: int) -> None:
    state.activities[event.activity_id] = PendingActivity(event, number, at)


def _activity_cancel_requested(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    pending = state.activities.get(event.activity_id)
    if pending is not None:
        pending.cancel_requested = True


def _activity_over(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    state.activities.pop(event.activity_id, None)


def _local_scheduled(state: ExecutionState, event: Any, at: datetime, _number: int) -> None:
    if state.local_activities is None:
        state.local_activities = {}
    state.local_activities[event.activity_id] = PendingLocalActivity(event, event.first_scheduled_at or at)


def _local_cancel_requested(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    pending = (state.local_activities or {}).get(event.activity_id)
    if pending is not None:
        pending.cancel_requested = True


def _local_over(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    if state.local_activities is not None:
        state.local_activities.pop(event.activity_id, None)


def _child_scheduled(state: ExecutionState, event: Any, _at: datetime, number: int) -> None:
    if state.children is None:
        state.children = {}
    state.children[number] = event


def _child_over(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    if state.children is not None:
        state.children.pop(event.initiated, None)


def _sent(state: ExecutionState, event: Any, _at: datetime, number: int) -> None:
    if state.sent is None:
        state.sent = {}
    state.sent[number] = event


def _replied(state: ExecutionState, event: Any, _at: datetime, _number: int) -> None:
    if state.sent is not None:
        state.sent.pop(event.initiated, None)


def _closed(state: ExecutionState, event: Any, at: datetime, _number: int) -> None:
    """Children stay: what becomes of them follows from how they were started."""
    state.close = event
    state.closed_at = at
    state.expires_at = None
    state.activities.clear()
    state.local_activities = None
    state.timers.clear()


_CHANGES: Final[dict[type[ev.Event], Callable[[ExecutionState, Any, datetime, int], None]]] = {
    ev.Started: _started,
    ev.SignalReceived: _signal_received,
    ev.CancelRequested: _cancel_requested,
    ev.UpdateAccepted: _update_accepted,
    ev.UpdateCompleted: _update_completed,
    ev.TimerStarted: _timer_started,
    ev.TimerFired: _timer_over,
    ev.TimerCancelled: _timer_over,
    ev.ActivityScheduled: _activity_scheduled,
    ev.ActivityCancelRequested: _activity_cancel_requested,
    ev.ActivityCompleted: _activity_over,
    ev.ActivityFailed: _activity_over,
    ev.ActivityTimedOut: _activity_over,
    ev.ActivityCancelled: _activity_over,
    ev.LocalActivityScheduled: _local_scheduled,
    ev.LocalActivityCancelRequested: _local_cancel_requested,
    ev.LocalActivityResolved: _local_over,
    ev.ChildScheduled: _child_scheduled,
    ev.ChildStartFailed: _child_over,
    ev.ChildCompleted: _child_over,
    ev.ChildFailed: _child_over,
    ev.ChildCancelled: _child_over,
    ev.ChildTimedOut: _child_over,
    ev.ChildTerminated: _child_over,
    ev.SignalSent: _sent,
    ev.CancelSent: _sent,
    ev.MessageDelivered: _replied,
    ev.MessageRefused: _replied,
    **dict.fromkeys(ev.CLOSING, _closed),
}
