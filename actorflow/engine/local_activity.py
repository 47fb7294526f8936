"""Takes care of one local activity: run by the worker of its workflow, with retries in place, until it has an outcome.

Nothing of it is written before the outcome, which is one message to the workflow. A process that dies before that runs
it again. An attempt that would have to wait long is left to the workflow, which waits with a durable timer.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter

from actorflow.activity import ActivityCancellationDetails
from actorflow.clock import TimerHandle
from actorflow.converter import Failure, Payload
from actorflow.core import events as ev, limits
from actorflow.core.policy.retry import GiveUp, after_failure
from actorflow.core.state import PendingActivity, PendingLocalActivity
from actorflow.engine.attempt import Attempt
from actorflow.engine.outcomes import AttemptOutcome, Errored, NotBegun, Stopped, Succeeded, Unread, timeout_failure
from actorflow.engine.registry import WorkerHost
from actorflow.engine.reporting import report_activity_failure
from actorflow.engine.site import Site
from actorflow.exceptions import CodecError, RetryState, TimeoutType
from actorflow.pool.slots import Slots, Waiting
from actorflow.store.protocol import Identity

_log = logging.getLogger("actorflow.activity")


class LocalActivityActor:
    """See the module's head.

    Args:
        site: collaborators.
        identity: of the run.
        pending: what was scheduled, and when first.
    """

    __slots__ = (
        "_alarms",
        "_attempt",
        "_began",
        "_cancel_requested",
        "_charged",
        "_counts",
        "_has_begun",
        "_identity",
        "_is_over",
        "_number",
        "_pending",
        "_place",
        "_scheduled",
        "_site",
    )

    def __init__(self, site: Site, identity: Identity, pending: PendingLocalActivity) -> None:
        scheduled = pending.scheduled
        self._site = site
        self._identity = identity
        self._scheduled = scheduled
        self._pending = PendingActivity(_as_ordinary(scheduled, identity.task_queue), 0, pending.scheduled_at)
        self._counts = site.counting.activities[scheduled.activity_type, identity.task_queue]
        self._number = scheduled.attempt
        self._charged = scheduled.attempt - 1
        self._cancel_requested = pending.cancel_requested
        self._is_over = False
        self._has_begun = False
        self._began: float | None = None
        self._attempt: Attempt | None = None
        self._place: Waiting[WorkerHost] | None = None
        self._alarms: list[TimerHandle] = []
        site.activities.setdefault(identity.key, {})[scheduled.activity_id] = self

    def start(self) -> None:
        """The turn that asked for it is durable, now or in an earlier process."""
        if self._cancel_requested:
            self._end_cancelled()
            return
        self._arm(self._scheduled.schedule_to_close, TimeoutType.SCHEDULE_TO_CLOSE)
        self._arm(self._scheduled.schedule_to_start, TimeoutType.SCHEDULE_TO_START)
        self._wait_for_slot()

    def request_cancel(self) -> None:
        """See `OpenActivity`. It need not listen: nobody has to ask another process first."""
        self._cancel_requested = True
        if self._attempt is None:
            self._end_cancelled()
        else:
            self._attempt.request_cancel(ActivityCancellationDetails(cancel_requested=True), at_once=True)

    def abandon(self) -> None:
        """See `OpenActivity`."""
        if self._attempt is not None and not self._site.is_ending():
            self._counts.ended("cancelled", self._take_seconds())
        self._leave(ActivityCancellationDetails(not_found=True))

    # Attempts

    def _wait_for_slot(self) -> None:
        queue = self._site.registry.local_queue(self._identity.namespace, self._identity.task_queue)
        self._place = queue.wait(self._begin)

    def _begin(self, slots: Slots[WorkerHost]) -> None:
        self._has_begun = True
        self._began = perf_counter()
        self._counts.started.value += 1
        self._attempt = Attempt(
            self._site,
            self._identity,
            self._pending,
            number=self._number,
            slots=slots,
            started_at=self._site.clock.now(),
            details=(),
            owner=self,
            is_local=True,
        )
        self._attempt.run()

    def on_heartbeat(self, details: tuple[Payload, ...]) -> None:
        """See `AttemptOwner`: the next attempt would get nothing of it, so it is not kept."""

    def on_left_open(self) -> None:
        """See `AttemptOwner`."""
        if self._attempt is not None:
            self._attempt.detach()
            self._attempt = None
            message = "a local activity can't be left open; use execute_activity for one that is completed from outside"
            self._fail(Failure(message=message, type="LeftOpen", non_retryable=True))

    def on_outcome(self, outcome: AttemptOutcome) -> None:
        """See `AttemptOwner`."""
        self._attempt = None
        if self._is_over:
            return
        match outcome:
            case Succeeded(result=result):
                self._end("ok", result=result)
            case Stopped() | NotBegun() if self._cancel_requested:
                self._end_cancelled()
            case Stopped():  # its worker has left; the next one that comes goes on
                self._counts.ended("worker_died", self._take_seconds())
                self._number += 1
                self._wait_for_slot()
            case NotBegun():  # no code has run, so the number stays
                self._counts.ended("retry", self._take_seconds())
                self._wait_for_slot()
            case Unread(problem=problem):
                self._wait_for_key(problem)
            case Errored(failure=failure, problem=problem):
                report_activity_failure(self._identity, self._pending.scheduled, self._number, failure, problem)
                self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        self._charged += 1
        timeout = self._scheduled.schedule_to_close
        decision = after_failure(
            self._scheduled.retry,
            failure,
            charged=self._charged,
            now=self._site.clock.now(),
            deadline=None if timeout is None else self._pending.scheduled_at + timeout,
        )
        if self._cancel_requested:
            decision = GiveUp(RetryState.CANCEL_REQUESTED)
        if isinstance(decision, GiveUp):
            ended = "timeout" if failure.kind == "timeout" else "failed"
            self._end(ended, failure=failure, retry_state=decision.state)
        elif decision.delay > self._scheduled.retry_threshold:
            self._end("retry", failure=failure, backoff=decision.delay)
        else:
            self._counts.ended("retry", self._take_seconds())
            self._number += 1
            self._back_off(decision.delay)

    def _wait_for_key(self, problem: CodecError) -> None:
        """No code has run, so the number stays and nothing is charged; somebody has to do something about the codec."""
        _log.warning(
            "local activity %r of workflow %r waits: %s",
            self._scheduled.activity_id,
            self._identity.workflow_id,
            problem,
        )
        self._counts.ended("retry", self._take_seconds())
        self._back_off(limits.CODEC_RETRY_DELAY)

    def _back_off(self, delay: timedelta) -> None:
        self._alarms.append(self._site.clock.call_later(max(delay.total_seconds(), 0.0), self._end_back_off))

    def _end_back_off(self) -> None:
        if not self._is_over:
            self._wait_for_slot()

    # Timeouts

    def _arm(self, timeout: timedelta | None, kind: TimeoutType) -> None:
        if timeout is not None:
            remaining = min(self._pending.scheduled_at + timeout - self._site.clock.now(), timeout)
            self._alarms.append(
                self._site.clock.call_later(max(remaining.total_seconds(), 0.0), partial(self._time_out, kind))
            )

    def _time_out(self, kind: TimeoutType) -> None:
        is_late_start = kind is TimeoutType.SCHEDULE_TO_START
        if not (self._is_over or (is_late_start and self._has_begun)):
            why = ActivityCancellationDetails(timed_out=True)
            self._end("timeout", failure=timeout_failure(kind, ()), retry_state=RetryState.TIMEOUT, why=why)

    # The end

    def _end_cancelled(self) -> None:
        failure = Failure(message="Activity cancelled", kind="cancelled")
        self._end("cancelled", failure=failure, retry_state=RetryState.CANCEL_REQUESTED)

    def _end(
        self,
        counted_as: str,
        *,
        result: Payload | None = None,
        failure: Failure | None = None,
        retry_state: RetryState | None = None,
        backoff: timedelta | None = None,
        why: ActivityCancellationDetails | None = None,
    ) -> None:
        self._leave(why or ActivityCancellationDetails(not_found=True))
        outcome = ev.LocalActivityResolved(
            self._scheduled.activity_id,
            self._scheduled.activity_type,
            self._scheduled_at,
            result,
            failure,
            int(retry_state or 0),
            self._number,
            backoff,
        )
        counted = (counted_as, self._take_seconds(), 0 if backoff is not None else self._number)
        self._site.deliver(self._identity, outcome, (self._counts.ended, counted))

    @property
    def _scheduled_at(self) -> datetime:
        return self._pending.scheduled_at

    def _take_seconds(self) -> float | None:
        began, self._began = self._began, None
        return None if began is None else perf_counter() - began

    def _leave(self, why: ActivityCancellationDetails) -> None:
        self._is_over = True
        if self._attempt is not None:
            self._attempt.request_cancel(why, at_once=True)
            self._attempt.detach()
            self._attempt = None
        if self._place is not None:
            self._place.is_cancelled = True
        for alarm in self._alarms:
            alarm.cancel()
        of_run = self._site.activities.get(self._identity.key)
        if of_run is not None and of_run.get(self._scheduled.activity_id) is self:
            del of_run[self._scheduled.activity_id]
            if not of_run:
                del self._site.activities[self._identity.key]


def _as_ordinary(scheduled: ev.LocalActivityScheduled, task_queue: str) -> ev.ActivityScheduled:
    """As an attempt wants it."""
    return ev.ActivityScheduled(
        activity_id=scheduled.activity_id,
        activity_type=scheduled.activity_type,
        task_queue=task_queue,
        input=scheduled.input,
        schedule_to_close=scheduled.schedule_to_close,
        start_to_close=scheduled.start_to_close,
        retry=scheduled.retry,
        cancellation=scheduled.cancellation,
        headers=scheduled.headers,
    )
