"""Decorators that make a class a workflow definition."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from actorflow.common import VersioningBehavior
from actorflow.core.definitions import (
    DESCRIPTION_MARK,
    DYNAMIC,
    DYNAMIC_CONFIG_MARK,
    INIT_MARK,
    POLICY_MARK,
    QUERY_MARK,
    RUN_MARK,
    SIGNAL_MARK,
    UPDATE_MARK,
    VALIDATOR_MARK,
    WORKFLOW_MARK,
    DynamicWorkflowConfig,
    HandlerDefinition,
    HandlerUnfinishedPolicy,
    WorkflowDefinition,
    signature_of,
)
from actorflow.core.guard import Guard
from actorflow.types import CallableType, ClassType

M = TypeVar("M", bound=Callable[..., Any])
P = ParamSpec("P")
Result = TypeVar("Result", covariant=True)


@overload
def defn(cls: ClassType) -> ClassType: ...
@overload
def defn(
    *,
    name: str | None = None,
    sandboxed: bool = True,
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = (),
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> Callable[[ClassType], ClassType]: ...
def defn(
    cls: ClassType | None = None,
    *,
    name: str | None = None,
    sandboxed: bool = True,
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = (),
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> ClassType | Callable[[ClassType], ClassType]:
    """Make a class a workflow definition.

    Args:
        name: the workflow type; default is the class's name.
        sandboxed: False lets its code do I/O and, in development mode, ask for the time and for chance.
        dynamic: it runs every type nobody else does on its worker; ``run`` takes ``(self, args: Sequence[RawValue])``,
            and the type asked for is ``workflow.info().workflow_type``.
        failure_exception_types: exceptions that fail the execution; any other (except failures and timeouts) fails
            only the turn, which is tried again.
        versioning_behavior: accepted for ported programs; a run goes on with the code there is.

    Raises:
        TypeError: the class has no ``@workflow.run``, more than one, or handlers that contradict each other.
        ValueError: it has a `dynamic_config` and is not dynamic.
    """

    def decorate(target: ClassType) -> ClassType:
        candidate: object = target
        if not inspect.isclass(candidate):
            raise TypeError(f"@workflow.defn needs a class, not {candidate!r}")
        if WORKFLOW_MARK in vars(target):
            raise TypeError(f"{target.__qualname__} is already a workflow definition; remove one @workflow.defn")
        if dynamic and name is not None:
            raise TypeError(f"{target.__qualname__}: a dynamic workflow has no name; leave name out")
        run = _run_method(target)
        if dynamic:
            _check_dynamic_run(run)
        definition = WorkflowDefinition(
            name=DYNAMIC if dynamic else name or target.__name__,
            cls=target,
            run=run,
            has_init=_has_init(target),
            signals=_handlers(target, SIGNAL_MARK, "signal"),
            queries=_handlers(target, QUERY_MARK, "query"),
            updates=_handlers(target, UPDATE_MARK, "update"),
            failure_exception_types=tuple(failure_exception_types),
            dynamic_config=_dynamic_config(target) if dynamic else _no_dynamic_config(target),
            guard=Guard(is_on=sandboxed),
        )
        setattr(target, WORKFLOW_MARK, definition)
        setattr(definition.run, WORKFLOW_MARK, definition)  # clients name a workflow by its run method
        return target

    return decorate if cls is None else decorate(cls)


def _check_dynamic_run(run: Callable[..., Any]) -> None:
    signature = signature_of(run, skip_self=True)
    if signature.is_variadic or len(signature.names) != 1:
        raise TypeError(f"{run.__qualname__} of a dynamic workflow must take (self, args: Sequence[RawValue])")


def run(fn: CallableType) -> CallableType:
    """Mark the method that is the workflow: ``async``, on the class that has ``@workflow.defn``.

    Raises:
        TypeError: it is not an ``async def``, or its name is reserved.
    """
    if not inspect.iscoroutinefunction(fn):
        raise TypeError(f"@workflow.run needs an async method, and {fn.__qualname__} is not async")
    setattr(fn, RUN_MARK, True)
    return fn


def init(fn: CallableType) -> CallableType:
    """Mark ``__init__`` to receive the workflow's arguments; its parameters must be those of the run method.

    Raises:
        TypeError: it is not ``__init__``.
    """
    if fn.__name__ != "__init__":
        raise TypeError(f"@workflow.init belongs on __init__, not on {fn.__qualname__}")
    setattr(fn, INIT_MARK, True)
    return fn


def dynamic_config(fn: CallableType) -> CallableType:
    """Mark a method of a dynamic workflow that returns a `DynamicWorkflowConfig`; asked once its object is built.

    It must decide by ``workflow.info()`` and the like, and change nothing.

    Raises:
        TypeError: it is async.
    """
    if inspect.iscoroutinefunction(fn):
        raise TypeError(f"@workflow.dynamic_config {fn.__qualname__} is async; it must answer at once")
    setattr(fn, DYNAMIC_CONFIG_MARK, True)
    return fn


@overload
def signal(fn: M) -> M: ...
@overload
def signal(
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[M], M]: ...
def signal(
    fn: M | None = None,
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> M | Callable[[M], M]:
    """Mark a method, sync or async, as the handler of a signal.

    Args:
        name: of the signal; default is the method's name.
        dynamic: it handles every signal nobody else does, as ``(self, name: str, args: Sequence[RawValue])``.
        unfinished_policy: whether to warn if the workflow ends while it runs.
        description: one line for people.
    """

    def decorate(target: M) -> M:
        setattr(target, SIGNAL_MARK, _registered("signal", target, name, is_dynamic=dynamic))
        setattr(target, POLICY_MARK, unfinished_policy)
        setattr(target, DESCRIPTION_MARK, description)
        return target

    return decorate if fn is None else decorate(fn)


class UpdateMethod(Protocol[P, Result]):
    """A method marked as the handler of an update; its ``validator`` marks another one that may reject it."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result: ...

    def validator(self, fn: Callable[P, None]) -> Callable[P, None]:
        """Mark a sync method with the same parameters: what it raises rejects the update, and leaves no trace."""
        ...


