"""Activities, timers and patches as events of the public history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from actorflow.core import events as ev
from actorflow.core.history import failures, notes, public, shapes, values as to
from actorflow.core.history.numbers import Numbers
from actorflow.exceptions import RetryState


def outcome(numbers: Numbers, event: ev.ActivityOutcome, started: shapes.Number) -> shapes.Shape:
    """How an activity ended; ``started`` is the event of the attempt that decided it."""
    scheduled = numbers.scheduled_by(event.activity_id)
    if isinstance(event, ev.ActivityCompleted):
        result = to.result_out(event.result)
        return public.ActivityCompleted(result=result, scheduled_event_id=scheduled, started_event_id=started)
    if isinstance(event, ev.ActivityCancelled):
        return public.ActivityCanceled(
            details=to.payloads_out(event.failure.details),
            latest_cancel_requested_event_id=to.number_out(numbers.cancel_requested.get(event.activity_id, 0)),
            scheduled_event_id=scheduled,
            started_event_id=started,
        )
    kind = public.ActivityFailed if isinstance(event, ev.ActivityFailed) else public.ActivityTimedOut
    return kind(
        failure=failures.failure_out(event.failure),
        scheduled_event_id=scheduled,
        started_event_id=started,
        retry_state=to.enum_out("RETRY_STATE", RetryState, event.retry_state),
    )


def _activity_scheduled(numbers: Numbers, event: ev.ActivityScheduled) -> public.ActivityScheduled:
    return public.ActivityScheduled(
        activity_id=event.activity_id,
        activity_type=shapes.Named(name=event.activity_type),
        task_queue=to.queue_out(event.task_queue),
        input=to.payloads_out(event.input),
        schedule_to_close_timeout=to.duration_out(event.schedule_to_close),
        schedule_to_start_timeout=to.duration_out(event.schedule_to_start),
        start_to_close_timeout=to.duration_out(event.start_to_close),
        heartbeat_timeout=to.duration_out(event.heartbeat),
        workflow_task_completed_event_id=numbers.last_task,
        retry_policy=to.retry_out(event.retry),
        header=notes.header_out(event.headers),
    )


def _activity_cancel_requested(numbers: Numbers, event: ev.ActivityCancelRequested) -> public.ActivityCancelRequested:
    scheduled = numbers.scheduled_by(event.activity_id)
    return public.ActivityCancelRequested(
        scheduled_event_id=scheduled, workflow_task_completed_event_id=numbers.last_task
    )


def _timer_started(numbers: Numbers, event: ev.TimerStarted) -> public.TimerStarted:
    return public.TimerStarted(
        timer_id=event.timer_id,
        start_to_fire_timeout=to.duration_out(event.duration),
        workflow_task_completed_event_id=numbers.last_task,
    )


def _timer_fired(numbers: Numbers, event: ev.TimerFired) -> public.TimerFired:
    started = to.number_out(numbers.timers.get(event.timer_id, 0))
    return public.TimerFired(timer_id=event.timer_id, started_event_id=started)


def _timer_cancelled(numbers: Numbers, event: ev.TimerCancelled) -> public.TimerCanceled:
    started = to.number_out(numbers.timers.get(event.timer_id, 0))
    return public.TimerCanceled(
        timer_id=event.timer_id, started_event_id=started, workflow_task_completed_event_id=numbers.last_task
    )


def _patched(numbers: Numbers, event: ev.Patched) -> public.MarkerRecorded:
    data = to.json_out({"id": event.patch_id, "deprecated": event.deprecated})
    return public.MarkerRecorded(
        marker_name=public.PATCH_MARKER,
        details={public.PATCH_DETAIL: shapes.Payloads(payloads=[data])},
        workflow_task_completed_event_id=numbers.last_task,
    )


SHAPES: Final[Mapping[type[ev.Event], Callable[[Numbers, Any], shapes.Shape]]] = {
    ev.ActivityScheduled: _activity_scheduled,
    ev.ActivityCancelRequested: _activity_cancel_requested,
    ev.TimerStarted: _timer_started,
    ev.TimerFired: _timer_fired,
    ev.TimerCancelled: _timer_cancelled,
    ev.Patched: _patched,
}
"""How each is written."""
