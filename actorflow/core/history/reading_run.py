"""Beginning and end of a run, and what was said to it, from events of the public history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, cast

from actorflow.core import events as ev
from actorflow.core.history import failures, notes, public, shapes, values as to
from actorflow.core.history.exported import ExportedEvent, References, refuse
from actorflow.core.policy.succession import dated
from actorflow.core.state import NO_OPTIONS
from actorflow.exceptions import RetryState

_INITIATORS: Final = {
    to.plain(theirs.removeprefix(public.INITIATOR_PREFIX)): ours for ours, theirs in public.INITIATORS.items()
}


def _started(known: References, event: ExportedEvent) -> ev.Started:
    attributes = cast("public.Started", event.attributes)
    known.run_id, known.started_at = attributes.original_execution_run_id, event.at
    header = attributes.header.fields if attributes.header is not None else {}
    return ev.Started(
        workflow_type=attributes.workflow_type.name,
        task_queue=attributes.task_queue.name,
        input=to.payloads_in(attributes.input),
        interpreter=to.text_in(header.get(public.INTERPRETER_HEADER)),
        options=_options(attributes, event),
    )


def _options(attributes: public.Started, event: ExportedEvent) -> ev.RunOptions | None:
    """What the run brought along; None where that is what every run has."""
    at = event.at
    headers = {} if attributes.header is None else notes.payload_map_in(attributes.header.fields)
    headers.pop(public.INTERPRETER_HEADER, None)
    run_id, first_run_id = attributes.original_execution_run_id, attributes.first_execution_run_id
    backoff = to.duration_in(attributes.first_workflow_task_backoff)
    not_before = at + backoff if backoff else None
    options = ev.RunOptions(
        first_run_id="" if first_run_id == run_id else first_run_id,
        continued_run_id=attributes.continued_execution_run_id,
        initiator=_initiator(attributes.initiator) if attributes.continued_execution_run_id else "",
        attempt=attributes.attempt or 1,
        execution_timeout=to.timeout_in(attributes.workflow_execution_timeout),
        run_timeout=to.timeout_in(attributes.workflow_run_timeout),
        task_timeout=to.task_timeout_in(attributes.workflow_task_timeout),
        retry=None if attributes.retry_policy is None else to.retry_in(attributes.retry_policy),
        cron=attributes.cron_schedule,
        last_result=to.result_in(attributes.last_completion_result),
        last_failure=None
        if attributes.continued_failure is None
        else failures.failure_in(attributes.continued_failure),
        parent=_parent(attributes),
        root=_root(attributes),
        memo=notes.memo_in(attributes.memo) or None,
        search_attributes=notes.attributes_in(attributes.search_attributes) or None,
        headers=headers or None,
        summary=event.summary,
        details=event.details,
    )
    options = dated(options, not_before or at, not_before, _expires_at(attributes, at))
    return None if options == NO_OPTIONS else options


def _expires_at(attributes: public.Started, at: datetime) -> datetime | None:
    """When the chain expires; histories of old servers don't say it."""
    timeout = to.timeout_in(attributes.workflow_execution_timeout)
    said = attributes.workflow_execution_expiration_time
    if timeout is None:
        return None
    return at + timeout if said is None else said.astimezone(UTC)


def _initiator(value: shapes.Number) -> str:
    if isinstance(value, int):
        return dict(enumerate(public.INITIATORS, start=1)).get(value, "")
    return _INITIATORS.get(to.plain(value.removeprefix(public.INITIATOR_PREFIX)), "")


def _parent(attributes: public.Started) -> ev.ParentRun | None:
    parent = attributes.parent_workflow_execution
    if parent is None or not parent.workflow_id:
        return None
    initiated = int(attributes.parent_initiated_event_id)
    return ev.ParentRun(attributes.parent_workflow_namespace, parent.workflow_id, parent.run_id, initiated)


def _root(attributes: public.Started) -> ev.RootRun | None:
    """Of a tree the run is not the root of; servers name it for the root, too."""
    root = attributes.root_workflow_execution
    if root is None or not root.workflow_id or _parent(attributes) is None:
        return None
    return ev.RootRun(root.workflow_id, root.run_id)


def _signaled(_known: References, event: ExportedEvent) -> ev.SignalReceived | ev.SignalUnhandled:
    attributes = cast("public.Signaled", event.attributes)
    input, headers = to.payloads_in(attributes.input), notes.header_in(attributes.header)
    if attributes.skip_generate_workflow_task:
        return ev.SignalUnhandled(attributes.signal_name, input, headers)
    return ev.SignalReceived(attributes.signal_name, input, attributes.request_id, headers)


