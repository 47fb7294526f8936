"""What an open execution waits for, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from actorflow.converter import Failure
from actorflow.core.program.others import ParentClosePolicy
from actorflow.exceptions import FailureError
from actorflow.service import PendingActivityInfo, PendingChildInfo, PendingMessageInfo


@dataclass(frozen=True)
class PendingActivity:
    """An activity of an open execution."""

    activity_id: str
    activity_type: str
    attempt: int
    state: str
    scheduled_time: datetime
    next_attempt_time: datetime | None
    last_failure: str | None

    @classmethod
    def of(cls, activity: PendingActivityInfo, explained: Callable[[Failure], FailureError]) -> Self:
        """From what the service says; ``explained`` makes an exception of a failure."""
        return cls(
            activity_id=activity.activity_id,
            activity_type=activity.activity_type,
            attempt=activity.attempt,
            state=activity.state,
            scheduled_time=activity.scheduled_at,
            next_attempt_time=activity.next_attempt_at,
            last_failure=explained(activity.last_failure).message if activity.last_failure else None,
        )


@dataclass(frozen=True)
class PendingChild:
    """A child of an open execution that is not over.

    Attributes:
        run_id: of its first run.
        initiated_id: number of the event that asked for it.
        has_started: False until its parent has heard that it has.
    """

    id: str
    run_id: str
    workflow_type: str
    initiated_id: int
    parent_close_policy: ParentClosePolicy
    has_started: bool

    @classmethod
    def of(cls, child: PendingChildInfo) -> Self:
        """From what the service says."""
        return cls(
            id=child.workflow_id,
            run_id=child.run_id,
            workflow_type=child.workflow_type,
            initiated_id=child.initiated,
            parent_close_policy=ParentClosePolicy(child.parent_close),
            has_started=child.has_started,
        )


@dataclass(frozen=True)
class PendingMessage:
    """A message to another execution whose arrival its sender has not heard of.

    Attributes:
        id: workflow id of the other.
        run_id: of the other, or None for whichever is current.
        initiated_id: number of the event that sent it.
        signal: its name; None if the message is a request to stop.
    """

    id: str
    run_id: str | None
    initiated_id: int
    signal: str | None

    @classmethod
    def of(cls, message: PendingMessageInfo) -> Self:
        """From what the service says."""
        return cls(message.workflow_id, message.run_id or None, message.initiated, message.signal)
