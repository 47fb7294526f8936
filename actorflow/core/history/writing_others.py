"""Children, and messages to other executions, as events of the public history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from actorflow.common import WorkflowIDReusePolicy
from actorflow.core import events as ev
from actorflow.core.history import failures, notes, public_others as public, shapes, values as to
from actorflow.core.history.numbers import Numbers
from actorflow.core.letters import NOBODY
from actorflow.core.program.others import ParentClosePolicy
from actorflow.exceptions import RetryState


def _child_scheduled(numbers: Numbers, event: ev.ChildScheduled) -> public.ChildInitiated:
    return public.ChildInitiated(
        workflow_id=event.workflow_id,
        workflow_type=shapes.Named(name=event.workflow_type),
        task_queue=to.queue_out(event.task_queue),
        input=to.payloads_out(event.input),
        workflow_execution_timeout=to.duration_out(event.execution_timeout),
        workflow_run_timeout=to.duration_out(event.run_timeout),
        workflow_task_timeout=to.duration_out(event.task_timeout),
        parent_close_policy=to.enum_out("PARENT_CLOSE_POLICY", ParentClosePolicy, event.parent_close),
        workflow_task_completed_event_id=numbers.last_task,
        workflow_id_reuse_policy=to.enum_out("WORKFLOW_ID_REUSE_POLICY", WorkflowIDReusePolicy, event.reuse),
        retry_policy=None if event.retry is None else to.retry_out(event.retry),
        cron_schedule=event.cron,
        memo=notes.memo_out(event.memo),
        search_attributes=notes.attributes_out(event.search_attributes),
        header=notes.header_out(event.headers),
    )


def _child_started(numbers: Numbers, event: ev.ChildStarted) -> public.ChildStarted:
    child = _child(numbers, event.initiated)
    return public.ChildStarted(
        workflow_execution=to.run_out(child.workflow_id, event.run_id),
        workflow_type=shapes.Named(name=child.workflow_type),
        initiated_event_id=to.number_out(event.initiated),
    )


def _child_start_failed(numbers: Numbers, event: ev.ChildStartFailed) -> public.ChildStartFailed:
    child = _child(numbers, event.initiated)
    return public.ChildStartFailed(
        workflow_id=child.workflow_id,
        workflow_type=shapes.Named(name=child.workflow_type),
        cause=f"START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_{public.ALREADY_EXISTS}",
        initiated_event_id=to.number_out(event.initiated),
    )


def _child_over(numbers: Numbers, event: ev.ChildOutcome) -> public.ChildClosed:
    child = _child(numbers, event.initiated)
    started, run_id = numbers.children_started.get(event.initiated, (0, child.run_id))
    about: dict[str, Any] = {
        "workflow_execution": to.run_out(child.workflow_id, run_id),
        "workflow_type": shapes.Named(name=child.workflow_type),
        "initiated_event_id": to.number_out(event.initiated),
        "started_event_id": to.number_out(started),
    }
    match event:
        case ev.ChildCompleted(result=result):
            return public.ChildCompleted(result=to.result_out(result), **about)
        case ev.ChildFailed(failure=failure):
            state = to.enum_out("RETRY_STATE", RetryState, event.retry_state)
            return public.ChildFailed(failure=failures.failure_out(failure), retry_state=state, **about)
        case ev.ChildCancelled(details=details):
            return public.ChildCanceled(details=to.payloads_out(details), **about)
        case ev.ChildTimedOut():
            state = to.enum_out("RETRY_STATE", RetryState, event.retry_state)
            return public.ChildTimedOut(retry_state=state, **about)
        case ev.ChildTerminated():
            return public.ChildTerminated(**about)


def _signal_sent(numbers: Numbers, event: ev.SignalSent) -> public.SignalInitiated:
    return public.SignalInitiated(
        workflow_task_completed_event_id=numbers.last_task,
        workflow_execution=to.run_out(event.workflow_id, event.run_id),
        child_workflow_only=event.is_child,
        signal_name=event.name,
        input=to.payloads_out(event.input),
        header=notes.header_out(event.headers),
    )


def _cancel_sent(numbers: Numbers, event: ev.CancelSent) -> public.CancelInitiated:
    return public.CancelInitiated(
        workflow_task_completed_event_id=numbers.last_task,
        workflow_execution=to.run_out(event.workflow_id, event.run_id),
        child_workflow_only=bool(event.child),
        reason=event.reason,
    )


def _delivered(numbers: Numbers, event: ev.MessageDelivered) -> public.Delivered:
    sent = numbers.sent.get(event.initiated)
    kind = public.CancelDelivered if isinstance(sent, ev.CancelSent) else public.SignalDelivered
    return kind(initiated_event_id=to.number_out(event.initiated), workflow_execution=_receiver(sent))


def _refused(numbers: Numbers, event: ev.MessageRefused) -> public.Refused:
    """The public shape has causes and no words; what ours says beyond them stands in its field for notes."""
    sent = numbers.sent.get(event.initiated)
    is_cancel = isinstance(sent, ev.CancelSent)
    is_nobody = event.reason.startswith(NOBODY)
    what = f"{'CANCEL' if is_cancel else 'SIGNAL'}_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE"
    cause = public.NOT_FOUND if is_nobody else "UNSPECIFIED" if is_cancel else public.TOO_MANY_SIGNALS
    kind = public.CancelRefused if is_cancel else public.SignalRefused
    return kind(
        initiated_event_id=to.number_out(event.initiated),
        workflow_execution=_receiver(sent),
        cause=f"{what}_{cause}",
        control="" if event.reason == NOBODY else event.reason,
    )


def _child(numbers: Numbers, initiated: int) -> ev.ChildScheduled:
    return numbers.children.get(initiated) or ev.ChildScheduled("", "", "")


def _receiver(sent: ev.SignalSent | ev.CancelSent | None) -> shapes.RunReference:
    return shapes.RunReference() if sent is None else to.run_out(sent.workflow_id, sent.run_id)


SHAPES: Final[Mapping[type[ev.Event], Callable[[Numbers, Any], shapes.Shape]]] = {
    ev.ChildScheduled: _child_scheduled,
    ev.ChildStarted: _child_started,
    ev.ChildStartFailed: _child_start_failed,
    ev.ChildCompleted: _child_over,
    ev.ChildFailed: _child_over,
    ev.ChildCancelled: _child_over,
    ev.ChildTimedOut: _child_over,
    ev.ChildTerminated: _child_over,
    ev.SignalSent: _signal_sent,
    ev.CancelSent: _cancel_sent,
    ev.MessageDelivered: _delivered,
    ev.MessageRefused: _refused,
}
"""How each is written."""
