"""Durable workflows as actors in your own asyncio program, journaled in one SQLite file."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from actorflow.clock import SystemClock
from actorflow.common import RetryPolicy
from actorflow.exceptions import ActorflowError

if TYPE_CHECKING:
    from actorflow.embedded import open as open, run as run

# Not `open` and `run`: a star import must not replace a builtin.
__all__ = ["ActorflowError", "RetryPolicy", "SystemClock", "__version__"]
__version__ = "0.1.0"

_EMBEDDED = ("open", "run")
_MODULES = (
    "activity",
    "client",
    "common",
    "diagram",
    "envconfig",
    "observability",
    "runtime",
    "testing",
    "worker",
    "workflow",
)


def __getattr__(name: str) -> Any:
    """Load what a program uses when it uses it: the engine is four times as slow to import as this module."""
    if name in _EMBEDDED:
        return getattr(import_module("actorflow.embedded"), name)
    if name in _MODULES:
        return import_module(f"actorflow.{name}")
    raise AttributeError(f"module 'actorflow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_EMBEDDED, *_MODULES])
