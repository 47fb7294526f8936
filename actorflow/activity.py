"""What activity code uses. Names, signatures and meaning follow the Temporal Python SDK."""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol, overload

from actorflow.common import MetricMeter, Priority, RetryPolicy
from actorflow.converter import PayloadConverter
from actorflow.core.definitions import ACTIVITY_MARK, DYNAMIC, ActivityDefinition
from actorflow.types import CallableType

__all__ = [
    "ActivityCancellationDetails",
    "Info",
    "LoggerAdapter",
    "cancellation_details",
    "client",
    "defn",
    "heartbeat",
    "in_activity",
    "info",
    "is_cancelled",
    "is_worker_shutdown",
    "logger",
    "metric_meter",
    "payload_converter",
    "raise_complete_async",
    "shield_thread_cancel_exception",
    "wait_for_cancelled",
    "wait_for_cancelled_sync",
    "wait_for_worker_shutdown",
    "wait_for_worker_shutdown_sync",
]


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
    """About the attempt that is running. Instants are UTC; ``attempt`` counts from 1 and never repeats.

    ``task_token`` names this attempt for `Client.get_async_activity_handle`. The workflow's fields are the same under
    their short and long names; ``activity_run_id`` is always None, because every activity belongs to a workflow.
    """

    activity_id: str
    activity_type: str
    attempt: int
    current_attempt_scheduled_time: datetime
    heartbeat_details: Sequence[Any]
    heartbeat_timeout: timedelta | None
    is_local: bool
    namespace: str
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
    priority: Priority
    retry_policy: RetryPolicy | None
    activity_run_id: str | None = None

    @property
    def in_workflow(self) -> bool:
        """True: a workflow has started it."""
        return True


@dataclass(frozen=True)
class ActivityCancellationDetails:
    """Why an activity is asked to stop.

    Attributes:
        not_found: its workflow is over, so nobody wants the outcome.
        cancel_requested: its workflow asked for it.
        paused: never, for now.
        reset: never, for now.
        timed_out: one of its timeouts ran out.
        worker_shutdown: its worker leaves, and its graceful timeout is over.
    """

    not_found: bool = False
    cancel_requested: bool = False
    paused: bool = False
    reset: bool = False
    timed_out: bool = False
    worker_shutdown: bool = False


class Occurrence(Protocol):
    """Something that becomes true once; see `actorflow.pool.flag.Flag`."""

    def is_set(self) -> bool:
        """True once it is."""
        ...

    async def wait(self) -> None:
        """Wait in a task."""
        ...

    def wait_sync(self, timeout: float | None = None) -> None:
        """Wait in a thread."""
        ...


class Context(Protocol):
    """What a running attempt can reach; given to it by whoever runs it."""

    @property
    def cancelled(self) -> Occurrence:
        """True once it is asked to stop."""
        ...

    @property
    def cancellation_details(self) -> ActivityCancellationDetails | None:
        """Why it is asked to stop."""
        ...

    @property
    def worker_shutdown(self) -> Occurrence:
        """True once its worker leaves."""
        ...

    @property
    def client(self) -> Any:
        """The worker's client, or None where there is none."""
        ...

    @property
    def payload_converter(self) -> PayloadConverter:
        """Of the worker."""
        ...

    @property
    def metric_meter(self) -> MetricMeter:
        """Counts for this activity."""
        ...

    def info(self) -> Info:
        """About the attempt."""
        ...

    def heartbeat(self, details: Sequence[Any]) -> None:
        """Take a sign of life."""
        ...

    def shield(self) -> AbstractContextManager[None]:
        """Keep cancellations from being thrown into the thread meanwhile."""
        ...


class CompleteAsync(BaseException):
    """Leaves the activity open; what `raise_complete_async` raises."""


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
        RuntimeError: outside an activity (this and the functions below).
    """
    return _context().info()


def heartbeat(*details: Any) -> None:
    """Say that the activity is alive, and what the next attempt should know.

    The last details become durable at most a second later and are in ``info().heartbeat_details`` of the next attempt.
    An activity that has never called this is not told that its workflow wants it cancelled: whoever listens, beats.

    Raises:
        PayloadError: the details can't be encoded; uncaught it fails the attempt.
    """
    _context().heartbeat(details)


def is_cancelled() -> bool:
    """True once the activity is asked to stop: by its workflow (see `heartbeat`), a timeout, or the worker's end."""
    return _context().cancelled.is_set()


