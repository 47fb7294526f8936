"""Facts about one execution, in the order they happened; the journal is a list of them.

*Arrivals* are what reached the execution from outside, *decisions* what its program asked for. A turn's row holds its
arrivals first, then its decisions, so replay can hand a program the same groups again.
Numbers count the task events of the public history shape too, although we don't store those: see `width`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from actorflow.converter import Failure, Payload


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=True, omit_defaults=True, gc=False):
    """A fact that happened, never changed."""


class RetryRule(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A retry policy as it is journaled; intervals in seconds."""

    initial_interval: float = 1.0
    backoff_coefficient: float = 2.0
    maximum_interval: float = 100.0
    maximum_attempts: int = 0
    non_retryable_error_types: tuple[str, ...] = ()


# Arrivals


class Started(Event, frozen=True, gc=False):
    """The execution began. ``interpreter`` is the Python it began on: asyncio's helpers differ between versions."""

    workflow_type: str
    task_queue: str
    input: tuple[Payload, ...] = ()
    interpreter: str = ""


class SignalReceived(Event, frozen=True, gc=False):
    """Somebody sent a signal. A repeated ``request_id`` is the same signal, sent again."""

    name: str
    input: tuple[Payload, ...] = ()
    request_id: str = ""


class UpdateRequested(Event, frozen=True, gc=False):
    """Somebody asked for an update. Never journaled: accepted it becomes a fact, rejected it leaves none."""

    update_id: str
    name: str
    input: tuple[Payload, ...] = ()


class UpdateAccepted(Event, frozen=True, gc=False):
    """An update passed its validator and began. (In the public history it stands behind the task events.)"""

    update_id: str
    name: str
    input: tuple[Payload, ...] = ()


class CancelRequested(Event, frozen=True, gc=False):
    """Somebody asked the execution to stop."""

    reason: str = ""


class TimerFired(Event, frozen=True, gc=False):
    """A timer's duration has passed."""

    timer_id: str


class ActivityResolved(Event, frozen=True, gc=False):
    """An activity is over; its kinds follow.

    Each has the ``attempt`` that decided it, 0 if none was started, and when that attempt began: ``started_at``, None
    if it began with the turn that scheduled the activity.
    """

    activity_id: str


class ActivityCompleted(ActivityResolved, frozen=True, gc=False):
    """An activity returned."""

    result: Payload | None = None
    attempt: int = 1
    started_at: datetime | None = None


class ActivityFailed(ActivityResolved, frozen=True, gc=False):
    """An activity raised, and is not tried again."""

    failure: Failure
    retry_state: int = 0
    attempt: int = 1
    started_at: datetime | None = None


class ActivityTimedOut(ActivityResolved, frozen=True, gc=False):
    """An activity ran out of time, and is not tried again."""

    failure: Failure
    retry_state: int = 0
    attempt: int = 1
    started_at: datetime | None = None


class ActivityCancelled(ActivityResolved, frozen=True, gc=False):
    """An activity ended because the workflow asked it to."""

    failure: Failure
    attempt: int = 1
    started_at: datetime | None = None


class Terminated(Event, frozen=True, gc=False):
    """Somebody ended the execution without asking its program."""

    reason: str = ""
    details: tuple[Payload, ...] = ()


class SignalUnhandled(Event, frozen=True, gc=False):
    """An accepted signal found the execution closing."""

    name: str
    input: tuple[Payload, ...] = ()


class TurnFailed(Event, frozen=True, gc=False):
    """The program raised what is not an outcome; the turn was discarded and will be tried again. Inert on replay."""

    failure: Failure
    attempts: int = 1
    parked: str = ""


# Decisions


class ActivityScheduled(Event, frozen=True, gc=False):
    """The program wants an activity run. Its first attempt began with this turn, unless it waits for a slot."""

    activity_id: str
    activity_type: str
    task_queue: str
    input: tuple[Payload, ...] = ()
    schedule_to_close: timedelta | None = None
    schedule_to_start: timedelta | None = None
    start_to_close: timedelta | None = None
    heartbeat: timedelta | None = None
    retry: RetryRule = RetryRule()
    cancellation: int = 0
    waiting: bool = False
    summary: str = ""


class ActivityCancelRequested(Event, frozen=True, gc=False):
    """The program wants an activity stopped."""

    activity_id: str


class TimerStarted(Event, frozen=True, gc=False):
    """The program waits for a duration."""

    timer_id: str
    duration: timedelta
    summary: str = ""


class TimerCancelled(Event, frozen=True, gc=False):
    """The program waits no longer."""

    timer_id: str


class UpdateCompleted(Event, frozen=True, gc=False):
    """The handler of an update returned, or raised a failure."""

    update_id: str
    result: Payload | None = None
    failure: Failure | None = None


class Patched(Event, frozen=True, gc=False):
    """The program has taken the newer side of a change of its code, once per patch and run.

    If ``deprecated``, the code has no older side any more, and may leave the question out when it is replayed.
    """

    patch_id: str
    deprecated: bool = False


class Completed(Event, frozen=True, gc=False):
    """The program returned."""

    result: Payload | None = None


class Failed(Event, frozen=True, gc=False):
    """The program raised a failure."""

    failure: Failure


class Cancelled(Event, frozen=True, gc=False):
    """The program gave in to a request to stop."""

    details: tuple[Payload, ...] = ()


Arrival = (
    Started
    | SignalReceived
    | UpdateAccepted
    | CancelRequested
    | TimerFired
    | ActivityCompleted
    | ActivityFailed
    | ActivityTimedOut
    | ActivityCancelled
    | Terminated
    | SignalUnhandled
    | TurnFailed
)
Decision = (
    ActivityScheduled
    | ActivityCancelRequested
    | TimerStarted
    | TimerCancelled
    | UpdateCompleted
    | Patched
    | Completed
    | Failed
    | Cancelled
)
AnyEvent = Arrival | Decision
ActivityOutcome = ActivityCompleted | ActivityFailed | ActivityTimedOut | ActivityCancelled

DECISIONS: Final[frozenset[type[Event]]] = frozenset(
    (
        ActivityScheduled,
        ActivityCancelRequested,
        TimerStarted,
        TimerCancelled,
        UpdateCompleted,
        Patched,
        Completed,
        Failed,
        Cancelled,
    )
)
CLOSING: Final[frozenset[type[Event]]] = frozenset((Completed, Failed, Cancelled, Terminated))
TASK_EVENTS: Final = 3
"""Scheduled, started and completed (or failed): what the public history writes around the decisions of a turn."""


def width(event: Event) -> int:
    """How many events of the public history one of ours stands for.

    The public history writes an activity's start beside its outcome; an outcome without a started attempt
    (schedule-to-start, cancelled while waiting) has attempt 0 and stands alone.
    """
    kind = type(event)
    if kind in _NARROW:
        return 1
    if kind is TurnFailed:
        return TASK_EVENTS
    return 2 if getattr(event, "attempt", 1) else 1


_NARROW: Final = (
    frozenset((Started, SignalReceived, UpdateAccepted, CancelRequested, TimerFired, Terminated, SignalUnhandled))
    | DECISIONS
)
