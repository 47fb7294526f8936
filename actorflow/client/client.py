"""The client: connects to a journal, starts executions and finds them again."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from datetime import timedelta
from types import TracebackType
from typing import Any, Concatenate, Self, Unpack, overload

from actorflow.client.activity_reference import AsyncActivityIDReference
from actorflow.client.address import connected
from actorflow.client.asking import Access
from actorflow.client.async_activity import AsyncActivityHandle
from actorflow.client.connection import Connection, Hosting, OfTest
from actorflow.client.data import check_converter
from actorflow.client.handle import UpdateOptions, WorkflowHandle, answer_type, update_name
from actorflow.client.inputs import (
    CountWorkflowsInput,
    CreateScheduleInput,
    ListSchedulesInput,
    ListWorkflowsInput,
    StartWorkflowInput,
    StartWorkflowUpdateWithStartInput,
    UpdateWithStartUpdateWorkflowInput,
)
from actorflow.client.interceptor import Interceptor, check_instances, intercepted
from actorflow.client.listing import WorkflowExecutionAsyncIterator, WorkflowExecutionCount, check_list
from actorflow.client.outbound import ServiceOutbound
from actorflow.client.plugin import ClientConfig, Plugin, connecting_through
from actorflow.client.ported import PortedConnectOptions, check_ported, check_schedule, check_start
from actorflow.client.schedule import (
    Schedule,
    ScheduleAction,
    ScheduleBackfill,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)
from actorflow.client.schedule_handle import ScheduleAsyncIterator, ScheduleHandle
from actorflow.client.schedule_terms import check_limit, whole_schedule
from actorflow.client.start import (
    NO_METADATA,
    LifeOptions,
    StartOptions,
)
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage
from actorflow.client.with_start import WithStartWorkflowOperation
from actorflow.clock import Clock
from actorflow.common import (
    Priority,
    QueryRejectCondition,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from actorflow.converter import DataConverter
from actorflow.core.policy.checks import check_name
from actorflow.engine.engine import Engine
from actorflow.service import ConnectConfig
from actorflow.types import (
    LocalReturnType,
    MethodAsyncNoParam,
    MethodAsyncSingleParam,
    MethodSyncOrAsyncAnyParams,
    MethodSyncOrAsyncNoParam,
    MethodSyncOrAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    ReturnType,
    SelfType,
)
from actorflow.workflow.activities import declared_result
from actorflow.workflow.arguments import UNSET, arguments_of, several
from actorflow.workflow.others import called_workflow, described_workflow


class Client:
    """A connection to a journal. Clients and workers of one process that name the same file share one engine.

    Use `connect`, preferably as ``async with await Client.connect(...) as client:``; leaving the block writes what was
    decided and closes the file.
    """

    def __init__(
        self,
        service_client: Connection | Engine,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        task_queue: str | None = None,
        identity: str | None = None,
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        interceptors: Sequence[Interceptor] | None = (),
        plugins: Sequence[Plugin] | None = (),
        header_codec_behavior: Any = None,
    ) -> None:
        interceptors, plugins = interceptors or (), plugins or ()
        config = ClientConfig(
            service_client=Hosting(service_client) if isinstance(service_client, Engine) else service_client,
            namespace=namespace,
            data_converter=DataConverter.default if data_converter is None else data_converter,
            task_queue=task_queue,
            identity=identity or f"{os.getpid()}@{socket.gethostname()}",
            default_workflow_query_reject_condition=default_workflow_query_reject_condition,
            interceptors=interceptors,
            plugins=plugins,
            header_codec_behavior=header_codec_behavior,
        )
        check_instances("plugins", plugins, Plugin, "actorflow.client.Plugin")
        self._given_config = config.copy()
        for plugin in plugins:
            config = plugin.configure_client(config)
        self._active_config = config
        self._set_up(**config)

    def _set_up(
        self,
        service_client: Connection,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        task_queue: str | None = None,
        identity: str | None = None,
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        interceptors: Sequence[Interceptor] | None = (),
        plugins: Sequence[Plugin] | None = (),
        header_codec_behavior: Any = None,
    ) -> None:
        self._connection = service_client
        self._namespace = namespace
        self._identity = identity or ""
        self._converter = DataConverter.default if data_converter is None else data_converter
        check_converter(self._converter)
        interceptors = interceptors or ()
        check_instances("interceptors", interceptors, Interceptor, "actorflow.client.Interceptor")
        self._access = Access(
            service_client.service, namespace, self._converter, task_queue, default_workflow_query_reject_condition
        )
        self._use = service_client.users.come()
        self._outbound = intercepted(interceptors, ServiceOutbound(self._access))
        self._access.outbound = self._outbound

    @staticmethod
    async def connect(
        target_host: str,
        *,
        namespace: str = "default",
        data_converter: DataConverter | None = None,
        task_queue: str | None = None,
        identity: str | None = None,
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        interceptors: Sequence[Interceptor] | None = (),
        plugins: Sequence[Plugin] | None = (),
        clock: Clock | None = None,
        read_only: bool = False,
        large_payload_bytes: int | None = None,
        **ported: Unpack[PortedConnectOptions],
    ) -> Client:
        """Open a journal, or share it with those who opened it before.

        Args:
            target_host: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``memory://`` (private to this
                client) or ``memory://name`` (shared by that name in this process). Or the address of a node, such as
                ``localhost:7233``: clients and workers of this process that name it share a journal, the one the
                variables ``ACTORFLOW_ADDRESS`` (its address) or ``ACTORFLOW_HOME`` (its directory) name, else one that
                lasts as long as the process.
            namespace: keeps executions of different programs in one journal apart.
            data_converter: for arguments, results and failures; workers of this client use it too.
            task_queue: where this client starts executions, unless a call says otherwise.
            identity: a name for people; default is pid@host. Workers of this client have it, too.
            default_workflow_query_reject_condition: of queries that say nothing themselves.
            interceptors: stand around every call, outermost first. Those that are worker interceptors, too, are in
                the workers of this client, before their own.
            plugins: may change how the client is made and the journal opened. Those that are worker plugins, too, are
                those of the workers of this client, before their own.
            clock: time and identities; for tests.
            read_only: only look, also at a file that another process owns, or left behind: describe, fetch histories
                and wait for results. The file stays as it is; starting, signalling, querying and workers are refused.
            large_payload_bytes: payloads of more bytes than this are stored once, however many executions use them, and
                deleted with the last; 65,536 if nobody says otherwise. It is about what is written from now on: what is
                there is read whatever it says. Memory has none.
            ported: options of the public SDK that change nothing here, see `PortedConnectOptions`.

        Raises:
            AddressError: an address of no known kind (it is a ValueError, too).
            ValueError: ``large_payload_bytes`` below 1,024, or other than that of a client of this process that has the
                journal open.
            UnsupportedOptionError: an option of the public SDK can't be honoured here.
            TypeError: an interceptor or a plugin is none.
            MissingFileError: with ``read_only``, there is no such file.
            StorageOwnedError: another process, or another event loop, has the file open.
            NotOurFileError, NewerSchemaError: not a journal this version can open; it was left as it is.
            StorageError: anything else that keeps it from being opened.
        """
        check_ported(ported)
        check_name("namespace", namespace)
        if task_queue is not None:
            check_name("task queue", task_queue)
        interceptors, plugins = interceptors or (), plugins or ()
        check_instances("interceptors", interceptors, Interceptor, "actorflow.client.Interceptor")
        check_instances("plugins", plugins, Plugin, "actorflow.client.Plugin")
        check_converter(data_converter)
        known: Any = {name: value for name, value in ported.items() if name in ConnectConfig.__annotations__}
        asked = ConnectConfig(
            target_host,
            identity=identity or "",
            clock=clock,
            read_only=read_only,
            large_payload_bytes=large_payload_bytes,
            **known,
        )
        connection = await connecting_through(plugins, connected)(asked)
        try:
            return Client(
                connection,
                namespace=namespace,
                data_converter=data_converter,
                task_queue=task_queue,
                identity=identity,
                default_workflow_query_reject_condition=default_workflow_query_reject_condition,
                interceptors=interceptors,
                plugins=plugins,
                header_codec_behavior=ported.get("header_codec_behavior"),
            )
        except BaseException:
            await connection.close()
            raise

    def config(self, *, active_config: bool = False) -> ClientConfig:
        """What makes another client on the same connection, with changes if wanted::

            config = client.config()
            config["data_converter"] = encrypting
            other = Client(**config)

        Each of them uses the journal for itself: the last one that is closed closes it. One that was dropped without
        being closed does not count.

        Args:
            active_config: as plugins have changed it; by default as it was given, since the plugins are in it, too.
        """
        config = (self._active_config if active_config else self._given_config).copy()
        config["service_client"] = self._connection
        return config

    async def close(self) -> None:
        """Let go of the journal; the last user of it closes the file. Safe to call twice."""
        if self._connection.users.leave(self._use):
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
    def identity(self) -> str:
        """A name for people."""
        return self._identity

    @property
    def service_client(self) -> Connection:
        """What stands behind this client; another one can be made from it, see `config`."""
        return self._connection

    @property
    def data_converter(self) -> DataConverter:
        """For arguments and results."""
        return self._converter

    @property
    def is_of_test(self) -> bool:
        """True for the client of a test environment: assertions fail the workflows of its workers."""
        return self._connection.is_of_test

    def of_test(self) -> Client:
        """The same connection as the client of a test environment."""
        client = copy(self)
        client._connection = OfTest(self._connection)
        return client

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
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        *,
        args: Sequence[Any],
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[SelfType, ReturnType]: ...
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
        memo: Mapping[str, Any] | None = None,
        search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
        request_eager_start: bool = False,
        priority: Priority = Priority.default,
        versioning_override: Any = None,
        stack_level: int = 2,
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
            memo: notes for people and programs, see `StartOptions`.
            search_attributes: notes by which it is found, see `StartOptions`.
            static_summary: one line for people.
            static_details: more lines for people.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait until it is durable.
            request_eager_start: accepted for ported programs; a worker in this process always begins at once.
            priority: accepted for ported programs, see `Priority`.
            versioning_override: refused, since there is one version of the code.
            stack_level: accepted for ported programs.
            life: timeouts, retry, cron and delay, see `StartOptions`.

        Raises:
            WorkflowAlreadyStartedError: the policies refuse the id.
            RPCError: DEADLINE_EXCEEDED because of ``rpc_timeout``; INVALID_ARGUMENT for policies that contradict.
            UnsupportedOptionError: there is a ``versioning_override``.
            PayloadError: an argument or a value of the memo can't be encoded.
            CodecError: the codec can't encode them.
            SearchAttributeTypeError: a search attribute has another type in this namespace.
            ValueError, TypeError: a bad id, not a workflow, arguments it can't take, no task queue, or notes that can't
                be.
        """
        name, definition, arguments = called_workflow(workflow, arg, args)
        check_start(versioning_override=versioning_override)
        return await self._outbound.start_workflow(
            StartWorkflowInput(
                workflow=name,
                args=arguments,
                id=id,
                task_queue=task_queue,
                **life,
                id_reuse_policy=id_reuse_policy,
                id_conflict_policy=id_conflict_policy,
                memo=memo,
                search_attributes=search_attributes,
                headers={},
                static_summary=static_summary,
                static_details=static_details,
                ret_type=declared_result(result_type, definition),
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
                priority=priority,
                request_id=request_id,
                start_signal=start_signal,
                start_signal_args=several(f"signal {start_signal!r}", start_signal_args),
                request_eager_start=request_eager_start,
            )
        )

    @overload
    async def start_update_with_start_workflow(
        self,
        update: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType],
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    @overload
    async def start_update_with_start_workflow(
        self,
        update: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    @overload
    async def start_update_with_start_workflow(
        self,
        update: MethodSyncOrAsyncAnyParams[SelfType, LocalReturnType],
        *,
        args: Sequence[Any],
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...
    @overload
    async def start_update_with_start_workflow(
        self,
        update: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[Any]: ...
    async def start_update_with_start_workflow(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = (),
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
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
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            WorkflowAlreadyStartedError: the policies refuse the workflow id.
            RuntimeError: the operation was used before.
            WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowParkedError, RPCError: as `WorkflowHandle.start_update`.
        """
        operation, name = start_workflow_operation, update_name(update, wait_for_stage)
        asked = UpdateWithStartUpdateWorkflowInput(
            update_id=id,
            update=name,
            args=arguments_of(f"update {name!r}", arg, args),
            wait_for_stage=wait_for_stage,
            headers={},
            ret_type=answer_type(update, result_type),
            rpc_metadata=rpc_metadata,
            rpc_timeout=rpc_timeout,
        )
        start = operation.claim()

        def on_start(run_id: str) -> None:
            operation.started(self._handle(start.id, None, start.ret_type, result_run_id=run_id, first_run_id=run_id))

        with operation.failing():
            return await self._outbound.start_update_with_start_workflow(
                StartWorkflowUpdateWithStartInput(
                    start_workflow_input=start,
                    update_workflow_input=asked,
                    rpc_metadata=rpc_metadata,
                    rpc_timeout=rpc_timeout,
                    on_start=on_start,
                )
            )

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType],
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...
    @overload
    async def execute_update_with_start_workflow(
        self,
        update: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...
    @overload
    async def execute_update_with_start_workflow(
        self,
        update: MethodSyncOrAsyncAnyParams[SelfType, LocalReturnType],
        *,
        args: Sequence[Any],
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...
    @overload
    async def execute_update_with_start_workflow(
        self,
        update: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        **options: Unpack[UpdateOptions],
    ) -> Any: ...
    async def execute_update_with_start_workflow(self, update: Any, arg: Any = UNSET, **options: Any) -> Any:
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
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        *,
        args: Sequence[Any],
        **options: Unpack[StartOptions],
    ) -> ReturnType: ...
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

    @overload
    def get_async_activity_handle(
        self, *, workflow_id: str, run_id: str | None, activity_id: str
    ) -> AsyncActivityHandle: ...
    @overload
    def get_async_activity_handle(self, *, task_token: bytes) -> AsyncActivityHandle: ...
    def get_async_activity_handle(
        self,
        *,
        workflow_id: str | None = None,
        run_id: str | None = None,
        activity_id: str | None = None,
        task_token: bytes | None = None,
    ) -> AsyncActivityHandle:
        """A handle to an activity that is completed from outside, see `actorflow.activity.raise_complete_async`.

        Args:
            workflow_id: of its workflow.
            run_id: of the workflow; None means the open run.
            activity_id: its id; whichever attempt runs is meant.
            task_token: ``activity.info().task_token`` of one attempt, instead of the ids.

        Raises:
            ValueError: both a token and ids are given, or neither.
        """
        reference: AsyncActivityIDReference | bytes
        if task_token is not None:
            if workflow_id is not None or run_id is not None or activity_id is not None:
                raise ValueError("Task token cannot be present with other IDs")
            reference = task_token
        elif workflow_id is not None and activity_id is not None:
            reference = AsyncActivityIDReference(workflow_id, run_id, activity_id)
        else:
            raise ValueError("Task token or workflow/activity ID must be present")
        return AsyncActivityHandle(self._access, reference)

    def list_workflows(
        self,
        query: str | None = None,
        *,
        limit: int | None = None,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionAsyncIterator:
        """Find executions, newest start first; nothing is asked before the first one is wanted.

        Whatever was acknowledged before is in the list. An execution that starts or closes meanwhile may be missed,
        but none is shown twice unless the list is ordered by a time that changes.

        Args:
            query: a filter in the language of the public API over WorkflowType, WorkflowId, RunId, ExecutionStatus,
                StartTime, CloseTime, TaskQueue, our own Parked and the search attributes of the namespace, with
                ORDER BY a time if another order is wanted.
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
        asked = ListWorkflowsInput(query, page_size, next_page_token, rpc_metadata, rpc_timeout, limit)
        return self._outbound.list_workflows(asked)

    async def count_workflows(
        self,
        query: str | None = None,
        *,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionCount:
        """How many executions meet a filter.

        Args:
            query: as for `list_workflows`, with ``GROUP BY ExecutionStatus`` for a count of each status.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait for the answer.

        Raises:
            RPCError: as for `list_workflows`.
            TypeError: the query is not a str.
        """
        check_list(query)
        return await self._outbound.count_workflows(CountWorkflowsInput(query, rpc_metadata, rpc_timeout))

    async def create_schedule(
        self,
        id: str,
        schedule: Schedule | ScheduleSpec,
        *,
        action: ScheduleAction | None = None,
        policy: SchedulePolicy | None = None,
        state: ScheduleState | None = None,
        trigger_immediately: bool = False,
        backfill: Sequence[ScheduleBackfill] = (),
        memo: Mapping[str, Any] | None = None,
        search_attributes: TypedSearchAttributes | SearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> ScheduleHandle:
        """Make a schedule: it starts a workflow whenever it is due, as long as somebody has the journal open.

        Each of its times starts one workflow at most, also if the process dies meanwhile; what was due while nobody had
        the journal open is made up for, within the policy's ``catchup_window``.

        Args:
            id: of the schedule.
            schedule: what it does, when and how; or only when, with the rest in ``action``, ``policy`` and ``state``.
            action: see ``schedule``.
            policy: see ``schedule``.
            state: see ``schedule``.
            trigger_immediately: take an action now.
            backfill: spans whose times are taken now, too.
            memo: notes, shown when it is described.
            search_attributes: refused, schedules have none; its action's ``typed_search_attributes`` are for workflows.
            static_summary: refused, as ``static_details`` is; the action has them, too.
            static_details: see ``static_summary``.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: how long to wait until it is durable.

        Raises:
            ScheduleAlreadyRunningError: there is a schedule of this id.
            ScheduleSpecError: a part of it can't be understood, or never comes true; the error names the field.
            PayloadError, CodecError: an argument or a value of the memo can't be encoded.
            ValueError, TypeError: a bad id or name, no task queue, no action.
            UnsupportedOptionError: what schedules don't have.
            SearchAttributeTypeError: a search attribute of its action has another type in the namespace.
            RPCError: RESOURCE_EXHAUSTED: there are too many schedules; DEADLINE_EXCEEDED because of ``rpc_timeout``.
        """
        check_schedule(
            search_attributes=search_attributes, static_summary=static_summary, static_details=static_details
        )
        whole = whole_schedule(schedule, action, policy, state)
        check_limit(whole)
        return await self._outbound.create_schedule(
            CreateScheduleInput(id, whole, trigger_immediately, backfill, memo, None, rpc_metadata, rpc_timeout)
        )

    def get_schedule_handle(self, id: str) -> ScheduleHandle:
        """A handle to a schedule that may or may not exist; calls on it tell."""
        return ScheduleHandle(self._access, id)

    async def list_schedules(
        self,
        query: str | None = None,
        *,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        rpc_metadata: Mapping[str, str | bytes] = NO_METADATA,
        rpc_timeout: timedelta | None = None,
    ) -> ScheduleAsyncIterator:
        """All schedules, in order of their ids; nothing is asked before the first one is wanted.

        Args:
            query: schedules have no search attributes to filter by, so only none or an empty one makes sense.
            page_size: how many are read at a time; the service gives at most 500.
            next_page_token: go on where another iterator stopped.
            rpc_metadata: accepted for ported programs.
            rpc_timeout: accepted for ported programs.

        Raises:
            RPCError: INVALID_ARGUMENT: a query.
            TypeError: an argument is of another type than it says.
        """
        check_list(query, page_size, next_page_token)
        asked = ListSchedulesInput(page_size, next_page_token, query, rpc_metadata, rpc_timeout)
        return self._outbound.list_schedules(asked)

    def get_workflow_handle_for(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> WorkflowHandle[SelfType, ReturnType]:
        """`get_workflow_handle`, typed by the workflow's run method."""
        declared = declared_result(None, described_workflow(workflow)[1])
        return self._handle(workflow_id, run_id, declared, result_run_id=run_id, first_run_id=first_execution_run_id)

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
            self._access,
            workflow_id,
            run_id=run_id,
            result_run_id=result_run_id,
            first_execution_run_id=first_run_id,
            result_type=result_type,
        )
