"""What runs workflows and activities, and what replays them."""

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
    "UnsandboxedWorkflowRunner",
    "Worker",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
]
