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
from actorflow.core.notes import Attributes, IndexedValue, Memo


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=True, omit_defaults=True, gc=False):
    """A fact that happened, never changed."""


class RetryRule(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A retry policy as it is journaled; intervals in seconds."""

    initial_interval: float = 1.0
    backoff_coefficient: float = 2.0
    maximum_interval: float = 100.0
    maximum_attempts: int = 0
    non_retryable_error_types: tuple[str, ...] = ()


class ParentRun(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The run that started this one as its child, and the number of the event that asked for it."""

    namespace: str
    workflow_id: str
    run_id: str
    initiated: int


class RootRun(msgspec.Struct, frozen=True, gc=False):
    """The run at the top of a tree of children."""

    workflow_id: str
    run_id: str


class RunOptions(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a run brings along beside its input. Most bring nothing, and then there are none.

    Attributes:
        first_run_id: the first run of its chain; empty for that run itself.
        continued_run_id: the run it follows in the chain.
        initiator: why it follows that run: 'workflow', 'retry' or 'cron'.
        attempt: rises with each retry.
        not_before: when its first turn may be, if that is later than its start.
        expires_at: when the run has timed out.
        chain_expires_at: when the whole chain has.
        execution_timeout: of the chain, as its caller gave it.
        run_timeout: of each run.
        task_timeout: of a turn; kept for programs that ask, turns can't be interrupted.
        retry: what follows a failure.
        cron: when the next run begins after this one.
        hurried: how many runs before it, in a row, continued as new within `limits.HURRIED_RUN`.
        last_result: of the latest run of a cron that completed.
        last_failure: of the run before it, if it failed.
        parent: whose child it is.
        root: of the tree it is in.
        memo: notes for people and programs.
        search_attributes: notes by which it is found.
        headers: what interceptors and the like pass on.
        summary: one line for people.
        details: more lines for people.
    """

    first_run_id: str = ""
    continued_run_id: str = ""
    initiator: str = ""
    attempt: int = 1
    not_before: datetime | None = None
    expires_at: datetime | None = None
    chain_expires_at: datetime | None = None
    execution_timeout: timedelta | None = None
    run_timeout: timedelta | None = None
    task_timeout: timedelta | None = None
    retry: RetryRule | None = None
    cron: str = ""
    hurried: int = 0
    last_result: Payload | None = None
    last_failure: Failure | None = None
    parent: ParentRun | None = None
    root: RootRun | None = None
    memo: Memo | None = None
    search_attributes: Attributes | None = None
    headers: dict[str, Payload] | None = None
    summary: str = ""
    details: str = ""


# Arrivals


class Started(Event, frozen=True, gc=False):
    """The execution began. ``interpreter`` is the Python it began on: asyncio's helpers differ between versions."""

    workflow_type: str
    task_queue: str
    input: tuple[Payload, ...] = ()
    interpreter: str = ""
    options: RunOptions | None = None


class SignalReceived(Event, frozen=True, gc=False):
    """Somebody sent a signal. A repeated ``request_id`` is the same signal, sent again."""

    name: str
    input: tuple[Payload, ...] = ()
    request_id: str = ""
    headers: dict[str, Payload] | None = None


class UpdateRequested(Event, frozen=True, gc=False):
    """Somebody asked for an update. Never journaled: accepted it becomes a fact, rejected it leaves none."""

    update_id: str
    name: str
    input: tuple[Payload, ...] = ()
    headers: dict[str, Payload] | None = None


class UpdateAccepted(Event, frozen=True, gc=False):
    """An update passed its validator and began. (In the public history it stands behind the task events.)"""

    update_id: str
    name: str
    input: tuple[Payload, ...] = ()
    headers: dict[str, Payload] | None = None


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


class LocalActivityResolved(ActivityResolved, frozen=True, gc=False):
    """A local activity is over, or with a ``backoff`` waits that long for its next attempt.

    It is a marker in the public history. ``scheduled_at`` is when the activity was asked for first.
    """

    activity_type: str
    scheduled_at: datetime
    result: Payload | None = None
    failure: Failure | None = None
    retry_state: int = 0
    attempt: int = 1
    backoff: timedelta | None = None


class ActivityCancelled(ActivityResolved, frozen=True, gc=False):
    """An activity ended because the workflow asked it to."""

    failure: Failure
    attempt: int = 1
    started_at: datetime | None = None


class ChildStarted(Event, frozen=True, gc=False):
    """A child has begun. Children are told apart by the number of the event that asked for them."""

    initiated: int
    run_id: str


class ChildStartFailed(Event, frozen=True, gc=False):
    """A child could not begin: its workflow id is taken."""

    initiated: int


class ChildResolved(Event, frozen=True, gc=False):
    """A child is over, its whole chain of runs; the kinds follow."""

    initiated: int


class ChildCompleted(ChildResolved, frozen=True, gc=False):
    """A child returned."""

    result: Payload | None = None


class ChildFailed(ChildResolved, frozen=True, gc=False):
    """A child raised a failure."""

    failure: Failure
    retry_state: int = 0


class ChildCancelled(ChildResolved, frozen=True, gc=False):
    """A child gave in to a request to stop."""

    details: tuple[Payload, ...] = ()


class ChildTimedOut(ChildResolved, frozen=True, gc=False):
    """A child ran out of time."""

    retry_state: int = 0


class ChildTerminated(ChildResolved, frozen=True, gc=False):
    """Somebody ended a child without asking its program."""


class MessageDelivered(Event, frozen=True, gc=False):
    """A signal or a cancellation has reached the other execution; ``initiated`` is the event that sent it."""

    initiated: int


class MessageRefused(Event, frozen=True, gc=False):
    """A signal or a cancellation found no open execution, or a full one."""

    initiated: int
    reason: str = ""


class TimedOut(Event, frozen=True, gc=False):
    """The run, or its chain, ran out of time; its program is not asked. ``successor`` is the run that follows."""

    retry_state: int = 0
    successor: str = ""


class Terminated(Event, frozen=True, gc=False):
    """Somebody ended the execution without asking its program."""

    reason: str = ""
    details: tuple[Payload, ...] = ()


class SignalUnhandled(Event, frozen=True, gc=False):
    """An accepted signal found the execution closing."""

    name: str
    input: tuple[Payload, ...] = ()
    headers: dict[str, Payload] | None = None


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
    headers: dict[str, Payload] | None = None


class ActivityCancelRequested(Event, frozen=True, gc=False):
    """The program wants an activity stopped."""

    activity_id: str


class LocalActivityScheduled(Event, frozen=True, gc=False):
    """The program wants an activity run beside it, from this attempt on. No event of the public history.

    ``first_scheduled_at`` is when it was asked for first, if a timer was between. An attempt that would have to wait
    longer than ``retry_threshold`` waits for a timer of the program.
    """

    activity_id: str
    activity_type: str
    retry_threshold: timedelta
    input: tuple[Payload, ...] = ()
    schedule_to_close: timedelta | None = None
    schedule_to_start: timedelta | None = None
    start_to_close: timedelta | None = None
    retry: RetryRule = RetryRule()
    cancellation: int = 0
    attempt: int = 1
    first_scheduled_at: datetime | None = None
    summary: str = ""
    headers: dict[str, Payload] | None = None


class LocalActivityCancelRequested(Event, frozen=True, gc=False):
    """The program wants a local activity stopped. No event of the public history."""

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


class SearchAttributesUpserted(Event, frozen=True, gc=False):
    """The program changes by what its run is found; None removes one."""

    search_attributes: dict[str, IndexedValue | None]


class MemoUpserted(Event, frozen=True, gc=False):
    """The program changes the memo of its run; None removes an entry."""

    memo: dict[str, Payload | None]


class ChildScheduled(Event, frozen=True, gc=False):
    """The program wants a child; its run, ``run_id``, begins with this turn, or `ChildStartFailed` follows."""

    workflow_id: str
    workflow_type: str
    task_queue: str
    run_id: str = ""
    input: tuple[Payload, ...] = ()
    parent_close: int = 1
    cancellation: int = 2
    reuse: int = 1
    execution_timeout: timedelta | None = None
    run_timeout: timedelta | None = None
    task_timeout: timedelta | None = None
    retry: RetryRule | None = None
    cron: str = ""
    summary: str = ""
    details: str = ""
    memo: Memo | None = None
    search_attributes: Attributes | None = None
    headers: dict[str, Payload] | None = None


class SignalSent(Event, frozen=True, gc=False):
    """The program signals another execution; without a run id the current run, of a child the chain of that run."""

    workflow_id: str
    name: str
    input: tuple[Payload, ...] = ()
    run_id: str = ""
    is_child: bool = False
    headers: dict[str, Payload] | None = None


class CancelSent(Event, frozen=True, gc=False):
    """The program wants another execution to stop. ``child`` is the event that asked for it, if it is a child."""

    workflow_id: str
    run_id: str = ""
    child: int = 0
    reason: str = ""


class ContinuedAsNew(Event, frozen=True, gc=False):
    """The program goes on as a new run, ``successor``. What is None or empty is kept; notes as this run began with."""

    workflow_type: str
    task_queue: str
    input: tuple[Payload, ...] = ()
    run_timeout: timedelta | None = None
    task_timeout: timedelta | None = None
    retry: RetryRule | None = None
    successor: str = ""
    memo: Memo | None = None
    search_attributes: Attributes | None = None
    headers: dict[str, Payload] | None = None


class Completed(Event, frozen=True, gc=False):
    """The program returned. ``successor`` is the run that follows by the clock of a cron."""

    result: Payload | None = None
    successor: str = ""


class Failed(Event, frozen=True, gc=False):
    """The program raised a failure. ``successor`` is the run that follows, as a retry or by the clock of a cron."""

    failure: Failure
    retry_state: int = 0
    successor: str = ""


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
    | LocalActivityResolved
    | ChildStarted
    | ChildStartFailed
    | ChildCompleted
    | ChildFailed
    | ChildCancelled
    | ChildTimedOut
    | ChildTerminated
    | MessageDelivered
    | MessageRefused
    | TimedOut
    | Terminated
    | SignalUnhandled
    | TurnFailed
)
Decision = (
    ActivityScheduled
    | ActivityCancelRequested
    | LocalActivityScheduled
    | LocalActivityCancelRequested
    | TimerStarted
    | TimerCancelled
    | UpdateCompleted
    | Patched
    | SearchAttributesUpserted
    | MemoUpserted
    | ChildScheduled
    | SignalSent
    | CancelSent
    | ContinuedAsNew
    | Completed
    | Failed
    | Cancelled
)
AnyEvent = Arrival | Decision
ActivityOutcome = ActivityCompleted | ActivityFailed | ActivityTimedOut | ActivityCancelled
ChildOutcome = ChildCompleted | ChildFailed | ChildCancelled | ChildTimedOut | ChildTerminated

DECISIONS: Final[frozenset[type[Event]]] = frozenset(
    (
        ActivityScheduled,
        ActivityCancelRequested,
        LocalActivityScheduled,
        LocalActivityCancelRequested,
        TimerStarted,
        TimerCancelled,
        UpdateCompleted,
        Patched,
        SearchAttributesUpserted,
        MemoUpserted,
        ChildScheduled,
        SignalSent,
        CancelSent,
        ContinuedAsNew,
        Completed,
        Failed,
        Cancelled,
    )
)
UNSEEN: Final[frozenset[type[Event]]] = frozenset((LocalActivityScheduled, LocalActivityCancelRequested))
"""What is no event of the public history."""
UNASKED: Final[frozenset[type[Event]]] = frozenset((Terminated, TimedOut))
"""Ends that come without a task of the program."""
CLOSING: Final[frozenset[type[Event]]] = frozenset((Completed, Failed, Cancelled, ContinuedAsNew, *UNASKED))
TASK_EVENTS: Final = 3
"""Scheduled, started and completed (or failed): what the public history writes around the decisions of a turn."""


def width(event: Event) -> int:
    """How many events of the public history one of ours stands for.

    The public history writes an activity's start beside its outcome; an outcome without a started attempt
    (schedule-to-start, cancelled while waiting) has attempt 0 and stands alone.
    """
    kind = type(event)
    if kind in NARROW:
        return 1
    if kind is TurnFailed:
        return TASK_EVENTS
    if kind in UNSEEN:
        return 0
    return 2 if getattr(event, "attempt", 1) else 1


NARROW: Final = (
    frozenset((Started, SignalReceived, UpdateAccepted, CancelRequested, TimerFired, SignalUnhandled))
    | frozenset((ChildStarted, ChildStartFailed, ChildCompleted, ChildFailed, ChildCancelled, ChildTimedOut))
    | frozenset((ChildTerminated, MessageDelivered, MessageRefused, LocalActivityResolved))
    | UNASKED
    | (DECISIONS - UNSEEN)
)
"""Events that stand for one of the public history; those are nearly all."""
