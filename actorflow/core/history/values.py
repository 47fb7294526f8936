"""Payloads, failures, durations and enums: ours in the public shape, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Final, TypeVar

import msgspec

from actorflow import exceptions as errors
from actorflow.api.common import v1 as api
from actorflow.converter import ActivityRef, Failure, Payload, public_payload, stored_payload
from actorflow.core.events import RetryRule
from actorflow.core.history import public

E = TypeVar("E", bound=IntEnum)

SOURCE: Final = "actorflow"
"""What a failure names as its SDK."""

_JSON: Final = "json/plain"
_DURATION: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s")
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLION: Final = 1_000_000

# Payloads


def payload_out(payload: Payload) -> public.Payload:
    """A payload with its encoding said, and its data as bytes."""
    made = public_payload(payload)
    return public.Payload(metadata=made.metadata, data=made.data)


def payload_in(payload: public.Payload) -> Payload:
    """A payload as the journal keeps it: JSON as JSON.

    Raises:
        ValueError: it says it is JSON, and is not.
    """
    stored = stored_payload(api.Payload(metadata=payload.metadata, data=payload.data))
    if stored.data is not None and stored.encoding == _JSON:
        json.loads(stored.data)  # which takes more for JSON than the journal does: NaN, say
    return stored


def payloads_out(payloads: Sequence[Payload]) -> public.Payloads | None:
    """Arguments or details; None if there are none."""
    return public.Payloads(payloads=[payload_out(payload) for payload in payloads]) if payloads else None


def payloads_in(payloads: public.Payloads | None) -> tuple[Payload, ...]:
    """See `payload_in`."""
    return () if payloads is None else tuple([payload_in(payload) for payload in payloads.payloads])


def result_out(result: Payload | None) -> public.Payloads | None:
    """A result, which is one payload or none."""
    return None if result is None else payloads_out((result,))


def result_in(payloads: public.Payloads | None) -> Payload | None:
    """See `payload_in`."""
    found = payloads_in(payloads)
    return found[0] if found else None


def text_out(text: str) -> public.Payload | None:
    """A line for people, as a payload; None if it is empty."""
    return public.Payload(metadata={"encoding": _JSON.encode()}, data=msgspec.json.encode(text)) if text else None


def text_in(payload: public.Payload | None) -> str:
    """The line, if it is one."""
    if payload is None or payload.metadata.get("encoding") != _JSON.encode():
        return ""
    found = msgspec.json.decode(payload.data)
    return found if isinstance(found, str) else ""


# Durations


def duration_out(duration: timedelta | None) -> str:
    """Such as ``1.5s``; empty if there is none."""
    if duration is None:
        return ""
    seconds, micros = divmod(duration // _MICROSECOND, _MILLION)
    return f"{seconds}.{micros:06d}".rstrip("0").rstrip(".") + "s"


def duration_in(text: str) -> timedelta:
    """A duration, cut to microseconds; nothing is zero.

    Raises:
        ValueError: it is none.
    """
    if not text:
        return timedelta(0)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as '1.5s'")
    return timedelta(seconds=int(match[1]), microseconds=int((match[2] or "0").ljust(9, "0")) // 1000)


def timeout_in(text: str) -> timedelta | None:
    """A timeout, for which nothing and zero both mean none."""
    return duration_in(text) or None


def retry_out(rule: RetryRule) -> public.RetryPolicy:
    """A retry policy."""
    return public.RetryPolicy(
        initial_interval=duration_out(timedelta(seconds=rule.initial_interval)),
        backoff_coefficient=rule.backoff_coefficient,
        maximum_interval=duration_out(timedelta(seconds=rule.maximum_interval)),
        maximum_attempts=rule.maximum_attempts,
        non_retryable_error_types=list(rule.non_retryable_error_types),
    )


def retry_in(policy: public.RetryPolicy | None) -> RetryRule:
    """A retry policy, its gaps filled with the defaults."""
    if policy is None:
        return RetryRule()
    initial = duration_in(policy.initial_interval).total_seconds() or 1.0
    return RetryRule(
        initial_interval=initial,
        backoff_coefficient=policy.backoff_coefficient or 2.0,
        maximum_interval=duration_in(policy.maximum_interval).total_seconds() or 100 * initial,
        maximum_attempts=policy.maximum_attempts,
        non_retryable_error_types=tuple(policy.non_retryable_error_types),
    )


# Enums


def enum_out(prefix: str, kind: type[IntEnum], value: int) -> str:
    """The public name of a value, such as ``TIMEOUT_TYPE_HEARTBEAT``; empty for the unspecified one."""
    return f"{prefix}_{kind(value).name}" if value else ""


def enum_in(prefix: str, kind: type[IntEnum], value: public.Number) -> int:
    """The value of a public name, in long or short writing, or of its number; 0 for what we don't know."""
    if isinstance(value, int):
        return value if value in {member.value for member in kind} else 0
    wanted = plain(value.removeprefix(f"{prefix}_"))
    return next((member.value for member in kind if plain(member.name) == wanted), 0)


