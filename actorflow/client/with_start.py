"""What an update-with-start starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, Generic, Required, Unpack, overload

from actorflow.client.handle import WorkflowHandle
from actorflow.client.inputs import UpdateWithStartStartWorkflowInput
from actorflow.client.ported import check_start
from actorflow.client.start import (
    NO_METADATA,
    LifeOptions,
    NoteOptions,
    id_policies,
    run_options,
)
from actorflow.common import (
    Priority,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from actorflow.service import RPCError, RPCStatusCode
from actorflow.types import (
    MethodAsyncNoParam,
    MethodAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    ReturnType,
    SelfType,
)
from actorflow.workflow.activities import declared_result
from actorflow.workflow.arguments import UNSET
from actorflow.workflow.others import called_workflow


class WithStartOptions(LifeOptions, NoteOptions, total=False):
    """How the workflow is started; see `WithStartWorkflowOperation`."""

    id: Required[str]
    task_queue: str | None
    id_conflict_policy: Required[WorkflowIDConflictPolicy]
    id_reuse_policy: WorkflowIDReusePolicy
    result_type: type | None
    request_id: str
    priority: Priority
    versioning_override: Any
    stack_level: int


class WithStartWorkflowOperation(Generic[SelfType, ReturnType]):
    """A workflow to be started together with an update; good for one call.

    Args:
        workflow: the run method, or the workflow type's name.
        arg: its argument; for several use ``args=[...]``.
        args: see ``arg``.
        id: the workflow id.
        task_queue: whose workers run it; needed unless the client has one of its own.
        id_conflict_policy: what to do if the id is open: FAIL, or USE_EXISTING and send it the update.
        id_reuse_policy: what closed runs of the id mean.
        result_type: what to decode the workflow's result as, if the run method is not given.
        request_id: repeat a call whose outcome you don't know with the same one, and it starts once.
        memo: notes for people and programs, see `StartOptions`.
        search_attributes: notes by which it is found, see `StartOptions`.
        static_summary: one line for people.
        static_details: more lines for people.
        priority: accepted for ported programs, see `Priority`.
        versioning_override: refused, since there is one version of the code.
        stack_level: accepted for ported programs.
        life: timeouts, retry, cron and delay, see `StartOptions`.

    Raises:
        UnsupportedOptionError: there is a ``versioning_override``.
        ValueError: the conflict policy is UNSPECIFIED, or `StartOptions` that can't be.
    """

    @overload
    def __init__(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[WithStartOptions]
    ) -> None: ...
    @overload
    def __init__(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[WithStartOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        *,
        args: Sequence[Any],
        **options: Unpack[WithStartOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: WithStartWorkflowOperation[Any, Any],
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        **options: Unpack[WithStartOptions],
    ) -> None: ...
    def __init__(
        self,
        workflow: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,
        task_queue: str | None = None,
        id_conflict_policy: WorkflowIDConflictPolicy,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        result_type: type | None = None,
        request_id: str = "",
        memo: Mapping[str, Any] | None = None,
        search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        priority: Priority = Priority.default,
        versioning_override: Any = None,
        stack_level: int = 2,
        **life: Unpack[LifeOptions],
    ) -> None:
        check_start(versioning_override=versioning_override)
        if id_conflict_policy == WorkflowIDConflictPolicy.UNSPECIFIED:
            raise ValueError("an update-with-start needs an id_conflict_policy: FAIL, or USE_EXISTING")
        name, definition, arguments = called_workflow(workflow, arg, args)
        id_policies(id, id_reuse_policy, id_conflict_policy)
        run_options(name, **life)
        self._input = UpdateWithStartStartWorkflowInput(
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
            rpc_metadata=NO_METADATA,
            rpc_timeout=None,
            priority=priority,
            request_id=request_id,
        )
        self._is_used = False
        self._handle: asyncio.Future[WorkflowHandle[SelfType, ReturnType]] | None = None

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._input.id

    async def workflow_handle(self) -> WorkflowHandle[SelfType, ReturnType]:
        """Wait until the workflow has been started and return its handle, whatever became of the update.

        Raises:
            WorkflowAlreadyStartedError, RPCError: it could not be started.
        """
        return await asyncio.shield(self._future())

    def claim(self) -> UpdateWithStartStartWorkflowInput:
        """What to start, for the one call it is good for.

        Raises:
            RuntimeError: it was used before.
        """
        if self._is_used:
            raise RuntimeError("a WithStartWorkflowOperation is good for one call; make another one")
        self._is_used = True
        return self._input

    def started(self, handle: WorkflowHandle[SelfType, ReturnType]) -> None:
        """The workflow is there."""
        self._future().set_result(handle)

    @contextmanager
    def failing(self) -> Generator[None]:
        """What is raised inside before the workflow is there is also what `workflow_handle` raises."""
        try:
            yield
        except BaseException as problem:
            future = self._future()
            if not future.done():
                # Whoever else waits was not cancelled itself.
                told = problem if isinstance(problem, Exception) else _cancelled(self.id)
                future.set_exception(told)
                future.exception()  # nobody may be waiting for it
            raise

    def _future(self) -> asyncio.Future[WorkflowHandle[SelfType, ReturnType]]:
        if self._handle is None:
            self._handle = asyncio.get_running_loop().create_future()
        return self._handle


def _cancelled(workflow_id: str) -> RPCError:
    return RPCError(
        f"the call that was to start workflow {workflow_id!r} was cancelled; whether it was started is unknown",
        RPCStatusCode.CANCELLED,
    )
