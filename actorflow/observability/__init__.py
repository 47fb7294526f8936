"""Metrics of the engines of this process: an HTTP server, an ASGI application, or a collector for a registry of yours.

What is counted costs a few integers; prometheus_client is loaded when somebody wants to see them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from actorflow.observability.application import asgi
    from actorflow.observability.collector import Collector
    from actorflow.observability.server import MetricsServer, start_http_server

__all__ = ["Collector", "MetricsServer", "asgi", "start_http_server"]

_HOMES: Final = {
    "Collector": "collector",
    "MetricsServer": "server",
    "asgi": "application",
    "start_http_server": "server",
}


def __getattr__(name: str) -> Any:
    """Find a public name in its module, which costs 50 ms the first time."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
