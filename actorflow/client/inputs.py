"""What interceptors of a client are given: one call, its plain arguments, and headers where there are some.

They are filled in anew for each call, so an interceptor may change them, or make others. Names are those of the
Temporal Python SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from actorflow.client.activity_reference import AsyncActivityIDReference
from actorflow.client.history import WorkflowHistoryEventFilterType
from actorflow.client.schedule import Schedule, ScheduleBackfill
from actorflow.client.schedule_update import Updater
from actorflow.client.update import WorkflowUpdateStage
from actorflow.common import (
    Priority,
    QueryRejectCondition,
    RetryPolicy,
    ScheduleOverlapPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from actorflow.converter import Headers

Metadata = Mapping[str, str | bytes]


@dataclass(kw_only=True)
class _Start:
    """A workflow that is to be started; see `StartOptions`."""

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str | None
    execution_timeout: timedelta | None = None
    run_timeout: timedelta | None = None
    task_timeout: timedelta | None = None
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy
    retry_policy: RetryPolicy | None = None
    cron_schedule: str = ""
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    start_delay: timedelta | None = None
    headers: Headers
    static_summary: str | None
    static_details: str | None
    ret_type: type | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None
    priority: Priority
    versioning_override: Any = None
    request_id: str | None = None


@dataclass(kw_only=True)
class StartWorkflowInput(_Start):
    """A workflow is to be started, and perhaps signalled; the signal gets the same headers."""

    start_signal: str | None
    start_signal_args: Sequence[Any]
    request_eager_start: bool


@dataclass(kw_only=True)
class UpdateWithStartStartWorkflowInput(_Start):
    """The workflow of an update-with-start."""


@dataclass(kw_only=True)
class UpdateWithStartUpdateWorkflowInput:
    """The update of an update-with-start."""

    update_id: str | None
    update: str
    args: Sequence[Any]
    wait_for_stage: WorkflowUpdateStage
    headers: Headers
    ret_type: type | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass(kw_only=True)
class StartWorkflowUpdateWithStartInput:
    """A workflow is to be started, or one that runs to be found, and updated.

    Attributes:
        on_start: told the run id once the workflow is there.
    """

    start_workflow_input: UpdateWithStartStartWorkflowInput
    update_workflow_input: UpdateWithStartUpdateWorkflowInput
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None
    on_start: Callable[[str], None]


@dataclass
class CancelWorkflowInput:
    """A workflow is to be asked to stop."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None
    reason: str = ""


@dataclass
class DescribeWorkflowInput:
    """A workflow is to be described."""

    id: str
    run_id: str | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class FetchWorkflowHistoryEventsInput:
    """The history of a run is wanted. The whole history is read at once, so pages change nothing."""

    id: str
    run_id: str | None
    page_size: int | None
    next_page_token: bytes | None
    wait_new_event: bool
    event_filter_type: WorkflowHistoryEventFilterType | None
    skip_archival: bool
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class ListWorkflowsInput:
    """Workflows are to be found."""

    query: str | None
    page_size: int
    next_page_token: bytes | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None
    limit: int | None


@dataclass
class CountWorkflowsInput:
    """Workflows are to be counted."""

    query: str | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class QueryWorkflowInput:
    """A program is to be asked."""

    id: str
    run_id: str | None
    query: str
    args: Sequence[Any]
    reject_condition: QueryRejectCondition | None
    headers: Headers
    ret_type: type | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class SignalWorkflowInput:
    """A workflow is to be signalled."""

    id: str
    run_id: str | None
    signal: str
    args: Sequence[Any]
    headers: Headers
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None
    request_id: str = ""


@dataclass
class TerminateWorkflowInput:
    """A workflow is to be ended."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    args: Sequence[Any]
    reason: str | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class StartWorkflowUpdateInput:
    """A workflow is to be updated."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    update_id: str | None
    update: str
    args: Sequence[Any]
    wait_for_stage: WorkflowUpdateStage
    headers: Headers
    ret_type: type | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class HeartbeatAsyncActivityInput:
    """Somebody outside still works on an activity."""

    id_or_token: AsyncActivityIDReference | bytes
    details: Sequence[Any]
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class CompleteAsyncActivityInput:
    """Somebody outside has done an activity."""

    id_or_token: AsyncActivityIDReference | bytes
    result: Any
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class FailAsyncActivityInput:
    """Somebody outside has failed to do an activity."""

    id_or_token: AsyncActivityIDReference | bytes
    error: Exception
    last_heartbeat_details: Sequence[Any]
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class ReportCancellationAsyncActivityInput:
    """Somebody outside has stopped working on an activity, as its workflow has asked."""

    id_or_token: AsyncActivityIDReference | bytes
    details: Sequence[Any]
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class CreateScheduleInput:
    """A schedule is to be made; headers of what it starts are in its action."""

    id: str
    schedule: Schedule
    trigger_immediately: bool
    backfill: Sequence[ScheduleBackfill]
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class ListSchedulesInput:
    """Schedules are to be listed."""

    page_size: int
    next_page_token: bytes | None
    query: str | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class BackfillScheduleInput:
    """Spans of a schedule are to be taken now."""

    id: str
    backfills: Sequence[ScheduleBackfill]
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class DeleteScheduleInput:
    """A schedule is to be removed."""

    id: str
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class DescribeScheduleInput:
    """A schedule is to be described."""

    id: str
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class PauseScheduleInput:
    """A schedule is to take no actions any more."""

    id: str
    note: str | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class TriggerScheduleInput:
    """A schedule is to take an action now."""

    id: str
    overlap: ScheduleOverlapPolicy | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class UnpauseScheduleInput:
    """A schedule is to take actions again."""

    id: str
    note: str | None
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None


@dataclass
class UpdateScheduleInput:
    """A schedule is to be changed."""

    id: str
    updater: Updater
    rpc_metadata: Metadata
    rpc_timeout: timedelta | None
