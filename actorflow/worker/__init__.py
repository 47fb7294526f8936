"""What runs workflows and activities."""

from actorflow.worker.worker import Worker

__all__ = ["Worker"]
