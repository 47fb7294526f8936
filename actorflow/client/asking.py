"""What the handles of a client ask, through its interceptors."""

from __future__ import annotations

from typing import Any

from actorflow.client.history import WorkflowHistoryEventAsyncIterator
from actorflow.client.inputs import (
    BackfillScheduleInput,
    CancelWorkflowInput,
    CompleteAsyncActivityInput,
    DeleteScheduleInput,
    DescribeScheduleInput,
    DescribeWorkflowInput,
    FailAsyncActivityInput,
    FetchWorkflowHistoryEventsInput,
    HeartbeatAsyncActivityInput,
    PauseScheduleInput,
    QueryWorkflowInput,
    ReportCancellationAsyncActivityInput,
    SignalWorkflowInput,
    StartWorkflowUpdateInput,
    TerminateWorkflowInput,
    TriggerScheduleInput,
    UnpauseScheduleInput,
    UpdateScheduleInput,
)
from actorflow.client.schedule_views import ScheduleDescription
from actorflow.client.update import WorkflowUpdateHandle
from actorflow.client.views import WorkflowExecutionDescription
from actorflow.common import QueryRejectCondition
from actorflow.converter import DataConverter
from actorflow.service import Service


class Asking:
    """The half of `OutboundInterceptor` that handles ask; the other half makes the handles.

    Args:
        next: the next one.
    """

    def __init__(self, next: Any) -> None:
        self.next = next

    async def cancel_workflow(self, input: CancelWorkflowInput) -> None:
        """For `WorkflowHandle.cancel`."""
        await self.next.cancel_workflow(input)

    async def describe_workflow(self, input: DescribeWorkflowInput) -> WorkflowExecutionDescription:
        """For `WorkflowHandle.describe`."""
        return await self.next.describe_workflow(input)

    def fetch_workflow_history_events(
        self, input: FetchWorkflowHistoryEventsInput
    ) -> WorkflowHistoryEventAsyncIterator:
        """For `WorkflowHandle.fetch_history`; nothing is read before it is asked."""
        return self.next.fetch_workflow_history_events(input)

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        """For `WorkflowHandle.query`."""
        return await self.next.query_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        """For `WorkflowHandle.signal`."""
        await self.next.signal_workflow(input)

    async def terminate_workflow(self, input: TerminateWorkflowInput) -> None:
        """For `WorkflowHandle.terminate`."""
        await self.next.terminate_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        """For `WorkflowHandle.start_update` and ``execute_update``."""
        return await self.next.start_workflow_update(input)

    async def heartbeat_async_activity(self, input: HeartbeatAsyncActivityInput) -> None:
        """For `AsyncActivityHandle.heartbeat`."""
        await self.next.heartbeat_async_activity(input)

    async def complete_async_activity(self, input: CompleteAsyncActivityInput) -> None:
        """For `AsyncActivityHandle.complete`."""
        await self.next.complete_async_activity(input)

    async def fail_async_activity(self, input: FailAsyncActivityInput) -> None:
        """For `AsyncActivityHandle.fail`."""
        await self.next.fail_async_activity(input)

    async def report_cancellation_async_activity(self, input: ReportCancellationAsyncActivityInput) -> None:
        """For `AsyncActivityHandle.report_cancellation`."""
        await self.next.report_cancellation_async_activity(input)

    async def backfill_schedule(self, input: BackfillScheduleInput) -> None:
        """For `ScheduleHandle.backfill`."""
        await self.next.backfill_schedule(input)

    async def delete_schedule(self, input: DeleteScheduleInput) -> None:
        """For `ScheduleHandle.delete`."""
        await self.next.delete_schedule(input)

    async def describe_schedule(self, input: DescribeScheduleInput) -> ScheduleDescription:
        """For `ScheduleHandle.describe`."""
        return await self.next.describe_schedule(input)

    async def pause_schedule(self, input: PauseScheduleInput) -> None:
        """For `ScheduleHandle.pause`."""
        await self.next.pause_schedule(input)

    async def trigger_schedule(self, input: TriggerScheduleInput) -> None:
        """For `ScheduleHandle.trigger`."""
        await self.next.trigger_schedule(input)

    async def unpause_schedule(self, input: UnpauseScheduleInput) -> None:
        """For `ScheduleHandle.unpause`."""
        await self.next.unpause_schedule(input)

    async def update_schedule(self, input: UpdateScheduleInput) -> None:
        """For `ScheduleHandle.update`."""
        await self.next.update_schedule(input)


class Access:
    """What a client shares with its handles.

    Attributes:
        service: answers calls.
        namespace: of every call.
        converter: for arguments, results and failures.
        task_queue: where it starts executions, unless a call says otherwise.
        reject_condition: of queries that say nothing themselves.
        outbound: the interceptors, which end at the service. They make handles, so they come after the rest.
    """

    outbound: Asking

    def __init__(
        self,
        service: Service,
        namespace: str,
        converter: DataConverter,
        task_queue: str | None,
        reject_condition: QueryRejectCondition | None,
    ) -> None:
        self.service = service
        self.namespace = namespace
        self.converter = converter
        self.task_queue = task_queue
        self.reject_condition = reject_condition
