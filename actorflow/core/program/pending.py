"""What a program holds of an activity it has started, local or not: the wait for its outcome."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Protocol, TypeVar

from actorflow.converter import ValueConverter
from actorflow.core import events as ev
from actorflow.core.program.loop import ProgramFuture, ProgramLoop
from actorflow.exceptions import ActivityError, CancelledError, FailureError, RetryState

T = TypeVar("T")


class ActivityCancellationType(IntEnum):
    """What cancelling the wait for an activity means."""

    TRY_CANCEL = 0
    WAIT_CANCELLATION_COMPLETED = 1
    ABANDON = 2


class PendingOwner(Protocol):
    """What handles ask of the activities they belong to."""

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