def _cancel_requested(_known: References, event: ExportedEvent) -> ev.CancelRequested:
    return ev.CancelRequested(cast("public.CancelRequested", event.attributes).cause)


def _terminated(_known: References, event: ExportedEvent) -> ev.Terminated:
    attributes = cast("public.Terminated", event.attributes)
    return ev.Terminated(attributes.reason, to.payloads_in(attributes.details))


def _timed_out(_known: References, event: ExportedEvent) -> ev.TimedOut:
    attributes = cast("public.TimedOut", event.attributes)
    return ev.TimedOut(_retry_state(attributes.retry_state), attributes.new_execution_run_id)


def _retry_state(said: shapes.Number) -> int:
    """Why nothing follows, unless nothing was to follow or something does; see `writing_run`."""
    state = to.enum_in("RETRY_STATE", RetryState, said)
    return 0 if state in (RetryState.IN_PROGRESS, RetryState.RETRY_POLICY_NOT_SET) else state


def _update_accepted(_known: References, event: ExportedEvent) -> ev.UpdateAccepted:
    attributes = cast("public.UpdateAccepted", event.attributes)
    request = attributes.accepted_request
    if request is None:
        refuse(event.number, "an update that was admitted before it was accepted")
    asked = request.input
    input, headers = to.payloads_in(asked.args), notes.header_in(asked.header)
    return ev.UpdateAccepted(attributes.protocol_instance_id, asked.name, input, headers)


def _update_completed(_known: References, event: ExportedEvent) -> ev.UpdateCompleted:
    attributes = cast("public.UpdateCompleted", event.attributes)
    outcome = attributes.outcome
    if outcome.failure is not None:
        return ev.UpdateCompleted(attributes.meta.update_id, failure=failures.failure_in(outcome.failure))
    return ev.UpdateCompleted(attributes.meta.update_id, to.result_in(outcome.success))


def _completed(_known: References, event: ExportedEvent) -> ev.Completed:
    attributes = cast("public.Completed", event.attributes)
    return ev.Completed(to.result_in(attributes.result), attributes.new_execution_run_id)


def _failed(_known: References, event: ExportedEvent) -> ev.Failed:
    attributes = cast("public.Failed", event.attributes)
    failure = failures.failure_in(attributes.failure)
    return ev.Failed(failure, _retry_state(attributes.retry_state), attributes.new_execution_run_id)


def _canceled(_known: References, event: ExportedEvent) -> ev.Cancelled:
    return ev.Cancelled(to.payloads_in(cast("public.Canceled", event.attributes).details))


def _continued(known: References, event: ExportedEvent) -> ev.Event:
    """A run that continues as new; on servers of old also one whose failure is retried, or whose cron fires again."""
    attributes = cast("public.ContinuedAsNew", event.attributes)
    if attributes.initiator and _initiator(attributes.initiator) != "workflow":
        refuse(event.number, f"a WORKFLOW_EXECUTION_CONTINUED_AS_NEW by {attributes.initiator}")
    return ev.ContinuedAsNew(
        workflow_type=attributes.workflow_type.name,
        task_queue=attributes.task_queue.name,
        input=to.payloads_in(attributes.input),
        run_timeout=to.timeout_in(attributes.workflow_run_timeout),
        task_timeout=to.task_timeout_in(attributes.workflow_task_timeout),
        successor=attributes.new_execution_run_id,
        memo=notes.memo_in(attributes.memo),
        search_attributes=notes.attributes_in(attributes.search_attributes),
        headers=notes.header_in(attributes.header),
    )


_Read = Callable[[References, ExportedEvent], ev.Event]
ARRIVALS: Final[Mapping[type[shapes.Shape], _Read]] = {
    public.Started: _started,
    public.Signaled: _signaled,
    public.CancelRequested: _cancel_requested,
    public.Terminated: _terminated,
    public.TimedOut: _timed_out,
}
DECISIONS: Final[Mapping[type[shapes.Shape], _Read]] = {
    public.UpdateAccepted: _update_accepted,
    public.UpdateCompleted: _update_completed,
    public.Completed: _completed,
    public.Failed: _failed,
    public.Canceled: _canceled,
    public.ContinuedAsNew: _continued,
}
"""How each is read."""