def plain(name: str) -> str:
    """A name without what differs between the writings: ``START_TO_CLOSE`` and ``StartToClose`` are one."""
    return name.replace("_", "").lower()


# Failures


def failure_out(failure: Failure) -> public.Failure:
    """A failure with its causes."""
    return msgspec.structs.replace(
        _with_info(failure),
        message=failure.message,
        source=SOURCE,
        stack_trace=failure.stack_trace,
        cause=None if failure.cause is None else failure_out(failure.cause),
        encoded_attributes=None if failure.encoded_attributes is None else payload_out(failure.encoded_attributes),
    )


def failure_in(failure: public.Failure | None) -> Failure:
    """A failure with its causes; one of a kind we don't know keeps its message."""
    if failure is None:
        return Failure(message="")
    return msgspec.structs.replace(
        _of_kind(failure),
        message=failure.message,
        stack_trace=failure.stack_trace,
        cause=None if failure.cause is None else failure_in(failure.cause),
        encoded_attributes=None if failure.encoded_attributes is None else payload_in(failure.encoded_attributes),
    )


def _with_info(failure: Failure) -> public.Failure:
    match failure.kind:
        case "cancelled":
            return public.Failure(canceled_failure_info=public.CanceledInfo(details=payloads_out(failure.details)))
        case "timeout":
            info = public.TimeoutInfo(
                timeout_type=enum_out("TIMEOUT_TYPE", errors.TimeoutType, failure.timeout_type),
                last_heartbeat_details=payloads_out(failure.details),
            )
            return public.Failure(timeout_failure_info=info)
        case "terminated":  # which has no details in the public shape
            return public.Failure(terminated_failure_info=public.TerminatedInfo())
        case "server":
            return public.Failure(server_failure_info=public.ServerInfo(non_retryable=failure.non_retryable))
        case "activity":
            return public.Failure(activity_failure_info=_activity_out(failure.activity))
        case _:
            return public.Failure(application_failure_info=_application_out(failure))


def _application_out(failure: Failure) -> public.ApplicationInfo:
    return public.ApplicationInfo(
        type=failure.type,
        non_retryable=failure.non_retryable,
        details=payloads_out(failure.details),
        next_retry_delay=duration_out(failure.next_retry_delay),
        category=enum_out("APPLICATION_ERROR_CATEGORY", errors.ApplicationErrorCategory, failure.category),
    )


def _activity_out(about: ActivityRef | None) -> public.ActivityInfo:
    if about is None:
        return public.ActivityInfo()
    return public.ActivityInfo(
        scheduled_event_id=number_out(about.scheduled_event_id),
        started_event_id=number_out(about.started_event_id),
        identity=about.identity,
        activity_type=public.Named(name=about.activity_type),
        activity_id=about.activity_id,
        retry_state=enum_out("RETRY_STATE", errors.RetryState, about.retry_state),
    )


def _of_kind(failure: public.Failure) -> Failure:
    if (application := failure.application_failure_info) is not None:
        return Failure(
            message="",
            type=application.type,
            non_retryable=application.non_retryable,
            details=payloads_in(application.details),
            next_retry_delay=duration_in(application.next_retry_delay) if application.next_retry_delay else None,
            category=enum_in("APPLICATION_ERROR_CATEGORY", errors.ApplicationErrorCategory, application.category),
        )
    if (timeout := failure.timeout_failure_info) is not None:
        timeout_type = enum_in("TIMEOUT_TYPE", errors.TimeoutType, timeout.timeout_type)
        details = payloads_in(timeout.last_heartbeat_details)
        return Failure(message="", kind="timeout", timeout_type=timeout_type, details=details)
    if (canceled := failure.canceled_failure_info) is not None:
        return Failure(message="", kind="cancelled", details=payloads_in(canceled.details))
    if failure.terminated_failure_info is not None:
        return Failure(message="", kind="terminated")
    if (server := failure.server_failure_info) is not None:
        return Failure(message="", kind="server", non_retryable=server.non_retryable)
    if (activity := failure.activity_failure_info) is not None:
        return Failure(message="", kind="activity", activity=_activity_in(activity))
    return Failure(message="")


def _activity_in(about: public.ActivityInfo) -> ActivityRef:
    return ActivityRef(
        activity_id=about.activity_id,
        activity_type=about.activity_type.name,
        scheduled_event_id=int(about.scheduled_event_id),
        started_event_id=int(about.started_event_id),
        identity=about.identity,
        retry_state=enum_in("RETRY_STATE", errors.RetryState, about.retry_state),
    )


def number_out(number: int) -> public.Number:
    """An event's number; none is left out."""
    return str(number) if number else 0
