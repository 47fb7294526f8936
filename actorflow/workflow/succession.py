"""Going on as a new run, and what earlier runs have left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, TypedDict, TypeVar, Unpack, overload

from actorflow.common import RetryPolicy, SearchAttributes, TypedSearchAttributes, VersioningIntent
from actorflow.converter import stored_headers
from actorflow.core import events as ev
from actorflow.core.notes import attributes_given
from actorflow.core.policy.checks import check_name, check_timeout
from actorflow.core.policy.retry import rule_from
from actorflow.core.program.succession import ContinueAsNewError
from actorflow.types import MethodAsyncNoParam, MethodAsyncSingleParam, ParamType
from actorflow.workflow.activities import declared_types
from actorflow.workflow.arguments import UNSET, arguments_of
from actorflow.workflow.context import running_program
from actorflow.workflow.inputs import ContinueAsNewInput
from actorflow.workflow.notes import memo_given
from actorflow.workflow.others import check_workflow_accepts, described_workflow, encoded_for

T = TypeVar("T")


class ContinueAsNewOptions(TypedDict, total=False):
    """How a run goes on; see `continue_as_new`."""

    task_queue: str | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    versioning_intent: VersioningIntent | None


@overload
def continue_as_new(
    arg: Any = ..., *, args: Sequence[Any] = ..., **options: Unpack[ContinueAsNewOptions]
) -> NoReturn: ...
@overload
def continue_as_new(*, workflow: MethodAsyncNoParam[Any, Any], **options: Unpack[ContinueAsNewOptions]) -> NoReturn: ...
@overload
def continue_as_new(
    arg: ParamType, *, workflow: MethodAsyncSingleParam[Any, ParamType, Any], **options: Unpack[ContinueAsNewOptions]
) -> NoReturn: ...
@overload
def continue_as_new(
    *, args: Sequence[Any], workflow: Callable[..., Awaitable[Any]], **options: Unpack[ContinueAsNewOptions]
) -> NoReturn: ...
@overload
def continue_as_new(
    arg: Any = ..., *, args: Sequence[Any] = ..., workflow: str | None, **options: Unpack[ContinueAsNewOptions]
) -> NoReturn: ...
def continue_as_new(
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    workflow: str | Callable[..., Any] | None = None,
    task_queue: str | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    versioning_intent: VersioningIntent | None = None,
) -> NoReturn:
    """End this run and go on as a new one with an empty history; what is not given is kept.

    Signals and updates that wait for the workflow are handed on to the new run.

    Args:
        arg: the new run's argument; for several use ``args=[...]``.
        workflow: another workflow to go on as: its run method or registered name.
        task_queue: whose workers go on.
        run_timeout: of the new run.
        task_timeout: kept for programs that ask.
        retry_policy: of the new run.
        memo: in place of this run's, as it is now.
        search_attributes: in place of this run's, as they are now.
        versioning_intent: accepted for ported programs; there is one version of the code.

    Raises:
        ContinueAsNewError: always; let it pass.
    """
    program = running_program()
    program.mode.check_writable("continue as new")
    if workflow is None:
        name, definition = None, None if program.definition.is_dynamic else program.definition
    else:
        name, definition = described_workflow(workflow)
    whom = f"workflow {name or program.identity.workflow_type!r}"
    arguments = arguments_of(whom, arg, args)
    check_workflow_accepts(whom, definition, arguments)
    asked = ContinueAsNewInput(
        workflow=name,
        args=arguments,
        task_queue=task_queue,
        run_timeout=run_timeout,
        task_timeout=task_timeout,
        retry_policy=retry_policy,
        memo=memo,
        search_attributes=search_attributes,
        headers={},
        versioning_intent=versioning_intent,
        arg_types=declared_types(definition),
    )
    if program.workflow.interception is not None:
        program.workflow.interception.outbound.continue_as_new(asked)
        raise RuntimeError("an interceptor's continue_as_new has returned; let it call the next one, which raises")
    go_on(asked)


def go_on(asked: ContinueAsNewInput) -> NoReturn:
    """End the run and go on as a new one.

    Raises:
        ContinueAsNewError: always.
        ValueError, TypeError, PayloadError: something that can't be was asked for.
    """
    own = running_program().identity
    name = asked.workflow or own.workflow_type
    check_name("workflow type", name)
    if asked.task_queue is not None:
        check_name("task queue", asked.task_queue)
    noted = asked.search_attributes
    raise ContinueAsNewError(
        ev.ContinuedAsNew(
            workflow_type=name,
            task_queue=asked.task_queue or own.task_queue,
            input=encoded_for(f"workflow {name!r}", None, asked.args),
            run_timeout=check_timeout(name, "run_timeout", asked.run_timeout, kind="workflow"),
            task_timeout=check_timeout(name, "task_timeout", asked.task_timeout, kind="workflow"),
            retry=None if asked.retry_policy is None else rule_from(asked.retry_policy),
            memo=memo_given(asked.memo),
            search_attributes=None if noted is None else attributes_given(name, noted) or {},
            headers=stored_headers(asked.headers),
        )
    )


def has_last_completion_result() -> bool:
    """True if an earlier run of this cron has completed with a result."""
    return _options().last_result is not None


@overload
def get_last_completion_result() -> Any | None: ...
@overload
def get_last_completion_result(type_hint: type[T]) -> T | None: ...
def get_last_completion_result(type_hint: Any = None) -> Any:
    """The result of the latest run of this cron that completed; None if there is none.

    Args:
        type_hint: what to decode it as; plain values by default.
    """
    payload = _options().last_result
    if payload is None:
        return None
    return running_program().converter.decode_one(payload, Any if type_hint is None else type_hint)


def get_last_failure() -> BaseException | None:
    """Why the run before this one failed, if this is a retry, or the next run of a cron; None otherwise."""
    failure = _options().last_failure
    return None if failure is None else running_program().converter.exception(failure)


def _options() -> ev.RunOptions:
    return running_program().options
