"""How one attempt of an activity ended, and who is told."""

from __future__ import annotations

from typing import Protocol

import msgspec

from actorflow.converter import Failure, Payload, fitting
from actorflow.exceptions import CodecError, TimeoutType


class Succeeded(msgspec.Struct, frozen=True):
    """The code returned."""

    result: Payload | None


class Errored(msgspec.Struct, frozen=True):
    """The code raised, or ran out of time."""

    failure: Failure
    problem: BaseException | None = None


class Stopped(msgspec.Struct, frozen=True):
    """The code gave in to a cancellation."""


class Unread(msgspec.Struct, frozen=True):
    """The codec could not decode what the code was to get, so it did not begin."""

    problem: CodecError


class NotBegun(msgspec.Struct, frozen=True):
    """It was to stop, or its worker left, before the codec had decoded what the code was to get."""


AttemptOutcome = Succeeded | Errored | Stopped | Unread | NotBegun


class AttemptOwner(Protocol):
    """What an attempt tells whoever is responsible for the activity."""

    def on_outcome(self, outcome: AttemptOutcome) -> None:
        """The attempt is over; called once."""
        ...

    def on_heartbeat(self, details: tuple[Payload, ...]) -> None:
        """A sign of life."""
        ...

    def on_left_open(self) -> None:
        """The code has ended and left the outcome to somebody outside; the attempt goes on without it."""
        ...


def timeout_failure(kind: TimeoutType, details: tuple[Payload, ...], cause: Failure | None = None) -> Failure:
    """The failure of an activity that ran out of time."""
    name = kind.name.replace("_", "-").lower()
    message = f"activity {name} timeout"
    return fitting(Failure(message=message, kind="timeout", timeout_type=int(kind), details=details, cause=cause))
