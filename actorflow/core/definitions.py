"""What a decorator learned about a workflow class or an activity function."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, Final

from actorflow.common import VersioningBehavior
from actorflow.core.guard import GUARDED, Guard

WORKFLOW_MARK: Final = "__actorflow_workflow__"
RUN_MARK: Final = "__actorflow_run__"
INIT_MARK: Final = "__actorflow_init__"
DYNAMIC_CONFIG_MARK: Final = "__actorflow_dynamic_config__"
SIGNAL_MARK: Final = "__actorflow_signal__"
UPDATE_MARK: Final = "__actorflow_update__"
POLICY_MARK: Final = "__actorflow_unfinished_policy__"
DESCRIPTION_MARK: Final = "__actorflow_description__"
VALIDATOR_MARK: Final = "__actorflow_validator__"
QUERY_MARK: Final = "__actorflow_query__"
ACTIVITY_MARK: Final = "__actorflow_activity__"


@dataclass(frozen=True)
class Signature:
    """Positional parameters and result of a callable, by type hints."""

    names: Sequence[str]
    types: Sequence[Any]
    result_type: Any
    required: int
    is_variadic: bool

    def accepts(self, count: int) -> bool:
        """True if the callable can be called with that many positional arguments."""
        return self.required <= count and (self.is_variadic or count <= len(self.names))


def signature_of(function: Callable[..., Any], *, skip_self: bool) -> Signature:
    """Read the signature of a function.

    Raises:
        TypeError: it has keyword-only parameters, which arguments from a journal can't fill.
    """
    parameters = list(inspect.signature(function).parameters.values())
    if skip_self:
        parameters = parameters[1:]
    keyword_only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    if keyword_only:
        raise TypeError(
            f"{function.__qualname__} has keyword-only parameters ({', '.join(keyword_only)}); "
            "arguments are passed by position, so make them positional"
        )
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    hints = _type_hints(function)
    return Signature(
        names=tuple(p.name for p in positional),
        types=tuple(hints.get(p.name, Any) for p in positional),
        result_type=hints.get("return", Any),
        required=sum(p.default is p.empty for p in positional),
        is_variadic=any(p.kind is p.VAR_POSITIONAL for p in parameters),
    )


def _type_hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    target = function if inspect.isfunction(function) or inspect.ismethod(function) else type(function).__call__
    try:
        return typing.get_type_hints(target)
    except NameError:
        # A hint that only exists under TYPE_CHECKING, or in a function's locals: those values stay plain JSON.
        return {}


DYNAMIC: Final = ""
"""The name of what handles every name nobody else does."""


class HandlerUnfinishedPolicy(IntEnum):
    """What to do about a handler that is still running when its workflow ends. It is abandoned either way."""

    WARN_AND_ABANDON = 1
    ABANDON = 2


@dataclass(frozen=True)
class HandlerDefinition:
    """A signal, query or update handler: its name and the method behind it.

    Attributes:
        validator: of an update; raises if the update must not begin.
        unfinished_policy: of a signal or an update.
        description: one line for people.
    """

    name: str
    function: Callable[..., Any]
    validator: Callable[..., Any] | None = None
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON
    description: str = ""

    @property
    def is_dynamic(self) -> bool:
        """True if it handles every name nobody else does, and gets name and raw values."""
        return self.name == DYNAMIC

    @cached_property
    def signature(self) -> Signature:
        """Parameters after self, resolved when first needed: hints may name classes defined later."""
        return signature_of(self.function, skip_self=True)

    @cached_property
    def is_async(self) -> bool:
        """True for an ``async def``."""
        return inspect.iscoroutinefunction(self.function)


@dataclass
class DynamicWorkflowConfig:
    """What a dynamic workflow says about the type it runs as.

    Attributes:
        failure_exception_types: exceptions that fail the execution, instead of those of `workflow.defn`.
        versioning_behavior: accepted for ported programs.
    """

    failure_exception_types: Sequence[type[BaseException]] | None = None
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED


@dataclass(frozen=True)
class WorkflowDefinition:
    """A workflow class as its decorators described it; a dynamic one's name is `DYNAMIC`."""

    name: str
    cls: type
    run: Callable[..., Any]
    has_init: bool
    signals: Mapping[str, HandlerDefinition]
    queries: Mapping[str, HandlerDefinition]
    updates: Mapping[str, HandlerDefinition] = field(default_factory=dict[str, HandlerDefinition])
    failure_exception_types: Sequence[type[BaseException]] = ()
    dynamic_config: Callable[[Any], DynamicWorkflowConfig] | None = None
    """Asked for more once an object of a dynamic workflow is built."""
    activates_patch: Callable[[str], bool] | None = None
    """Asked by a live run that meets a patch first: False declines it. A worker adds it; without it all are taken."""

    runs_activity: Callable[[str], bool] | None = None
    """True for activities the worker can run beside its programs. A worker adds it; without it none is refused."""

    intercepts: Callable[[], Any] | None = None
    """Makes the interceptors of a run (see `core.program.interception`). A worker that has some adds it."""

    guard: Guard = GUARDED
    """What its code is kept from. A worker makes it stricter."""

    @property
    def is_dynamic(self) -> bool:
        """True if it runs every type nobody else does, and gets raw values."""
        return self.name == DYNAMIC

    @cached_property
    def signature(self) -> Signature:
        """Parameters of ``run`` after self."""
        return signature_of(self.run, skip_self=True)

    @staticmethod
    def among(definitions: Mapping[str, WorkflowDefinition], workflow_type: str) -> WorkflowDefinition:
        """The definition of a type, or the dynamic one.

        Raises:
            KeyError: there is neither.
        """
        found = definitions.get(workflow_type)
        return definitions[DYNAMIC] if found is None else found

    @staticmethod
    def of(workflow: type) -> WorkflowDefinition:
        """The definition of a decorated class.

        Raises:
            TypeError: the class has no ``@workflow.defn`` of its own (one it inherits doesn't count).
        """
        definition: WorkflowDefinition | None = getattr(workflow, "__dict__", {}).get(WORKFLOW_MARK)
        if definition is None:
            raise TypeError(f"{_named(workflow)} is not a workflow class; put @workflow.defn above it")
        return definition

    @staticmethod
    def of_run(run: Callable[..., Any]) -> WorkflowDefinition:
        """The definition whose class has this run method.

        Raises:
            TypeError: it is not the run method of a workflow class.
        """
        definition: WorkflowDefinition | None = getattr(run, WORKFLOW_MARK, None)
        if definition is None or inspect.isclass(run):
            raise TypeError(
                f"{_named(run)} is not a workflow's run method; pass Order.run, the method with @workflow.run of a "
                "class Order with @workflow.defn"
            )
        return definition


