"""What runs workflows and activities, and what replays them."""

from actorflow.pool.shared_state import SharedHeartbeatSender, SharedStateManager
from actorflow.worker.patches import PatchActivationCallback, PatchActivationInput
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
from actorflow.worker.workflow_sandbox import UnsandboxedWorkflowRunner

__all__ = [
    "ActivitySlotInfo",
    "CustomSlotSupplier",
    "FixedSizeSlotSupplier",
    "LocalActivitySlotInfo",
    "NexusSlotInfo",
    "PatchActivationCallback",
    "PatchActivationInput",
    "PortedOptions",
    "Replayer",
    "ResourceBasedSlotConfig",
    "ResourceBasedSlotSupplier",
    "ResourceBasedTunerConfig",
    "SharedHeartbeatSender",
    "SharedStateManager",
    "SlotInfo",
    "SlotMarkUsedContext",
    "SlotPermit",
    "SlotReleaseContext",
    "SlotReserveContext",
    "SlotSupplier",
    "UnsandboxedWorkflowRunner",
    "Worker",
    "WorkerTuner",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
    "WorkflowSlotInfo",
]
