"""How much a failure may take along; it is never lost over what is too much."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actorflow.converter.failure import Failure
from actorflow.converter.json_values import PAYLOAD_BYTES_MAX, encode_json
from actorflow.converter.payload import Payload

FAILURE_BYTES_MAX: Final = 2 * PAYLOAD_BYTES_MAX
"""The payloads of a failure and of its causes together: what a call may take (`CALL_PAYLOAD_BYTES_MAX`)."""


def fitting(failure: Failure, *, limit: int = FAILURE_BYTES_MAX, says_so: bool = True) -> Failure:
    """The same failure without payloads that are too large; a failure comes before its causes.

    Args:
        failure: with its causes.
        limit: bytes that all its payloads may take; one alone never takes more than `PAYLOAD_BYTES_MAX`.
        says_so: put a text in the place of details that are left out; nothing otherwise.
    """
    left = limit
    changed: dict[str, Any] = {}
    sealed, details = failure.encoded_attributes, failure.details
    if sealed is not None and _fits((sealed,), left):
        left -= sealed.size
    elif sealed is not None:
        changed["encoded_attributes"] = None
    if _fits(details, left):
        left -= _size(details)
    else:
        changed["details"] = (_left_out(details, limit),) if says_so else ()
    if failure.cause is not None:
        cause = fitting(failure.cause, limit=left, says_so=says_so)
        if cause is not failure.cause:
            changed["cause"] = cause
    return msgspec.structs.replace(failure, **changed) if changed else failure


def _fits(payloads: tuple[Payload, ...], left: int) -> bool:
    return _size(payloads) <= left and all(payload.size <= PAYLOAD_BYTES_MAX for payload in payloads)


def _size(payloads: tuple[Payload, ...]) -> int:
    return sum(payload.size for payload in payloads)


def _left_out(details: tuple[Payload, ...], limit: int) -> Payload:
    what = f"details of {_size(details):,} bytes, where there was room for {limit:,}"
    return Payload(json=msgspec.Raw(encode_json(f"<not stored: {what}>")))
