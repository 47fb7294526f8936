"""Where everything meets: hosts actors on a store."""

from actorflow.engine.engine import Engine
from actorflow.engine.registry import WorkerHost

__all__ = ["Engine", "WorkerHost"]
