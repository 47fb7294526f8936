"""What the engine says to people about the code it runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from actorflow.converter import Failure
from actorflow.core import events as ev, limits
from actorflow.exceptions import ApplicationErrorCategory, CodecError, PayloadError
from actorflow.metering import Instrument, MetricAttributes
from actorflow.observability.metrics import Metrics
from actorflow.store.protocol import Identity

_log = logging.getLogger("actorflow.workflow")
_activity_log = logging.getLogger("actorflow.activity")


class ProgramReporter:
    """Logs what happens inside one program and fails nothing.

    Args:
        identity: of the run.
        metrics: take what the program counts; None if nobody does.
    """

    __slots__ = ("_identity", "_metrics")

    def __init__(self, identity: Identity, metrics: Metrics | None = None) -> None:
        self._identity = identity
        self._metrics = metrics

    def dropped_signal(self, name: str, problem: PayloadError) -> None:
        """See `core.program.outside.Reporter`."""
        _log.error(
            "signal %r for workflow %r (run %s) was dropped: %s",
            name,
            self._identity.workflow_id,
            self._identity.run_id,
            problem,
        )

    def loop_error(self, context: Mapping[str, Any]) -> None:
        """See `core.program.outside.Reporter`."""
        problem = context.get("exception")
        _log.error(
            "in workflow %r (run %s): %s",
            self._identity.workflow_id,
            self._identity.run_id,
            context.get("message", "unhandled exception"),
            exc_info=problem if isinstance(problem, BaseException) else None,
        )

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        """See `core.program.outside.Reporter`."""
        if self._metrics is not None:
            self._metrics.record(instrument, value, attributes)


def report_turn_failure(identity: Identity, problem: BaseException, *, attempts: int, is_parked: bool) -> None:
    """Say that a turn failed, with the user's traceback, and what follows."""
    follows = "it is parked until its code changes" if is_parked else "it will be tried again"
    is_codecs = isinstance(problem, CodecError)
    if is_codecs and is_parked:
        follows = f"it is parked until {problem.codec} can"
    _log.warning(
        "Failed activation on workflow %r with ID %s and run ID %s (failure %d of this turn; %s)",
        identity.workflow_type,
        identity.workflow_id,
        identity.run_id,
        attempts,
        follows,
        exc_info=problem.__cause__ if is_codecs else problem,
    )


def report_activity_failure(
    identity: Identity, scheduled: ev.ActivityScheduled, attempt: int, failure: Failure, problem: BaseException | None
) -> None:
    """Say that an attempt failed, unless its code says that this was to be expected."""
    if failure.category == ApplicationErrorCategory.BENIGN:
        return
    details = {
        "activity_id": scheduled.activity_id,
        "activity_type": scheduled.activity_type,
        "attempt": attempt,
        "workflow_id": identity.workflow_id,
        "workflow_run_id": identity.run_id,
    }
    extra = {"temporal_activity": details}
    _activity_log.warning(
        "Completing activity as failed (%s): %s", details, failure.message, exc_info=problem, extra=extra
    )


class Unserved:
    """Warns about what waits for a worker although there are some: most often a misspelt name. Once for each name."""

    def __init__(self) -> None:
        self._warned: set[tuple[str, ...]] = set()

    def workflow(self, identity: Identity) -> None:
        """No worker here runs this type on this task queue."""
        if self._is_new("workflow", identity.namespace, identity.task_queue, identity.workflow_type):
            _log.warning(
                "workflow %r waits: no worker of this process runs type %r on task queue %r",
                identity.workflow_id,
                identity.workflow_type,
                identity.task_queue,
            )

    def activity(self, identity: Identity, activity_type: str, task_queue: str) -> None:
        """No worker here has activities on this task queue."""
        if self._is_new("activity", identity.namespace, task_queue):
            _log.warning(
                "activity %r of workflow %r waits: no worker of this process has activities on task queue %r",
                activity_type,
                identity.workflow_id,
                task_queue,
            )

    def _is_new(self, *names: str) -> bool:
        if names in self._warned or len(self._warned) >= limits.UNSERVED_NAMES_MAX:
            return False
        self._warned.add(names)
        return True
