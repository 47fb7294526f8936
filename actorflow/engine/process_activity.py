"""Activities in other processes: how an attempt gets there, and what its code can reach."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from actorflow.activity import ActivityCancellationDetails, Context, Info, current_context
from actorflow.common import MetricMeter
from actorflow.converter import PayloadConverter
from actorflow.pool.executors import Done, RunningAttempt, handing_over
from actorflow.pool.flag import Flag
from actorflow.pool.processes import Processes
from actorflow.pool.shared_state import SharedHeartbeatSender, SharedStateManager
from actorflow.pool.threads import DaemonThreads


class ProcessExecutor:
    """Runs plain functions in child processes, one thread of ours waiting for each.

    Whatever waits for another process is done in these threads, and never on the event loop.

    Args:
        loop: where attempts are told to have ended.
        processes: run the code.
        processes_max: how many at the same time.
        shared: makes events and takes heartbeats.
        shutdown: true once the worker leaves.
        converter: of the worker; what can't be sent to a child is the default one there.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        processes: Processes,
        processes_max: int,
        shared: SharedStateManager,
        shutdown: Flag,
        converter: PayloadConverter,
    ) -> None:
        self._loop = loop
        self._processes = processes
        self._shared = shared
        self._shutdown = shutdown
        self._converter = converter if _can_be_sent(converter) else None
        self._threads = DaemonThreads(processes_max, "actorflow-process")
        self._signals = DaemonThreads(1, "actorflow-process-signals")
        self._lock = threading.Lock()
        self._shutdown_event: threading.Event | None = None

    def start(
        self, function: Callable[..., Any], arguments: Sequence[Any], context: Context, done: Done
    ) -> RunningAttempt:
        """Start an attempt; ``done`` is called once, on the loop, whatever happens."""
        attempt = _ProcessAttempt(self._signals, context)
        future = self._threads.submit(self._run, function, arguments, context, attempt)
        attempt.future = future

        def ended(result: Any, problem: BaseException | None) -> None:
            if problem is not None and "_stack_trace" in vars(problem):
                problem.__traceback__ = None  # it would only say how the answer came back
            done(result, problem)

        future.add_done_callback(handing_over(self._loop, ended))
        return attempt

    def close(self) -> None:
        """End every child and thread."""
        self._processes.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._signals.shutdown(wait=False)

    def _run(
        self, function: Callable[..., Any], arguments: Sequence[Any], context: Context, attempt: _ProcessAttempt
    ) -> Any:
        shared, about = self._shared, context.info()
        cancelled = shared.new_event()
        attempt.bind(cancelled)
        refused: list[Exception] = []

        def beat(*details: Any) -> None:
            try:
                context.heartbeat(details)
            except Exception as problem:  # as in a thread, it fails the attempt: at its end, or when it listens
                refused.append(problem)
                cancelled.set()

        sender = shared.register_heartbeater(about.task_token, beat)
        try:
            call = ProcessCall(
                function, tuple(arguments), about, cancelled, self._told_of_shutdown(), sender, self._converter
            )
            result = self._processes.call(run_in_child, call)
        finally:
            shared.unregister_heartbeater(about.task_token)
        if refused:
            raise refused[0]
        return result

    def _told_of_shutdown(self) -> threading.Event:
        with self._lock:
            if self._shutdown_event is None:
                self._shutdown_event = event = self._shared.new_event()
                self._shutdown.when_set(lambda: self._signals.submit(event.set))
            return self._shutdown_event


class _ProcessAttempt:
    """One that has not begun is taken back; later its code can ask whether it should stop."""

    def __init__(self, signals: DaemonThreads, context: Context) -> None:
        self._signals = signals
        self._context = context
        self._event: threading.Event | None = None
        self.future: Any = None

    def bind(self, event: threading.Event) -> None:
        """The event that its code sees."""
        self._event = event  # in this order: whoever cancels meanwhile sets the flag first, then looks for the event
        if self._context.cancelled.is_set():
            event.set()

    def cancel(self, msg: Any = None, /) -> None:
        """See `RunningAttempt`."""
        if not self.future.cancel() and self._event is not None:
            self._signals.submit(self._event.set)


def _can_be_sent(converter: PayloadConverter) -> bool:
    try:
        pickle.dumps(converter)
    except Exception:  # whatever a foreign class raises
        return False
    return True


class ProcessCall(NamedTuple):
    """An attempt on its way to a child."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    info: Info
    cancelled: threading.Event
    shutdown: threading.Event
    sender: SharedHeartbeatSender
    converter: PayloadConverter | None


def run_in_child(call: ProcessCall) -> Any:
    """Run an attempt's code; called in the child."""
    variables = contextvars.copy_context()
    variables.run(current_context.set, _ChildContext(call))
    return variables.run(call.function, *call.arguments)


class _SharedOccurrence:
    """An event of the manager as `actorflow.activity.Occurrence`."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await asyncio.to_thread(self._event.wait)

    def wait_sync(self, timeout: float | None = None) -> None:
        self._event.wait(timeout)


class _ChildContext:
    """Implements `actorflow.activity.Context` in a child."""

    client: Any = None
    metric_meter: MetricMeter = MetricMeter.noop

    def __init__(self, call: ProcessCall) -> None:
        self._call = call
        self.cancelled = _SharedOccurrence(call.cancelled)
        self.worker_shutdown = _SharedOccurrence(call.shutdown)

    @property
    def cancellation_details(self) -> ActivityCancellationDetails | None:
        """Only two events reach a child, so a timeout or the end of the workflow look like a cancellation here."""
        if not self.cancelled.is_set():
            return None
        if self.worker_shutdown.is_set():
            return ActivityCancellationDetails(worker_shutdown=True)
        return ActivityCancellationDetails(cancel_requested=True)

    @property
    def payload_converter(self) -> PayloadConverter:
        return self._call.converter or PayloadConverter.default

    def info(self) -> Info:
        return self._call.info

    def heartbeat(self, details: Sequence[Any]) -> None:
        self._call.sender.send_heartbeat(self._call.info.task_token, *details)

    def shield(self) -> AbstractContextManager[None]:
        return nullcontext()
