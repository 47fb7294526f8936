"""What starts and steers workflow executions. Names, signatures and meaning follow the Temporal Python SDK."""

from actorflow.client.async_activity import (
    AsyncActivityCancelledError,
    AsyncActivityHandle,
    AsyncActivityIDReference,
)
from actorflow.client.client import Client, ClientConfig
from actorflow.client.errors import (
    RPCTimeoutOrCancelledError,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from actorflow.client.handle import SignalOptions, UpdateOptions, WorkflowHandle
from actorflow.client.history import HistoryEvent, WorkflowHistory
from actorflow.client.listing import (
    WorkflowExecution,
    WorkflowExecutionAsyncIterator,
    WorkflowExecutionCount,
    WorkflowExecutionCountAggregationGroup,
)
from actorflow.client.pending import PendingActivity, PendingChild, PendingMessage
from actorflow.client.ported import PortedConnectOptions
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
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from actorflow.client.with_start import WithStartWorkflowOperation
from actorflow.common import ScheduleOverlapPolicy
from actorflow.exceptions import ScheduleAlreadyRunningError, ScheduleSpecError, WorkflowParkedError
from actorflow.service import ActivityNotRunningError, RPCError, RPCStatusCode, StaleAttemptError

__all__ = [
    "ActivityNotRunningError",
    "AsyncActivityCancelledError",
    "AsyncActivityHandle",
    "AsyncActivityIDReference",
    "Client",
    "ClientConfig",
    "HistoryEvent",
    "PendingActivity",
    "PendingChild",
    "PendingMessage",
    "PortedConnectOptions",
    "RPCError",
    "RPCStatusCode",
    "RPCTimeoutOrCancelledError",
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
    "SignalOptions",
    "StaleAttemptError",
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
