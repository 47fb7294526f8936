"""A handle to one update of an execution, and the stages of its life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from enum import IntEnum
from functools import partial
from typing import Any, Generic, TypeVar

from actorflow.client.data import WorkflowData
from actorflow.client.errors import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from actorflow.client.start import NO_METADATA
from actorflow.exceptions import ApplicationError, WorkflowParkedError
from actorflow.service import Parked, Service, Target, UpdateAnswer
from actorflow.types import LocalReturnType

T = TypeVar("T")


class WorkflowUpdateStage(IntEnum):
    """How far an update has come; numbered as in the public API."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3


class WorkflowUpdateHandle(Generic[LocalReturnType]):
    """Waits for one update. Made by `WorkflowHandle.start_update` and `get_update_handle`, not by hand."""

    def __init__(
        self,
        service: Service,
        data: WorkflowData,
        id: str,
        target: Target,
        *,
        result_type: Any = None,
        known: UpdateAnswer | None = None,
    ) -> None:
        self._service = service
        self._data = data
        self._id = id
        self._target = target
        self._result_type = Any if result_type is None else result_type
        self._known = known

    @property
    def id(self) -> str:
        """The update id."""
        return self._id

    @property
    def workflow_id(self) -> str:
        """The workflow id of its execution."""
        return self._target.workflow_id

    @property
    def workflow_run_id(self) -> str | None:
        """The run that accepted it, if known."""
        return self._target.run_id

    async def result(
        self, *, rpc_metadata: Mapping[str, str | bytes] = NO_METADATA, rpc_timeout: timedelta | None = None
    ) -> LocalReturnType:
        """Wait for the update to end and return its result, as the type its handler declares.

        Args:
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait.

        Raises:
            WorkflowUpdateFailedError: it was rejected, or its handler failed; the cause says why.
            WorkflowUpdateRPCTimeoutOrCancelledError: it did not end in time.
            WorkflowParkedError: its execution does not go on now.
            RPCError: NOT_FOUND: there is no such update.
        """
        if self._known is None or not self._known.is_over:
            answer = await within(partial(self._service.update_outcome, self._target, self._id), rpc_timeout)
            if isinstance(answer, Parked):
                raise await parked_error(answer, self._target.workflow_id, self._data)
            self._known = answer
        known = await self._data.opened(self._known)
        if known.failure is not None:
            raise WorkflowUpdateFailedError(self._data.values.exception(known.failure))
        result: Any = None
        if known.result is not None:
            result = self._data.values.decode_one(known.result, self._result_type)
        return result


async def within(call: Callable[[], Awaitable[T]], timeout: timedelta | None) -> T:
    """The answer of a call about an update.

    Raises:
        WorkflowUpdateRPCTimeoutOrCancelledError: it did not come in time.
        TypeError: the timeout is not a timedelta; nothing was called.
    """
    if timeout is not None and not isinstance(timeout, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"rpc_timeout must be a timedelta, not {type(timeout).__name__}")
    try:
        async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
            return await call()
    except TimeoutError as late:
        raise WorkflowUpdateRPCTimeoutOrCancelledError from late


async def parked_error(parked: Parked, workflow_id: str, data: WorkflowData) -> WorkflowParkedError:
    """What a caller is told of an execution that does not go on."""
    error = WorkflowParkedError(workflow_id, parked.run_id, parked.reason)
    parked = await data.opened_if_possible(parked)
    cause = data.explained(parked.failure)
    if isinstance(cause, ApplicationError) and parked.failure.stack_trace:
        cause.add_note(f"Where the workflow code raised it:\n{parked.failure.stack_trace}")
    error.__cause__ = cause
    return error
