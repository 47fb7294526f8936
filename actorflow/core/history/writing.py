"""Turns as a public history, the task events that we imply but don't store included.

Each turn becomes what reached the run, the three events of its task, and what its program asked for. An activity's
start stands before its outcome, with its own time. Numbers are those the journal implies, see `core.state.turn_width`.

What the public shape has no place for is left out: whether an activity waited for a slot, how its cancellation was
meant, what a cancelled activity said beside its details. What it has a place for that others don't use, we read back:
the interpreter is a header of the first event, a signal that found the run closing has generated no task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from actorflow.converter import Failure, Payload
from actorflow.core import events as ev
from actorflow.core.history import public, values as to
from actorflow.core.journal import Turn
from actorflow.core.state import turn_width
from actorflow.exceptions import RetryState

_NONDETERMINISM: Final = "NondeterminismError"


def written_history(
    turns: Sequence[Turn], *, workflow_id: str, run_id: str, started_at: datetime | None = None
) -> dict[str, Any]:
    """A run's turns as the JSON object of its public history.

    Args:
        turns: of one run, from its first.
        workflow_id: of the run.
        run_id: of the run.
        started_at: when it began, if that was before its first turn.
    """
    writer = _Writer(workflow_id, run_id, started_at)
    for turn in turns:
        writer.write(turn)
    return {"events": writer.events}


class _Writer:
    """Events so far, and the numbers that later ones refer to."""

    def __init__(self, workflow_id: str, run_id: str, started_at: datetime | None) -> None:
        self.events: list[dict[str, Any]] = []
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.task = 0
        self.timers: dict[str, int] = {}
        self.accepted: dict[str, int] = {}
        self.cancel_requested: dict[str, int] = {}
        self._started_at = started_at
        self._number = 0
        self._task_queue = public.Named()
        self._scheduled: dict[str, tuple[int, datetime]] = {}

    def scheduled(self, activity_id: str) -> public.Number:
        """The event that scheduled an activity."""
        return to.number_out(self._scheduled[activity_id][0]) if activity_id in self._scheduled else 0

    def write(self, turn: Turn) -> None:
        """Add a turn."""
        self._number = turn.number - turn_width(turn.events)
        arrivals = [event for event in turn.events if type(event) not in ev.DECISIONS]
        accepted: list[tuple[ev.UpdateAccepted, int]] = []
        for arrival in arrivals:
            if isinstance(arrival, ev.UpdateAccepted):
                accepted.append((arrival, self._number))  # where it came between the others
            else:
                self._write_arrival(arrival, turn.at)
        if not any(isinstance(arrival, ev.TurnFailed | ev.Terminated) for arrival in arrivals):
            self._write_task(turn.at)
        for update, after in accepted:
            self.accepted[update.update_id] = self._put(_update_accepted(update, after), turn.at)
        for event in turn.events:
            if type(event) in ev.DECISIONS:
                self._write_decision(event, turn.at)

    def _write_task(self, at: datetime) -> None:
        scheduled, started = self._begin_task(at, 1)
        self.task = self._put(public.TaskCompleted(scheduled_event_id=scheduled, started_event_id=started), at)

    def _begin_task(self, at: datetime, attempt: int) -> tuple[public.Number, public.Number]:
        scheduled = str(self._put(public.TaskScheduled(task_queue=self._task_queue, attempt=attempt), at))
        return scheduled, str(self._put(public.TaskStarted(scheduled_event_id=scheduled), at))

    def _write_arrival(self, event: ev.Event, at: datetime) -> None:
        match event:
            case ev.TurnFailed():
                scheduled, started = self._begin_task(at, event.attempts)
                self._put(_task_failed(event, scheduled, started), at)
            case ev.Started(task_queue=task_queue):
                self._task_queue = _queue(task_queue)
                self._put(_started(self, event), self._started_at or at)
            case ev.ActivityCompleted() | ev.ActivityFailed() | ev.ActivityTimedOut() | ev.ActivityCancelled():
                started = self._begin_attempt(event, at)
                self._put(_outcome(self, event, started), at)
            case _:
                self._put(_SHAPES[type(event)](self, event), at)

    def _begin_attempt(self, event: ev.ActivityOutcome, at: datetime) -> public.Number:
        """The start of the attempt that decided an activity, if there was one."""
        if not event.attempt:
            return 0
        _, scheduled_at = self._scheduled.get(event.activity_id, (0, at))
        began = public.ActivityStarted(scheduled_event_id=self.scheduled(event.activity_id), attempt=event.attempt)
        return str(self._put(began, event.started_at or scheduled_at))

    def _write_decision(self, event: ev.Event, at: datetime) -> None:
        summary = event.summary if isinstance(event, ev.ActivityScheduled | ev.TimerStarted) else ""
        number = self._put(_SHAPES[type(event)](self, event), at, summary)
        match event:
            case ev.ActivityScheduled(activity_id=activity_id):
                self._scheduled[activity_id] = (number, at)
            case ev.ActivityCancelRequested(activity_id=activity_id):
                self.cancel_requested[activity_id] = number
            case ev.TimerStarted(timer_id=timer_id):
                self.timers[timer_id] = number
            case _:
                pass  # nothing refers to it

    def _put(self, attributes: public.Shape, at: datetime, summary: str = "") -> int:
        self._number += 1
        name = public.NAME_BY_SHAPE[type(attributes)]
        event: dict[str, Any] = {
            "eventId": str(self._number),
            "eventTime": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "eventType": f"{public.EVENT_TYPE_PREFIX}{name}",
        }
        if summary:
            event["userMetadata"] = msgspec.to_builtins(public.UserMetadata(summary=to.text_out(summary)))
        event[public.attributes_key(name)] = msgspec.to_builtins(attributes)
        self.events.append(event)
        return self._number


def _queue(name: str) -> public.Named:
    return public.Named(name=name, kind="TASK_QUEUE_KIND_NORMAL")


def _json(value: object) -> public.Payload:
    return to.payload_out(Payload(json=msgspec.Raw(msgspec.json.encode(value))))


def _started(writer: _Writer, event: ev.Started) -> public.Started:
    header = public.Header(fields={public.INTERPRETER_HEADER: _json(event.interpreter)}) if event.interpreter else None
    return public.Started(
        workflow_type=public.Named(name=event.workflow_type),
        task_queue=_queue(event.task_queue),
        input=to.payloads_out(event.input),
        original_execution_run_id=writer.run_id,
        first_execution_run_id=writer.run_id,
        workflow_id=writer.workflow_id,
        attempt=1,
        header=header,
    )


def _signal_received(_writer: _Writer, event: ev.SignalReceived) -> public.Signaled:
    return public.Signaled(signal_name=event.name, input=to.payloads_out(event.input), request_id=event.request_id)


def _signal_unhandled(_writer: _Writer, event: ev.SignalUnhandled) -> public.Signaled:
    input = to.payloads_out(event.input)
    return public.Signaled(signal_name=event.name, input=input, skip_generate_workflow_task=True)


def _cancel_requested(_writer: _Writer, event: ev.CancelRequested) -> public.CancelRequested:
    return public.CancelRequested(cause=event.reason)


def _terminated(_writer: _Writer, event: ev.Terminated) -> public.Terminated:
    return public.Terminated(reason=event.reason, details=to.payloads_out(event.details))


def _task_failed(event: ev.TurnFailed, scheduled: public.Number, started: public.Number) -> public.TaskFailed:
    cause = "NON_DETERMINISTIC_ERROR" if event.failure.type == _NONDETERMINISM else "WORKFLOW_WORKER_UNHANDLED_FAILURE"
    # Of a parked run the reason stands before what its code raised.
    failure = Failure(event.parked, kind="server", cause=event.failure) if event.parked else event.failure
    return public.TaskFailed(
        scheduled_event_id=scheduled,
        started_event_id=started,
        cause=f"WORKFLOW_TASK_FAILED_CAUSE_{cause}",
        failure=to.failure_out(failure),
    )


def _outcome(writer: _Writer, event: ev.ActivityOutcome, started: public.Number) -> public.Shape:
    scheduled = writer.scheduled(event.activity_id)
    if isinstance(event, ev.ActivityCompleted):
        result = to.result_out(event.result)
        return public.ActivityCompleted(result=result, scheduled_event_id=scheduled, started_event_id=started)
    if isinstance(event, ev.ActivityCancelled):
        return public.ActivityCanceled(
            details=to.payloads_out(event.failure.details),
            latest_cancel_requested_event_id=to.number_out(writer.cancel_requested.get(event.activity_id, 0)),
            scheduled_event_id=scheduled,
            started_event_id=started,
        )
    kind = public.ActivityFailed if isinstance(event, ev.ActivityFailed) else public.ActivityTimedOut
    return kind(
        failure=to.failure_out(event.failure),
        scheduled_event_id=scheduled,
        started_event_id=started,
        retry_state=to.enum_out("RETRY_STATE", RetryState, event.retry_state),
    )


def _activity_scheduled(writer: _Writer, event: ev.ActivityScheduled) -> public.ActivityScheduled:
    return public.ActivityScheduled(
        activity_id=event.activity_id,
        activity_type=public.Named(name=event.activity_type),
        task_queue=_queue(event.task_queue),
        input=to.payloads_out(event.input),
        schedule_to_close_timeout=to.duration_out(event.schedule_to_close),
        schedule_to_start_timeout=to.duration_out(event.schedule_to_start),
        start_to_close_timeout=to.duration_out(event.start_to_close),
        heartbeat_timeout=to.duration_out(event.heartbeat),
        workflow_task_completed_event_id=str(writer.task),
        retry_policy=to.retry_out(event.retry),
    )


def _activity_cancel_requested(writer: _Writer, event: ev.ActivityCancelRequested) -> public.ActivityCancelRequested:
    scheduled = writer.scheduled(event.activity_id)
    return public.ActivityCancelRequested(
        scheduled_event_id=scheduled, workflow_task_completed_event_id=str(writer.task)
    )


def _timer_started(writer: _Writer, event: ev.TimerStarted) -> public.TimerStarted:
    return public.TimerStarted(
        timer_id=event.timer_id,
        start_to_fire_timeout=to.duration_out(event.duration),
        workflow_task_completed_event_id=str(writer.task),
    )


def _timer_fired(writer: _Writer, event: ev.TimerFired) -> public.TimerFired:
    started = to.number_out(writer.timers.get(event.timer_id, 0))
    return public.TimerFired(timer_id=event.timer_id, started_event_id=started)


def _timer_cancelled(writer: _Writer, event: ev.TimerCancelled) -> public.TimerCanceled:
    started = to.number_out(writer.timers.get(event.timer_id, 0))
    return public.TimerCanceled(
        timer_id=event.timer_id, started_event_id=started, workflow_task_completed_event_id=str(writer.task)
    )


def _patched(writer: _Writer, event: ev.Patched) -> public.MarkerRecorded:
    data = _json({"id": event.patch_id, "deprecated": event.deprecated})
    return public.MarkerRecorded(
        marker_name=public.PATCH_MARKER,
        details={public.PATCH_DETAIL: public.Payloads(payloads=[data])},
        workflow_task_completed_event_id=str(writer.task),
    )


def _update_accepted(event: ev.UpdateAccepted, after: int) -> public.UpdateAccepted:
    request = public.UpdateRequest(
        meta=public.UpdateMeta(update_id=event.update_id),
        input=public.UpdateInput(name=event.name, args=to.payloads_out(event.input)),
    )
    return public.UpdateAccepted(
        protocol_instance_id=event.update_id,
        accepted_request_sequencing_event_id=to.number_out(after),
        accepted_request=request,
    )


def _update_completed(writer: _Writer, event: ev.UpdateCompleted) -> public.UpdateCompleted:
    if event.failure is None:
        outcome = public.UpdateOutcome(success=to.result_out(event.result) or public.Payloads())
    else:
        outcome = public.UpdateOutcome(failure=to.failure_out(event.failure))
    return public.UpdateCompleted(
        meta=public.UpdateMeta(update_id=event.update_id),
        accepted_event_id=to.number_out(writer.accepted.get(event.update_id, 0)),
        outcome=outcome,
    )


def _completed(writer: _Writer, event: ev.Completed) -> public.Completed:
    result = to.result_out(event.result)
    return public.Completed(result=result, workflow_task_completed_event_id=str(writer.task))


def _failed(writer: _Writer, event: ev.Failed) -> public.Failed:
    return public.Failed(
        failure=to.failure_out(event.failure),
        retry_state=to.enum_out("RETRY_STATE", RetryState, RetryState.RETRY_POLICY_NOT_SET),
        workflow_task_completed_event_id=str(writer.task),
    )


def _cancelled(writer: _Writer, event: ev.Cancelled) -> public.Canceled:
    details = to.payloads_out(event.details)
    return public.Canceled(details=details, workflow_task_completed_event_id=str(writer.task))


_SHAPES: Final[dict[type[ev.Event], Callable[[_Writer, Any], public.Shape]]] = {
    ev.SignalReceived: _signal_received,
    ev.SignalUnhandled: _signal_unhandled,
    ev.CancelRequested: _cancel_requested,
    ev.TimerFired: _timer_fired,
    ev.Terminated: _terminated,
    ev.ActivityScheduled: _activity_scheduled,
    ev.ActivityCancelRequested: _activity_cancel_requested,
    ev.TimerStarted: _timer_started,
    ev.TimerCancelled: _timer_cancelled,
    ev.Patched: _patched,
    ev.UpdateCompleted: _update_completed,
    ev.Completed: _completed,
    ev.Failed: _failed,
    ev.Cancelled: _cancelled,
}
"""Kinds of events that are one event of the public history, and need nothing but the numbers before them."""
