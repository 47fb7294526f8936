"""What a program is given from outside: who it is, and whom it tells what nobody asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from actorflow.exceptions import PayloadError
from actorflow.metering import Instrument, MetricAttributes


class Reporter(Protocol):
    """Where a program says what nobody asked for; the core itself writes no log."""

    def dropped_signal(self, name: str, problem: PayloadError) -> None:
        """A signal could not be decoded and is left out."""
        ...

    def loop_error(self, context: dict[str, Any]) -> None:
        """As asyncio's exception handlers get it."""
        ...

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        """See `actorflow.metering.Record`."""
        ...


class Identity(Protocol):
    """The part of a run's identity a program can see."""

    @property
    def namespace(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def workflow_type(self) -> str: ...
    @property
    def task_queue(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
