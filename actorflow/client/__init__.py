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
from actorflow.client.start import StartOptions
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage
from actorflow.client.views import (
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from actorflow.client.with_start import WithStartWorkflowOperation
from actorflow.exceptions import WorkflowParkedError
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
