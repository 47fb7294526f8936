"""Durable workflows as actors in your own asyncio program, journaled in one SQLite file."""

from actorflow.clock import SystemClock
from actorflow.common import RetryPolicy
from actorflow.exceptions import ActorflowError

__all__ = ["ActorflowError", "RetryPolicy", "SystemClock", "__version__"]
__version__ = "0.1.0"
