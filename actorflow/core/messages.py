"""What reaches an actor's mailbox. A message becomes an arrival in the journal when a turn consumes it."""

from __future__ import annotations

from typing import Final

import msgspec

from actorflow.core import events as ev

Message = (
    ev.Started
    | ev.SignalReceived
    | ev.UpdateRequested
    | ev.CancelRequested
    | ev.TimerFired
    | ev.ActivityCompleted
    | ev.ActivityFailed
    | ev.ActivityTimedOut
    | ev.ActivityCancelled
    | ev.LocalActivityResolved
    | ev.ChildStarted
    | ev.ChildStartFailed
    | ev.ChildCompleted
    | ev.ChildFailed
    | ev.ChildCancelled
    | ev.ChildTimedOut
    | ev.ChildTerminated
    | ev.MessageDelivered
    | ev.MessageRefused
    | ev.TimedOut
    | ev.Terminated
)
"""A message is the arrival it will become: the same value, before it is a fact. (An update becomes one if accepted.)"""

CARRIED: Final = (ev.SignalReceived, ev.UpdateRequested, ev.CancelRequested, ev.Terminated)
"""What waits for a workflow and not for one of its runs: the run that follows gets it."""

TERMINATION: Final = '{"event":"Terminated"'
"""How the text of a termination begins, and of no other message."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Message)


def encode_message(message: Message) -> str:
    """A message as one line of JSON, for an inbox row."""
    return _encoder.encode(message).decode()


def decode_message(text: str) -> Message:
    """The message of an inbox row.

    Raises:
        msgspec.DecodeError: the row was written by a newer version or is damaged.
    """
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as problem:
        raise type(problem)(
            f"a message that waits can't be read ({problem}); `actorflow db verify` says more. Restore the database "
            "from a backup, or terminate this execution"
        ) from problem
