"""Calling activities from a workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Concatenate, TypedDict, TypeVar, Unpack, cast, overload

from actorflow.common import Priority, RetryPolicy, VersioningIntent
from actorflow.converter import Payload, text_of
from actorflow.core.definitions import ActivityDefinition, WorkflowDefinition
from actorflow.core.events import ActivityScheduled
from actorflow.core.policy.checks import check_name, check_timeout
from actorflow.core.policy.retry import rule_from
from actorflow.core.program import Program
from actorflow.core.program.pending import ActivityCancellationType, ActivityHandle
from actorflow.exceptions import PayloadError
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
from actorflow.workflow.arguments import UNSET, arguments_of
from actorflow.workflow.context import running_program
from actorflow.workflow.inputs import StartActivityInput

P = TypeVar("P")
R = TypeVar("R")


class ActivityConfig(TypedDict, total=False):
    """How an activity is run; options that several calls share: ``execute_activity(send, order, **config)``.

    At least one of ``start_to_close_timeout`` (one attempt) and ``schedule_to_close_timeout`` (all of it, waits and
    retries included) is required. ``heartbeat_timeout`` ends an attempt that gives no sign of life for that long.
    ``priority`` and ``versioning_intent`` are accepted for ported programs and change nothing, see `Priority`.
    """

    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    versioning_intent: VersioningIntent | None
    summary: str | None
    priority: Priority


class ActivityOptions(ActivityConfig, total=False):
    """`ActivityConfig`, and what the type-checker knows of an activity that is not given by its name."""

    args: Sequence[Any]
    result_type: type | None


@overload
def start_activity(
    activity: Callable[[], Awaitable[R]] | Callable[[], R], **options: Unpack[ActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_activity(
    activity: Callable[[P], Awaitable[R]] | Callable[[P], R], arg: P, **options: Unpack[ActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_activity(
    activity: Callable[..., Awaitable[R]] | Callable[..., R], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_activity(activity: str, arg: Any = ..., **options: Unpack[ActivityOptions]) -> ActivityHandle[Any]: ...
def start_activity(activity: Any, arg: Any = UNSET, **options: Any) -> ActivityHandle[Any]:
    """Start an activity now and return its handle, to be awaited when the result is needed.

    Args:
        activity: a decorated function, or the activity's name.
        arg: its argument; for several use ``args=[...]``.
        options: see `ActivityOptions`.

    Returns:
        A future. Awaiting it gives the result, or raises `ActivityError` with the reason as its cause.

    Raises:
        ValueError: a timeout is missing or negative, or the retry policy contradicts itself.
        TypeError: not an activity, an unknown option, or arguments it can't take.
        PayloadError: an argument can't be encoded.
    """
    definition = None if isinstance(activity, str) else ActivityDefinition.described_by(activity)
    name = cast("str", activity) if definition is None else definition.name
    return begin(name, definition, arg, **options)


@overload
async def execute_activity(
    activity: Callable[[], Awaitable[R]] | Callable[[], R], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity(
    activity: Callable[[P], Awaitable[R]] | Callable[[P], R], arg: P, **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity(
    activity: Callable[..., Awaitable[R]] | Callable[..., R], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity(activity: str, arg: Any = ..., **options: Unpack[ActivityOptions]) -> Any: ...
async def execute_activity(activity: Any, arg: Any = UNSET, **options: Any) -> Any:
    """Run an activity and wait for its result; takes and raises what `start_activity` does."""
    definition = None if isinstance(activity, str) else ActivityDefinition.described_by(activity)
    name = cast("str", activity) if definition is None else definition.name
    return await begin(name, definition, arg, **options)


@overload
def start_activity_method(
    activity: Callable[[SelfType], Awaitable[R]] | Callable[[SelfType], R], **options: Unpack[ActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_activity_method(
    activity: Callable[[SelfType, P], Awaitable[R]] | Callable[[SelfType, P], R],
    arg: P,
    **options: Unpack[ActivityConfig],
) -> ActivityHandle[R]: ...
@overload
def start_activity_method(
    activity: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[R]]
    | Callable[Concatenate[SelfType, MultiParamSpec], R],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> ActivityHandle[R]: ...
def start_activity_method(activity: Any, arg: Any = UNSET, **options: Any) -> ActivityHandle[Any]:
    """`start_activity` for a method named through its class, such as ``Mailer.send``."""
    return start_activity(activity, arg, **options)


@overload
async def execute_activity_method(
    activity: Callable[[SelfType], Awaitable[R]] | Callable[[SelfType], R], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[[SelfType, P], Awaitable[R]] | Callable[[SelfType, P], R],
    arg: P,
    **options: Unpack[ActivityConfig],
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[R]]
    | Callable[Concatenate[SelfType, MultiParamSpec], R],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> R: ...
async def execute_activity_method(activity: Any, arg: Any = UNSET, **options: Any) -> Any:
    """`execute_activity` for a method named through its class, such as ``Mailer.send``."""
    return await start_activity(activity, arg, **options)


@overload
def start_activity_class(
    activity: type[CallableAsyncNoParam[R]] | type[CallableSyncNoParam[R]], **options: Unpack[ActivityConfig]
) -> ActivityHandle[R]: ...
@overload
def start_activity_class(
    activity: type[CallableAsyncSingleParam[P, R]] | type[CallableSyncSingleParam[P, R]],
    arg: P,
    **options: Unpack[ActivityConfig],
) -> ActivityHandle[R]: ...
@overload
def start_activity_class(
    activity: type[CallableAsyncAnyParams[R]] | type[CallableSyncAnyParams[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> ActivityHandle[R]: ...
def start_activity_class(activity: Any, arg: Any = UNSET, **options: Any) -> ActivityHandle[Any]:
    """`start_activity` for a callable class, named by the class."""
    return start_activity(activity, arg, **options)


@overload
async def execute_activity_class(
    activity: type[CallableAsyncNoParam[R]] | type[CallableSyncNoParam[R]], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity_class(
    activity: type[CallableAsyncSingleParam[P, R]] | type[CallableSyncSingleParam[P, R]],
    arg: P,
    **options: Unpack[ActivityConfig],
) -> R: ...
@overload
async def execute_activity_class(
    activity: type[CallableAsyncAnyParams[R]] | type[CallableSyncAnyParams[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> R: ...
async def execute_activity_class(activity: Any, arg: Any = UNSET, **options: Any) -> Any:
    """`execute_activity` for a callable class, named by the class."""
    return await start_activity(activity, arg, **options)


def begin(
    name: str,
    definition: ActivityDefinition | None,
    arg: Any,
    *,
    args: Sequence[Any] = (),
    task_queue: str | None = None,
    result_type: Any = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    heartbeat_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL,
    activity_id: str | None = None,
    versioning_intent: VersioningIntent | None = None,
    summary: str | None = None,
    priority: Priority = Priority.default,
    headers: dict[str, Payload] | None = None,
    **unknown: Any,
) -> ActivityHandle[Any]:
    """Start an activity, through the interceptors if there are some and ``headers`` does not say what they said."""
    whom = f"activity {name!r}"
    if unknown:
        raise unknown_option(whom, next(iter(unknown)), ActivityOptions.__annotations__)
    program = running_program()
    arguments = arguments_of(whom, arg, args)
    if program.workflow.interception is not None and headers is None:
        check_accepted(whom, definition, arguments)
        return program.workflow.interception.outbound.start_activity(
            StartActivityInput(
                activity=name,
                args=arguments,
                activity_id=activity_id,
                task_queue=task_queue,
                schedule_to_close_timeout=schedule_to_close_timeout,
                schedule_to_start_timeout=schedule_to_start_timeout,
                start_to_close_timeout=start_to_close_timeout,
                heartbeat_timeout=heartbeat_timeout,
                retry_policy=retry_policy,
                cancellation_type=cancellation_type,
                headers={},
                disable_eager_execution=False,
                versioning_intent=versioning_intent,
                summary=summary,
                priority=priority,
                arg_types=declared_types(definition),
                ret_type=declared_result(result_type, definition),
            )
        )
    if start_to_close_timeout is None and schedule_to_close_timeout is None:
        raise ValueError(f"{whom} must have start_to_close_timeout or schedule_to_close_timeout")
    schedule_to_close = check_timeout(name, "schedule_to_close_timeout", schedule_to_close_timeout)
    schedule_to_start = check_timeout(name, "schedule_to_start_timeout", schedule_to_start_timeout)
    start_to_close = check_timeout(name, "start_to_close_timeout", start_to_close_timeout)
    heartbeat = check_timeout(name, "heartbeat_timeout", heartbeat_timeout)
    if activity_id is not None:
        check_name("activity id", activity_id)
    if task_queue is not None:
        check_name("task queue", task_queue)
    check_name("activity type", name)
    cancellation = int(ActivityCancellationType(cancellation_type))
    payloads = encoded_arguments(program, whom, definition, arguments)
    rule = rule_from(retry_policy)
    result_type = declared_result(result_type, definition)

    def build(number: str) -> ActivityScheduled:
        return ActivityScheduled(
            activity_id=activity_id or number,
            activity_type=name,
            task_queue=task_queue or program.identity.task_queue,
            input=payloads,
            schedule_to_close=schedule_to_close,
            schedule_to_start=schedule_to_start,
            start_to_close=start_to_close,
            heartbeat=heartbeat,
            retry=rule,
            cancellation=cancellation,
            summary=text_of(summary or ""),
            headers=headers or None,
        )

    return program.activities.start(build, Any if result_type is None else result_type)


def unknown_option(whom: str, option: str, known: Mapping[str, Any]) -> TypeError:
    """A call has an option that there isn't."""
    near = get_close_matches(option, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return TypeError(f"{whom}: {option!r} is not an option; {hint}")


def check_accepted(whom: str, definition: ActivityDefinition | None, arguments: Sequence[Any]) -> None:
    """Refuse a number of arguments that the activity can't take, where it is known what it takes.

    Raises:
        TypeError: see above.
    """
    if definition is not None and not definition.signature.accepts(len(arguments)):
        expected = len(definition.signature.names)
        raise TypeError(f"{whom} takes {expected} arguments, but {len(arguments)} were given")


def declared_result(result_type: Any, definition: ActivityDefinition | WorkflowDefinition | None) -> Any:
    """What to decode a result as: the caller's wish, else as it is declared; None if nobody says."""
    return definition.signature.result_type if result_type is None and definition is not None else result_type


def declared_types(definition: ActivityDefinition | WorkflowDefinition | None) -> list[type] | None:
    """Types of the parameters, for interceptors; None if nobody says."""
    return None if definition is None else list(definition.signature.types)


def encoded_arguments(
    program: Program, whom: str, definition: ActivityDefinition | None, arguments: Sequence[Any]
) -> Any:
    """Arguments as payloads, once it is known that the activity can take them."""
    check_accepted(whom, definition, arguments)
    try:
        payloads = program.converter.encode(arguments)
        program.asked.take_along(whom, payloads)
    except PayloadError as problem:
        problem.add_note(f"while encoding the arguments of {whom}")
        raise
    return payloads
