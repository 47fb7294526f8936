"""What a program waits for: activities and timers, from the command to the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, Final, Protocol, TypeVar

from actorflow.converter import ValueConverter
from actorflow.core import events as ev, limits
from actorflow.core.program.loop import ProgramFuture, ProgramLoop
from actorflow.exceptions import ActivityError, CancelledError, FailureError, RetryState

T = TypeVar("T")
_LONGEST: Final = limits.DURATION_MAX.total_seconds()


class ActivityCancellationType(IntEnum):
    """What cancelling the wait for an activity means."""

    TRY_CANCEL = 0
    WAIT_CANCELLATION_COMPLETED = 1
    ABANDON = 2


class PendingOwner(Protocol):
    """What pending operations ask of their program."""

    @property
    def loop(self) -> ProgramLoop:
        """The program's loop."""
        ...

    def request_activity_cancel(self, activity_id: str) -> bool:
        """Ask for the activity to be stopped; True if it was never sent and so won't start at all."""
        ...


class ActivityHandle(ProgramFuture[T]):
    """A started activity: awaitable, and a future in every other way.

    Cancelling it (or the task that awaits it) is a request to the activity. With TRY_CANCEL the wait ends at once with
    an `ActivityError`, with WAIT_CANCELLATION_COMPLETED it goes on until the activity has its own outcome, with ABANDON
    it ends at once and the activity is not told.
    """

    __slots__ = ("_is_cancel_requested", "_owner", "_result_type", "_scheduled", "scheduled_event_id")

    def __init__(
        self, owner: PendingOwner, scheduled: ev.ActivityScheduled | ev.LocalActivityScheduled, result_type: Any
    ) -> None:
        super().__init__(owner.loop)
        self._owner = owner
        self._scheduled = scheduled
        self._result_type = result_type
        self._is_cancel_requested = False
        self.scheduled_event_id = 0

    def cancel(self, msg: Any = None) -> bool:
        """Request cancellation; see the class. Returns False if the activity is over."""
        if self.done():
            # A task that is cancelled twice before it wakes up asks twice. False would make asyncio throw its own
            # CancelledError in place of the error that waits here.
            return self._is_cancel_requested
        mode, is_repeated = self._scheduled.cancellation, self._is_cancel_requested
        self._is_cancel_requested = True
        if mode == ActivityCancellationType.ABANDON:
            self._end_cancelled()
        elif not is_repeated:
            was_never_sent = self._owner.request_activity_cancel(self._scheduled.activity_id)
            if was_never_sent or mode == ActivityCancellationType.TRY_CANCEL:
                self._end_cancelled()
        return True

    @property
    def is_cancel_requested(self) -> bool:
        """True once somebody wanted it cancelled."""
        return self._is_cancel_requested

    def resolve(self, outcome: ev.ActivityOutcome, converter: ValueConverter) -> None:
        """Take the outcome, unless the wait has ended already."""
        if self.done():
            return
        if isinstance(outcome, ev.ActivityCompleted):
            payload = outcome.result
            result: Any = None if payload is None else converter.decode_one(payload, self._result_type)
            self.set_result(result)
            return
        state = RetryState.CANCEL_REQUESTED
        if not isinstance(outcome, ev.ActivityCancelled):
            state = RetryState(outcome.retry_state) if outcome.retry_state else None
        self._fail(converter.exception(outcome.failure), state, outcome.attempt)

    def _end_cancelled(self) -> None:
        self._fail(CancelledError("Activity cancelled"), RetryState.CANCEL_REQUESTED, 0)

    def _fail(self, cause: FailureError, retry_state: RetryState | None, attempt: int) -> None:
        is_cancelled = isinstance(cause, CancelledError)
        error = ActivityError(
            "Activity cancelled" if is_cancelled else "Activity task failed",
            scheduled_event_id=self.scheduled_event_id,
            started_event_id=0,
            identity="",
            activity_type=self._scheduled.activity_type,
            activity_id=self._scheduled.activity_id,
            retry_state=retry_state,
        )
        error.__cause__ = cause
        self.set_exception(error)


class PendingTimers:
    """Callbacks of timers that have neither fired nor been cancelled."""

    __slots__ = ("_callbacks", "_next")

    def __init__(self) -> None:
        self._callbacks: dict[str, Callable[[], None]] = {}
        self._next = 1

    def __len__(self) -> int:
        return len(self._callbacks)

    def add(self, callback: Callable[[], None]) -> str:
        """Keep a callback; returns the id of its timer."""
        timer_id = str(self._next)
        self._next += 1
        self._callbacks[timer_id] = callback
        return timer_id

    def cancel(self, timer_id: str) -> bool:
        """Forget a callback; False if it ran already."""
        return self._callbacks.pop(timer_id, None) is not None

    def fire(self, timer_id: str) -> None:
        """Run a callback, unless it was cancelled in the meantime."""
        callback = self._callbacks.pop(timer_id, None)
        if callback is not None:
            callback()


def resolved_by(arrivals: Sequence[ev.Event]) -> Iterator[tuple[str, str]]:
    """Timers, activities and children that are over with these arrivals, so that there is nothing left to cancel."""
    for arrival in arrivals:
        if isinstance(arrival, ev.ActivityResolved):
            yield "activity", arrival.activity_id
        elif isinstance(arrival, ev.TimerFired):
            yield "timer", arrival.timer_id
        elif isinstance(arrival, ev.ChildResolved):
            yield "child", str(arrival.initiated)


def timer_duration(delay: float) -> timedelta:
    """Seconds as the duration of a timer, which is a century at most.

    Raises:
        ValueError: it is not a number.
    """
    if delay != delay:
        raise ValueError("can't wait for NaN seconds")
    return timedelta(seconds=min(delay, _LONGEST))
