"""What the code of an attempt can reach while it runs in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from actorflow.activity import ActivityCancellationDetails, Info
from actorflow.common import MetricMeter
from actorflow.converter import PayloadConverter
from actorflow.engine.registry import WorkerHost
from actorflow.pool.flag import Flag
from actorflow.pool.interruption import Interruption


class AttemptContext:
    """Implements `actorflow.activity.Context`; one for each attempt, so it makes nothing before it is asked for.

    Args:
        host: the worker.
        info: makes the attempt's `Info`.
        beat: takes heartbeat details.
        meter: makes the attempt's meter.
        client: for an async activity.
        interruption: how its thread is stopped, if it may be.
    """

    __slots__ = (
        "_beat",
        "_host",
        "_info",
        "_interruption",
        "_meter",
        "cancellation_details",
        "cancelled",
        "client",
        "worker_shutdown",
    )

    def __init__(
        self,
        host: WorkerHost,
        info: Callable[[], Info],
        beat: Callable[[Sequence[Any]], None],
        meter: Callable[[], MetricMeter],
        *,
        client: object | None,
        interruption: Interruption | None,
    ) -> None:
        self._host = host
        self._meter = meter
        self._interruption = interruption
        self._info = info
        self._beat = beat
        self.client = client
        self.worker_shutdown = host.shutdown
        self.cancelled = Flag()
        self.cancellation_details: ActivityCancellationDetails | None = None

    def cancel(self, why: ActivityCancellationDetails) -> None:
        """The code is asked to stop; the first reason stays."""
        if self.cancellation_details is None:
            self.cancellation_details = why
            self.cancelled.set()

    def unintercepted(self) -> tuple[Callable[[], Info], Callable[[Sequence[Any]], None]]:
        """What gives info and takes heartbeats, before `speak_through`."""
        return self._info, self._beat

    def speak_through(self, info: Callable[[], Info], beat: Callable[[Sequence[Any]], None]) -> None:
        """Interceptors stand between the code and what it can reach."""
        self._info, self._beat = info, beat

    def info(self) -> Info:
        """See `Context`."""
        return self._info()

    def heartbeat(self, details: Sequence[Any]) -> None:
        """See `Context`."""
        self._beat(details)

    @property
    def payload_converter(self) -> PayloadConverter:
        """See `Context`."""
        return self._host.converter.payload_converter

    @property
    def metric_meter(self) -> MetricMeter:
        """See `Context`."""
        return self._meter()

    def shield(self) -> AbstractContextManager[None]:
        """See `Context`."""
        return nullcontext() if self._interruption is None else self._interruption.shield()
