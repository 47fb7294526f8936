"""What starts and steers workflow executions. Names, signatures and meaning follow the Temporal Python SDK."""

from actorflow.client.client import Client
from actorflow.client.errors import (
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from actorflow.client.handle import UpdateOptions, WorkflowHandle
from actorflow.client.history import HistoryEvent, WorkflowHistory
from actorflow.client.listing import (
    WorkflowExecution,
    WorkflowExecutionAsyncIterator,
    WorkflowExecutionCount,
    WorkflowExecutionCountAggregationGroup,
)
from actorflow.client.schedule import (
    Schedule,
    ScheduleAction,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from actorflow.client.schedule_handle import (
    ScheduleAsyncIterator,
    ScheduleHandle,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from actorflow.client.schedule_views import (
    ScheduleActionExecution,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleDescription,
    ScheduleInfo,
    ScheduleListAction,
    ScheduleListActionStartWorkflow,
    ScheduleListDescription,
    ScheduleListInfo,
    ScheduleListSchedule,
    ScheduleListState,
)
from actorflow.client.start import StartOptions
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage
from actorflow.client.views import (
    PendingActivity,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from actorflow.client.with_start import WithStartWorkflowOperation
from actorflow.common import ScheduleOverlapPolicy
from actorflow.exceptions import ScheduleAlreadyRunningError, ScheduleSpecError, WorkflowParkedError
from actorflow.service import RPCError, RPCStatusCode

__all__ = [
    "Client",
    "HistoryEvent",
    "PendingActivity",
    "RPCError",
    "RPCStatusCode",
    "Schedule",
    "ScheduleAction",
    "ScheduleActionExecution",
    "ScheduleActionExecutionStartWorkflow",
    "ScheduleActionResult",
    "ScheduleActionStartWorkflow",
    "ScheduleAlreadyRunningError",
    "ScheduleAsyncIterator",
    "ScheduleBackfill",
    "ScheduleCalendarSpec",
    "ScheduleDescription",
    "ScheduleHandle",
    "ScheduleInfo",
    "ScheduleIntervalSpec",
    "ScheduleListAction",
    "ScheduleListActionStartWorkflow",
    "ScheduleListDescription",
    "ScheduleListInfo",
    "ScheduleListSchedule",
    "ScheduleListState",
    "ScheduleOverlapPolicy",
    "SchedulePolicy",
    "ScheduleRange",
    "ScheduleSpec",
    "ScheduleSpecError",
    "ScheduleState",
    "ScheduleUpdate",
    "ScheduleUpdateInput",
    "StartOptions",
    "UpdateOptions",
    "WithStartWorkflowOperation",
    "WorkflowContinuedAsNewError",
    "WorkflowExecution",
    "WorkflowExecutionAsyncIterator",
    "WorkflowExecutionCount",
    "WorkflowExecutionCountAggregationGroup",
    "WorkflowExecutionDescription",
    "WorkflowExecutionStatus",
    "WorkflowFailureError",
    "WorkflowHandle",
    "WorkflowHistory",
    "WorkflowParkedError",
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowUpdateFailedError",
    "WorkflowUpdateHandle",
    "WorkflowUpdateRPCTimeoutOrCancelledError",
    "WorkflowUpdateStage",
]
