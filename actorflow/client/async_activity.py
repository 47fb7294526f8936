"""Activities that are completed from outside: by a token of one attempt, or by their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from actorflow.activity import ActivityCancellationDetails
from actorflow.client.activity_reference import AsyncActivityIDReference
from actorflow.client.asking import Access
from actorflow.client.inputs import (
    CompleteAsyncActivityInput,
    FailAsyncActivityInput,
    HeartbeatAsyncActivityInput,
    ReportCancellationAsyncActivityInput,
)
from actorflow.client.start import NO_METADATA
from actorflow.exceptions import TemporalError
from actorflow.workflow.arguments import UNSET


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
        access: Access,
        id_or_token: AsyncActivityIDReference | bytes,
    ) -> None:
        self._access = access
        self._id_or_token = id_or_token

    async def heartbeat(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Say that somebody still works on it, and what the next attempt should know.

        Args:
            details: durable at most a second later.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            AsyncActivityCancelledError: the workflow wants it stopped; the details were recorded all the same.
        """
        asked = HeartbeatAsyncActivityInput(self._id_or_token, details, rpc_metadata, rpc_timeout)
        await self._access.outbound.heartbeat_async_activity(asked)

    async def complete(
        self,
        result: Any = UNSET,
        *,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End it with a result, durably.

        Args:
            result: what the workflow gets; None if left out.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.
        """
        outcome = None if result is UNSET else result
        asked = CompleteAsyncActivityInput(self._id_or_token, outcome, rpc_metadata, rpc_timeout)
        await self._access.outbound.complete_async_activity(asked)

    async def fail(
        self,
        error: Exception,
        *,
        last_heartbeat_details: Sequence[Any] = (),
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End the attempt with a failure, durably; it is tried again as its retry policy says.

        Args:
            error: what the workflow gets as the cause of its `ActivityError`.
            last_heartbeat_details: what the next attempt should know.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.
        """
        asked = FailAsyncActivityInput(self._id_or_token, error, last_heartbeat_details, rpc_metadata, rpc_timeout)
        await self._access.outbound.fail_async_activity(asked)

    async def report_cancellation(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End it as cancelled, which its workflow has asked for.

        Args:
            details: `CancelledError.details` of what the workflow gets.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            RPCError: INVALID_ARGUMENT: nobody asked for it.
        """
        asked = ReportCancellationAsyncActivityInput(self._id_or_token, details, rpc_metadata, rpc_timeout)
        await self._access.outbound.report_cancellation_async_activity(asked)
