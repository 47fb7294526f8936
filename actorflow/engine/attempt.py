"""One attempt of an activity: user code on a worker's slot, watched by its timeouts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import anyio

from actorflow import activity as public
from actorflow.activity import ActivityCancellationDetails
from actorflow.common import MetricMeter, Priority, RawValue
from actorflow.converter import (
    Coder,
    Payload,
    WorkflowSerializationContext,
    payloads_of,
    with_payloads,
)
from actorflow.core import limits
from actorflow.core.definitions import DYNAMIC, ActivityDefinition
from actorflow.core.policy.checks import check_payloads
from actorflow.core.policy.retry import policy_of
from actorflow.core.state import PendingActivity
from actorflow.core.task_token import TaskToken, encode_task_token
from actorflow.engine.activity_context import AttemptContext
from actorflow.engine.codecs import outcome_of
from actorflow.engine.intercepted import InterceptedAttempt
from actorflow.engine.outcomes import (
    AttemptOutcome,
    AttemptOwner,
    Errored,
    NotBegun,
    Stopped,
    Succeeded,
    Unread,
    timeout_failure,
)
from actorflow.engine.registry import ActivityInterception, WorkerHost
from actorflow.engine.site import Site
from actorflow.exceptions import ApplicationError, CancelledError, CodecError, PayloadTooLargeError, TimeoutType
from actorflow.pool.deadlines import Deadline
from actorflow.pool.executors import RunningAttempt
from actorflow.pool.interruption import Interruption
from actorflow.pool.slots import Slots
from actorflow.store.protocol import Identity

_log = logging.getLogger("actorflow.activity")


class Attempt:
    """See the module's head. The slot is given back when the code has ended, however late that is, and what it has
    said is encoded: otherwise outcomes would pile up before a codec that can't encode.

    Code may leave the attempt open; then only the timeouts go on, and with `resume` they do after a restart.

    Args:
        site: collaborators.
        identity: of the run.
        pending: what was scheduled.
        number: of the attempt.
        slots: of the worker that runs it, one is taken; None if an earlier process ran it.
        started_at: when the attempt began.
        details: heartbeat details of the attempts before.
        owner: is told the outcome.
        is_local: what `Info.is_local` says.
    """

    __slots__ = (
        "_alarms",
        "_beat_at",
        "_context",
        "_details",
        "_identity",
        "_is_local",
        "_is_reported",
        "_newest",
        "_number",
        "_owner",
        "_pending",
        "_plain_details",
        "_reading",
        "_running",
        "_site",
        "_slots",
        "_why",
        "_writing",
        "started_at",
    )

    def __init__(
        self,
        site: Site,
        identity: Identity,
        pending: PendingActivity,
        *,
        number: int,
        slots: Slots[WorkerHost] | None,
        started_at: datetime,
        details: tuple[Payload, ...],
        owner: AttemptOwner,
        is_local: bool = False,
    ) -> None:
        self._site = site
        self._identity = identity
        self._pending = pending
        self._number = number
        self._slots = slots
        self.started_at = started_at
        self._details = details
        self._plain_details = details  # as the code is to see them: another thing only where there is a codec
        self._newest: tuple[Payload, ...] | None = None  # details that wait for the codec
        self._owner = owner
        self._is_local = is_local
        self._alarms: list[Deadline] = []
        self._beat_at: datetime | None = None
        self._running: RunningAttempt | None = None
        self._context: AttemptContext | None = None
        self._is_reported = False
        self._why: ActivityCancellationDetails | None = None
        self._reading: anyio.CancelScope | None = None  # while the codec decodes
        self._writing: anyio.CancelScope | None = None  # while the outcome waits for the codec

    @property
    def _host(self) -> WorkerHost:
        assert self._slots is not None  # only code that runs here asks
        return self._slots.worker

    @property
    def identity(self) -> str:
        """Of the worker that runs it."""
        return "?" if self._slots is None else self._slots.worker.identity

    @property
    def name(self) -> str:
        """See `Interruptible`."""
        scheduled = self._pending.scheduled
        return f"{scheduled.activity_type} (id {scheduled.activity_id} of {self._identity.workflow_id})"

    def run(self) -> None:
        """Start the user's code. What prevents it from starting is the attempt's outcome."""
        self._host.attempts.add(self)
        self._site.rest.attempts += 1
        scheduled = self._pending.scheduled
        activities = self._host.activities
        definition = activities.get(scheduled.activity_type) or activities.get(DYNAMIC)
        if definition is None:
            self._body_ended(None, _unknown_activity(scheduled.activity_type, self._host))
            return
        coder = self._host.coder
        payloads = scheduled.input
        if coder is None or not (payloads or self._details):
            self._begin(definition, payloads)
        else:
            self._reading = anyio.CancelScope()
            self._site.spawn(self._read(self._reading, coder, definition))

    async def _read(self, reading: anyio.CancelScope, coder: Coder, definition: ActivityDefinition) -> None:
        """Begin once the codec has decoded arguments and heartbeat details; what it can't decode is not begun."""
        held = [self._pending.scheduled.input, self._details]
        outcome: list[Payload] | CodecError | None = None
        with reading:
            outcome = await outcome_of(coder.decode(payloads_of(held), self._serialization_context))
        self._reading = None
        if outcome is None or self._is_reported or self._why is not None or self._host.is_shutting_down:
            self._leave_unbegun(NotBegun())
        elif isinstance(outcome, CodecError):
            self._leave_unbegun(Unread(outcome))
        else:
            payloads, self._plain_details = with_payloads(held, outcome)
            self._begin(definition, payloads)

    def _leave_unbegun(self, outcome: Unread | NotBegun) -> None:
        self._report_if_open(outcome)
        self._leave_worker()

    def _leave_worker(self) -> None:
        """Nothing of it is to be done here any more."""
        slots, host = self._slots, self._host
        assert slots is not None
        host.attempts.discard(self)
        self._site.registry.release(slots)
        host.on_attempt_ended()

    def _begin(self, definition: ActivityDefinition, payloads: tuple[Payload, ...]) -> None:
        scheduled = self._pending.scheduled
        try:
            arguments = self._arguments(definition, payloads)
            if self._plain_details:
                self._host.converter.decode(self._plain_details)  # now, and not when its code asks for them
        except CodecError as problem:  # what nobody here can read was perhaps written by a codec that is missing
            self._leave_unbegun(Unread(problem))
            return
        except Exception as problem:  # PayloadError, or whatever a foreign converter raises
            self._body_ended(None, problem)
            return
        if scheduled.start_to_close is not None:
            self._alarm(scheduled.start_to_close.total_seconds(), self._run_out_of_time)
        if scheduled.heartbeat is not None:
            self._alarm(scheduled.heartbeat.total_seconds(), self._check_heartbeat)
        self._execute(definition, arguments)

    def resume(self) -> None:
        """Go on waiting for somebody outside; nobody knows when the last sign of life was, so it counts from now."""
        self._site.rest.attempts += 1
        scheduled = self._pending.scheduled
        self._beat_at = now = self._site.clock.now()
        if scheduled.start_to_close is not None:
            remaining = min(self.started_at + scheduled.start_to_close - now, scheduled.start_to_close)
            self._alarm(remaining.total_seconds(), self._run_out_of_time)
        if scheduled.heartbeat is not None:
            self._alarm(scheduled.heartbeat.total_seconds(), self._check_heartbeat)

    def _arguments(self, definition: ActivityDefinition, payloads: tuple[Payload, ...]) -> Sequence[Any]:
        if definition.name == DYNAMIC:
            return [self._host.converter.decode(payloads, [RawValue] * len(payloads))]
        return self._host.converter.decode(payloads, definition.signature.types)

    def request_cancel(self, why: ActivityCancellationDetails, *, at_once: bool = False) -> None:
        """Ask the code to stop: at once, or as soon as it gives a sign of life (as in the public SDK)."""
        self._why = why
        if self._reading is not None:
            self._reading.cancel()  # there is no code yet
        if at_once or self._beat_at is not None:
            self._stop(why, again=at_once)

    def _stop(self, why: ActivityCancellationDetails, *, again: bool = False) -> None:
        """Throw the cancellation into the code, once: it may be tidying up, and may beat while it does."""
        context = self._context
        if context is not None and (again or not context.cancelled.is_set()):
            context.cancel(why)
            if self._running is not None:
                self._running.cancel("Activity cancelled")

    def detach(self) -> None:
        """The outcome matters no more; the code is asked to stop if it listens."""
        self._report(None)
        if self._writing is not None:
            self._writing.cancel()
        self.request_cancel(ActivityCancellationDetails(not_found=True))

    def _execute(self, definition: ActivityDefinition, arguments: Sequence[Any]) -> None:
        host, is_async = self._host, definition.is_async
        in_processes = None if is_async else host.process_executor
        # No exception is thrown into the thread of an activity that does not want one.
        interrupts = not (is_async or in_processes or definition.no_thread_cancel_exception)
        interruption = Interruption(CancelledError) if interrupts else None
        client = host.client if is_async else None
        self._context = reachable = AttemptContext(
            host, self._info, self._heartbeat, self._meter, client=client, interruption=interruption
        )
        if host.interception is not None:
            self._running = self._intercepted(host.interception, definition, arguments, reachable, interruption)
            return
        if in_processes is not None:
            self._running = in_processes.start(definition.function, arguments, reachable, self._body_ended)
            return
        variables = host.context.copy()
        variables.run(public.current_context.set, reachable)

        def call() -> Any:
            return definition.function(*arguments)

        if is_async:
            self._running = host.loop_executor.start(call, variables, self._body_ended, name=definition.name)
            return
        assert host.thread_executor is not None  # a worker with sync activities has one: checked when it was made
        self._running = host.thread_executor.start(call, variables, self._body_ended, interruption=interruption)

    def _intercepted(
        self,
        interception: ActivityInterception,
        definition: ActivityDefinition,
        arguments: Sequence[Any],
        context: AttemptContext,
        interruption: Interruption | None,
    ) -> RunningAttempt:
        """Interceptors run on the loop, whatever the code runs in."""
        intercepted = InterceptedAttempt(self._host, context, interruption)
        variables = self._host.context.copy()
        variables.run(public.current_context.set, context)
        headers = self._pending.scheduled.headers

        def call() -> Awaitable[Any]:
            return interception.call(definition.function, arguments, headers, context, intercepted.run)

        return intercepted.start(call, variables, self._body_ended, name=definition.name)

    def _body_ended(self, result: Any, problem: BaseException | None) -> None:
        self._running = self._context = None  # it knows us: without this we would be garbage only a collector finds
        coder = self._host.coder
        if isinstance(problem, public.CompleteAsync):
            if not self._is_reported:
                self._owner.on_left_open()
        elif isinstance(problem, asyncio.CancelledError) and self._site.is_ending():
            self._report(None)  # the whole program is going: the attempt counts as lost
        elif not self._is_reported:
            outcome = self._outcome_of(result, problem)
            if coder is not None and (self._newest is not None or payloads_of(outcome)):
                self._stop_alarms()  # the code has ended in time; what the codec needs is not its fault
                self._writing = anyio.CancelScope()
                self._site.spawn(self._report_encoded(self._writing, coder, outcome))
                return
            self._report(outcome)
        self._leave_worker()

    async def _report_encoded(self, writing: anyio.CancelScope, coder: Coder, outcome: AttemptOutcome) -> None:
        """Report once the codec has encoded the outcome; the code has run, so it is asked until it can."""
        encoded: AttemptOutcome | None = None
        with writing:
            encoded = await self._encoded_outcome(coder, outcome)
        self._writing = None
        if encoded is not None:
            self._report_if_open(encoded)
        self._leave_worker()

    async def _encoded_outcome(self, coder: Coder, outcome: AttemptOutcome) -> AttemptOutcome:
        while True:
            await self._encode_newest(coder)
            encoded = await outcome_of(coder.encode(payloads_of(outcome), self._serialization_context))
            if not isinstance(encoded, CodecError):
                return with_payloads(outcome, encoded)
            _log.warning("the outcome of activity %s waits: %s", self.name, encoded)
            await anyio.sleep(limits.CODEC_RETRY_DELAY.total_seconds())

    def _report_if_open(self, outcome: AttemptOutcome) -> None:
        if not self._is_reported:
            self._report(outcome)

    @property
    def _serialization_context(self) -> WorkflowSerializationContext:
        return WorkflowSerializationContext.of(self._identity.namespace, self._identity.workflow_id)

    def _outcome_of(self, result: Any, problem: BaseException | None) -> AttemptOutcome:
        if problem is None:
            try:
                return Succeeded(None if result is None else self._encoded(result))
            except Exception as bad_result:
                problem = bad_result
        was_asked = self._why is not None or self._host.is_shutting_down
        if was_asked and isinstance(problem, asyncio.CancelledError | CancelledError):
            return Stopped()
        return Errored(self._host.converter.failure(problem), problem)

    def _encoded(self, result: Any) -> Payload:
        try:
            return self._host.converter.encode_one(result)
        except PayloadTooLargeError as problem:
            what = f"the result of {self.name}"
            raise PayloadTooLargeError(what, size=problem.size, limit=problem.limit) from problem

    def _report(self, outcome: AttemptOutcome | None) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._site.rest.attempts -= 1
        self._stop_alarms()
        if outcome is not None:
            self._owner.on_outcome(outcome)

    def _stop_alarms(self) -> None:
        for alarm in self._alarms:
            alarm.cancel()
        self._alarms.clear()

    # Timeouts and heartbeats

    def _alarm(self, delay: float, ring: Callable[[], None]) -> None:
        self._alarms.append(self._site.deadlines.add(max(delay, 0.0), ring))

    def _run_out_of_time(self) -> None:
        self._time_out(TimeoutType.START_TO_CLOSE)

    def _check_heartbeat(self) -> None:
        timeout = self._pending.scheduled.heartbeat
        if timeout is None or self._is_reported:
            return
        silent = timeout if self._beat_at is None else self._site.clock.now() - self._beat_at
        if silent >= timeout:
            self._time_out(TimeoutType.HEARTBEAT)
        else:
            self._alarm((timeout - silent).total_seconds(), self._check_heartbeat)

    def _time_out(self, kind: TimeoutType) -> None:
        if self._is_reported:
            return
        self._report(Errored(timeout_failure(kind, self._details)))
        self.request_cancel(ActivityCancellationDetails(timed_out=True), at_once=True)

    def _heartbeat(self, details: Sequence[Any]) -> None:
        """Called by user code, in whichever thread it runs."""
        payloads = self._host.converter.encode(details)
        check_payloads(f"a heartbeat of {self.name}", payloads)
        if asyncio._get_running_loop() is self._site.loop:
            self._take_plain_heartbeat(payloads)
        else:
            self._site.loop.call_soon_threadsafe(self._take_plain_heartbeat, payloads)

    def take_heartbeat(self, payloads: tuple[Payload, ...]) -> None:
        """A sign of life with details as they are to be kept: from outside they come so."""
        self._beat_at = self._site.clock.now()
        self._newest = None  # what is still on its way is older
        self._keep_details(payloads)
        self._heed()

    def _take_plain_heartbeat(self, payloads: tuple[Payload, ...]) -> None:
        """A sign of life from the code."""
        self._plain_details = payloads
        coder = self._host.coder
        if coder is None or not payloads:
            self.take_heartbeat(payloads)
            return
        self._beat_at = self._site.clock.now()
        if self._newest is None:
            self._site.spawn(self._encode_newest(coder))
        self._newest = payloads  # if one is on its way, it takes this one along
        self._heed()

    def _heed(self) -> None:
        """Stop, if somebody has asked for it before this sign of life."""
        if self._why is not None and not self._is_reported:
            self._stop(self._why)

    def _meter(self) -> MetricMeter:
        scheduled = self._pending.scheduled
        return self._site.metrics.meter(
            {
                "namespace": self._identity.namespace,
                "task_queue": scheduled.task_queue,
                "activity_type": scheduled.activity_type,
            }
        )

    async def _encode_newest(self, coder: Coder) -> None:
        """Encode heartbeat details, and those that came meanwhile."""
        while (details := self._newest) is not None:
            encoded = await outcome_of(coder.encode(details, self._serialization_context))
            if not self._newest:
                return  # somebody outside has said something newer
            if self._newest is details:
                self._newest = None
            if isinstance(encoded, CodecError):
                _log.warning("heartbeat details of activity %s are not kept: %s", self.name, encoded)
            else:
                self._keep_details(tuple(encoded))

    def _keep_details(self, payloads: tuple[Payload, ...]) -> None:
        self._details = payloads
        if not self._is_reported:
            self._owner.on_heartbeat(payloads)

    def _info(self) -> public.Info:
        scheduled, identity = self._pending.scheduled, self._identity
        return public.Info(
            activity_id=scheduled.activity_id,
            activity_type=scheduled.activity_type,
            attempt=self._number,
            current_attempt_scheduled_time=self.started_at,
            heartbeat_details=self._host.converter.decode(self._plain_details),
            heartbeat_timeout=scheduled.heartbeat,
            is_local=self._is_local,
            namespace=identity.namespace,
            schedule_to_close_timeout=scheduled.schedule_to_close,
            scheduled_time=self._pending.scheduled_at,
            start_to_close_timeout=scheduled.start_to_close,
            started_time=self.started_at,
            task_queue=scheduled.task_queue,
            task_token=encode_task_token(
                TaskToken(
                    identity.namespace, identity.workflow_id, identity.run_id, scheduled.activity_id, self._number
                )
            ),
            workflow_id=identity.workflow_id,
            workflow_namespace=identity.namespace,
            workflow_run_id=identity.run_id,
            workflow_type=identity.workflow_type,
            priority=Priority.default,
            retry_policy=policy_of(scheduled.retry),
        )


def _unknown_activity(activity_type: str, host: WorkerHost) -> ApplicationError:
    known = ", ".join(sorted(host.activities))
    return ApplicationError(
        f"Activity function {activity_type} for task queue {host.task_queue!r} is not registered on this worker, "
        f"available activities: {known}",
        type="NotFoundError",
    )
