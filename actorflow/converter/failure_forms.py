"""A failure as it is stored, and the same in its public form."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec

from actorflow.api.common.v1 import Payloads
from actorflow.api.failure import v1 as public
from actorflow.converter.failure import ActivityRef, ChildRef, Failure
from actorflow.converter.payload import Payload, public_payload, stored_payload


def public_failure(failure: Failure) -> public.Failure:
    """The public form, with its causes."""
    made = public.Failure(message=failure.message, stack_trace=failure.stack_trace)
    if failure.encoded_attributes is not None:
        made.encoded_attributes = public_payload(failure.encoded_attributes)
    if failure.cause is not None:
        made.cause = public_failure(failure.cause)
    _set_info(made, failure)
    return made


def stored_failure(failure: public.Failure) -> Failure:
    """The form that is stored, with its causes."""
    return msgspec.structs.replace(
        _of_kind(failure),
        message=failure.message,
        stack_trace=failure.stack_trace,
        cause=None if failure.cause is None else stored_failure(failure.cause),
        encoded_attributes=None if failure.encoded_attributes is None else stored_payload(failure.encoded_attributes),
    )


def _set_info(made: public.Failure, failure: Failure) -> None:
    details = _public(failure.details)
    match failure.kind:
        case "cancelled":
            made.canceled_failure_info = public.CanceledFailureInfo(details)
        case "timeout":
            made.timeout_failure_info = public.TimeoutFailureInfo(failure.timeout_type, details)
        case "terminated":
            made.terminated_failure_info = public.TerminatedFailureInfo(details)
        case "server":
            made.server_failure_info = public.ServerFailureInfo(failure.non_retryable)
        case "activity":
            about = failure.activity or ActivityRef(activity_id="", activity_type="")
            made.activity_failure_info = public.ActivityFailureInfo(
                **{name: getattr(about, name) for name in ActivityRef.__struct_fields__}
            )
        case "child":
            child = failure.child or ChildRef(namespace="", workflow_id="", run_id="", workflow_type="")
            made.child_workflow_execution_failure_info = public.ChildWorkflowExecutionFailureInfo(
                **{name: getattr(child, name) for name in ChildRef.__struct_fields__}
            )
        case _:
            made.application_failure_info = public.ApplicationFailureInfo(
                type=failure.type,
                non_retryable=failure.non_retryable,
                details=details,
                next_retry_delay=failure.next_retry_delay,
                category=failure.category,
            )


def _of_kind(failure: public.Failure) -> Failure:
    if (application := failure.application_failure_info) is not None:
        return Failure(
            message="",
            type=application.type,
            non_retryable=application.non_retryable,
            details=_stored(application.details),
            next_retry_delay=application.next_retry_delay,
            category=application.category,
        )
    if (timeout := failure.timeout_failure_info) is not None:
        details = _stored(timeout.last_heartbeat_details)
        return Failure(message="", kind="timeout", timeout_type=timeout.timeout_type, details=details)
    if (canceled := failure.canceled_failure_info) is not None:
        return Failure(message="", kind="cancelled", details=_stored(canceled.details))
    if (terminated := failure.terminated_failure_info) is not None:
        return Failure(message="", kind="terminated", details=_stored(terminated.details))
    if (server := failure.server_failure_info) is not None:
        return Failure(message="", kind="server", non_retryable=server.non_retryable)
    if (activity := failure.activity_failure_info) is not None:
        return Failure(message="", kind="activity", activity=ActivityRef(**dataclasses.asdict(activity)))
    if (child := failure.child_workflow_execution_failure_info) is not None:
        return Failure(message="", kind="child", child=ChildRef(**dataclasses.asdict(child)))
    return Failure(message="")


def _public(payloads: Sequence[Payload]) -> Payloads:
    return Payloads(payloads=[public_payload(payload) for payload in payloads])


def _stored(payloads: Payloads) -> tuple[Payload, ...]:
    return tuple([stored_payload(payload) for payload in payloads.payloads])
