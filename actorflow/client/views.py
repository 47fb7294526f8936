"""Executions as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Self

from actorflow.service import Description


class WorkflowExecutionStatus(IntEnum):
    """Where an execution is in its life; numbered as in the public API."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7

    @classmethod
    def of(cls, status: str) -> Self:
        """The status a head names."""
        return cls[{"cancelled": "CANCELED", "continued": "CONTINUED_AS_NEW"}.get(status, status.upper())]


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


@dataclass(frozen=True)
class WorkflowExecutionDescription:
    """An execution as it stands on disk. Instants are UTC.

    Attributes:
        parked: why the execution can't go on, or None. Its status stays RUNNING.
        last_failure: message and traceback of the turn that keeps failing, or None.
        turn_failures: how often that turn has failed.
        inbox_messages: messages accepted but not yet consumed.
    """

    id: str
    run_id: str
    workflow_type: str
    task_queue: str
    namespace: str
    status: WorkflowExecutionStatus
    start_time: datetime
    close_time: datetime | None
    history_length: int
    parked: str | None
    last_failure: str | None
    turn_failures: int
    pending_activities: Sequence[PendingActivity]
    pending_timers: int
    inbox_messages: int

    @classmethod
    def of(cls, about: Description) -> Self:
        """From what the service says."""
        failure = about.last_failure
        return cls(
            id=about.workflow_id,
            run_id=about.run_id,
            workflow_type=about.workflow_type,
            task_queue=about.task_queue,
            namespace=about.namespace,
            status=WorkflowExecutionStatus.of(about.status),
            start_time=about.started_at,
            close_time=about.closed_at,
            history_length=about.history_length,
            parked=about.parked,
            last_failure=None if failure is None else f"{failure.type}: {failure.message}\n{failure.stack_trace}",
            turn_failures=about.turn_failures,
            pending_activities=[
                PendingActivity(
                    activity_id=activity.activity_id,
                    activity_type=activity.activity_type,
                    attempt=activity.attempt,
                    state=activity.state,
                    scheduled_time=activity.scheduled_at,
                    next_attempt_time=activity.next_attempt_at,
                    last_failure=activity.last_failure.message if activity.last_failure else None,
                )
                for activity in about.pending_activities
            ],
            pending_timers=about.pending_timers,
            inbox_messages=about.inbox_messages,
        )
