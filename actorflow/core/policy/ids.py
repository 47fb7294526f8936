"""What may be an id or a name."""

from __future__ import annotations

import re
from typing import Final

from actorflow.core import limits

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


def _check(what: str, text: str, limit: int) -> None:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a {what} must be a str, not {type(text).__name__}")
    if not text:
        raise ValueError(f"the {what} is empty; give it one")
    if _CONTROL.search(text):
        raise ValueError(f"the {what} {text[:80]!r} holds control characters; leave them out")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the {what} {text[:80]!r} holds lone surrogates, which is not text") from None
    if size > limit:
        raise ValueError(f"the {what} takes {size:,} bytes, over the limit of {limit:,}")
