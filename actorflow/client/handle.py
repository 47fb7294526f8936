"""A handle to one workflow execution."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

from actorflow.client.errors import WorkflowFailureError, WorkflowQueryFailedError, WorkflowQueryRejectedError
from actorflow.client.history import WorkflowHistory, history_of
from actorflow.client.views import WorkflowExecutionDescription, WorkflowExecutionStatus
from actorflow.common import QueryRejectCondition
from actorflow.converter import DataConverter, Failure
from actorflow.core import events as ev
from actorflow.core.definitions import QUERY_MARK, SIGNAL_MARK, signature_of
from actorflow.exceptions import ApplicationError, CancelledError, TerminatedError, WorkflowParkedError
from actorflow.service import Closed, Parked, QueryRejected, Service, Target
from actorflow.types import (
    LocalReturnType,
    MethodSyncOrAsyncNoParam,
    MethodSyncOrAsyncSingleParam,
    ParamType,
    ReturnType,
    SelfType,
)
from actorflow.workflow.activities import UNSET
from actorflow.workflow.definition import name_of_handler

R = TypeVar("R")


class WorkflowHandle(Generic[SelfType, ReturnType]):
    """Steers one execution: the run it names, or the current run of its workflow id.

    Made by `Client.start_workflow` and `Client.get_workflow_handle`, not by hand.
    """

    def __init__(
        self,
        service: Service,
        namespace: str,
        converter: DataConverter,
        id: str,
        *,
        run_id: str | None = None,
        result_run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: Any = None,
    ) -> None:
        self._service = service
        self._namespace = namespace
        self._converter = converter
        self._id = id
        self._run_id = run_id
        self._result_run_id = result_run_id
        self._first_execution_run_id = first_execution_run_id
        self._result_type = Any if result_type is None else result_type

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """The run that signals, queries, cancel and terminate go to; None means the current one."""
        return self._run_id

    @property
    def result_run_id(self) -> str | None:
        """The run whose result is awaited; None means the current one."""
        return self._result_run_id

    @property
    def first_execution_run_id(self) -> str | None:
        """The first run of the chain, if this handle started it."""
        return self._first_execution_run_id

    async def result(self, *, follow_runs: bool = True, rpc_timeout: timedelta | None = None) -> ReturnType:
        """Wait for the execution to end and return its result, as the type the workflow declares.

        Args:
            follow_runs: go on with the run this one continues as.
            rpc_timeout: accepted for ported programs; the wait itself has no limit.

        Raises:
            WorkflowFailureError: it failed, was cancelled or terminated; the cause says which and why.
            WorkflowParkedError: it can't go on until its code changes; the cause is what the code raised.
            RPCError: NOT_FOUND.
        """
        end = await self._service.result(self._target(self._result_run_id or self._run_id))
        if isinstance(end, Parked):
            raise self._parked(end)
        return self._result_of(end)

    def _result_of(self, end: Closed) -> Any:
        match end.event:
            case ev.Completed(result=payload):
                return None if payload is None else self._converter.decode_one(payload, self._result_type)
            case ev.Failed(failure=failure):
                raise WorkflowFailureError(cause=self._converter.exception(failure))
            case ev.Cancelled(details=details):
                raise WorkflowFailureError(cause=CancelledError("Workflow cancelled", *self._converter.decode(details)))
            case ev.Terminated(reason=reason, details=details):
                raise WorkflowFailureError(
                    cause=TerminatedError(reason or "Workflow terminated", *self._converter.decode(details))
                )
            case other:
                raise AssertionError(f"{other} does not close an execution")

    @overload
    async def signal(self, signal: MethodSyncOrAsyncNoParam[SelfType, None], *, request_id: str = "") -> None: ...
    @overload
    async def signal(
        self, signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None], arg: ParamType, *, request_id: str = ""
    ) -> None: ...
    @overload
    async def signal(
        self, signal: Callable[..., Awaitable[None] | None], *, args: Sequence[Any], request_id: str = ""
    ) -> None: ...
    @overload
    async def signal(self, signal: str, arg: Any = ..., *, args: Sequence[Any] = ..., request_id: str = "") -> None: ...
    async def signal(
        self,
        signal: str | Callable[..., Any],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        request_id: str = "",
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Send a signal. When this returns it is durable and will be handled exactly once.

        Args:
            signal: the handler method, or the signal's name.
            arg: its argument; for several use ``args=[...]``.
            request_id: repeat a call whose outcome you don't know with the same id, and it is delivered once.
            rpc_timeout: accepted for ported programs.

        Raises:
            RPCError: NOT_FOUND: there is no such execution, or it has closed.
            MailboxFullError: it has too many unprocessed messages.
            PayloadError: an argument can't be encoded.
        """
        name = name_of_handler(signal, SIGNAL_MARK, "signal")
        payloads = self._converter.encode(arguments_of(arg, args))
        await self._service.signal(self._target(self._run_id), name, payloads, request_id)

    @overload
    async def query(
        self,
        query: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType],
        *,
        reject_condition: QueryRejectCondition | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> LocalReturnType: ...
    @overload
    async def query(
        self,
        query: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        *,
        reject_condition: QueryRejectCondition | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> LocalReturnType: ...
    @overload
    async def query(
        self,
        query: str | Callable[..., Any],
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        reject_condition: QueryRejectCondition | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> Any: ...
    async def query(
        self,
        query: str | Callable[..., Any],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        result_type: type | None = None,
        reject_condition: QueryRejectCondition | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Ask the program; works on closed executions too, and changes nothing.

        Args:
            query: the handler method, or the query's name.
            arg: its argument; for several use ``args=[...]``.
            result_type: what to decode the answer as, if the handler method is not given.
            reject_condition: don't ask in these states.
            rpc_timeout: how long to wait for a worker that can answer (10 s by default).

        Raises:
            WorkflowQueryFailedError: the handler raised, or there is none.
            WorkflowQueryRejectedError: because of ``reject_condition``.
            WorkflowParkedError: the program can't be rebuilt.
            RPCError: NOT_FOUND, or DEADLINE_EXCEEDED when no worker answered.
        """
        name = name_of_handler(query, QUERY_MARK, "query")
        payloads = self._converter.encode(arguments_of(arg, args))
        timeout = None if rpc_timeout is None else rpc_timeout.total_seconds()
        answer = await self._service.query(self._target(self._run_id), name, payloads, reject_condition, timeout)
        if isinstance(answer, QueryRejected):
            raise WorkflowQueryRejectedError(WorkflowExecutionStatus.of(answer.status))
        if isinstance(answer, Parked):
            raise self._parked(answer)
        if isinstance(answer, Failure):
            raise WorkflowQueryFailedError(answer.message) from self._converter.exception(answer)
        return self._converter.decode_one(answer, _query_type(query, result_type))

    async def cancel(self, *, reason: str = "", rpc_timeout: timedelta | None = None) -> None:
        """Ask the program to stop; durable when this returns. Silent if the execution has closed.

        Raises:
            RPCError: NOT_FOUND: there is no such execution.
        """
        await self._service.cancel(self._target(self._run_id), reason)

    async def terminate(self, *args: Any, reason: str | None = None, rpc_timeout: timedelta | None = None) -> None:
        """End the execution without asking its program; durable when this returns.

        Args:
            args: details for whoever waits for the result.
            reason: for people.
            rpc_timeout: accepted for ported programs.

        Raises:
            RPCError: NOT_FOUND: there is no such execution, or it has closed.
        """
        await self._service.terminate(self._target(self._run_id), reason or "", self._converter.encode(args))

    async def describe(self, *, rpc_timeout: timedelta | None = None) -> WorkflowExecutionDescription:
        """The execution as it stands on disk.

        Raises:
            RPCError: NOT_FOUND.
        """
        return WorkflowExecutionDescription.of(await self._service.describe(self._target(self._run_id)))

    async def fetch_history(self, *, rpc_timeout: timedelta | None = None) -> WorkflowHistory:
        """All events of the run so far: plain values, and what a `Replayer` and the public JSON are made from.

        Args:
            rpc_timeout: accepted for ported programs.

        Raises:
            RPCError: NOT_FOUND.
            CorruptJournalError: a row of the journal is damaged.
        """
        target = self._target(self._run_id or self._result_run_id)
        about = await self._service.describe(target)
        turns = await self._service.history(Target(self._namespace, self._id, about.run_id))
        return history_of(self._id, about.run_id, turns, about.started_at)

    def _target(self, run_id: str | None) -> Target:
        return Target(self._namespace, self._id, run_id)

    def _parked(self, parked: Parked) -> WorkflowParkedError:
        error = WorkflowParkedError(self._id, parked.run_id, parked.reason)
        cause = self._converter.exception(parked.failure)
        if isinstance(cause, ApplicationError) and parked.failure.stack_trace:
            cause.add_note(f"Where the workflow code raised it:\n{parked.failure.stack_trace}")
        error.__cause__ = cause
        return error


def arguments_of(arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """One argument or several.

    Raises:
        ValueError: both were given.
    """
    if arg is UNSET:
        return args
    if args:
        raise ValueError("give either one argument or args=[...], not both")
    return (arg,)


def _query_type(query: str | Callable[..., Any], result_type: Any) -> Any:
    if result_type is not None:
        return result_type
    if isinstance(query, str):
        return Any
    return signature_of(query, skip_self=True).result_type
