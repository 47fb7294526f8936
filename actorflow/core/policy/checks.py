"""What may be an id, a name, a text or a duration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from actorflow.converter import PAYLOAD_BYTES_MAX, Payload
from actorflow.core import limits
from actorflow.exceptions import PayloadTooLargeError

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def check_id(workflow_id: str) -> None:
    """Refuse what can't be a workflow id.

    Raises:
        ValueError: empty, too long, or with control characters.
        TypeError: not a str.
    """
    _check("workflow id", workflow_id, limits.WORKFLOW_ID_BYTES_MAX)


def check_name(what: str, name: str) -> None:
    """Refuse what can't be the name of a type, a signal or a task queue.

    Raises:
        ValueError: empty, too long, or with control characters.
        TypeError: not a str.
    """
    _check(what, name, limits.NAME_BYTES_MAX)


def check_text(what: str, text: str) -> None:
    """Refuse what can't be stored as text; empty is fine.

    Raises:
        ValueError: too long, or with lone surrogates.
        TypeError: not a str.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a {what} must be a str, not {type(text).__name__}")
    _check_size(what, text, limits.TEXT_BYTES_MAX)


def check_payloads(whom: str, payloads: Iterable[Payload]) -> int:
    """Refuse payloads that are too large, whoever encoded them; returns how many bytes they take.

    Raises:
        PayloadTooLargeError: one of them, or all together.
    """
    total = 0
    for payload in payloads:
        size = payload.size
        if size > PAYLOAD_BYTES_MAX:
            raise PayloadTooLargeError(f"a payload of {whom}", size=size, limit=PAYLOAD_BYTES_MAX)
        total += size
    if total > limits.CALL_PAYLOAD_BYTES_MAX:
        raise PayloadTooLargeError(f"{whom} with all its payloads", size=total, limit=limits.CALL_PAYLOAD_BYTES_MAX)
    return total


def check_timeout(name: str, what: str, timeout: timedelta | None, *, kind: str = "activity") -> timedelta | None:
    """A timeout as it is journaled: what is longer than a century (people write timedelta.max) becomes one.

    Raises:
        ValueError: it is negative.
        TypeError: not a timedelta.
    """
    if timeout is None:
        return None
    if not isinstance(timeout, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{kind} {name!r}: {what} must be a timedelta, not {timeout!r}")
    if timeout < timedelta(0):
        raise ValueError(f"{kind} {name!r}: {what} must not be negative, but is {timeout}")
    return min(timeout, limits.DURATION_MAX)


def _check(what: str, text: str, limit: int) -> None:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a {what} must be a str, not {type(text).__name__}")
    if text.isascii() and text.isprintable() and 0 < len(text) <= limit:
        return  # nearly all are, and each start is checked four times
    if not text:
        raise ValueError(f"the {what} is empty; give it one")
    if _CONTROL.search(text):
        raise ValueError(f"the {what} {text[:80]!r} holds control characters; leave them out")
    _check_size(what, text, limit)


def _check_size(what: str, text: str, limit: int) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the {what} {text[:80]!r} holds lone surrogates, which is not text") from None
    if size > limit:
        raise ValueError(f"the {what} takes {size:,} bytes, over the limit of {limit:,}")
