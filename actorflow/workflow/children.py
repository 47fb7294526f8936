"""Starting other workflows as children of this one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Concatenate, Generic, TypedDict, TypeVar, Unpack, overload

from actorflow.common import (
    Priority,
    RetryPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    VersioningIntent,
    WorkflowIDReusePolicy,
)
from actorflow.converter import Payload, text_of
from actorflow.core import events as ev
from actorflow.core.notes import attributes_given
from actorflow.core.policy.checks import check_id, check_name, check_timeout
from actorflow.core.policy.cron import check_cron
from actorflow.core.policy.retry import rule_from
from actorflow.core.program.others import ChildFuture, ChildWorkflowCancellationType, ParentClosePolicy
from actorflow.exceptions import UnsupportedOptionError
from actorflow.types import (
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
from actorflow.workflow.activities import declared_result, declared_types, unknown_option
from actorflow.workflow.arguments import UNSET, arguments_of
from actorflow.workflow.context import running_program, uuid4
from actorflow.workflow.inputs import SignalChildWorkflowInput, StartChildWorkflowInput
from actorflow.workflow.notes import memo_given
from actorflow.workflow.others import check_workflow_accepts, described_workflow, encoded_for, send_signal, signal_name

T = TypeVar("T")


class ChildWorkflowConfig(TypedDict, total=False):
    """How a child is started.

    ``id`` is a random one by default, ``task_queue`` that of the parent. ``execution_timeout`` bounds the whole chain
    of the child's runs, ``run_timeout`` each of them. ``parent_close_policy`` says what becomes of the child if the
    parent closes first, ``cancellation_type`` what cancelling the wait for it means. With a ``cron_schedule`` the child
    runs again and again, and is over when a run is cancelled, terminated, or has timed out for good. ``memo``,
    ``search_attributes``, ``static_summary`` and ``static_details`` are notes about the child, as in a client's start.
    ``versioning_intent`` and ``priority`` are accepted for ported programs and change nothing.
    """

    id: str | None
    task_queue: str | None
    cancellation_type: ChildWorkflowCancellationType
    parent_close_policy: ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    static_summary: str | None
    static_details: str | None
    versioning_intent: VersioningIntent | None
    priority: Priority


class ChildWorkflowOptions(ChildWorkflowConfig, total=False):
    """`ChildWorkflowConfig`, and what the type-checker knows of a workflow that is not given by its name."""

    args: Sequence[Any]
    result_type: type | None


class ChildWorkflowHandle(ChildFuture[T], Generic[SelfType, T]):
    """A child that has begun: awaitable, and a future in every other way.

    Awaiting it gives the result, or raises `ChildWorkflowError` with the reason as its cause.
    """

    __slots__ = ()

    @overload
    async def signal(self, signal: MethodSyncOrAsyncNoParam[SelfType, None]) -> None: ...
    @overload
    async def signal(self, signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None], arg: ParamType) -> None: ...
    @overload
    async def signal(self, signal: MethodSyncOrAsyncAnyParams[SelfType, None], *, args: Sequence[Any]) -> None: ...
    @overload
    async def signal(self, signal: str, arg: Any = ..., *, args: Sequence[Any] = ...) -> None: ...
    async def signal(self, signal: str | Callable[..., Any], arg: Any = UNSET, *, args: Sequence[Any] = ()) -> None:
        """Signal the child; returns once the child has the signal.

        Args:
            signal: the handler method, or the signal's name.
            arg: its argument; for several use ``args=[...]``.

        Raises:
            ApplicationError: the child has closed.
        """
        name, run_id = signal_name(signal), self.child.run_id
        arguments = arguments_of(f"signal {name!r}", arg, args)
        interception = running_program().workflow.interception
        if interception is None:
            await send_signal(name, arguments, workflow_id=self.id, run_id=run_id, is_child=True)
        else:
            asked = SignalChildWorkflowInput(name, arguments, self.id, {}, run_id)
            await interception.outbound.signal_child_workflow(asked)


@overload
async def start_child_workflow(
    workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[ChildWorkflowConfig]
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...
@overload
async def start_child_workflow(
    workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...
@overload
async def start_child_workflow(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...
@overload
async def start_child_workflow(
    workflow: str, arg: Any = ..., **options: Unpack[ChildWorkflowOptions]
) -> ChildWorkflowHandle[Any, Any]: ...
async def start_child_workflow(workflow: Any, arg: Any = UNSET, **options: Any) -> ChildWorkflowHandle[Any, Any]:
    """Start a workflow as a child of this one, and wait until it has begun.

    Args:
        workflow: a workflow's run method, or its registered name.
        arg: its argument; for several use ``args=[...]``.
        options: see `ChildWorkflowOptions`.

    Returns:
        A handle, to be awaited for the child's result.

    Raises:
        WorkflowAlreadyStartedError: the id is taken by an open workflow, or may not be used again.
        ChildWorkflowError: this wait was cancelled (the cause is a CancelledError).
        ValueError: an id, a timeout, a cron schedule or a retry policy that can't be.
        TypeError: not a workflow, an unknown option, or arguments it can't take.
        PayloadError: an argument can't be encoded.
    """
    return await begin(workflow, arg, **options)


@overload
async def execute_child_workflow(
    workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[ChildWorkflowConfig]
) -> ReturnType: ...
@overload
async def execute_child_workflow(
    workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...
@overload
async def execute_child_workflow(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...
@overload
async def execute_child_workflow(workflow: str, arg: Any = ..., **options: Unpack[ChildWorkflowOptions]) -> Any: ...
async def execute_child_workflow(workflow: Any, arg: Any = UNSET, **options: Any) -> Any:
    """Run a workflow as a child of this one and wait for its result; takes and raises what `start_child_workflow` does.

    Raises:
        ChildWorkflowError: the child did not complete; the cause says why.
    """
    return await (await begin(workflow, arg, **options))


async def begin(
    workflow: Any,
    arg: Any,
    *,
    args: Sequence[Any] = (),
    id: str | None = None,
    task_queue: str | None = None,
    result_type: Any = None,
    cancellation_type: ChildWorkflowCancellationType = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str = "",
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    static_summary: str | None = None,
    static_details: str | None = None,
    versioning_intent: VersioningIntent | None = None,
    priority: Priority = Priority.default,
    headers: dict[str, Payload] | None = None,
    **unknown: Any,
) -> ChildWorkflowHandle[Any, Any]:
    """Start a child and wait until it has begun; ``headers`` as for an activity."""
    name, definition = described_workflow(workflow)
    whom = f"child workflow {name!r}"
    if unknown:
        raise unknown_option(whom, next(iter(unknown)), ChildWorkflowOptions.__annotations__)
    program = running_program()
    arguments = arguments_of(whom, arg, args)
    if program.workflow.interception is not None and headers is None:
        check_workflow_accepts(whom, definition, arguments)
        return await program.workflow.interception.outbound.start_child_workflow(
            StartChildWorkflowInput(
                workflow=name,
                args=arguments,
                id=str(uuid4()) if id is None else id,
                task_queue=task_queue,
                cancellation_type=cancellation_type,
                parent_close_policy=parent_close_policy,
                execution_timeout=execution_timeout,
                run_timeout=run_timeout,
                task_timeout=task_timeout,
                id_reuse_policy=id_reuse_policy,
                retry_policy=retry_policy,
                cron_schedule=cron_schedule,
                memo=memo,
                search_attributes=search_attributes,
                headers={},
                versioning_intent=versioning_intent,
                static_summary=static_summary,
                static_details=static_details,
                priority=priority,
                arg_types=declared_types(definition),
                ret_type=declared_result(result_type, definition),
            )
        )
    if id is not None:
        check_id(id)
    if task_queue is not None:
        check_name("task queue", task_queue)
    check_name("workflow type", name)
    if cron_schedule:
        check_cron(cron_schedule)
    if id_reuse_policy == WorkflowIDReusePolicy.TERMINATE_IF_RUNNING:
        raise UnsupportedOptionError(
            f"id_reuse_policy TERMINATE_IF_RUNNING of child workflow {name!r}",
            "a parent does not end executions that are not its own",
            "choose another id, or cancel the other one first",
        )
    scheduled = ev.ChildScheduled(
        workflow_id=str(uuid4()) if id is None else id,
        workflow_type=name,
        task_queue=task_queue or program.identity.task_queue,
        input=encoded_for(whom, definition, arguments),
        parent_close=int(ParentClosePolicy(parent_close_policy)),
        cancellation=int(ChildWorkflowCancellationType(cancellation_type)),
        reuse=int(WorkflowIDReusePolicy(id_reuse_policy)),
        execution_timeout=check_timeout(name, "execution_timeout", execution_timeout, kind="child workflow"),
        run_timeout=check_timeout(name, "run_timeout", run_timeout, kind="child workflow"),
        task_timeout=check_timeout(name, "task_timeout", task_timeout, kind="child workflow"),
        retry=None if retry_policy is None else rule_from(retry_policy),
        cron=cron_schedule,
        summary=text_of(static_summary or ""),
        details=text_of(static_details or ""),
        memo=memo_given(memo),
        search_attributes=attributes_given(f"child workflow {name!r}", search_attributes),
        headers=headers or None,
    )
    result_type = declared_result(result_type, definition)
    handle: Callable[[Any], ChildWorkflowHandle[Any, Any]] = ChildWorkflowHandle
    child = program.relations.start_child(scheduled, Any if result_type is None else result_type, handle)
    await child.start
    return child.handle  # pyright: ignore[reportReturnType] - it was made by `handle`