UpdateMethodMultiParam = UpdateMethod
"""The public SDK's name for `UpdateMethod`."""


@overload
def update(fn: Callable[P, Result]) -> UpdateMethod[P, Result]: ...
@overload
def update(
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[Callable[P, Result]], UpdateMethod[P, Result]]: ...
def update(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Any:
    """Mark a method, sync or async, as the handler of an update: a signal with an answer.

    What it returns is the caller's answer; a failure it raises (`ApplicationError` and its kin, or what the worker and
    ``failure_exception_types`` name) is the caller's error, and leaves the workflow alone. Any other exception is taken
    for a bug: the turn is tried again, and the workflow waits until its code works.

    A validator, ``@my_update.validator``, may reject an update before it has any effect; it sees what every message
    accepted before has done.

    Args:
        name: of the update; default is the method's name.
        dynamic: it handles every update nobody else does, as ``(self, name: str, args: Sequence[RawValue])``.
        unfinished_policy: whether to warn if the workflow ends while it runs.
        description: one line for people.
    """

    def decorate(target: Callable[..., Any]) -> Callable[..., Any]:
        setattr(target, UPDATE_MARK, _registered("update", target, name, is_dynamic=dynamic))
        setattr(target, POLICY_MARK, unfinished_policy)
        setattr(target, DESCRIPTION_MARK, description)
        target.validator = partial(_set_validator, target)  # pyright: ignore[reportFunctionMemberAccess]
        return target

    return decorate if fn is None else decorate(fn)


def _set_validator(handler: Callable[..., Any], fn: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(fn):
        raise TypeError(f"validator {fn.__qualname__} is async; it must decide at once, so make it a plain method")
    setattr(handler, VALIDATOR_MARK, fn)
    return fn


@overload
def query(fn: M) -> M: ...
@overload
def query(*, name: str | None = None, dynamic: bool = False, description: str | None = None) -> Callable[[M], M]: ...
def query(
    fn: M | None = None, *, name: str | None = None, dynamic: bool = False, description: str | None = None
) -> M | Callable[[M], M]:
    """Mark a method as the handler of a query. It must return at once and change nothing.

    Args:
        name: of the query; default is the method's name.
        dynamic: it answers every query nobody else does, as ``(self, name: str, args: Sequence[RawValue])``.
        description: one line for people.
    """

    def decorate(target: M) -> M:
        setattr(target, QUERY_MARK, _registered("query", target, name, is_dynamic=dynamic))
        setattr(target, DESCRIPTION_MARK, description)
        return target

    return decorate if fn is None else decorate(fn)


def _registered(kind: str, handler: Callable[..., Any], name: str | None, *, is_dynamic: bool) -> str:
    """The name a handler is registered by.

    Raises:
        RuntimeError: it has a name and is dynamic.
        TypeError: a dynamic one does not take a name and a sequence of raw values.
    """
    if not is_dynamic:
        return name or handler.__name__
    if name is not None:
        raise RuntimeError(f"{kind} {handler.__qualname__} has a name and is dynamic; choose one")
    signature = signature_of(handler, skip_self=True)
    if signature.is_variadic and len(signature.names) == 1:
        warnings.warn(
            f"dynamic {kind} {handler.__qualname__} takes (name, *args); take (name: str, args: Sequence[RawValue])",
            DeprecationWarning,
            stacklevel=3,
        )
    elif len(signature.names) != 2:
        raise TypeError(f"dynamic {kind} {handler.__qualname__} must take (self, name: str, args: Sequence[RawValue])")
    return DYNAMIC


def _run_method(cls: type) -> Callable[..., Any]:
    marked = [member for _, member in inspect.getmembers(cls, inspect.isfunction) if hasattr(member, RUN_MARK)]
    if not marked:
        raise TypeError(f"workflow {cls.__qualname__} has no @workflow.run method; mark one async method with it")
    if len(marked) > 1:
        names = ", ".join(member.__name__ for member in marked)
        raise TypeError(f"workflow {cls.__qualname__} has several @workflow.run methods ({names}); keep one")
    if marked[0] not in vars(cls).values():
        raise TypeError(
            f"@workflow.run method {marked[0].__name__} must be defined on {cls.__qualname__} itself: clients name a "
            "workflow by it; override it there and call super()"
        )
    return marked[0]


def _dynamic_config(cls: type) -> Callable[[Any], DynamicWorkflowConfig] | None:
    marked = [
        member for _, member in inspect.getmembers(cls, inspect.isfunction) if hasattr(member, DYNAMIC_CONFIG_MARK)
    ]
    if len(marked) > 1:
        names = ", ".join(member.__name__ for member in marked)
        raise TypeError(f"workflow {cls.__qualname__} has several @workflow.dynamic_config methods ({names}); keep one")
    return marked[0] if marked else None


def _no_dynamic_config(cls: type) -> None:
    if _dynamic_config(cls) is not None:
        raise ValueError(
            f"workflow {cls.__qualname__} has @workflow.dynamic_config, so it must be @workflow.defn(dynamic=True)"
        )


def _has_init(cls: type) -> bool:
    if not hasattr(cls.__init__, INIT_MARK):
        return False
    run_names = list(inspect.signature(_run_method(cls)).parameters.values())[1:]
    init_names = list(inspect.signature(cls.__init__).parameters.values())[1:]
    if [p.annotation for p in run_names] != [p.annotation for p in init_names]:
        raise TypeError(
            f"@workflow.init of {cls.__qualname__} must take the same parameters as its @workflow.run method"
        )
    return True


def _handlers(cls: type, mark: str, kind: str) -> dict[str, HandlerDefinition]:
    handlers: dict[str, HandlerDefinition] = {}
    for _, member in inspect.getmembers(cls, inspect.isfunction):
        name: str | None = getattr(member, mark, None)
        if name is None:
            continue
        if name in handlers:
            which = f"of the {kind} {name!r}; rename one" if name else f"for dynamic {kind}s; keep one"
            raise TypeError(f"workflow {cls.__qualname__} has two handlers {which}")
        handlers[name] = HandlerDefinition(
            name,
            member,
            validator=getattr(member, VALIDATOR_MARK, None),
            unfinished_policy=getattr(member, POLICY_MARK, HandlerUnfinishedPolicy.WARN_AND_ABANDON),
            description=getattr(member, DESCRIPTION_MARK, None) or "",
        )
    return handlers


def name_of_handler(handler: str | Callable[..., Any], mark: str, kind: str) -> str:
    """The registered name behind a name or a decorated method.

    Raises:
        TypeError: the method is not decorated.
    """
    if isinstance(handler, str):
        return handler
    name: str | None = getattr(handler, mark, None)
    if name is None:
        article = "an" if kind[0] in "aeiou" else "a"
        named = getattr(handler, "__qualname__", handler)
        raise TypeError(f"{named!r} is not {article} {kind}; put @workflow.{kind} above it")
    if name == DYNAMIC:
        raise TypeError(f"{getattr(handler, '__qualname__', handler)!r} is dynamic; call it by a name, as a str")
    return name
