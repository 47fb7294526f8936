"""Beginning and end of a run, and what is said to it, as events of the public history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.history import failures, notes, public, shapes, values as to
from actorflow.core.history.numbers import Numbers
from actorflow.core.state import NO_OPTIONS
from actorflow.exceptions import RetryState

_NONDETERMINISM: Final = "NondeterminismError"


def started(numbers: Numbers, event: ev.Started, at: datetime) -> public.Started:
    """How the run began, with what it brought along; ``at`` that time."""
    options = event.options or NO_OPTIONS
    fields = notes.payload_map_out(options.headers or {})
    if event.interpreter:
        fields[public.INTERPRETER_HEADER] = to.json_out(event.interpreter)
    parent = options.parent
    return public.Started(
        workflow_type=shapes.Named(name=event.workflow_type),
        parent_workflow_namespace="" if parent is None else parent.namespace,
        parent_workflow_execution=None if parent is None else to.run_out(parent.workflow_id, parent.run_id),
        parent_initiated_event_id=0 if parent is None else to.number_out(parent.initiated),
        task_queue=to.queue_out(event.task_queue),
        input=to.payloads_out(event.input),
        workflow_execution_timeout=to.duration_out(options.execution_timeout),
        workflow_run_timeout=to.duration_out(options.run_timeout),
        workflow_task_timeout=to.duration_out(options.task_timeout),
        continued_execution_run_id=options.continued_run_id,
        initiator=public.INITIATORS.get(options.initiator, ""),
        continued_failure=None if options.last_failure is None else failures.failure_out(options.last_failure),
        last_completion_result=to.result_out(options.last_result),
        original_execution_run_id=numbers.run_id,
        first_execution_run_id=options.first_run_id or numbers.run_id,
        retry_policy=None if options.retry is None else to.retry_out(options.retry),
        workflow_id=numbers.workflow_id,
        attempt=options.attempt,
        workflow_execution_expiration_time=options.chain_expires_at,
        cron_schedule=options.cron,
        first_workflow_task_backoff=_backoff(options, at),
        root_workflow_execution=None
        if options.root is None
        else to.run_out(options.root.workflow_id, options.root.run_id),
        memo=notes.memo_out(options.memo),
        search_attributes=notes.attributes_out(options.search_attributes),
        header=shapes.Header(fields=fields) if fields else None,
    )


def _backoff(options: ev.RunOptions, at: datetime) -> str:
    """How long the first turn had to wait; where the start is not known and ``at`` that turn, it did no more."""
    return "" if options.not_before is None else to.duration_out(max(options.not_before - at, timedelta(0)))


def task_failed(event: ev.TurnFailed, scheduled: shapes.Number, started: shapes.Number) -> public.TaskFailed:
    """A turn that failed."""
    cause = "NON_DETERMINISTIC_ERROR" if event.failure.type == _NONDETERMINISM else "WORKFLOW_WORKER_UNHANDLED_FAILURE"
    # Of a parked run the reason stands before what its code raised.
    failure = Failure(event.parked, kind="server", cause=event.failure) if event.parked else event.failure
    return public.TaskFailed(
        scheduled_event_id=scheduled,
        started_event_id=started,
        cause=f"WORKFLOW_TASK_FAILED_CAUSE_{cause}",
        failure=failures.failure_out(failure),
    )


def update_accepted(event: ev.UpdateAccepted, after: int) -> public.UpdateAccepted:
    """An update was accepted, which had come behind this event."""
    request = public.UpdateRequest(
        meta=public.UpdateMeta(update_id=event.update_id),
        input=public.UpdateInput(
            name=event.name, args=to.payloads_out(event.input), header=notes.header_out(event.headers)
        ),
    )
    return public.UpdateAccepted(
        protocol_instance_id=event.update_id,
        accepted_request_sequencing_event_id=to.number_out(after),
        accepted_request=request,
    )


def _signal_received(_numbers: Numbers, event: ev.SignalReceived) -> public.Signaled:
    return public.Signaled(
        signal_name=event.name,
        input=to.payloads_out(event.input),
        request_id=event.request_id,
        header=notes.header_out(event.headers),
    )


def _signal_unhandled(_numbers: Numbers, event: ev.SignalUnhandled) -> public.Signaled:
    return public.Signaled(
        signal_name=event.name,
        input=to.payloads_out(event.input),
        skip_generate_workflow_task=True,
        header=notes.header_out(event.headers),
    )


def _cancel_requested(_numbers: Numbers, event: ev.CancelRequested) -> public.CancelRequested:
    return public.CancelRequested(cause=event.reason)


def _update_completed(numbers: Numbers, event: ev.UpdateCompleted) -> public.UpdateCompleted:
    if event.failure is None:
        outcome = public.UpdateOutcome(success=to.result_out(event.result) or shapes.Payloads())
    else:
        outcome = public.UpdateOutcome(failure=failures.failure_out(event.failure))
    return public.UpdateCompleted(
        meta=public.UpdateMeta(update_id=event.update_id),
        accepted_event_id=to.number_out(numbers.accepted.get(event.update_id, 0)),
        outcome=outcome,
    )


def _completed(numbers: Numbers, event: ev.Completed) -> public.Completed:
    return public.Completed(
        result=to.result_out(event.result),
        workflow_task_completed_event_id=numbers.last_task,
        new_execution_run_id=event.successor,
    )


def _failed(numbers: Numbers, event: ev.Failed) -> public.Failed:
    return public.Failed(
        failure=failures.failure_out(event.failure),
        retry_state=_retry_state(event),
        workflow_task_completed_event_id=numbers.last_task,
        new_execution_run_id=event.successor,
    )


def _timed_out(_numbers: Numbers, event: ev.TimedOut) -> public.TimedOut:
    return public.TimedOut(retry_state=_retry_state(event), new_execution_run_id=event.successor)


def _retry_state(close: ev.Failed | ev.TimedOut) -> shapes.Number:
    """Why nothing follows; the public history says something also where nothing was to follow, or something does."""
    implied = RetryState.IN_PROGRESS if close.successor else RetryState.RETRY_POLICY_NOT_SET
    return to.enum_out("RETRY_STATE", RetryState, close.retry_state or implied)


def _continued(numbers: Numbers, event: ev.ContinuedAsNew) -> public.ContinuedAsNew:
    return public.ContinuedAsNew(
        new_execution_run_id=event.successor,
        workflow_type=shapes.Named(name=event.workflow_type),
        task_queue=to.queue_out(event.task_queue),
        input=to.payloads_out(event.input),
        workflow_run_timeout=to.duration_out(event.run_timeout),
        workflow_task_timeout=to.duration_out(event.task_timeout),
        workflow_task_completed_event_id=numbers.last_task,
        initiator=public.INITIATORS["workflow"],
        memo=notes.memo_out(event.memo),
        search_attributes=notes.attributes_out(event.search_attributes),
        header=notes.header_out(event.headers),
    )


def _cancelled(numbers: Numbers, event: ev.Cancelled) -> public.Canceled:
    details = to.payloads_out(event.details)
    return public.Canceled(details=details, workflow_task_completed_event_id=numbers.last_task)


def _terminated(_numbers: Numbers, event: ev.Terminated) -> public.Terminated:
    return public.Terminated(reason=event.reason, details=to.payloads_out(event.details))


SHAPES: Final[Mapping[type[ev.Event], Callable[[Numbers, Any], shapes.Shape]]] = {
    ev.SignalReceived: _signal_received,
    ev.SignalUnhandled: _signal_unhandled,
    ev.CancelRequested: _cancel_requested,
    ev.UpdateCompleted: _update_completed,
    ev.Completed: _completed,
    ev.Failed: _failed,
    ev.Cancelled: _cancelled,
    ev.TimedOut: _timed_out,
    ev.ContinuedAsNew: _continued,
    ev.Terminated: _terminated,
}
"""How each is written that needs nothing but the numbers before it."""
