"""What tests of workflows and activities use."""

from actorflow.testing.environment import WorkflowEnvironment

__all__ = ["WorkflowEnvironment"]
