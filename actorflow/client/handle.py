"""A handle to one workflow execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

from actorflow.client.asking import Access
from actorflow.client.data import WorkflowData
from actorflow.client.deadline import answered
from actorflow.client.errors import (
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
)
from actorflow.client.history import (
    WorkflowHistory,
    WorkflowHistoryEventAsyncIterator,
    WorkflowHistoryEventFilterType,
)
from actorflow.client.inputs import (
    CancelWorkflowInput,
    DescribeWorkflowInput,
    FetchWorkflowHistoryEventsInput,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartWorkflowUpdateInput,
    TerminateWorkflowInput,
)
from actorflow.client.ported import check_fetch
from actorflow.client.start import NO_METADATA
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage, parked_error
from actorflow.client.views import WorkflowExecutionDescription
from actorflow.common import QueryRejectCondition
from actorflow.core import events as ev
from actorflow.core.definitions import QUERY_MARK, SIGNAL_MARK, UPDATE_MARK, signature_of
from actorflow.core.policy.succession import successor_id
from actorflow.exceptions import CancelledError, TerminatedError, TimeoutError, TimeoutType, WorkflowParkedError
from actorflow.service import Closed, Parked, Target
from actorflow.types import (
    LocalReturnType,
    MethodSyncOrAsyncAnyParams,
    MethodSyncOrAsyncNoParam,
    MethodSyncOrAsyncSingleParam,
    ParamType,
    ReturnType,
    SelfType,
)
from actorflow.workflow.arguments import UNSET, arguments_of
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
        access: Access,
        id: str,
        *,
        run_id: str | None = None,
        result_run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: Any = None,
    ) -> None:
        self._access = access
        self._data = WorkflowData(access.converter, access.namespace, id)
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
            end = await answered(self._access.service.result(self._target(run_id)), rpc_timeout)
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
        self,
        signal: MethodSyncOrAsyncAnyParams[SelfType, None],
        *,
        args: Sequence[Any],
        **options: Unpack[SignalOptions],
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
        arguments = arguments_of(f"signal {name!r}", arg, args)
        asked = SignalWorkflowInput(self._id, self._run_id, name, arguments, {}, rpc_metadata, rpc_timeout, request_id)
        await self._access.outbound.signal_workflow(asked)

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
        query: MethodSyncOrAsyncAnyParams[SelfType, LocalReturnType],
        *,
        args: Sequence[Any],
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> LocalReturnType: ...
    @overload
    async def query(
        self,
        query: str,
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
        asked = QueryWorkflowInput(
            self._id,
            self._run_id,
            name,
            arguments_of(f"query {name!r}", arg, args),
            self._access.reject_condition if reject_condition is None else reject_condition,
            {},
            answer_type(query, result_type),
            rpc_metadata,
            rpc_timeout,
        )
        return await self._access.outbound.query_workflow(asked)

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
        update: MethodSyncOrAsyncAnyParams[SelfType, LocalReturnType],
        *,
        args: Sequence[Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...
    @overload
    async def execute_update(
        self,
        update: str,
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
        update: MethodSyncOrAsyncAnyParams[SelfType, LocalReturnType],
        *,
        args: Sequence[Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    @overload
    async def start_update(
        self,
        update: str,
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
        name = update_name(update, stage)
        asked = StartWorkflowUpdateInput(
            self._id,
            self._run_id,
            self._first_execution_run_id,
            id,
            name,
            arguments_of(f"update {name!r}", arg, args),
            stage,
            {},
            answer_type(update, result_type),
            rpc_metadata,
            rpc_timeout,
        )
        return await self._access.outbound.start_workflow_update(asked)

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
        return self._update_handle(id, workflow_run_id or self._run_id, answer_type(update, None))

    def _update_handle(self, id: str, run_id: str | None, result_type: Any) -> WorkflowUpdateHandle[Any]:
        target = self._target(run_id)
        return WorkflowUpdateHandle(self._access.service, self._data, id, target, result_type=result_type)

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
        first = self._first_execution_run_id
        asked = CancelWorkflowInput(self._id, self._run_id, first, rpc_metadata, rpc_timeout, reason)
        await self._access.outbound.cancel_workflow(asked)

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
        first = self._first_execution_run_id
        asked = TerminateWorkflowInput(self._id, self._run_id, first, args, reason, rpc_metadata, rpc_timeout)
        await self._access.outbound.terminate_workflow(asked)

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
        asked = DescribeWorkflowInput(self._id, self._run_id, rpc_metadata, rpc_timeout)
        return await self._access.outbound.describe_workflow(asked)

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
        events = self.fetch_history_events(
            skip_archival=skip_archival, rpc_metadata=rpc_metadata, rpc_timeout=rpc_timeout
        )
        return await events.history()

    def fetch_history_events(
        self,
        *,
        page_size: int | None = None,
        next_page_token: bytes | None = None,
        wait_new_event: bool = False,
        event_filter_type: WorkflowHistoryEventFilterType = WorkflowHistoryEventFilterType.ALL_EVENT,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowHistoryEventAsyncIterator:
        """The events of the run so far, one by one; they are read when the first one is wanted.

        Args:
            page_size: accepted for ported programs, the history is read at once.
            next_page_token: refused, there are no pages to go on with.
            wait_new_event: refused, nobody waits for events to come.
            event_filter_type: all events, or the last one.
            skip_archival: accepted for ported programs; there is no archive.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            UnsupportedOptionError: see above.
            RPCError, CorruptJournalError: as `fetch_history`, when the first event is wanted.
        """
        check_fetch(wait_new_event=wait_new_event, next_page_token=next_page_token)
        return self._access.outbound.fetch_workflow_history_events(
            FetchWorkflowHistoryEventsInput(
                self._id,
                self._run_id or self._result_run_id,
                page_size=page_size,
                next_page_token=next_page_token,
                wait_new_event=wait_new_event,
                event_filter_type=event_filter_type,
                skip_archival=skip_archival,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
        )

    def _target(self, run_id: str | None) -> Target:
        return Target(self._access.namespace, self._id, run_id)

    async def _parked(self, parked: Parked) -> WorkflowParkedError:
        return await parked_error(parked, self._id, self._data)


def update_name(update: str | Callable[..., Any], stage: WorkflowUpdateStage) -> str:
    """The name of an update that is to be sent.

    Raises:
        ValueError: nobody can wait for the stage.
        TypeError: it is no update.
    """
    if WorkflowUpdateStage(stage) == WorkflowUpdateStage.ADMITTED:
        raise ValueError("ADMITTED is not a stage to wait for; wait for ACCEPTED or COMPLETED")
    return name_of_handler(update, UPDATE_MARK, "update")


def answer_type(handler: str | Callable[..., Any], result_type: Any) -> Any:
    """What to decode the result of a query or an update as: the caller's wish, else as its handler declares."""
    if result_type is not None:
        return result_type
    if isinstance(handler, str):
        return Any
    return signature_of(handler, skip_self=True).result_type