@dataclass(frozen=True)
class ActivityDefinition:
    """An activity as its decorator described it."""

    name: str
    function: Callable[..., Any]
    no_thread_cancel_exception: bool = False
    _is_method: bool = field(default=False)

    @cached_property
    def signature(self) -> Signature:
        """Parameters (after self, for a method that is not bound yet)."""
        return signature_of(self.function, skip_self=self._is_method)

    @cached_property
    def is_async(self) -> bool:
        """True if calling it gives a coroutine."""
        function = self.function
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - the method itself is wanted, not whether it exists
        )

    @staticmethod
    def of(activity: Callable[..., Any]) -> ActivityDefinition:
        """The definition behind a decorated function, bound method, or instance of a decorated callable class.

        Raises:
            TypeError: it is not decorated, or is a class where an instance is needed.
        """
        mark: ActivityDefinition | None = getattr(activity, ACTIVITY_MARK, None)
        if mark is None:
            raise TypeError(f"{_named(activity)} is not an activity; put @activity.defn above it")
        if inspect.isclass(activity):
            raise TypeError(f"{_named(activity)} is a class; register an instance of it")
        if mark._is_method and inspect.isfunction(activity):
            raise TypeError(f"{_named(activity)} is a method that is not bound; register it through an instance")
        return ActivityDefinition(mark.name, activity, mark.no_thread_cancel_exception)

    @staticmethod
    def described_by(activity: Callable[..., Any]) -> ActivityDefinition:
        """The definition to call by: as `of`, but methods need not be bound and classes need no instance."""
        mark: ActivityDefinition | None = getattr(activity, ACTIVITY_MARK, None)
        if mark is None:
            raise TypeError(f"{_named(activity)} is not an activity; put @activity.defn above it, or call it by name")
        return mark


def _named(thing: object) -> str:
    return getattr(thing, "__qualname__", None) or repr(thing)
