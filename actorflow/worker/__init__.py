"""What runs workflows and activities, and what replays them."""

from actorflow.pool.shared_state import SharedHeartbeatSender, SharedStateManager
from actorflow.worker.patches import PatchActivationCallback, PatchActivationInput
from actorflow.worker.ported import PortedOptions
from actorflow.worker.replayer import Replayer, WorkflowReplayResult, WorkflowReplayResults
from actorflow.worker.worker import Worker
from actorflow.worker.workflow_sandbox import UnsandboxedWorkflowRunner

__all__ = [
    "PatchActivationCallback",
    "PatchActivationInput",
    "PortedOptions",
    "Replayer",
    "SharedHeartbeatSender",
    "SharedStateManager",
    "UnsandboxedWorkflowRunner",
    "Worker",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
]
