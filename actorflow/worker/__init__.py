"""What runs workflows and activities, and what replays them."""

from actorflow.pool.shared_state import SharedHeartbeatSender, SharedStateManager
from actorflow.worker.config import ReplayerConfig, WorkerConfig
from actorflow.worker.interceptor import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)
from actorflow.worker.patches import PatchActivationCallback, PatchActivationInput
from actorflow.worker.plugin import Plugin
from actorflow.worker.ported import PortedOptions
from actorflow.worker.replayer import Replayer, WorkflowReplayResult, WorkflowReplayResults
from actorflow.worker.worker import Worker
from actorflow.worker.workflow_sandbox import UnsandboxedWorkflowRunner
from actorflow.workflow.inputs import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
)
from actorflow.workflow.interception import WorkflowInterceptorClassInput
from actorflow.workflow.interceptor import WorkflowInboundInterceptor, WorkflowOutboundInterceptor

__all__ = [
    "ActivityInboundInterceptor",
    "ActivityOutboundInterceptor",
    "ContinueAsNewInput",
    "ExecuteActivityInput",
    "ExecuteWorkflowInput",
    "HandleQueryInput",
    "HandleSignalInput",
    "HandleUpdateInput",
    "Interceptor",
    "PatchActivationCallback",
    "PatchActivationInput",
    "Plugin",
    "PortedOptions",
    "Replayer",
    "ReplayerConfig",
    "SharedHeartbeatSender",
    "SharedStateManager",
    "SignalChildWorkflowInput",
    "SignalExternalWorkflowInput",
    "StartActivityInput",
    "StartChildWorkflowInput",
    "StartLocalActivityInput",
    "UnsandboxedWorkflowRunner",
    "Worker",
    "WorkerConfig",
    "WorkflowInboundInterceptor",
    "WorkflowInterceptorClassInput",
    "WorkflowOutboundInterceptor",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
]
