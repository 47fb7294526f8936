"""Failures: ours in the public shape, and back."""

from __future__ import annotations

from typing import Final

import msgspec

from actorflow import exceptions as errors
from actorflow.converter import ActivityRef, ChildRef, Failure
from actorflow.core.history import shapes, values as to

SOURCE: Final = "actorflow"
"""What a failure names as its SDK."""


def failure_out(failure: Failure) -> shapes.Failure:
    """A failure with its causes."""
    return msgspec.structs.replace(
        _with_info(failure),
        message=failure.message,
        source=SOURCE,
        stack_trace=failure.stack_trace,
        cause=None if failure.cause is None else failure_out(failure.cause),
        encoded_attributes=None if failure.encoded_attributes is None else to.payload_out(failure.encoded_attributes),
    )


def failure_in(failure: shapes.Failure | None) -> Failure:
    """A failure with its causes; one of a kind we don't know keeps its message."""
    if failure is None:
        return Failure(message="")
    return msgspec.structs.replace(
        _of_kind(failure),
        message=failure.message,
        stack_trace=failure.stack_trace,
        cause=None if failure.cause is None else failure_in(failure.cause),
        encoded_attributes=None if failure.encoded_attributes is None else to.payload_in(failure.encoded_attributes),
    )


def _with_info(failure: Failure) -> shapes.Failure:
    match failure.kind:
        case "cancelled":
            return shapes.Failure(canceled_failure_info=shapes.CanceledInfo(details=to.payloads_out(failure.details)))
        case "timeout":
            info = shapes.TimeoutInfo(
                timeout_type=to.enum_out("TIMEOUT_TYPE", errors.TimeoutType, failure.timeout_type),
                last_heartbeat_details=to.payloads_out(failure.details),
            )
            return shapes.Failure(timeout_failure_info=info)
        case "terminated":  # which has no details in the public shape
            return shapes.Failure(terminated_failure_info=shapes.TerminatedInfo())
        case "server":
            return shapes.Failure(server_failure_info=shapes.ServerInfo(non_retryable=failure.non_retryable))
        case "activity":
            return shapes.Failure(activity_failure_info=_activity_out(failure.activity))
        case "child":
            return shapes.Failure(child_workflow_execution_failure_info=_child_out(failure.child))
        case _:
            return shapes.Failure(application_failure_info=_application_out(failure))


def _application_out(failure: Failure) -> shapes.ApplicationInfo:
    return shapes.ApplicationInfo(
        type=failure.type,
        non_retryable=failure.non_retryable,
        details=to.payloads_out(failure.details),
        next_retry_delay=to.duration_out(failure.next_retry_delay),
        category=to.enum_out("APPLICATION_ERROR_CATEGORY", errors.ApplicationErrorCategory, failure.category),
    )


def _activity_out(about: ActivityRef | None) -> shapes.ActivityInfo:
    if about is None:
        return shapes.ActivityInfo()
    return shapes.ActivityInfo(
        scheduled_event_id=to.number_out(about.scheduled_event_id),
        started_event_id=to.number_out(about.started_event_id),
        identity=about.identity,
        activity_type=shapes.Named(name=about.activity_type),
        activity_id=about.activity_id,
        retry_state=to.enum_out("RETRY_STATE", errors.RetryState, about.retry_state),
    )


def _child_out(about: ChildRef | None) -> shapes.ChildInfo:
    if about is None:
        return shapes.ChildInfo()
    return shapes.ChildInfo(
        namespace=about.namespace,
        workflow_execution=shapes.RunReference(workflow_id=about.workflow_id, run_id=about.run_id),
        workflow_type=shapes.Named(name=about.workflow_type),
        initiated_event_id=to.number_out(about.initiated_event_id),
        started_event_id=to.number_out(about.started_event_id),
        retry_state=to.enum_out("RETRY_STATE", errors.RetryState, about.retry_state),
    )


def _of_kind(failure: shapes.Failure) -> Failure:
    if (application := failure.application_failure_info) is not None:
        return Failure(
            message="",
            type=application.type,
            non_retryable=application.non_retryable,
            details=to.payloads_in(application.details),
            next_retry_delay=to.duration_in(application.next_retry_delay) if application.next_retry_delay else None,
            category=to.enum_in("APPLICATION_ERROR_CATEGORY", errors.ApplicationErrorCategory, application.category),
        )
    if (timeout := failure.timeout_failure_info) is not None:
        timeout_type = to.enum_in("TIMEOUT_TYPE", errors.TimeoutType, timeout.timeout_type)
        details = to.payloads_in(timeout.last_heartbeat_details)
        return Failure(message="", kind="timeout", timeout_type=timeout_type, details=details)
    if (canceled := failure.canceled_failure_info) is not None:
        return Failure(message="", kind="cancelled", details=to.payloads_in(canceled.details))
    if failure.terminated_failure_info is not None:
        return Failure(message="", kind="terminated")
    if (server := failure.server_failure_info) is not None:
        return Failure(message="", kind="server", non_retryable=server.non_retryable)
    if (activity := failure.activity_failure_info) is not None:
        return Failure(message="", kind="activity", activity=_activity_in(activity))
    if (child := failure.child_workflow_execution_failure_info) is not None:
        return Failure(message="", kind="child", child=_child_in(child))
    return Failure(message="")


def _activity_in(about: shapes.ActivityInfo) -> ActivityRef:
    return ActivityRef(
        activity_id=about.activity_id,
        activity_type=about.activity_type.name,
        scheduled_event_id=int(about.scheduled_event_id),
        started_event_id=int(about.started_event_id),
        identity=about.identity,
        retry_state=to.enum_in("RETRY_STATE", errors.RetryState, about.retry_state),
    )


def _child_in(about: shapes.ChildInfo) -> ChildRef:
    return ChildRef(
        namespace=about.namespace,
        workflow_id=about.workflow_execution.workflow_id,
        run_id=about.workflow_execution.run_id,
        workflow_type=about.workflow_type.name,
        initiated_event_id=int(about.initiated_event_id),
        started_event_id=int(about.started_event_id),
        retry_state=to.enum_in("RETRY_STATE", errors.RetryState, about.retry_state),
    )
