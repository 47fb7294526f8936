"""A `Service` that only tells: over a journal somebody else owns, or nobody, or an engine of this process."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from actorflow.common import QueryRejectCondition
from actorflow.converter import Failure, Payload
from actorflow.core.schedules.record import Definition, Patch
from actorflow.engine.group_commit import stopped
from actorflow.exceptions import StorageError
from actorflow.service import (
    ActivityReport,
    ActivityTarget,
    Closed,
    Description,
    ExecutionCount,
    ExecutionPage,
    Headers,
    ListRequest,
    Parked,
    QueryRejected,
    RPCError,
    RPCStatusCode,
    RunHistory,
    ScheduleDescribed,
    SchedulePage,
    ScheduleRequest,
    StartRequest,
    Target,
    UpdateAnswer,
    UpdateRequest,
)


class Readings(Protocol):
    """The part of `Service` that changes nothing and needs no program."""

    async def describe(self, target: Target) -> Description:
        """See `Service.describe`."""
        ...

    async def list(self, request: ListRequest) -> ExecutionPage:
        """See `Service.list`."""
        ...

    async def count(self, namespace: str, query: str) -> ExecutionCount:
        """See `Service.count`."""
        ...

    async def history(self, target: Target) -> RunHistory:
        """See `Service.history`."""
        ...

    async def result(self, target: Target) -> Closed | Parked:
        """See `Service.result`."""
        ...

    async def describe_schedule(self, namespace: str, schedule_id: str) -> ScheduleDescribed:
        """See `Service.describe_schedule`."""
        ...

    async def list_schedules(self, namespace: str, after: str, limit: int) -> SchedulePage:
        """See `Service.list_schedules`."""
        ...


class Inspection:
    """Implements `actorflow.service.Service`; refuses whatever would write, or needs a program.

    Args:
        readings: who tells.
        name: of the journal, for messages.
    """

    def __init__(self, readings: Readings, name: str) -> None:
        self._readings = readings
        self._name = name
        self._is_stopped = False

    def stop(self) -> None:
        """Answer no more; whoever waits is told that this client is closed."""
        self._is_stopped = True

    async def start(self, request: StartRequest) -> tuple[str, bool]:
        """Refused."""
        raise self._refusal(f"workflow {request.workflow_id!r} can't be started")

    async def signal(
        self, target: Target, name: str, input: tuple[Payload, ...], request_id: str = "", headers: Headers = None
    ) -> None:
        """Refused."""
        raise self._refusal(f"signal {name!r} can't be sent to workflow {target.workflow_id!r}")

    async def query(
        self,
        target: Target,
        name: str,
        input: tuple[Payload, ...],
        reject: QueryRejectCondition | None,
        timeout: float | None,
        headers: Headers = None,
    ) -> Payload | Failure | Parked | QueryRejected:
        """Refused: only a running program can answer."""
        raise self._refusal(f"query {name!r} can't be put to workflow {target.workflow_id!r}: its program is not here")

    async def update(self, target: Target, request: UpdateRequest) -> UpdateAnswer | Parked:
        """Refused."""
        raise self._refusal(f"update {request.name!r} can't be sent to workflow {target.workflow_id!r}")

    async def update_with_start(
        self, start: StartRequest, request: UpdateRequest, on_started: Callable[[str], None]
    ) -> UpdateAnswer | Parked:
        """Refused."""
        raise self._refusal(f"workflow {start.workflow_id!r} can't be started")

    async def update_outcome(self, target: Target, update_id: str) -> UpdateAnswer | Parked:
        """Refused."""
        raise self._refusal(f"update {update_id!r} of workflow {target.workflow_id!r} can't be waited for")

    async def cancel(self, target: Target, reason: str) -> None:
        """Refused."""
        raise self._refusal(f"workflow {target.workflow_id!r} can't be cancelled")

    async def terminate(self, target: Target, reason: str, details: tuple[Payload, ...]) -> None:
        """Refused."""
        raise self._refusal(f"workflow {target.workflow_id!r} can't be terminated")

    async def settle_activity(self, activity: ActivityTarget, report: ActivityReport) -> None:
        """Refused."""
        raise self._refusal(f"activity {activity.activity_id!r} can't be completed")

    async def beat_activity(self, activity: ActivityTarget, details: tuple[Payload, ...]) -> bool:
        """Refused."""
        raise self._refusal(f"activity {activity.activity_id!r} can't take a heartbeat")

    async def describe(self, target: Target) -> Description:
        """See `Service.describe`."""
        with self._answering():
            return await self._readings.describe(target)

    async def list(self, request: ListRequest) -> ExecutionPage:
        """See `Service.list`."""
        with self._answering():
            return await self._readings.list(request)

    async def count(self, namespace: str, query: str) -> ExecutionCount:
        """See `Service.count`."""
        with self._answering():
            return await self._readings.count(namespace, query)

    async def history(self, target: Target) -> RunHistory:
        """See `Service.history`."""
        with self._answering():
            return await self._readings.history(target)

    async def result(self, target: Target) -> Closed | Parked:
        """See `Service.result`."""
        with self._answering():
            return await self._readings.result(target)

    async def create_schedule(self, request: ScheduleRequest) -> None:
        """Refused."""
        raise self._refusal(f"schedule {request.schedule_id!r} can't be created")

    async def describe_schedule(self, namespace: str, schedule_id: str) -> ScheduleDescribed:
        """See `Service.describe_schedule`."""
        with self._answering():
            return await self._readings.describe_schedule(namespace, schedule_id)

    async def list_schedules(self, namespace: str, after: str, limit: int) -> SchedulePage:
        """See `Service.list_schedules`."""
        with self._answering():
            return await self._readings.list_schedules(namespace, after, limit)

    async def update_schedule(self, namespace: str, schedule_id: str, definition: Definition, revision: int) -> None:
        """Refused."""
        raise self._refusal(f"schedule {schedule_id!r} can't be updated")

    async def patch_schedule(self, namespace: str, schedule_id: str, patch: Patch) -> None:
        """Refused."""
        raise self._refusal(f"nothing can be asked of schedule {schedule_id!r}")

    async def delete_schedule(self, namespace: str, schedule_id: str) -> None:
        """Refused."""
        raise self._refusal(f"schedule {schedule_id!r} can't be deleted")

    @contextmanager
    def _answering(self) -> Generator[None]:
        if self._is_stopped:
            raise stopped(None)
        try:
            yield
        except StorageError as problem:
            if self._is_stopped:  # the journal was closed under the one who asked
                raise stopped(None) from problem
            raise

    def _refusal(self, what: str) -> RPCError:
        return RPCError(
            f"{self._name} is opened read-only: {what}; do it in the program that owns the file, or connect without "
            "read_only when none does",
            RPCStatusCode.FAILED_PRECONDITION,
        )
