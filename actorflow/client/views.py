"""Executions as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Self

from actorflow.client.data import WorkflowData
from actorflow.client.pending import PendingActivity, PendingChild, PendingMessage
from actorflow.common import RetryPolicy, SearchAttributes, TypedSearchAttributes
from actorflow.converter import DataConverter, Failure
from actorflow.core.notes import NO_NOTES, Notes, typed_shown, untyped_shown
from actorflow.core.policy.retry import policy_from
from actorflow.exceptions import FailureError
from actorflow.service import Description, Execution
from actorflow.workflow.arguments import UNSET


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
class WorkflowExecution:
    """One execution, as it stood when it was read. Instants are UTC.

    Attributes:
        execution_time: when its first turn was due; in lists always the start.
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
    _notes: Notes = field(default=NO_NOTES, repr=False, kw_only=True)
    _data: WorkflowData = field(repr=False, compare=False, kw_only=True)

    @property
    def search_attributes(self) -> SearchAttributes:
        """Its search attributes, as lists of values by name."""
        return untyped_shown(self._notes.search_attributes)

    @property
    def typed_search_attributes(self) -> TypedSearchAttributes:
        """Its search attributes."""
        return typed_shown(self._notes.search_attributes)

    async def memo(self) -> Mapping[str, Any]:
        """See `WorkflowData.memo`."""
        return await self._data.memo(self._notes.memo)

    async def memo_value(self, key: str, default: Any = UNSET, *, type_hint: Any = None) -> Any:
        """See `WorkflowData.memo_value`."""
        return await self._data.memo_value(self._notes.memo, key, default, type_hint=type_hint)

    @classmethod
    def of(cls, execution: Execution, converter: DataConverter) -> Self:
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
            _notes=execution.notes,
            _data=WorkflowData(converter, execution.namespace, execution.workflow_id),
        )


@dataclass(frozen=True)
class WorkflowExecutionDescription(WorkflowExecution):
    """An execution as it stands on disk, with what it waits for and what it is related to.

    Attributes:
        last_failure: message and traceback of the turn that keeps failing, or None.
        turn_failures: how often that turn has failed.
        inbox_messages: messages accepted but not yet consumed.
        pending_messages: what it has sent to others, and has no answer to.
        parent_id: workflow id of the run that started it as its child, or None.
        root_id: workflow id of the run at the top of its tree, if it is a child.
        first_execution_run_id: the first run of its chain.
        continued_run_id: the run it follows, or None.
        new_execution_run_id: the run that follows it, or None.
        attempt: of its retry policy, from 1.
        cron_schedule: when the next run begins after it; empty if there is none.
        expiration_time: when it times out, or None. Of a closed one, when it would have.
    """

    last_failure: str | None
    turn_failures: int
    pending_activities: Sequence[PendingActivity]
    pending_timers: int
    inbox_messages: int
    pending_children: Sequence[PendingChild]
    pending_messages: Sequence[PendingMessage]
    parent_id: str | None
    parent_run_id: str | None
    root_id: str | None
    root_run_id: str | None
    first_execution_run_id: str
    continued_run_id: str | None
    new_execution_run_id: str | None
    attempt: int
    cron_schedule: str
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    expiration_time: datetime | None
    retry_policy: RetryPolicy | None

    async def static_summary(self) -> str | None:
        """One line for people that it was started with."""
        return self._notes.summary or None

    async def static_details(self) -> str | None:
        """More lines for people that it was started with."""
        return self._notes.details or None

    @classmethod
    def described(cls, about: Description, data: WorkflowData) -> Self:
        """From what the service says; its failures are decoded, its notes are not."""
        failure, options = about.last_failure, about.options
        parent, root = options.parent, options.root
        return cls(
            id=about.workflow_id,
            run_id=about.run_id,
            workflow_type=about.workflow_type,
            task_queue=about.task_queue,
            namespace=about.namespace,
            status=WorkflowExecutionStatus.of(about.status),
            start_time=about.started_at,
            close_time=about.closed_at,
            execution_time=options.not_before or about.started_at,
            history_length=about.history_length,
            parked=about.parked,
            last_failure=None if failure is None else _shown(failure, data.explained(failure)),
            turn_failures=about.turn_failures,
            pending_activities=[PendingActivity.of(activity, data.explained) for activity in about.pending_activities],
            pending_timers=about.pending_timers,
            inbox_messages=about.inbox_messages,
            _notes=about.notes,
            _data=data,
            pending_children=[PendingChild.of(child) for child in about.pending_children],
            pending_messages=[PendingMessage.of(message) for message in about.pending_messages],
            parent_id=None if parent is None else parent.workflow_id,
            parent_run_id=None if parent is None else parent.run_id,
            root_id=None if root is None else root.workflow_id,
            root_run_id=None if root is None else root.run_id,
            first_execution_run_id=about.first_run_id or about.run_id,
            continued_run_id=options.continued_run_id or None,
            new_execution_run_id=about.successor or None,
            attempt=options.attempt,
            cron_schedule=options.cron,
            execution_timeout=options.execution_timeout,
            run_timeout=options.run_timeout,
            expiration_time=options.expires_at,
            retry_policy=None if options.retry is None else policy_from(options.retry),
        )


def _shown(failure: Failure, problem: FailureError) -> str:
    return f"{failure.type}: {problem.message}\n{problem.stack_trace}"
