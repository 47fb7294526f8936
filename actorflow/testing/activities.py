"""Runs activity code by itself: without a workflow, a worker or a journal."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Final, ParamSpec, TypeVar

from actorflow import activity
from actorflow.activity import ActivityCancellationDetails, Info
from actorflow.client import Client
from actorflow.common import MetricMeter, Priority
from actorflow.converter import PayloadConverter
from actorflow.core.definitions import ACTIVITY_MARK, ActivityDefinition
from actorflow.exceptions import CancelledError
from actorflow.pool.flag import Flag
from actorflow.pool.interruption import Interruption

P = ParamSpec("P")
T = TypeVar("T")

_ON_REQUEST: Final = ActivityCancellationDetails(cancel_requested=True)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _ignored(*details: Any) -> None:
    """A heartbeat nobody listens to."""


class _Asked:
    """What the activities of one environment were asked."""

    def __init__(self) -> None:
        self.to_stop = Flag()
        self.by_worker = Flag()
        self.why: ActivityCancellationDetails | None = None


class ActivityEnvironment:
    """What activity code sees around it, to be set by a test before `run`.

    Args:
        client: what ``activity.client()`` gives to async activities; without it that raises, as in a sync one.

    Attributes:
        info: what ``activity.info()`` gives; see `default_info`.
        on_heartbeat: called with the details of each heartbeat, on the activity's thread.
        payload_converter: what ``activity.payload_converter()`` gives; heartbeat details must pass through it.
        metric_meter: what ``activity.metric_meter()`` gives; by default values go nowhere.
    """

    def __init__(self, client: Client | None = None) -> None:
        self.info: Info = self.default_info()
        self.on_heartbeat: Callable[..., None] = _ignored
        self.payload_converter: PayloadConverter = PayloadConverter.default
        self.metric_meter: MetricMeter = MetricMeter.noop
        self._client = client
        self._asked = _Asked()
        self._stops: list[Callable[[], object]] = []

    @staticmethod
    def default_info() -> Info:
        """An `Info` of made-up values; use ``dataclasses.replace`` to change some."""
        return Info(
            activity_id="test",
            activity_type="unknown",
            attempt=1,
            current_attempt_scheduled_time=_EPOCH,
            heartbeat_details=[],
            heartbeat_timeout=None,
            is_local=False,
            namespace="default",
            schedule_to_close_timeout=timedelta(seconds=1),
            scheduled_time=_EPOCH,
            start_to_close_timeout=timedelta(seconds=1),
            started_time=_EPOCH,
            task_queue="test",
            task_token=b"test",
            workflow_id="test",
            workflow_namespace="default",
            workflow_run_id="test-run",
            workflow_type="test",
            priority=Priority.default,
            retry_policy=None,
        )

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an activity: a sync one here and now, an async one when what this returns is awaited.

        It need not be decorated. Several may run in one environment, one after the other or at the same time.

        Raises:
            Exception: whatever the activity raises. One that is cancelled while it runs raises `asyncio.CancelledError`
                if it is async, and `actorflow.exceptions.CancelledError` if it is sync, unless it handles that.
        """
        mark: ActivityDefinition | None = getattr(fn, ACTIVITY_MARK, None)
        definition = ActivityDefinition("", fn, mark is not None and mark.no_thread_cancel_exception)

        def call() -> Any:
            return fn(*args, **kwargs)

        outcome: Any = self._run_async(call) if definition.is_async else self._run_sync(call, definition)
        return outcome

    def cancel(self, cancellation_details: ActivityCancellationDetails = _ON_REQUEST) -> None:
        """Ask the activities that run to stop, as their workflow would; only the first call counts. Any thread may.

        One that begins later finds itself cancelled, but nothing is thrown into it.
        """
        if self._asked.to_stop.is_set():
            return
        self._asked.why = cancellation_details
        self._asked.to_stop.set()
        for stop in list(self._stops):
            stop()

    def worker_shutdown(self) -> None:
        """Let the activities know that their worker leaves. Any thread may."""
        self._asked.by_worker.set()

    async def _run_async(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        loop = asyncio.get_running_loop()
        # A task of its own, so that what it sees around it is not seen by the test; it ends before we do.
        task = loop.create_task(call(), context=self._variables(client=self._client))

        def stop() -> None:
            if asyncio._get_running_loop() is loop:
                task.cancel()
            else:
                loop.call_soon_threadsafe(task.cancel)

        self._stops.append(stop)
        try:
            return await task
        finally:
            self._stops.remove(stop)

    def _run_sync(self, call: Callable[[], T], definition: ActivityDefinition) -> T:
        if definition.no_thread_cancel_exception:
            return self._variables().run(call)
        interruption = Interruption(CancelledError)
        self._stops.append(interruption.throw)
        try:
            return self._variables(interruption=interruption).run(interruption.run, call)
        finally:
            self._stops.remove(interruption.throw)

    def _variables(
        self, *, client: Client | None = None, interruption: Interruption | None = None
    ) -> contextvars.Context:
        variables = contextvars.copy_context()
        variables.run(activity.current_context.set, _Surroundings(self, self._asked, client, interruption))
        return variables


class _Surroundings:
    """Implements `actorflow.activity.Context` for one activity."""

    def __init__(
        self,
        environment: ActivityEnvironment,
        asked: _Asked,
        client: Client | None,
        interruption: Interruption | None,
    ) -> None:
        self._environment = environment
        self._asked = asked
        self._interruption = interruption
        self.client = client
        self.cancelled = asked.to_stop
        self.worker_shutdown = asked.by_worker

    @property
    def cancellation_details(self) -> ActivityCancellationDetails | None:
        """See `Context`."""
        return self._asked.why

    @property
    def payload_converter(self) -> PayloadConverter:
        """See `Context`."""
        return self._environment.payload_converter

    @property
    def metric_meter(self) -> MetricMeter:
        """See `Context`."""
        return self._environment.metric_meter

    def info(self) -> Info:
        """See `Context`."""
        return self._environment.info

    def heartbeat(self, details: Sequence[Any]) -> None:
        """See `Context`."""
        for detail in details:
            self.payload_converter.to_payload(detail)  # what could not be journaled is refused here, too
        self._environment.on_heartbeat(*details)

    def shield(self) -> AbstractContextManager[None]:
        """See `Context`."""
        return nullcontext() if self._interruption is None else self._interruption.shield()
