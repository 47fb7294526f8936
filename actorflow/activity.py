"""What activity code uses: the decorator, its info, heartbeats and a logger. Shaped like the Temporal Python SDK."""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, overload

from actorflow.core.definitions import ACTIVITY_MARK, DYNAMIC, ActivityDefinition
from actorflow.types import CallableType

__all__ = ["Info", "LoggerAdapter", "defn", "heartbeat", "in_activity", "info", "is_cancelled", "logger"]


@overload
def defn(fn: CallableType) -> CallableType: ...
@overload
def defn(
    *, name: str | None = None, dynamic: bool = False, no_thread_cancel_exception: bool = False
) -> Callable[[CallableType], CallableType]: ...
def defn(
    fn: CallableType | None = None,
    *,
    name: str | None = None,
    dynamic: bool = False,
    no_thread_cancel_exception: bool = False,
) -> CallableType | Callable[[CallableType], CallableType]:
    """Mark a function, a method or a callable class as an activity.

    Args:
        name: the registered name; default is the function's (or class's) own.
        dynamic: it runs every activity type nobody else does; takes one ``Sequence[RawValue]``, and `info` says which.
        no_thread_cancel_exception: never raise a cancellation inside the thread of a sync activity.

    Raises:
        TypeError: it is not callable, or has keyword-only parameters.
    """

    def decorate(target: CallableType) -> CallableType:
        if not callable(target):
            raise TypeError(f"@activity.defn needs a function or a class with __call__, not {target!r}")
        if getattr(target, "__dict__", {}).get(ACTIVITY_MARK) is not None:
            raise TypeError(f"{target.__qualname__} is already an activity; remove one @activity.defn")
        candidate: Any = target
        is_class = inspect.isclass(candidate)
        function = candidate.__call__ if is_class else candidate
        parameters = function.__code__.co_varnames[:1] if hasattr(function, "__code__") else ()
        is_method = is_class or parameters == ("self",)
        if dynamic and name is not None:
            raise RuntimeError(f"activity {target.__qualname__} has a name and is dynamic; choose one")
        definition = ActivityDefinition(
            DYNAMIC if dynamic else name or target.__name__, function, no_thread_cancel_exception, is_method
        )
        signature = definition.signature  # read now, so that mistakes are reported at the decorator
        if dynamic and len(signature.names) != 1:
            raise TypeError(f"dynamic activity {target.__qualname__} must take one argument, a Sequence[RawValue]")
        setattr(target, ACTIVITY_MARK, definition)
        return target

    return decorate if fn is None else decorate(fn)


@dataclass(frozen=True)
class Info:
    """About the attempt that is running. Instants are UTC; ``attempt`` counts from 1 and never repeats."""

    activity_id: str
    activity_type: str
    attempt: int
    current_attempt_scheduled_time: datetime
    heartbeat_details: Sequence[Any]
    heartbeat_timeout: timedelta | None
    is_local: bool
    schedule_to_close_timeout: timedelta | None
    scheduled_time: datetime
    start_to_close_timeout: timedelta | None
    started_time: datetime
    task_queue: str
    task_token: bytes
    workflow_id: str
    workflow_namespace: str
    workflow_run_id: str
    workflow_type: str


@dataclass(frozen=True)
class Context:
    """What a running attempt can reach; set by whoever runs it."""

    info: Callable[[], Info]
    heartbeat: Callable[[Sequence[Any]], None]
    is_cancelled: Callable[[], bool]


current_context: contextvars.ContextVar[Context] = contextvars.ContextVar("actorflow_activity")


def _context() -> Context:
    context = current_context.get(None)
    if context is None:
        raise RuntimeError("Not in activity context: this only works inside a running activity")
    return context


def in_activity() -> bool:
    """True inside a running activity."""
    return current_context.get(None) is not None


def info() -> Info:
    """About the attempt that is running.

    Raises:
        RuntimeError: outside an activity.
    """
    return _context().info()


def heartbeat(*details: Any) -> None:
    """Say that the activity is alive, and what the next attempt should know.

    The last details become durable at most a second later and are in ``info().heartbeat_details`` of the next attempt.
    A requested cancellation reaches an async activity here (as `asyncio.CancelledError` at its next await).

    Raises:
        PayloadError: the details can't be encoded; uncaught it fails the attempt.
        RuntimeError: outside an activity.
    """
    _context().heartbeat(details)


def is_cancelled() -> bool:
    """True once the workflow, a timeout or the shutdown of the worker asks the activity to stop."""
    return _context().is_cancelled()


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Adds which activity is speaking to the message and, as ``temporal_activity``, to ``extra``."""

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None) -> None:
        super().__init__(logger, extra or {})
        self.activity_info_on_message = True
        self.activity_info_on_extra = True

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """See `logging.LoggerAdapter.process`."""
        context = current_context.get(None)
        if context is None:
            return msg, kwargs
        details = _log_details(context.info())
        if self.activity_info_on_message:
            msg = f"{msg} ({details})"
        if self.activity_info_on_extra:
            kwargs["extra"] = {**(kwargs.get("extra") or {}), "temporal_activity": details}
        return msg, kwargs

    @property
    def base_logger(self) -> logging.Logger:
        """The logger underneath."""
        return self.logger


def _log_details(about: Info) -> Mapping[str, Any]:
    return {
        "activity_id": about.activity_id,
        "activity_type": about.activity_type,
        "attempt": about.attempt,
        "namespace": about.workflow_namespace,
        "task_queue": about.task_queue,
        "workflow_id": about.workflow_id,
        "workflow_run_id": about.workflow_run_id,
        "workflow_type": about.workflow_type,
    }


logger = LoggerAdapter(logging.getLogger(__name__), None)
"""Logs with the activity's identity."""
