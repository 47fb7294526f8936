"""Task tokens: which attempt of which activity, as bytes that mean nothing to anybody else.

A token is compared with what is open, never trusted: it names an attempt, and whoever may use this journal may end it.
"""

from __future__ import annotations

import msgspec


class TaskToken(msgspec.Struct, frozen=True, array_like=True):
    """One attempt of an activity."""

    namespace: str
    workflow_id: str
    run_id: str
    activity_id: str
    attempt: int


_decoder = msgspec.json.Decoder(TaskToken)


def encode_task_token(token: TaskToken) -> bytes:
    """A token as bytes."""
    return msgspec.json.encode(token)


def decode_task_token(token: bytes) -> TaskToken:
    """The attempt that a token names.

    Raises:
        ValueError: it is none of ours.
    """
    try:
        return _decoder.decode(token)
    except (msgspec.DecodeError, TypeError) as problem:
        raise ValueError(
            "this is no task token; pass activity.info().task_token of the attempt, unchanged"
        ) from problem
