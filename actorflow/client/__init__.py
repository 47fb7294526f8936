"""What starts and steers workflow executions. Names, signatures and meaning follow the Temporal Python SDK."""

from actorflow.client.client import Client, ClientConfig
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
from actorflow.client.start import StartOptions
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage
from actorflow.client.views import (
    PendingActivity,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from actorflow.client.with_start import WithStartWorkflowOperation
from actorflow.exceptions import WorkflowParkedError
from actorflow.service import RPCError, RPCStatusCode

__all__ = [
    "Client",
    "ClientConfig",
    "HistoryEvent",
    "PendingActivity",
    "RPCError",
    "RPCStatusCode",
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
