"""Children, and messages to other executions, from events of the public history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from actorflow.common import WorkflowIDReusePolicy
from actorflow.core import events as ev
from actorflow.core.history import failures, notes, public_others as public, shapes, values as to
from actorflow.core.history.exported import ExportedEvent, References, refuse
from actorflow.core.letters import NOBODY
from actorflow.core.program.others import ParentClosePolicy
from actorflow.exceptions import RetryState


def _child_initiated(_known: References, event: ExportedEvent) -> ev.ChildScheduled:
    attributes = cast("public.ChildInitiated", event.attributes)
    return ev.ChildScheduled(
        workflow_id=attributes.workflow_id,
        workflow_type=attributes.workflow_type.name,
        task_queue=attributes.task_queue.name,
        input=to.payloads_in(attributes.input),
        parent_close=to.enum_in("PARENT_CLOSE_POLICY", ParentClosePolicy, attributes.parent_close_policy) or 1,
        reuse=to.enum_in("WORKFLOW_ID_REUSE_POLICY", WorkflowIDReusePolicy, attributes.workflow_id_reuse_policy) or 1,
        execution_timeout=to.timeout_in(attributes.workflow_execution_timeout),
        run_timeout=to.timeout_in(attributes.workflow_run_timeout),
        task_timeout=to.task_timeout_in(attributes.workflow_task_timeout),
        retry=None if attributes.retry_policy is None else to.retry_in(attributes.retry_policy),
        cron=attributes.cron_schedule,
        summary=event.summary,
        details=event.details,
        memo=notes.memo_in(attributes.memo),
        search_attributes=notes.attributes_in(attributes.search_attributes),
        headers=notes.header_in(attributes.header),
    )


def _child_started(known: References, event: ExportedEvent) -> ev.ChildStarted:
    attributes = cast("public.ChildStarted", event.attributes)
    return ev.ChildStarted(known.initiated(attributes.initiated_event_id), attributes.workflow_execution.run_id)


def _child_start_failed(known: References, event: ExportedEvent) -> ev.ChildStartFailed:
    attributes = cast("public.ChildStartFailed", event.attributes)
    if attributes.cause and not _is_named(attributes.cause, public.ALREADY_EXISTS, number=1):
        refuse(event.number, f"a START_CHILD_WORKFLOW_EXECUTION_FAILED because of {attributes.cause}")
    return ev.ChildStartFailed(known.initiated(attributes.initiated_event_id))


def _child_over(known: References, event: ExportedEvent) -> ev.ChildOutcome:
    attributes = cast("public.ChildClosed", event.attributes)
    initiated = known.initiated(attributes.initiated_event_id)
    match attributes:
        case public.ChildCompleted(result=result):
            return ev.ChildCompleted(initiated, to.result_in(result))
        case public.ChildFailed(failure=failure, retry_state=state):
            return ev.ChildFailed(initiated, failures.failure_in(failure), _retry_state(state))
        case public.ChildCanceled(details=details):
            return ev.ChildCancelled(initiated, to.payloads_in(details))
        case public.ChildTimedOut(retry_state=state):
            return ev.ChildTimedOut(initiated, _retry_state(state))
        case _:
            return ev.ChildTerminated(initiated)


def _retry_state(said: shapes.Number) -> int:
    return to.enum_in("RETRY_STATE", RetryState, said)


def _signal_initiated(_known: References, event: ExportedEvent) -> ev.SignalSent:
    attributes = cast("public.SignalInitiated", event.attributes)
    receiver = attributes.workflow_execution
    input = to.payloads_in(attributes.input)
    return ev.SignalSent(
        receiver.workflow_id,
        attributes.signal_name,
        input,
        receiver.run_id,
        attributes.child_workflow_only,
        notes.header_in(attributes.header),
    )


def _cancel_initiated(known: References, event: ExportedEvent) -> ev.CancelSent:
    attributes = cast("public.CancelInitiated", event.attributes)
    receiver = attributes.workflow_execution
    child = known.child(receiver.workflow_id) if attributes.child_workflow_only else 0
    return ev.CancelSent(receiver.workflow_id, receiver.run_id, child, attributes.reason)


def _delivered(known: References, event: ExportedEvent) -> ev.MessageDelivered:
    return ev.MessageDelivered(known.initiated(cast("public.Delivered", event.attributes).initiated_event_id))


def _refused(known: References, event: ExportedEvent) -> ev.MessageRefused:
    attributes = cast("public.Refused", event.attributes)
    said = NOBODY if _is_named(attributes.cause, public.NOT_FOUND, number=1) else str(attributes.cause)
    return ev.MessageRefused(known.initiated(attributes.initiated_event_id), attributes.control or said)


def _is_named(cause: shapes.Number, name: str, *, number: int) -> bool:
    """Whether a cause is this one, in long or short writing, or by its number."""
    return cause == number if isinstance(cause, int) else to.plain(cause).endswith(to.plain(name))


_Read = Callable[[References, ExportedEvent], ev.Event]
ARRIVALS: Final[Mapping[type[shapes.Shape], _Read]] = {
    public.ChildStarted: _child_started,
    public.ChildStartFailed: _child_start_failed,
    public.ChildCompleted: _child_over,
    public.ChildFailed: _child_over,
    public.ChildCanceled: _child_over,
    public.ChildTimedOut: _child_over,
    public.ChildTerminated: _child_over,
    public.SignalDelivered: _delivered,
    public.CancelDelivered: _delivered,
    public.SignalRefused: _refused,
    public.CancelRefused: _refused,
}
DECISIONS: Final[Mapping[type[shapes.Shape], _Read]] = {
    public.ChildInitiated: _child_initiated,
    public.SignalInitiated: _signal_initiated,
    public.CancelInitiated: _cancel_initiated,
}
"""How each is read."""
