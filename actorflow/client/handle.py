"""A handle to one workflow execution."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

import msgspec

from actorflow.client.data import WorkflowData
from actorflow.client.deadline import answered
from actorflow.client.errors import (
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from actorflow.client.history import WorkflowHistory, history_of
from actorflow.client.start import NO_METADATA
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage, parked_error, within
from actorflow.client.views import WorkflowExecutionDescription, WorkflowExecutionStatus
from actorflow.common import QueryRejectCondition
from actorflow.converter import DataConverter, Failure
from actorflow.core import events as ev
from actorflow.core.definitions import QUERY_MARK, SIGNAL_MARK, UPDATE_MARK, signature_of
from actorflow.core.policy.succession import successor_id
from actorflow.exceptions import CancelledError, TerminatedError, TimeoutError, TimeoutType, WorkflowParkedError
from actorflow.service import Closed, Parked, QueryRejected, Service, Target, UpdateAnswer, UpdateRequest
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


class SignalOptions(TypedDict, total=False):
    """How a signal is sent; see `WorkflowHandle.signal`."""

    request_id: str
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class UpdateOptions(TypedDict, total=False):
    """How an update is sent.

    Attributes:
        id: the update id; repeat a call whose outcome you don't know with the same one, and it takes effect once.
        result_type: what to decode the result as, if the handler method is not given.
        rpc_metadata: accepted for ported programs.
        rpc_timeout: how long to wait for the answer.
    """

    id: str | None
    result_type: type | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


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
        reject_condition: QueryRejectCondition | None = None,
    ) -> None:
        self._service = service
        self._reject = reject_condition
        self._namespace = namespace
        self._data = WorkflowData(converter, namespace, id)
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

    async def result(
        self,
        *,
        follow_runs: bool = True,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> ReturnType:
        """Wait for the execution to end and return its result, as the type the workflow declares.

        Args:
            follow_runs: go on with the run that follows this one: continued as new, a retry, or the next of a cron.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for each run's end.

        Raises:
            WorkflowContinuedAsNewError: it continued as new, and ``follow_runs`` is False.
            WorkflowFailureError: it failed, was cancelled or terminated; the cause says which and why.
            WorkflowParkedError: it can't go on until its code changes; the cause is what the code raised.
            RPCError: NOT_FOUND, or DEADLINE_EXCEEDED because of ``rpc_timeout``.
        """
        run_id = self._result_run_id or self._run_id
        while True:
            end = await answered(self._service.result(self._target(run_id)), rpc_timeout)
            if isinstance(end, Parked):
                raise await self._parked(end)
            successor = successor_id(end.event)
            if not successor or not (follow_runs or isinstance(end.event, ev.ContinuedAsNew)):
                return self._result_of(await self._data.opened(end))
            if not follow_runs:
                raise WorkflowContinuedAsNewError(successor)
            run_id = successor

    def _result_of(self, end: Closed) -> Any:
        match end.event:
            case ev.Completed(result=payload):
                return None if payload is None else self._data.values.decode_one(payload, self._result_type)
            case ev.Failed(failure=failure):
                raise WorkflowFailureError(cause=self._data.values.exception(failure))
            case ev.Cancelled(details=details):
                given = self._data.values.decode(details)
                raise WorkflowFailureError(cause=CancelledError("Workflow cancelled", *given))
            case ev.Terminated(reason=reason, details=details):
                given = self._data.values.decode(details)
                raise WorkflowFailureError(cause=TerminatedError(reason or "Workflow terminated", *given))
            case ev.TimedOut():
                timeout = TimeoutError("Workflow timed out", type=TimeoutType.START_TO_CLOSE)
                raise WorkflowFailureError(cause=timeout)
            case other:
                raise AssertionError(f"{other} does not close an execution")

    @overload
    async def signal(
        self, signal: MethodSyncOrAsyncNoParam[SelfType, None], **options: Unpack[SignalOptions]
    ) -> None: ...
    @overload
    async def signal(
        self,
        signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None],
        arg: ParamType,
        **options: Unpack[SignalOptions],
    ) -> None: ...
    @overload
    async def signal(
        self, signal: Callable[..., Awaitable[None] | None], *, args: Sequence[Any], **options: Unpack[SignalOptions]
    ) -> None: ...
    @overload
    async def signal(
        self, signal: str, arg: Any = ..., *, args: Sequence[Any] = ..., **options: Unpack[SignalOptions]
    ) -> None: ...
    async def signal(
        self,
        signal: str | Callable[..., Any],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        request_id: str = "",
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Send a signal. When this returns it is durable and will be handled exactly once.

        Args:
            signal: the handler method, or the signal's name.
            arg: its argument; for several use ``args=[...]``.
            request_id: repeat a call whose outcome you don't know with the same id, and it is delivered once to a run;
                the run that continues it as new does not know the id.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            RPCError: NOT_FOUND: there is no such execution, or it has closed.
            MailboxFullError: it has too many unprocessed messages.
            PayloadError: an argument can't be encoded.
        """
        name = name_of_handler(signal, SIGNAL_MARK, "signal")
        payloads = await self._data.encode(arguments_of(arg, args))
        await answered(self._service.signal(self._target(self._run_id), name, payloads, request_id), rpc_timeout)

    @overload
    async def query(
        self,
        query: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType],
        *,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> LocalReturnType: ...
    @overload
    async def query(
        self,
        query: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        *,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
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
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
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
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Ask the program; works on closed executions too, and changes nothing.

        Args:
            query: the handler method, or the query's name.
            arg: its argument; for several use ``args=[...]``.
            result_type: what to decode the answer as, if the handler method is not given.
            reject_condition: don't ask in these states; default is the client's.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for a worker that can answer (10 s by default).

        Raises:
            WorkflowQueryFailedError: the handler raised, or there is none.
            WorkflowQueryRejectedError: because of ``reject_condition``.
            WorkflowParkedError: the program can't be rebuilt.
            RPCError: NOT_FOUND, or DEADLINE_EXCEEDED when no worker answered.
        """
        name = name_of_handler(query, QUERY_MARK, "query")
        payloads = await self._data.encode(arguments_of(arg, args))
        timeout = None if rpc_timeout is None else rpc_timeout.total_seconds()
        reject = self._reject if reject_condition is None else reject_condition
        answer = await self._service.query(self._target(self._run_id), name, payloads, reject, timeout)
        if isinstance(answer, QueryRejected):
            raise WorkflowQueryRejectedError(WorkflowExecutionStatus.of(answer.status))
        if isinstance(answer, Parked):
            raise await self._parked(answer)
        answer = await self._data.opened(answer)
        if isinstance(answer, Failure):
            problem = self._data.values.exception(answer)
            raise WorkflowQueryFailedError(problem.message) from problem
        return self._data.values.decode_one(answer, _result_type(query, result_type))

    @overload
    async def execute_update(
        self, update: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType], **options: Unpack[UpdateOptions]
    ) -> LocalReturnType: ...
    @overload
    async def execute_update(
        self,
        update: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...
    @overload
    async def execute_update(
        self,
        update: str | Callable[..., Any],
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        **options: Unpack[UpdateOptions],
    ) -> Any: ...
    async def execute_update(self, update: Any, arg: Any = UNSET, *, args: Sequence[Any] = (), **options: Any) -> Any:
        """Send an update and wait for its result.

        Args:
            update: the handler method, or the update's name.
            arg: its argument; for several use ``args=[...]``.
            args: see ``arg``.
            options: see `UpdateOptions`.

        Raises:
            WorkflowUpdateFailedError: it was rejected, or its handler failed; the cause says why.
            WorkflowUpdateRPCTimeoutOrCancelledError: the answer did not come in time.
            WorkflowParkedError: the execution does not go on now.
            RPCError: NOT_FOUND: there is no such execution, or it has closed without having accepted this update.
            PayloadError: an argument can't be encoded.
        """
        handle = await self._start_update(update, arg, args, WorkflowUpdateStage.COMPLETED, **options)
        return await handle.result()

    @overload
    async def start_update(
        self,
        update: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType],
        *,
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    @overload
    async def start_update(
        self,
        update: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        *,
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    @overload
    async def start_update(
        self,
        update: str | Callable[..., Any],
        arg: Any = ...,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = ...,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[Any]: ...
    async def start_update(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = (),
        **options: Any,
    ) -> WorkflowUpdateHandle[Any]:
        """Send an update and wait until it is accepted (and so survives any crash), or until it is over.

        Takes and raises what `execute_update` does; one that is rejected or fails says so in the handle's ``result``.

        Args:
            wait_for_stage: ACCEPTED or COMPLETED.

        Raises:
            ValueError: the stage is ADMITTED, which nobody can wait for.
        """
        return await self._start_update(update, arg, args, wait_for_stage, **options)

    async def _start_update(
        self,
        update: Any,
        arg: Any,
        args: Sequence[Any],
        stage: WorkflowUpdateStage,
        *,
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        request = await update_request(self._data, update, arg, args, id, stage)
        answer = await within(partial(self._service.update, self._own_target(), request), rpc_timeout)
        return await self.update_answered(answer, update, result_type)

    async def update_answered(
        self, answer: UpdateAnswer | Parked, update: str | Callable[..., Any], result_type: type | None
    ) -> WorkflowUpdateHandle[Any]:
        """The handle of an update that was answered, for clients; raises what `start_update` does."""
        if isinstance(answer, Parked):
            raise await self._parked(answer)
        return self._update_handle(answer.update_id, answer.run_id, _result_type(update, result_type), known=answer)

    def get_update_handle(
        self, id: str, *, workflow_run_id: str | None = None, result_type: type | None = None
    ) -> WorkflowUpdateHandle[Any]:
        """A handle to an update that was sent before; its ``result`` tells whether there is one.

        Args:
            id: the update id.
            workflow_run_id: the run that accepted it; default is the handle's.
            result_type: what to decode its result as.
        """
        return self._update_handle(id, workflow_run_id or self._run_id, result_type)

    @overload
    def get_update_handle_for(
        self,
        update: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType],
        id: str,
        *,
        workflow_run_id: str | None = None,
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    @overload
    def get_update_handle_for(
        self,
        update: MethodSyncOrAsyncSingleParam[SelfType, Any, LocalReturnType],
        id: str,
        *,
        workflow_run_id: str | None = None,
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    def get_update_handle_for(
        self, update: Any, id: str, *, workflow_run_id: str | None = None
    ) -> WorkflowUpdateHandle[Any]:
        """`get_update_handle`, typed by the update's handler method."""
        return self._update_handle(id, workflow_run_id or self._run_id, _result_type(update, None))

    def _update_handle(
        self, id: str, run_id: str | None, result_type: Any, *, known: UpdateAnswer | None = None
    ) -> WorkflowUpdateHandle[Any]:
        target = self._target(run_id)
        return WorkflowUpdateHandle(self._service, self._data, id, target, result_type=result_type, known=known)

    async def cancel(
        self,
        *,
        reason: str = "",
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Ask the program to stop; durable when this returns. Silent if the execution has closed.

        Args:
            reason: for the program, see `workflow.cancellation_reason`.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            RPCError: NOT_FOUND: there is no such execution.
        """
        await answered(self._service.cancel(self._own_target(), reason), rpc_timeout)

    async def terminate(
        self,
        *args: Any,
        reason: str | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End the execution without asking its program; durable when this returns.

        Args:
            args: details for whoever waits for the result.
            reason: for people.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            RPCError: NOT_FOUND: there is no such execution, or it has closed.
        """
        ending = self._service.terminate(self._own_target(), reason or "", await self._data.encode(args))
        await answered(ending, rpc_timeout)

    async def describe(
        self, *, rpc_metadata: Mapping[str, str | bytes] = NO_METADATA, rpc_timeout: timedelta | None = None
    ) -> WorkflowExecutionDescription:
        """The execution as it stands on disk.

        Args:
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            RPCError: NOT_FOUND.
        """
        about = await answered(self._service.describe(self._target(self._run_id)), rpc_timeout)
        opened = await self._data.opened_if_possible(about)
        # A memo is decoded when somebody asks for it.
        return WorkflowExecutionDescription.described(msgspec.structs.replace(opened, notes=about.notes), self._data)

    async def fetch_history(
        self,
        *,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowHistory:
        """All events of the run so far: plain values, and what a `Replayer` and the public JSON are made from.

        Args:
            skip_archival: accepted for ported programs; there is no archive.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            RPCError: NOT_FOUND.
            CorruptJournalError: a row of the journal is damaged.
        """
        known = await answered(self._service.history(self._target(self._run_id or self._result_run_id)), rpc_timeout)
        return history_of(self._id, known.run_id, known.turns, known.started_at)

    def _target(self, run_id: str | None) -> Target:
        return Target(self._namespace, self._id, run_id)

    def _own_target(self) -> Target:
        """The current run, but of no other chain than that this handle was made for."""
        return Target(self._namespace, self._id, self._run_id, self._first_execution_run_id)

    async def _parked(self, parked: Parked) -> WorkflowParkedError:
        return await parked_error(parked, self._id, self._data)


def arguments_of(arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """One argument or several.

    Raises:
        ValueError: both were given.
        TypeError: ``args`` is a text, which would be as many arguments as it has characters.
    """
    if arg is UNSET:
        return several(args)
    if args:
        raise ValueError("give either one argument or args=[...], not both")
    return (arg,)


def several(args: Sequence[Any]) -> Sequence[Any]:
    """Several arguments; raises TypeError if they are a text."""
    if isinstance(args, str | bytes):
        raise TypeError(f"args must be a list of arguments, not {args!r}; pass [{args!r}]")
    return args


async def update_request(
    data: WorkflowData,
    update: str | Callable[..., Any],
    arg: Any,
    args: Sequence[Any],
    id: str | None,
    stage: WorkflowUpdateStage,
) -> UpdateRequest:
    """What is asked of a service for an update.

    Raises:
        ValueError: nobody can wait for the stage.
        PayloadError: an argument can't be encoded.
    """
    if WorkflowUpdateStage(stage) == WorkflowUpdateStage.ADMITTED:
        raise ValueError("ADMITTED is not a stage to wait for; wait for ACCEPTED or COMPLETED")
    name = name_of_handler(update, UPDATE_MARK, "update")
    payloads = await data.encode(arguments_of(arg, args))
    return UpdateRequest(name, payloads, id or "", wants_outcome=stage == WorkflowUpdateStage.COMPLETED)


def _result_type(handler: str | Callable[..., Any], result_type: Any) -> Any:
    if result_type is not None:
        return result_type
    if isinstance(handler, str):
        return Any
    return signature_of(handler, skip_self=True).result_type
