"""Calling local activities from a workflow: short ones, run by its own worker and journaled as one marker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Concatenate, TypedDict, TypeVar, Unpack, cast, overload

from actorflow.common import RetryPolicy
from actorflow.converter import Payload, text_of
from actorflow.core import limits
from actorflow.core.definitions import ActivityDefinition
from actorflow.core.events import LocalActivityScheduled
from actorflow.core.policy.checks import check_name, check_timeout
from actorflow.core.policy.retry import rule_from
from actorflow.core.program import Program
from actorflow.core.program.pending import ActivityCancellationType, ActivityHandle
from actorflow.exceptions import RegistrationError
from actorflow.types import (
    CallableAsyncAnyParams,
    CallableAsyncNoParam,
    CallableAsyncSingleParam,
    CallableSyncAnyParams,
    CallableSyncNoParam,
    CallableSyncSingleParam,
    MultiParamSpec,
    SelfType,
)
from actorflow.workflow.activities import (
    check_accepted,
    declared_result,
    declared_types,
    encoded_arguments,
    unknown_option,
)
from actorflow.workflow.arguments import UNSET, arguments_of
from actorflow.workflow.context import running_program
from actorflow.workflow.inputs import StartLocalActivityInput

P = TypeVar("P")
R = TypeVar("R")


class LocalActivityConfig(TypedDict, total=False):
    """How a local activity is run.

    At least one of ``start_to_close_timeout`` (one attempt) and ``schedule_to_close_timeout`` (all of it, waits and
    retries included) is required. A wait for the next attempt that is longer than ``local_retry_threshold`` (default
    one minute) is a durable timer of the workflow; a shorter one is over with the process.
    """

    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    summary: str | None


class LocalActivityOptions(LocalActivityConfig, total=False):
    """`LocalActivityConfig`, and what the type-checker knows of an activity that is not given by its name."""

    args: Sequence[Any]
    result_type: type | None


@overload
def start_local_activity(
    activity: Callable[[], Awaitable[R]] | Callable[[], R], **options: Unpack[LocalActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_local_activity(
    activity: Callable[[P], Awaitable[R]] | Callable[[P], R], arg: P, **options: Unpack[LocalActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_local_activity(
    activity: Callable[..., Awaitable[R]] | Callable[..., R],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> ActivityHandle[R]: ...
@overload
def start_local_activity(
    activity: str, arg: Any = ..., **options: Unpack[LocalActivityOptions]
) -> ActivityHandle[Any]: ...
def start_local_activity(activity: Any, arg: Any = UNSET, **options: Any) -> ActivityHandle[Any]:
    """Start an activity in the worker of this workflow and return its handle.

    It needs no task queue, and only its result is journaled: a process that dies before that runs it again, so use it
    for what is short. It is not asked for heartbeats before it is cancelled.

    Args:
        activity: a decorated function, or the activity's name.
        arg: its argument; for several use ``args=[...]``.
        options: see `LocalActivityConfig`.

    Returns:
        A future. Awaiting it gives the result, or raises `ActivityError` with the reason as its cause.

    Raises:
        RegistrationError: the worker has no such activity; uncaught it fails the turn, not the workflow.
        ValueError: a timeout is missing or negative, or the retry policy contradicts itself.
        TypeError: not an activity, an unknown option, or arguments it can't take.
        PayloadError: an argument can't be encoded.
    """
    definition = None if isinstance(activity, str) else ActivityDefinition.described_by(activity)
    name = cast("str", activity) if definition is None else definition.name
    return begin(name, definition, arg, **options)


@overload
async def execute_local_activity(
    activity: Callable[[], Awaitable[R]] | Callable[[], R], **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity(
    activity: Callable[[P], Awaitable[R]] | Callable[[P], R], arg: P, **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity(
    activity: Callable[..., Awaitable[R]] | Callable[..., R],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> R: ...
@overload
async def execute_local_activity(activity: str, arg: Any = ..., **options: Unpack[LocalActivityOptions]) -> Any: ...
async def execute_local_activity(activity: Any, arg: Any = UNSET, **options: Any) -> Any:
    """Run a local activity and wait for its result; takes and raises what `start_local_activity` does."""
    return await start_local_activity(activity, arg, **options)


@overload
def start_local_activity_method(
    activity: Callable[[SelfType], Awaitable[R]] | Callable[[SelfType], R], **options: Unpack[LocalActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_local_activity_method(
    activity: Callable[[SelfType, P], Awaitable[R]] | Callable[[SelfType, P], R],
    arg: P,
    **options: Unpack[LocalActivityConfig],
) -> ActivityHandle[R]: ...
@overload
def start_local_activity_method(
    activity: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[R]]
    | Callable[Concatenate[SelfType, MultiParamSpec], R],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> ActivityHandle[R]: ...
def start_local_activity_method(activity: Any, arg: Any = UNSET, **options: Any) -> ActivityHandle[Any]:
    """`start_local_activity` for a method named through its class, such as ``Mailer.send``."""
    return start_local_activity(activity, arg, **options)


@overload
async def execute_local_activity_method(
    activity: Callable[[SelfType], Awaitable[R]] | Callable[[SelfType], R], **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity_method(
    activity: Callable[[SelfType, P], Awaitable[R]] | Callable[[SelfType, P], R],
    arg: P,
    **options: Unpack[LocalActivityConfig],
) -> R: ...
@overload
async def execute_local_activity_method(
    activity: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[R]]
    | Callable[Concatenate[SelfType, MultiParamSpec], R],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> R: ...
async def execute_local_activity_method(activity: Any, arg: Any = UNSET, **options: Any) -> Any:
    """`execute_local_activity` for a method named through its class, such as ``Mailer.send``."""
    return await start_local_activity(activity, arg, **options)


@overload
def start_local_activity_class(
    activity: type[CallableAsyncNoParam[R]] | type[CallableSyncNoParam[R]], **options: Unpack[LocalActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_local_activity_class(
    activity: type[CallableAsyncSingleParam[P, R]] | type[CallableSyncSingleParam[P, R]],
    arg: P,
    **options: Unpack[LocalActivityConfig],
) -> ActivityHandle[R]: ...
@overload
def start_local_activity_class(
    activity: type[CallableAsyncAnyParams[R]] | type[CallableSyncAnyParams[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> ActivityHandle[R]: ...
def start_local_activity_class(activity: Any, arg: Any = UNSET, **options: Any) -> ActivityHandle[Any]:
    """`start_local_activity` for a callable class, named by the class."""
    return start_local_activity(activity, arg, **options)


@overload
async def execute_local_activity_class(
    activity: type[CallableAsyncNoParam[R]] | type[CallableSyncNoParam[R]], **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity_class(
    activity: type[CallableAsyncSingleParam[P, R]] | type[CallableSyncSingleParam[P, R]],
    arg: P,
    **options: Unpack[LocalActivityConfig],
) -> R: ...
@overload
async def execute_local_activity_class(
    activity: type[CallableAsyncAnyParams[R]] | type[CallableSyncAnyParams[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> R: ...
async def execute_local_activity_class(activity: Any, arg: Any = UNSET, **options: Any) -> Any:
    """`execute_local_activity` for a callable class, named by the class."""
    return await start_local_activity(activity, arg, **options)


def begin(
    name: str,
    definition: ActivityDefinition | None,
    arg: Any,
    *,
    args: Sequence[Any] = (),
    result_type: Any = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    local_retry_threshold: timedelta | None = None,
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL,
    activity_id: str | None = None,
    summary: str | None = None,
    headers: dict[str, Payload] | None = None,
    **unknown: Any,
) -> ActivityHandle[Any]:
    """Start a local activity; ``headers`` as for an activity, see `actorflow.workflow.activities.begin`."""
    whom = f"local activity {name!r}"
    if unknown:
        raise unknown_option(whom, next(iter(unknown)), LocalActivityOptions.__annotations__)
    program = running_program()
    arguments = arguments_of(whom, arg, args)
    if program.workflow.interception is not None and headers is None:
        check_accepted(whom, definition, arguments)
        return program.workflow.interception.outbound.start_local_activity(
            StartLocalActivityInput(
                activity=name,
                args=arguments,
                activity_id=activity_id,
                schedule_to_close_timeout=schedule_to_close_timeout,
                schedule_to_start_timeout=schedule_to_start_timeout,
                start_to_close_timeout=start_to_close_timeout,
                retry_policy=retry_policy,
                local_retry_threshold=local_retry_threshold,
                cancellation_type=cancellation_type,
                headers={},
                summary=summary,
                arg_types=declared_types(definition),
                ret_type=declared_result(result_type, definition),
            )
        )
    if start_to_close_timeout is None and schedule_to_close_timeout is None:
        raise ValueError(f"{whom} must have start_to_close_timeout or schedule_to_close_timeout")
    schedule_to_close = check_timeout(name, "schedule_to_close_timeout", schedule_to_close_timeout)
    schedule_to_start = check_timeout(name, "schedule_to_start_timeout", schedule_to_start_timeout)
    start_to_close = check_timeout(name, "start_to_close_timeout", start_to_close_timeout)
    threshold = check_timeout(name, "local_retry_threshold", local_retry_threshold)
    if activity_id is not None:
        check_name("activity id", activity_id)
    check_name("activity type", name)
    cancellation = int(ActivityCancellationType(cancellation_type))
    _check_registered(program, name)
    payloads = encoded_arguments(program, whom, definition, arguments)
    rule = rule_from(retry_policy)
    result_type = declared_result(result_type, definition)

    def build(number: str) -> LocalActivityScheduled:
        return LocalActivityScheduled(
            activity_id=activity_id or number,
            activity_type=name,
            retry_threshold=limits.LOCAL_RETRY_THRESHOLD if threshold is None else threshold,
            input=payloads,
            schedule_to_close=schedule_to_close,
            schedule_to_start=schedule_to_start,
            start_to_close=start_to_close,
            retry=rule,
            cancellation=cancellation,
            summary=text_of(summary or ""),
            headers=headers or None,
        )

    return program.activities.start_local(build, Any if result_type is None else result_type)


def _check_registered(program: Program, name: str) -> None:
    """Refuse what the worker can't run; what has run already needs nobody."""
    runs = program.definition.runs_activity
    if runs is not None and not program.mode.is_replaying and not runs(name):
        raise RegistrationError(
            f"Activity function {name} is not registered on this worker, so it can't be run as a local activity; "
            "add it to the worker's activities, or use execute_activity with its task queue"
        )
