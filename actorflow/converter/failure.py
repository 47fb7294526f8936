"""A failure as it travels and is stored, and its way to and from exceptions."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol, cast

import msgspec

from actorflow import exceptions as errors
from actorflow.converter.payload import Payload

TEXT_MAX = 16_384
CAUSES_MAX = 20
SEALED_MESSAGE = "Encoded failure"
"""What stands for a message that is in a payload; as in the public SDK."""


class ActivityRef(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Which activity a failure belongs to."""

    activity_id: str
    activity_type: str
    scheduled_event_id: int = 0
    started_event_id: int = 0
    identity: str = ""
    retry_state: int = 0


class ChildRef(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Which child a failure belongs to."""

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    initiated_event_id: int = 0
    started_event_id: int = 0
    retry_state: int = 0


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What went wrong, as data; ``kind`` says which exception it becomes."""

    message: str
    kind: str = "application"
    type: str = ""
    non_retryable: bool = False
    details: tuple[Payload, ...] = ()
    stack_trace: str = ""
    cause: Failure | None = None
    next_retry_delay: timedelta | None = None
    category: int = 0
    timeout_type: int = 0
    activity: ActivityRef | None = None
    encoded_attributes: Payload | None = None
    child: ChildRef | None = None


class ValueCodec(Protocol):
    """The part of a payload converter that failures need."""

    def encode(self, values: Sequence[Any]) -> tuple[Payload, ...]:
        """Values to payloads."""
        ...

    def decode(self, payloads: Sequence[Payload]) -> list[Any]:
        """Payloads to plain values."""
        ...


def failure_from(exception: BaseException, values: ValueCodec, *, depth: int = 0) -> Failure:
    """Describe an exception and its causes as data; any exception that is not a failure becomes an application one."""
    cause = _cause_of(exception)
    cause_failure = failure_from(cause, values, depth=depth + 1) if cause and depth < CAUSES_MAX else None
    stack_trace = _stack_trace_of(exception)
    message = text_of(exception.message if isinstance(exception, errors.FailureError) else exception)
    match exception:
        case errors.ApplicationError():
            return Failure(
                message=message,
                type=text_of(exception.type or ""),
                non_retryable=bool(exception.non_retryable),
                details=values.encode(exception.details),
                stack_trace=stack_trace,
                cause=cause_failure,
                next_retry_delay=_delay_of(exception),
                category=int(exception.category),
            )
        case errors.CancelledError():
            details = values.encode(exception.details)
            return Failure(
                message=message, kind="cancelled", details=details, stack_trace=stack_trace, cause=cause_failure
            )
        case errors.TimeoutError():
            return Failure(
                message=message,
                kind="timeout",
                timeout_type=int(exception.type or 0),
                details=values.encode(exception.last_heartbeat_details),
                stack_trace=stack_trace,
                cause=cause_failure,
            )
        case errors.TerminatedError():
            details = values.encode(exception.details)
            return Failure(
                message=message, kind="terminated", details=details, stack_trace=stack_trace, cause=cause_failure
            )
        case errors.ActivityError():
            return Failure(
                message=message,
                kind="activity",
                stack_trace=stack_trace,
                cause=cause_failure,
                activity=ActivityRef(
                    activity_id=exception.activity_id,
                    activity_type=exception.activity_type,
                    scheduled_event_id=exception.scheduled_event_id,
                    started_event_id=exception.started_event_id,
                    identity=exception.identity,
                    retry_state=int(exception.retry_state or 0),
                ),
            )
        case errors.ChildWorkflowError():
            return Failure(
                message=message,
                kind="child",
                stack_trace=stack_trace,
                cause=cause_failure,
                child=ChildRef(
                    namespace=exception.namespace,
                    workflow_id=exception.workflow_id,
                    run_id=exception.run_id,
                    workflow_type=exception.workflow_type,
                    initiated_event_id=exception.initiated_event_id,
                    started_event_id=exception.started_event_id,
                    retry_state=int(exception.retry_state or 0),
                ),
            )
        case errors.ServerError():
            return Failure(
                message=message,
                kind="server",
                non_retryable=exception.non_retryable,
                stack_trace=stack_trace,
                cause=cause_failure,
            )
        case _:
            return Failure(
                message=message,
                type=type(exception).__name__,
                non_retryable=isinstance(exception, errors.PayloadTooLargeError),
                stack_trace=stack_trace,
                cause=cause_failure,
            )


def exception_from(failure: Failure, values: ValueCodec) -> errors.FailureError:
    """Rebuild the exception a failure describes, with its causes."""
    if failure.encoded_attributes is not None:
        failure = _opened(failure, failure.encoded_attributes, values)
    exception = _exception_of_kind(failure, values)
    exception._stack_trace = failure.stack_trace  # pyright: ignore[reportPrivateUsage]
    if failure.cause is not None:
        exception.__cause__ = exception_from(failure.cause, values)
    return exception


def sealed(failure: Failure, values: ValueCodec) -> Failure:
    """The same failure and its causes with message and stack trace in a payload, which a codec can encrypt."""
    said = {"message": failure.message, "stack_trace": failure.stack_trace}
    return msgspec.structs.replace(
        failure,
        message=SEALED_MESSAGE,
        stack_trace="",
        cause=None if failure.cause is None else sealed(failure.cause, values),
        encoded_attributes=values.encode([said])[0],
    )


def _opened(failure: Failure, attributes: Payload, values: ValueCodec) -> Failure:
    """Message and stack trace back in their places; what somebody else has put into the payload is left there."""
    said = values.decode([attributes])[0]
    known = {} if not isinstance(said, dict) else cast("dict[str, object]", said)
    texts = {name: text for name in ("message", "stack_trace") if isinstance(text := known.get(name), str)}
    return msgspec.structs.replace(failure, encoded_attributes=None, **texts)


def _exception_of_kind(failure: Failure, values: ValueCodec) -> errors.FailureError:
    match failure.kind:
        case "cancelled":
            return errors.CancelledError(failure.message, *values.decode(failure.details))
        case "timeout":
            timeout_type = errors.TimeoutType(failure.timeout_type) if failure.timeout_type else None
            details = values.decode(failure.details)
            return errors.TimeoutError(failure.message, type=timeout_type, last_heartbeat_details=details)
        case "terminated":
            return errors.TerminatedError(failure.message, *values.decode(failure.details))
        case "activity":
            ref = failure.activity or ActivityRef(activity_id="", activity_type="")
            return errors.ActivityError(
                failure.message,
                scheduled_event_id=ref.scheduled_event_id,
                started_event_id=ref.started_event_id,
                identity=ref.identity,
                activity_type=ref.activity_type,
                activity_id=ref.activity_id,
                retry_state=errors.RetryState(ref.retry_state) if ref.retry_state else None,
            )
        case "child":
            child = failure.child or ChildRef(namespace="", workflow_id="", run_id="", workflow_type="")
            return errors.ChildWorkflowError(
                failure.message,
                namespace=child.namespace,
                workflow_id=child.workflow_id,
                run_id=child.run_id,
                workflow_type=child.workflow_type,
                initiated_event_id=child.initiated_event_id,
                started_event_id=child.started_event_id,
                retry_state=errors.RetryState(child.retry_state) if child.retry_state else None,
            )
        case "server":
            return errors.ServerError(failure.message, non_retryable=failure.non_retryable)
        case _:
            return errors.ApplicationError(
                failure.message,
                *values.decode(failure.details),
                type=failure.type or None,
                non_retryable=failure.non_retryable,
                next_retry_delay=failure.next_retry_delay,
                category=errors.ApplicationErrorCategory(failure.category),
            )


def _cause_of(exception: BaseException) -> BaseException | None:
    if exception.__cause__ is not None:
        return exception.__cause__
    return None if exception.__suppress_context__ else exception.__context__


def text_of(thing: object) -> str:
    """``str(thing)``, storable: a foreign ``__str__`` may raise, be endless or hold lone surrogates."""
    try:
        text = str(thing)
    except Exception as problem:
        text = f"<{type(thing).__name__} whose __str__ raised {type(problem).__name__}>"
    return storable(text)


def _delay_of(exception: errors.ApplicationError) -> timedelta | None:
    delay: object = exception.next_retry_delay
    return delay if isinstance(delay, timedelta) else None  # user code may have put anything there


def _stack_trace_of(exception: BaseException) -> str:
    if exception.__traceback__ is None:
        return storable(getattr(exception, "_stack_trace", ""))  # of a failure, or of what another process raised
    return storable("".join(traceback.format_tb(exception.__traceback__)))


def storable(text: str) -> str:
    """Text that fits a journal row: lone surrogates escaped, the middle of very long texts cut out."""
    if len(text) > TEXT_MAX:
        half = TEXT_MAX // 2
        text = f"{text[:half]}\n… {len(text) - TEXT_MAX} characters left out …\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
