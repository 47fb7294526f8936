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
from actorflow.worker.pollers import PollerBehavior, PollerBehaviorAutoscaling, PollerBehaviorSimpleMaximum
from actorflow.worker.ported import PortedOptions
from actorflow.worker.replayer import Replayer, WorkflowReplayResult, WorkflowReplayResults
from actorflow.worker.suppliers import (
    ActivitySlotInfo,
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    LocalActivitySlotInfo,
    NexusSlotInfo,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    SlotInfo,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    SlotSupplier,
    WorkflowSlotInfo,
)
from actorflow.worker.tuning import WorkerTuner
from actorflow.worker.worker import Worker
from actorflow.worker.workflow_sandbox import UnsandboxedWorkflowRunner, WorkflowRunner
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
    "ActivitySlotInfo",
    "ContinueAsNewInput",
    "CustomSlotSupplier",
    "ExecuteActivityInput",
    "ExecuteWorkflowInput",
    "FixedSizeSlotSupplier",
    "HandleQueryInput",
    "HandleSignalInput",
    "HandleUpdateInput",
    "Interceptor",
    "LocalActivitySlotInfo",
    "NexusSlotInfo",
    "PatchActivationCallback",
    "PatchActivationInput",
    "Plugin",
    "PollerBehavior",
    "PollerBehaviorAutoscaling",
    "PollerBehaviorSimpleMaximum",
    "PortedOptions",
    "Replayer",
    "ReplayerConfig",
    "ResourceBasedSlotConfig",
    "ResourceBasedSlotSupplier",
    "ResourceBasedTunerConfig",
    "SharedHeartbeatSender",
    "SharedStateManager",
    "SignalChildWorkflowInput",
    "SignalExternalWorkflowInput",
    "SlotInfo",
    "SlotMarkUsedContext",
    "SlotPermit",
    "SlotReleaseContext",
    "SlotReserveContext",
    "SlotSupplier",
    "StartActivityInput",
    "StartChildWorkflowInput",
    "StartLocalActivityInput",
    "UnsandboxedWorkflowRunner",
    "Worker",
    "WorkerConfig",
    "WorkerTuner",
    "WorkflowInboundInterceptor",
    "WorkflowInterceptorClassInput",
    "WorkflowOutboundInterceptor",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
    "WorkflowRunner",
    "WorkflowSlotInfo",
]
