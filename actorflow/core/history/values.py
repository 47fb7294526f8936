"""Payloads, durations, retry policies and enums: ours in the public shape, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Final, TypeVar

import msgspec

from actorflow.api.common import v1 as api
from actorflow.converter import Payload, public_payload, stored_payload
from actorflow.core import limits
from actorflow.core.events import RetryRule
from actorflow.core.history import shapes

E = TypeVar("E", bound=IntEnum)

_JSON: Final = "json/plain"
_DURATION: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s")
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLION: Final = 1_000_000

# Payloads


def payload_out(payload: Payload) -> shapes.Payload:
    """A payload with its encoding said, and its data as bytes."""
    made = public_payload(payload)
    return shapes.Payload(metadata=made.metadata, data=made.data)


def payload_in(payload: shapes.Payload) -> Payload:
    """A payload as the journal keeps it: JSON as JSON.

    Raises:
        ValueError: it says it is JSON, and is not.
    """
    stored = stored_payload(api.Payload(metadata=payload.metadata, data=payload.data))
    if stored.data is not None and stored.encoding == _JSON:
        json.loads(stored.data)  # which takes more for JSON than the journal does: NaN, say
    return stored


def payloads_out(payloads: Sequence[Payload]) -> shapes.Payloads | None:
    """Arguments or details; None if there are none."""
    return shapes.Payloads(payloads=[payload_out(payload) for payload in payloads]) if payloads else None


def payloads_in(payloads: shapes.Payloads | None) -> tuple[Payload, ...]:
    """See `payload_in`."""
    return () if payloads is None else tuple([payload_in(payload) for payload in payloads.payloads])


def result_out(result: Payload | None) -> shapes.Payloads | None:
    """A result, which is one payload or none."""
    return None if result is None else payloads_out((result,))


def result_in(payloads: shapes.Payloads | None) -> Payload | None:
    """See `payload_in`."""
    found = payloads_in(payloads)
    return found[0] if found else None


def text_out(text: str) -> shapes.Payload | None:
    """A line for people, as a payload; None if it is empty."""
    return shapes.Payload(metadata={"encoding": _JSON.encode()}, data=msgspec.json.encode(text)) if text else None


def text_in(payload: shapes.Payload | None) -> str:
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


def task_timeout_in(text: str) -> timedelta | None:
    """The timeout of a task; servers write the usual one where none was given."""
    timeout = timeout_in(text)
    return None if timeout == limits.TASK_TIMEOUT_SHOWN else timeout


def retry_out(rule: RetryRule) -> shapes.RetryPolicy:
    """A retry policy."""
    return shapes.RetryPolicy(
        initial_interval=duration_out(timedelta(seconds=rule.initial_interval)),
        backoff_coefficient=rule.backoff_coefficient,
        maximum_interval=duration_out(timedelta(seconds=rule.maximum_interval)),
        maximum_attempts=rule.maximum_attempts,
        non_retryable_error_types=list(rule.non_retryable_error_types),
    )


def retry_in(policy: shapes.RetryPolicy | None) -> RetryRule:
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


def enum_in(prefix: str, kind: type[IntEnum], value: shapes.Number) -> int:
    """The value of a public name, in long or short writing, or of its number; 0 for what we don't know."""
    if isinstance(value, int):
        return value if value in {member.value for member in kind} else 0
    wanted = plain(value.removeprefix(f"{prefix}_"))
    return next((member.value for member in kind if plain(member.name) == wanted), 0)


def plain(name: str) -> str:
    """A name without what differs between the writings: ``START_TO_CLOSE`` and ``StartToClose`` are one."""
    return name.replace("_", "").lower()


def number_out(number: int) -> shapes.Number:
    """An event's number; none is left out."""
    return str(number) if number else 0


# Names


def queue_out(name: str) -> shapes.Named:
    """A task queue."""
    return shapes.Named(name=name, kind="TASK_QUEUE_KIND_NORMAL")


def json_out(value: object) -> shapes.Payload:
    """A plain value of ours, as a payload."""
    return payload_out(Payload(json=msgspec.Raw(msgspec.json.encode(value))))


def run_out(workflow_id: str, run_id: str) -> shapes.RunReference:
    """A run; without a run id whichever is current."""
    return shapes.RunReference(workflow_id=workflow_id, run_id=run_id)
