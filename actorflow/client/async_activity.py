"""Activities that are completed from outside: by a token of one attempt, or by their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from actorflow.activity import ActivityCancellationDetails
from actorflow.client.connection import Connection
from actorflow.client.data import WorkflowData
from actorflow.converter import DataConverter
from actorflow.core.task_token import decode_task_token
from actorflow.exceptions import TemporalError
from actorflow.service import ActivityReport, ActivityTarget, RPCError, RPCStatusCode, Target
from actorflow.workflow.activities import UNSET


@dataclass(frozen=True)
class AsyncActivityIDReference:
    """An activity by its ids; without a run id of the workflow's open run."""

    workflow_id: str
    run_id: str | None
    activity_id: str


class AsyncActivityCancelledError(TemporalError):
    """The workflow wants the activity stopped: stop working on it, and call `AsyncActivityHandle.report_cancellation`.

    Attributes:
        details: why.
    """

    def __init__(self, details: ActivityCancellationDetails | None = None) -> None:
        super().__init__("Activity cancelled")
        self.details = details


class AsyncActivityHandle:
    """Ends an activity whose code has left it open; use `Client.get_async_activity_handle`.

    Raises (all methods):
        ActivityNotRunningError: no attempt of the activity runs, or was left open (an RPCError, NOT_FOUND).
        StaleAttemptError: a later attempt has taken the place of the token's (an RPCError, NOT_FOUND).
        RPCError: the token is none of ours (INVALID_ARGUMENT), or there is no such workflow (NOT_FOUND).
        PayloadError: a value can't be encoded.
        CodecError: the codec can't encode now.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        converter: DataConverter,
        id_or_token: AsyncActivityIDReference | bytes,
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._converter = converter
        self._id_or_token = id_or_token

    async def heartbeat(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Say that somebody still works on it, and what the next attempt should know.

        Args:
            details: durable at most a second later.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: accepted for ported programs.

        Raises:
            AsyncActivityCancelledError: the workflow wants it stopped; the details were recorded all the same.
        """
        activity = self._target()
        payloads = await self._data_of(activity).encode(details)
        if await self._connection.service.beat_activity(activity, payloads):
            raise AsyncActivityCancelledError(ActivityCancellationDetails(cancel_requested=True))

    async def complete(
        self,
        result: Any = UNSET,
        *,
        rpc_metadata: Mapping[str, str | bytes] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End it with a result, durably.

        Args:
            result: what the workflow gets; None if left out.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: accepted for ported programs.
        """
        has_result = result is not UNSET and result is not None
        await self._settle(ActivityReport(self._converter.values.encode_one(result) if has_result else None))

    async def fail(
        self,
        error: Exception,
        *,
        last_heartbeat_details: Sequence[Any] = (),
        rpc_metadata: Mapping[str, str | bytes] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End the attempt with a failure, durably; it is tried again as its retry policy says.

        Args:
            error: what the workflow gets as the cause of its `ActivityError`.
            last_heartbeat_details: what the next attempt should know.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: accepted for ported programs.
        """
        values = self._converter.values
        details = values.encode(last_heartbeat_details)
        await self._settle(ActivityReport(failure=values.failure(error), details=details))

    async def report_cancellation(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End it as cancelled, which its workflow has asked for.

        Args:
            details: `CancelledError.details` of what the workflow gets.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: accepted for ported programs.

        Raises:
            RPCError: INVALID_ARGUMENT: nobody asked for it.
        """
        await self._settle(ActivityReport(is_cancelled=True, details=self._converter.values.encode(details)))

    async def _settle(self, report: ActivityReport) -> None:
        activity = self._target()
        await self._connection.service.settle_activity(activity, await self._data_of(activity).closed(report))

    def _data_of(self, activity: ActivityTarget) -> WorkflowData:
        return WorkflowData(self._converter, self._namespace, activity.target.workflow_id)

    def _target(self) -> ActivityTarget:
        reference = self._id_or_token
        if isinstance(reference, AsyncActivityIDReference):
            target = Target(self._namespace, reference.workflow_id, reference.run_id)
            return ActivityTarget(target, reference.activity_id)
        try:
            token = decode_task_token(reference)
        except ValueError as problem:
            raise RPCError(str(problem), RPCStatusCode.INVALID_ARGUMENT) from problem
        if token.namespace != self._namespace:
            raise RPCError(
                f"the task token is of another namespace than this client, which is of {self._namespace!r}; "
                "connect to the one its activity runs in",
                RPCStatusCode.INVALID_ARGUMENT,
            )
        return ActivityTarget(
            Target(token.namespace, token.workflow_id, token.run_id), token.activity_id, token.attempt
        )
