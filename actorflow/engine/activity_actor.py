"""Takes care of one open activity until it has an outcome: waiting for a slot, attempts, retries, timeouts.

The outcome goes to the workflow as a message and is journaled by the turn that consumes it. What happens before is not
in the journal: the first attempt begins with the turn that scheduled it, and only a later attempt, or a first one that
had to wait for a slot, is written to an `activity` row before its code runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from time import perf_counter
from typing import Final

from actorflow.activity import ActivityCancellationDetails
from actorflow.clock import TimerHandle
from actorflow.converter import Failure, Payload
from actorflow.core import events as ev, limits
from actorflow.core.policy.retry import GiveUp, after_failure
from actorflow.core.state import PendingActivity
from actorflow.engine.attempt import Attempt
from actorflow.engine.codecs import codec_failure
from actorflow.engine.outcomes import AttemptOutcome, Errored, NotBegun, Stopped, Succeeded, Unread, timeout_failure
from actorflow.engine.progress import Progress
from actorflow.engine.registry import WorkerHost
from actorflow.engine.reporting import report_activity_failure
from actorflow.engine.site import Site
from actorflow.exceptions import CodecError, RetryState, TimeoutType
from actorflow.pool.slots import Slots, Waiting
from actorflow.service import ActivityNotRunningError, ActivityReport, RPCError, RPCStatusCode, StaleAttemptError
from actorflow.store.protocol import COMMITTED, ActivityRow, Change, Identity, Outcome

_log = logging.getLogger("actorflow.activity")

_OUTCOMES: Final[dict[type[ev.ActivityOutcome], str]] = {
    ev.ActivityCompleted: "ok",
    ev.ActivityFailed: "failed",
    ev.ActivityTimedOut: "timeout",
    ev.ActivityCancelled: "cancelled",
}


class Phase(Enum):
    """Where an activity is between being scheduled and its outcome."""

    WAITING = auto()
    STARTING = auto()
    RUNNING = auto()
    BACKING_OFF = auto()
    OVER = auto()


class ActivityActor:
    """See the module's head.

    Args:
        site: collaborators.
        identity: of the run.
        pending: what was scheduled, and when.
        row: what an earlier process left of it.
    """

    __slots__ = (
        "_alarms",
        "_attempt",
        "_began",
        "_cancel_requested",
        "_counts",
        "_flush",
        "_has_deadline",
        "_identity",
        "_pending",
        "_phase",
        "_place",
        "_progress",
        "_ready_at",
        "_site",
        "_started_at",
        "_told",
    )

    def __init__(
        self, site: Site, identity: Identity, pending: PendingActivity, row: ActivityRow | None = None
    ) -> None:
        self._site = site
        self._identity = identity
        self._pending = pending
        self._counts = site.counting.activities[pending.scheduled.activity_type, pending.scheduled.task_queue]
        self._ready_at = pending.scheduled_at
        self._began: float | None = None
        self._phase = Phase.WAITING
        self._progress = Progress(row)
        self._cancel_requested = pending.cancel_requested
        self._attempt: Attempt | None = None
        self._started_at: datetime | None = None  # of the attempt that runs, if it did not begin with its scheduling
        self._place: Waiting[WorkerHost] | None = None
        self._alarms: list[TimerHandle] = []
        self._flush: TimerHandle | None = None
        self._has_deadline = False
        self._told: Callable[[Outcome], None] | None = None  # who waits outside for the end of an attempt
        site.activities.setdefault(identity.key, {})[pending.scheduled.activity_id] = self

    # Ways in

    def start(self, slots: Slots[WorkerHost] | None) -> None:
        """The turn that scheduled the activity is durable; with a slot its first attempt begins now."""
        if slots is None:
            self._wait_for_slot()
        else:
            self._run(slots, self._pending.scheduled_at)

    def recover(self, row: ActivityRow | None) -> None:
        """Go on after a restart: an attempt that was running is lost, everything else waits as it did."""
        was_running = not self._pending.scheduled.waiting if row is None else row.started_at is not None
        if row is not None and row.started_at is not None and row.is_left_open:
            self._phase = Phase.RUNNING
            self._arm_schedule_to_close()
            self._begin_attempt(None, row.started_at).resume()
        elif was_running:
            self._started_at = None if row is None else row.started_at
            self._lose_attempt("the process that ran it")
        elif self._cancel_requested:
            self._end_cancelled()
        elif self._progress.next_at is not None:
            self._back_off((self._progress.next_at - self._site.clock.now()).total_seconds())
        else:
            self._wait_for_slot()

    def request_cancel(self) -> None:
        """See `OpenActivity`."""
        self._cancel_requested = True
        if self._phase in (Phase.WAITING, Phase.BACKING_OFF):
            self._end_cancelled()
        elif self._attempt is not None:
            self._attempt.request_cancel(ActivityCancellationDetails(cancel_requested=True))

    def abandon(self) -> None:
        """See `OpenActivity`."""
        if self._phase is Phase.RUNNING and not self._site.is_ending():
            self._counts.ended("cancelled", self._take_seconds())
        self._leave()

    def status(self) -> tuple[str, int, datetime | None, Failure | None]:
        """Phase, attempt number, instant of the next attempt and last failure."""
        return self._phase.name.lower(), self._progress.number, self._progress.next_at, self._progress.last_failure

    # From outside

    def running(self, attempt: int) -> Attempt:
        """The attempt that runs, or was left open; 0 means whichever does.

        Raises:
            ActivityNotRunningError: none does.
            StaleAttemptError: it is another one.
        """
        found = self._attempt
        workflow_id = self._identity.workflow_id
        if self._phase is not Phase.RUNNING or found is None:
            raise ActivityNotRunningError(workflow_id, self._activity_id, f"it is {self._phase.name.lower()}")
        if attempt not in (0, self._progress.number):
            raise StaleAttemptError(workflow_id, self._activity_id, attempt, self._progress.number)
        return found

    def beat(self, attempt: int, details: tuple[Payload, ...]) -> bool:
        """Somebody outside says that it is alive; True if the workflow wants it stopped."""
        self.running(attempt).take_heartbeat(details)
        return self._cancel_requested

    def check_report(self, attempt: int, report: ActivityReport) -> None:
        """Raise if an attempt can't end as somebody outside says; see `Service.settle_activity`."""
        self.running(attempt)
        if report.is_cancelled and not self._cancel_requested:
            raise RPCError(
                f"nobody asked for activity {self._activity_id!r} of workflow {self._identity.workflow_id!r} to be "
                "cancelled; complete it, or fail it",
                RPCStatusCode.INVALID_ARGUMENT,
            )

    def settle(self, report: ActivityReport, told: Callable[[Outcome], None]) -> None:
        """Somebody outside says how the attempt that runs has ended; ``told`` is called once that is durable."""
        self._told = told
        if report.details:
            self._progress.heartbeat = report.details
        if report.is_cancelled:
            self._end_cancelled()
        elif report.failure is None:
            self._end(ev.ActivityCompleted(self._activity_id, report.result, self._progress.number, self._started_at))
        else:
            if self._attempt is not None:
                self._attempt.detach()  # should its code run on, its outcome matters no more
                self._attempt = None
            self._log_failure(report.failure, None)
            self._retry_or_give_up(report.failure)

    # Waiting for a slot

    def _wait_for_slot(self) -> None:
        self._phase = Phase.WAITING
        self._arm_schedule_to_close()
        timeout = self._pending.scheduled.schedule_to_start
        if timeout is not None and self._progress.number == 1:
            self._arm(timeout, TimeoutType.SCHEDULE_TO_START)
        queue = self._site.registry.queue(self._identity.namespace, self._pending.scheduled.task_queue)
        if self._progress.number > 1:
            self._ready_at = self._site.clock.now()
        if not queue.workers and self._site.registry.hosts:
            scheduled = self._pending.scheduled
            self._site.unserved.activity(self._identity, scheduled.activity_type, scheduled.task_queue)
        self._place = queue.wait(self._begin, self._ready_at)

    def _begin(self, slots: Slots[WorkerHost]) -> None:
        """A slot is ours: make the attempt durable, then run it."""
        self._place = None
        self._phase = Phase.STARTING
        started_at = self._site.clock.now()
        self._write_row(started_at, then=partial(self._run_if_open, slots, started_at))

    def _run_if_open(self, slots: Slots[WorkerHost], started_at: datetime, _outcome: Outcome) -> None:
        if self._phase is not Phase.STARTING:  # the run closed, or ran out of time, while the row was written
            self._site.registry.release(slots)
        elif self._cancel_requested:
            self._site.registry.release(slots)
            self._end_cancelled()
        else:
            self._run(slots, started_at)

    def _run(self, slots: Slots[WorkerHost], started_at: datetime) -> None:
        if slots.worker.is_shutting_down:  # it has left meanwhile: no code has run, so the number stays
            self._site.registry.release(slots)
            self._write_row(None)  # else it would count as begun, and be lost with a crash
            self._wait_for_slot()
            return
        self._phase = Phase.RUNNING
        self._progress.next_at = None
        self._began = perf_counter()
        self._counts.started.value += 1
        ready_at = self._ready_at
        self._counts.waited(0.0 if started_at is ready_at else (started_at - ready_at).total_seconds())
        # A codec may take its time before the attempt's own timeout begins, and after it is over.
        if slots.worker.coder is not None or not self._ends_before_deadline(started_at):
            self._arm_schedule_to_close()
        self._begin_attempt(slots, started_at).run()

    def _begin_attempt(self, slots: Slots[WorkerHost] | None, started_at: datetime) -> Attempt:
        self._started_at = None if started_at == self._pending.scheduled_at else started_at
        self._attempt = attempt = Attempt(
            self._site,
            self._identity,
            self._pending,
            number=self._progress.number,
            slots=slots,
            started_at=started_at,
            details=self._progress.heartbeat,
            owner=self,
        )
        return attempt

    # What the attempt tells

    def on_heartbeat(self, details: tuple[Payload, ...]) -> None:
        """See `AttemptOwner`. Details become durable at most once per interval."""
        self._progress.heartbeat = details
        if self._flush is None:
            delay = limits.HEARTBEAT_FLUSH_INTERVAL.total_seconds()
            self._flush = self._site.clock.call_later(delay, self._flush_heartbeat)

    def on_left_open(self) -> None:
        """See `AttemptOwner`."""
        if self._attempt is not None:
            self._progress.left_at = self._site.clock.now()
            self._write_row(self._attempt.started_at)

    def _flush_heartbeat(self) -> None:
        self._flush = None
        if self._phase is Phase.RUNNING and self._attempt is not None:
            self._write_row(self._attempt.started_at)

    def on_outcome(self, outcome: AttemptOutcome) -> None:
        """See `AttemptOwner`."""
        attempt, self._attempt = self._attempt, None
        if self._phase is Phase.OVER:
            return
        match outcome:
            case Succeeded(result=result):
                self._end(ev.ActivityCompleted(self._activity_id, result, self._progress.number, self._started_at))
            case Stopped():
                if self._cancel_requested:
                    self._end_cancelled()
                else:
                    where = attempt.identity if attempt is not None else "?"
                    self._lose_attempt(f"worker {where}, which shut down")
            case Unread(problem=problem):
                self._wait_for_key(problem)
            case NotBegun():
                self._wait_for_worker()
            case Errored(failure=failure, problem=problem):
                self._log_failure(failure, problem)
                self._retry_or_give_up(failure)

    # After an attempt

    def _retry_or_give_up(self, failure: Failure) -> None:
        self._progress.charged += 1
        self._progress.last_failure = failure
        scheduled = self._pending.scheduled
        timeout = scheduled.schedule_to_close
        decision = after_failure(
            scheduled.retry,
            failure,
            charged=self._progress.charged,
            now=self._site.clock.now(),
            deadline=None if timeout is None else self._pending.scheduled_at + timeout,
        )
        if self._cancel_requested:
            decision = GiveUp(RetryState.CANCEL_REQUESTED)
        if isinstance(decision, GiveUp):
            kind = ev.ActivityTimedOut if failure.kind == "timeout" else ev.ActivityFailed
            self._end(kind(self._activity_id, failure, decision.state, self._progress.number, self._started_at))
        else:
            self._try_again_in(decision.delay)

    def _try_again_in(self, delay: timedelta) -> None:
        self._progress.number += 1
        self._progress.next_at = self._site.clock.now() + delay
        self._progress.left_at = None
        counted = partial(self._counts.ended, "retry", self._take_seconds())
        told, self._told = self._told, None

        def then(outcome: Outcome) -> None:
            counted()
            if told is not None:
                told(outcome)

        self._write_row(None, then)
        self._back_off(delay.total_seconds())

    def _wait_for_key(self, problem: CodecError) -> None:
        """No code has run, so the number stays and nothing is charged; somebody has to do something about the codec."""
        _log.warning("activity %r of workflow %r waits: %s", self._activity_id, self._identity.workflow_id, problem)
        self._progress.last_failure = codec_failure(problem)
        self._counts.ended("retry", self._take_seconds())
        self._progress.next_at = self._site.clock.now() + limits.CODEC_RETRY_DELAY
        self._write_row(None)  # else it would count as begun, and be lost with a crash
        self._back_off(limits.CODEC_RETRY_DELAY.total_seconds())

    def _wait_for_worker(self) -> None:
        """No code has run, so the number stays and nothing is charged; another worker may begin it."""
        self._phase = Phase.WAITING
        if self._cancel_requested:
            self._end_cancelled()
            return
        self._counts.ended("retry", self._take_seconds())
        self._write_row(None)  # else it would count as begun, and be lost with a crash
        self._wait_for_slot()

    def _back_off(self, seconds: float) -> None:
        self._phase = Phase.BACKING_OFF
        self._arm_schedule_to_close()
        self._alarms.append(self._site.clock.call_later(max(seconds, 0.0), self._end_back_off))

    def _end_back_off(self) -> None:
        if self._phase is Phase.BACKING_OFF:
            self._progress.next_at = None
            self._wait_for_slot()

    def _lose_attempt(self, with_whom: str) -> None:
        """An attempt ended without a word. It is repeated without being charged, if it may run twice at all."""
        lost_before = self._progress.number - 1 - self._progress.charged
        if self._cancel_requested:
            self._end_cancelled()
        elif self._pending.scheduled.retry.maximum_attempts == 1 or lost_before >= limits.UNCHARGED_ATTEMPTS_MAX:
            message = f"attempt {self._progress.number} was lost with {with_whom}; whether it took effect is unknown"
            self._retry_or_give_up(Failure(message=message, type="AttemptLost"))
        else:
            self._counts.ended("worker_died", self._take_seconds())
            self._progress.left_at = None
            self._progress.number += 1
            self._wait_for_slot()

    # Timeouts of the whole

    def _ends_before_deadline(self, started_at: datetime) -> bool:
        """True if the attempt's own timeout comes first, so that no alarm for the whole is needed while it runs."""
        scheduled = self._pending.scheduled
        attempt, whole = scheduled.start_to_close, scheduled.schedule_to_close
        if whole is None or attempt is None:
            return whole is None
        return started_at + attempt <= self._pending.scheduled_at + whole

    def _arm_schedule_to_close(self) -> None:
        timeout = self._pending.scheduled.schedule_to_close
        if timeout is not None and not self._has_deadline:
            self._has_deadline = True
            self._arm(timeout, TimeoutType.SCHEDULE_TO_CLOSE)

    def _arm(self, timeout: timedelta, kind: TimeoutType) -> None:
        remaining = min(self._pending.scheduled_at + timeout - self._site.clock.now(), timeout)
        self._alarms.append(
            self._site.clock.call_later(max(remaining.total_seconds(), 0.0), partial(self._time_out, kind))
        )

    def _time_out(self, kind: TimeoutType) -> None:
        is_late_start = kind is TimeoutType.SCHEDULE_TO_START
        if self._phase is Phase.OVER or (
            is_late_start and not (self._phase is Phase.WAITING and self._progress.number == 1)
        ):
            return
        if self._attempt is not None:
            self._attempt.request_cancel(ActivityCancellationDetails(timed_out=True), at_once=True)
        failure = timeout_failure(
            kind, self._progress.heartbeat, None if is_late_start else self._progress.last_failure
        )
        self._end(ev.ActivityTimedOut(self._activity_id, failure, RetryState.TIMEOUT, *self._running_attempt))

    # The end

    def _end_cancelled(self) -> None:
        failure = Failure(message="Activity cancelled", kind="cancelled", details=self._progress.heartbeat)
        self._end(ev.ActivityCancelled(self._activity_id, failure, *self._running_attempt))

    @property
    def _running_attempt(self) -> tuple[int, datetime | None]:
        """Number and begin of the attempt that runs; 0 if none does."""
        return (self._progress.number, self._started_at) if self._phase is Phase.RUNNING else (0, None)

    @property
    def _activity_id(self) -> str:
        return self._pending.scheduled.activity_id

    def _end(self, outcome: ev.ActivityOutcome) -> None:
        self._leave()
        attempts = outcome.attempt or self._progress.number - 1
        counted = (_OUTCOMES[type(outcome)], self._take_seconds(), attempts)
        if self._told is not None:
            self._site.deliver(self._identity, outcome, (self._count_and_tell, counted))
        else:
            self._site.deliver(self._identity, outcome, (self._counts.ended, counted))

    def _count_and_tell(self, outcome: str, seconds: float | None, attempts: int) -> None:
        self._counts.ended(outcome, seconds, attempts)
        told, self._told = self._told, None
        if told is not None:
            told(COMMITTED)

    def _take_seconds(self) -> float | None:
        """How long the attempt took, if one was running."""
        began, self._began = self._began, None
        return None if began is None else perf_counter() - began

    def _leave(self) -> None:
        self._phase = Phase.OVER
        if self._attempt is not None:
            self._attempt.detach()
            self._attempt = None
        if self._place is not None:
            self._place.is_cancelled = True
        for alarm in self._alarms:
            alarm.cancel()
        if self._flush is not None:
            self._flush.cancel()
        of_run = self._site.activities.get(self._identity.key)
        if of_run is not None:
            of_run.pop(self._activity_id, None)
            if not of_run:
                del self._site.activities[self._identity.key]

    def _write_row(self, started_at: datetime | None, then: Callable[[Outcome], None] | None = None) -> None:
        row = self._progress.as_row(self._activity_id, started_at, cancel_requested=self._cancel_requested)
        self._site.activity_rows.setdefault(self._identity.key, set()).add(row.activity_id)
        # A conflict only means that the run has closed meanwhile, and then the activity is over as well.
        self._site.journal.submit(Change(key=self._identity.key, activities=(row,)), then or _ignore)
        self._site.journal.flush_soon()

    def _log_failure(self, failure: Failure, problem: BaseException | None) -> None:
        report_activity_failure(self._identity, self._pending.scheduled, self._progress.number, failure, problem)


def _ignore(_outcome: Outcome) -> None:
    """Nothing follows from the outcome."""
