"""What runs workflows and activities, and what replays them."""

from actorflow.pool.shared_state import SharedHeartbeatSender, SharedStateManager
from actorflow.worker.patches import PatchActivationCallback, PatchActivationInput
from actorflow.worker.replayer import Replayer, WorkflowReplayResult, WorkflowReplayResults
from actorflow.worker.worker import Worker

__all__ = [
    "PatchActivationCallback",
    "PatchActivationInput",
    "Replayer",
    "SharedHeartbeatSender",
    "SharedStateManager",
    "Worker",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
]
