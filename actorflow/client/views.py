"""Executions as plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Self

from actorflow.converter import Failure
from actorflow.exceptions import FailureError
from actorflow.service import Description, Execution


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
class WorkflowExecution:
    """One execution, as it stood when it was read. Instants are UTC.

    Attributes:
        execution_time: when its first turn was due; here always the start.
        history_length: number of its last event.
        parked: why it can't go on, or None. Its status stays RUNNING.
    """

    id: str
    run_id: str
    workflow_type: str
    task_queue: str
    namespace: str
    status: WorkflowExecutionStatus
    start_time: datetime
    close_time: datetime | None
    execution_time: datetime
    history_length: int
    parked: str | None

    @classmethod
    def of(cls, execution: Execution) -> Self:
        """From what the service says."""
        return cls(
            id=execution.workflow_id,
            run_id=execution.run_id,
            workflow_type=execution.workflow_type,
            task_queue=execution.task_queue,
            namespace=execution.namespace,
            status=WorkflowExecutionStatus.of(execution.status),
            start_time=execution.started_at,
            close_time=execution.closed_at,
            execution_time=execution.started_at,
            history_length=execution.history_length,
            parked=execution.parked,
        )


@dataclass(frozen=True)
class WorkflowExecutionDescription(WorkflowExecution):
    """An execution as it stands on disk, with what it waits for.

    Attributes:
        last_failure: message and traceback of the turn that keeps failing, or None.
        turn_failures: how often that turn has failed.
        inbox_messages: messages accepted but not yet consumed.
    """

    last_failure: str | None
    turn_failures: int
    pending_activities: Sequence[PendingActivity]
    pending_timers: int
    inbox_messages: int

    @classmethod
    def described(cls, about: Description, explained: Callable[[Failure], FailureError]) -> Self:
        """From what the service says; ``explained`` makes an exception of a failure."""
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
            execution_time=about.started_at,
            history_length=about.history_length,
            parked=about.parked,
            last_failure=None if failure is None else _shown(failure, explained(failure)),
            turn_failures=about.turn_failures,
            pending_activities=[
                PendingActivity(
                    activity_id=activity.activity_id,
                    activity_type=activity.activity_type,
                    attempt=activity.attempt,
                    state=activity.state,
                    scheduled_time=activity.scheduled_at,
                    next_attempt_time=activity.next_attempt_at,
                    last_failure=explained(activity.last_failure).message if activity.last_failure else None,
                )
                for activity in about.pending_activities
            ],
            pending_timers=about.pending_timers,
            inbox_messages=about.inbox_messages,
        )


def _shown(failure: Failure, problem: FailureError) -> str:
    return f"{failure.type}: {problem.message}\n{problem.stack_trace}"
