"""The client: connects to a journal, starts executions and finds them again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Required, Self, TypedDict, TypeVar, Unpack, overload

from actorflow.client.address import connect, connect_read_only
from actorflow.client.connection import Borrowed, Connection, Hosting
from actorflow.client.data import WorkflowData
from actorflow.client.handle import WorkflowHandle, arguments_of, several, update_request
from actorflow.client.listing import WorkflowExecutionAsyncIterator, WorkflowExecutionCount, check_list
from actorflow.client.start import LifeOptions, StartOptions, check_arguments, chosen_queue, described, run_options
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage, within
from actorflow.client.with_start import WithStartWorkflowOperation
from actorflow.clock import Clock
from actorflow.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.converter import DataConverter
from actorflow.core.events import SignalReceived
from actorflow.core.policy.checks import check_name
from actorflow.engine.engine import Engine
from actorflow.service import ListRequest, StartRequest
from actorflow.types import MethodAsyncNoParam, MethodAsyncSingleParam, ParamType, ReturnType, SelfType
from actorflow.workflow.activities import UNSET

R = TypeVar("R")


class ClientConfig(TypedDict, total=False):
    """What a client is made from; see `Client.config`."""

    connection: Required[Connection]
    namespace: str
    data_converter: DataConverter | None
    task_queue: str | None


class Client:
    """A connection to a journal. Clients and workers of one process that name the same file share one engine.

    Use `connect`, preferably as ``async with await Client.connect(...) as client:``; leaving the block writes what was
    decided and closes the file.
    """

    def __init__(
        self,
        connection: Connection | Engine,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        task_queue: str | None = None,
    ) -> None:
        self._connection = Hosting(connection) if isinstance(connection, Engine) else connection
        self._namespace = namespace
        self._task_queue = task_queue
        self._converter = data_converter or DataConverter.default
        self._is_closed = False

    @staticmethod
    async def connect(
        target_host: str,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        task_queue: str | None = None,
        clock: Clock | None = None,
        read_only: bool = False,
    ) -> Client:
        """Open a journal, or share it with those who opened it before.

        Args:
            target_host: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``memory://`` (private to this
                client) or ``memory://name`` (shared by that name in this process).
            namespace: keeps executions of different programs in one journal apart.
            data_converter: for arguments, results and failures; workers of this client use it too.
            task_queue: where this client starts executions, unless a call says otherwise.
            clock: time and identities; for tests.
            read_only: only look, also at a file that another process owns, or left behind: describe, fetch histories
                and wait for results. The file stays as it is; starting, signalling, querying and workers are refused.

        Raises:
            ValueError: an address of no known kind.
            MissingFileError: with ``read_only``, there is no such file.
            StorageOwnedError: another process, or another event loop, has the file open.
            NotOurFileError, NewerSchemaError: not a journal this version can open; it was left as it is.
            StorageError: anything else that keeps it from being opened.
        """
        check_name("namespace", namespace)
        if task_queue is not None:
            check_name("task queue", task_queue)
        connection = await (connect_read_only if read_only else connect)(target_host, clock)
        return Client(connection, namespace=namespace, data_converter=data_converter, task_queue=task_queue)

    def config(self) -> ClientConfig:
        """What makes another client on the same connection: ``Client(**client.config())``, with changes if wanted.

        The connection stays this client's: closing the other one does nothing, closing this one ends both.
        """
        return ClientConfig(
            connection=Borrowed(self._connection),
            namespace=self._namespace,
            data_converter=self._converter,
            task_queue=self._task_queue,
        )

    async def close(self) -> None:
        """Let go of the journal; the last user of it closes the file. Safe to call twice."""
        if not self._is_closed:
            self._is_closed = True
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def namespace(self) -> str:
        """The namespace of every call."""
        return self._namespace

    @property
    def data_converter(self) -> DataConverter:
        """For arguments and results."""
        return self._converter

    @property
    def engine(self) -> Engine:
        """What hosts the executions of this journal.

        Raises:
            ReadOnlyError: this client only looks.
        """
        return self._connection.engine

    @overload
    async def start_workflow(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[StartOptions]
    ) -> WorkflowHandle[SelfType, ReturnType]: ...
    @overload
    async def start_workflow(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[SelfType, ReturnType]: ...
    @overload
    async def start_workflow(
        self, workflow: Callable[..., Awaitable[R]], *, args: Sequence[Any], **options: Unpack[StartOptions]
    ) -> WorkflowHandle[Any, R]: ...
    @overload
    async def start_workflow(
        self, workflow: str, arg: Any = ..., *, args: Sequence[Any] = ..., **options: Unpack[StartOptions]
    ) -> WorkflowHandle[Any, Any]: ...
    async def start_workflow(
        self,
        workflow: str | Callable[..., Awaitable[Any]],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,
        task_queue: str | None = None,
        result_type: type | None = None,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED,
        request_id: str = "",
        start_signal: str | None = None,
        start_signal_args: Sequence[Any] = (),
        rpc_timeout: timedelta | None = None,
        **life: Unpack[LifeOptions],
    ) -> WorkflowHandle[Any, Any]:
        """Start an execution. When this returns it is durable; without a worker it waits for one.

        Args:
            workflow: the run method, or the workflow type's name.
            arg: its argument; for several use ``args=[...]``.
            id: the workflow id; at most one open execution has it.
            task_queue: whose workers run it; needed unless the client has one of its own.
            result_type: what to decode the result as, if the run method is not given.
            id_reuse_policy: see `StartOptions`.
            id_conflict_policy: see `StartOptions`.
            request_id: see `StartOptions`.
            start_signal: name of a signal to send with it, see `StartOptions`.
            start_signal_args: the signal's arguments.
            rpc_timeout: accepted for ported programs.
            life: timeouts, retry, cron and delay, see `StartOptions`.

        Raises:
            WorkflowAlreadyStartedError: the policies refuse the id.
            PayloadError: an argument can't be encoded.
            ValueError, TypeError: a bad id, not a workflow, arguments it can't take, or no task queue.
        """
        name, declared = described(workflow)
        arguments = arguments_of(arg, args)
        check_arguments(workflow, arguments)
        data = WorkflowData(self._converter, self._namespace, id)
        options, delay = run_options(name, **life)
        signal = None
        if start_signal is not None:
            signal = SignalReceived(start_signal, await data.encode(several(start_signal_args)), request_id)
        conflict = WorkflowIDConflictPolicy(id_conflict_policy)
        if signal is not None and conflict == WorkflowIDConflictPolicy.UNSPECIFIED:
            conflict = WorkflowIDConflictPolicy.USE_EXISTING
        request = StartRequest(
            namespace=self._namespace,
            workflow_id=id,
            workflow_type=name,
            task_queue=chosen_queue(id, task_queue, self._task_queue),
            input=await data.encode(arguments),
            reuse=WorkflowIDReusePolicy(id_reuse_policy),
            conflict=conflict,
            request_id=request_id,
            signal=signal,
            options=options,
            start_delay=delay,
        )
        run_id, _ = await self._connection.service.start(request)
        return self._handle(id, None, result_type or declared, result_run_id=run_id, first_run_id=run_id)

    async def start_update_with_start_workflow(
        self,
        update: str | Callable[..., Any],
        arg: Any = UNSET,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = (),
        id: str | None = None,
        result_type: type | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """Start an execution and send it an update in one step; an open one gets the update instead.

        Args:
            update: the handler method, or the update's name.
            arg: its argument; for several use ``args=[...]``.
            start_workflow_operation: what to start; an operation is good for one call.
            wait_for_stage: ACCEPTED or COMPLETED.
            args: see ``arg``.
            id: the update id.
            result_type: what to decode the result as, if the handler method is not given.
            rpc_timeout: how long to wait for the answer.

        Raises:
            WorkflowAlreadyStartedError: the policies refuse the workflow id.
            RuntimeError: the operation was used before.
            WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowParkedError, RPCError: as `WorkflowHandle.start_update`.
        """
        operation = start_workflow_operation
        data = WorkflowData(self._converter, self._namespace, operation.id)
        request = await update_request(data, update, arg, args, id, wait_for_stage)
        operation.claim()
        with operation.failing():
            start, workflow_result = await operation.request(self._namespace, self._converter, self._task_queue)

            def on_started(run_id: str) -> None:
                operation.started(
                    self._handle(start.workflow_id, None, workflow_result, result_run_id=run_id, first_run_id=run_id)
                )

            call = partial(self._connection.service.update_with_start, start, request, on_started)
            answer = await within(call, rpc_timeout)
        return await (await operation.workflow_handle()).update_answered(answer, update, result_type)

    async def execute_update_with_start_workflow(
        self, update: str | Callable[..., Any], arg: Any = UNSET, **options: Any
    ) -> Any:
        """`start_update_with_start_workflow`, then wait for the update's result; takes and raises what those two do."""
        stage = WorkflowUpdateStage.COMPLETED
        handle = await self.start_update_with_start_workflow(update, arg, wait_for_stage=stage, **options)
        return await handle.result()

    @overload
    async def execute_workflow(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[StartOptions]
    ) -> ReturnType: ...
    @overload
    async def execute_workflow(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[StartOptions],
    ) -> ReturnType: ...
    @overload
    async def execute_workflow(
        self, workflow: Callable[..., Awaitable[R]], *, args: Sequence[Any], **options: Unpack[StartOptions]
    ) -> R: ...
    @overload
    async def execute_workflow(
        self, workflow: str, arg: Any = ..., *, args: Sequence[Any] = ..., **options: Unpack[StartOptions]
    ) -> Any: ...
    async def execute_workflow(self, workflow: Any, arg: Any = UNSET, **options: Any) -> Any:
        """`start_workflow`, then wait for its result; takes and raises what those two do."""
        handle = await self.start_workflow(workflow, arg, **options)
        return await handle.result()

    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
    ) -> WorkflowHandle[Any, Any]:
        """A handle to an execution that may or may not exist; calls on it tell.

        Args:
            workflow_id: its workflow id.
            run_id: one run of it; None means the current one.
            first_execution_run_id: the first run of its chain; updates, cancel and terminate then never reach a later,
                unrelated execution of the same id.
            result_type: what to decode its result as.
        """
        return self._handle(workflow_id, run_id, result_type, result_run_id=run_id, first_run_id=first_execution_run_id)

    def list_workflows(
        self,
        query: str | None = None,
        *,
        limit: int | None = None,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        rpc_metadata: Mapping[str, str | bytes] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionAsyncIterator:
        """Find executions, newest start first; nothing is asked before the first one is wanted.

        Whatever was acknowledged before is in the list. An execution that starts or closes meanwhile may be missed,
        but none is shown twice unless the list is ordered by a time that changes.

        Args:
            query: a filter in the language of the public API over WorkflowType, WorkflowId, RunId, ExecutionStatus,
                StartTime, CloseTime, TaskQueue and our own Parked, with ORDER BY a time if another order is wanted.
            limit: how many at most.
            page_size: how many are read at a time; the service gives at most 500.
            next_page_token: go on where another iterator with the same query stopped.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: accepted for ported programs.

        Returns:
            An asynchronous iterator; awaiting the next execution raises RPCError, INVALID_ARGUMENT for a filter that
            can't be understood (its message shows where) or a token of another query, DEADLINE_EXCEEDED for a filter
            that leaves too many executions to look at.

        Raises:
            TypeError: an argument is of another type than it says.
        """
        check_list(query, page_size, next_page_token, limit)
        return WorkflowExecutionAsyncIterator(
            self._connection.service,
            ListRequest(self._namespace, query or "", page_size, next_page_token or b""),
            self._converter,
            limit=limit,
        )

    async def count_workflows(
        self,
        query: str | None = None,
        *,
        rpc_metadata: Mapping[str, str | bytes] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionCount:
        """How many executions meet a filter.

        Args:
            query: as for `list_workflows`, with ``GROUP BY ExecutionStatus`` for a count of each status.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: accepted for ported programs.

        Raises:
            RPCError: as for `list_workflows`.
            TypeError: the query is not a str.
        """
        check_list(query)
        return WorkflowExecutionCount.of(await self._connection.service.count(self._namespace, query or ""))

    @overload
    def get_workflow_handle_for(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], workflow_id: str, *, run_id: str | None = None
    ) -> WorkflowHandle[SelfType, ReturnType]: ...
    @overload
    def get_workflow_handle_for(
        self,
        workflow: MethodAsyncSingleParam[SelfType, Any, ReturnType],
        workflow_id: str,
        *,
        run_id: str | None = None,
    ) -> WorkflowHandle[SelfType, ReturnType]: ...
    def get_workflow_handle_for(
        self, workflow: Any, workflow_id: str, *, run_id: str | None = None
    ) -> WorkflowHandle[Any, Any]:
        """`get_workflow_handle`, typed by the workflow's run method."""
        return self._handle(workflow_id, run_id, described(workflow)[1], result_run_id=run_id)

    def _handle(
        self,
        workflow_id: str,
        run_id: str | None,
        result_type: Any,
        *,
        result_run_id: str | None,
        first_run_id: str | None = None,
    ) -> WorkflowHandle[Any, Any]:
        return WorkflowHandle(
            self._connection.service,
            self._namespace,
            self._converter,
            workflow_id,
            run_id=run_id,
            result_run_id=result_run_id,
            first_execution_run_id=first_run_id,
            result_type=result_type,
        )