async def wait_for_cancelled() -> None:
    """Wait until the activity is asked to stop. An async one gets `asyncio.CancelledError` at that moment, too."""
    await _context().cancelled.wait()


def wait_for_cancelled_sync(timeout: timedelta | float | None = None) -> None:
    """Wait in a thread until the activity is asked to stop, or the timeout (seconds or timedelta) is over."""
    _context().cancelled.wait_sync(_seconds(timeout))


def cancellation_details() -> ActivityCancellationDetails | None:
    """Why the activity is asked to stop; None until it is."""
    return _context().cancellation_details


def is_worker_shutdown() -> bool:
    """True once the worker leaves; the activity may go on for the worker's graceful timeout."""
    return _context().worker_shutdown.is_set()


async def wait_for_worker_shutdown() -> None:
    """Wait until the worker leaves."""
    await _context().worker_shutdown.wait()


def wait_for_worker_shutdown_sync(timeout: timedelta | float | None = None) -> None:
    """Wait in a thread until the worker leaves, or the timeout (seconds or timedelta) is over."""
    _context().worker_shutdown.wait_sync(_seconds(timeout))


def shield_thread_cancel_exception() -> AbstractContextManager[None]:
    """Keep a cancellation from being raised inside the block, in an activity that runs in a thread.

    One that was asked for meanwhile is raised at the end of the outermost such block, whatever the block itself
    returns or raises. Elsewhere the block just runs.

    Raises:
        CancelledError: at its end.
    """
    return _context().shield()


def raise_complete_async() -> NoReturn:
    """Leave the activity open: it ends when somebody completes it through `Client.get_async_activity_handle`.

    Its timeouts go on, and so does a heartbeat timeout, which then needs `AsyncActivityHandle.heartbeat`.
    """
    _context()
    raise CompleteAsync


def client() -> Any:
    """The client of the worker, in an ``async def`` activity.

    Raises:
        RuntimeError: the activity is not async, or its environment has no client.
    """
    found = _context().client
    if found is None:
        raise RuntimeError("No client available. In an activity that is not async there is none: it belongs to a loop")
    return found


def payload_converter() -> PayloadConverter:
    """Decodes raw values, such as those of a dynamic activity."""
    return _context().payload_converter


def metric_meter() -> MetricMeter:
    """Makes counters, histograms and gauges that are served with actorflow's own metrics.

    Their values carry namespace, task queue and activity type. In an activity that runs in another process, which has
    no such page, they go nowhere.
    """
    return _context().metric_meter


def _seconds(timeout: timedelta | float | None) -> float | None:
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Adds which activity is speaking to the message and, as ``temporal_activity``, to ``extra``.

    Attributes:
        activity_info_on_message: add it to the message.
        activity_info_on_extra: add it to ``extra``.
        full_activity_info_on_extra: add the whole `Info` as ``activity_info``.
    """

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None) -> None:
        super().__init__(logger, extra or {})
        self.activity_info_on_message = True
        self.activity_info_on_extra = True
        self.full_activity_info_on_extra = False

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """See `logging.LoggerAdapter.process`."""
        added: dict[str, Any] = dict(self.extra or {})
        context = current_context.get(None)
        if context is not None:
            about = context.info()
            if self.activity_info_on_message:
                msg = f"{msg} ({log_details(about)})"
            if self.activity_info_on_extra:
                added["temporal_activity"] = log_details(about)
            if self.full_activity_info_on_extra:
                added["activity_info"] = about
        if not added:
            return msg, kwargs
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), **added}}

    @property
    def base_logger(self) -> logging.Logger:
        """The logger underneath."""
        return self.logger


def log_details(about: Info) -> Mapping[str, Any]:
    """What a log line says of an attempt."""
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
