"""Other executions, as a workflow sees them: signalling and cancelling them, and what that shares with children."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, Generic, overload

from actorflow.converter import Payload
from actorflow.core import events as ev
from actorflow.core.definitions import SIGNAL_MARK, WorkflowDefinition
from actorflow.core.policy.checks import check_id, check_name, check_text
from actorflow.exceptions import PayloadError
from actorflow.types import (
    MethodSyncOrAsyncAnyParams,
    MethodSyncOrAsyncNoParam,
    MethodSyncOrAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    SelfType,
)
from actorflow.workflow.arguments import UNSET, arguments_of
from actorflow.workflow.context import running_program
from actorflow.workflow.definition import name_of_handler
from actorflow.workflow.inputs import SignalExternalWorkflowInput


class ExternalWorkflowHandle(Generic[SelfType]):
    """Another execution, by its id. Made by `get_external_workflow_handle`."""

    def __init__(self, id: str, run_id: str | None) -> None:
        self._id = id
        self._run_id = run_id

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """The run that is meant; None means the current one."""
        return self._run_id

    @overload
    async def signal(self, signal: MethodSyncOrAsyncNoParam[SelfType, None]) -> None: ...
    @overload
    async def signal(self, signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None], arg: ParamType) -> None: ...
    @overload
    async def signal(self, signal: MethodSyncOrAsyncAnyParams[SelfType, None], *, args: Sequence[Any]) -> None: ...
    @overload
    async def signal(self, signal: str, arg: Any = ..., *, args: Sequence[Any] = ...) -> None: ...
    async def signal(self, signal: str | Callable[..., Any], arg: Any = UNSET, *, args: Sequence[Any] = ()) -> None:
        """Signal it; returns once it has the signal, which it handles exactly once.

        Args:
            signal: the handler method, or the signal's name.
            arg: its argument; for several use ``args=[...]``.

        Raises:
            ApplicationError: there is no such execution, it has closed, or it holds too many unprocessed messages.
            PayloadError: an argument can't be encoded.
        """
        name = signal_name(signal)
        arguments = arguments_of(f"signal {name!r}", arg, args)
        program = running_program()
        if program.workflow.interception is None:
            await send_signal(name, arguments, workflow_id=self._id, run_id=self._run_id or "")
        else:
            namespace = program.identity.namespace
            asked = SignalExternalWorkflowInput(name, arguments, namespace, self._id, self._run_id, {})
            await program.workflow.interception.outbound.signal_external_workflow(asked)

    async def cancel(self, *, reason: str = "") -> None:
        """Ask it to stop; returns once it has the request.

        Raises:
            ApplicationError: there is no such execution, or it has closed.
        """
        check_text("reason", reason)
        await running_program().relations.send(ev.CancelSent(self._id, self._run_id or "", reason=reason))


def get_external_workflow_handle(workflow_id: str, *, run_id: str | None = None) -> ExternalWorkflowHandle[Any]:
    """A handle to another execution; nothing is looked up before it is used.

    Args:
        workflow_id: of the execution.
        run_id: which of its runs; default is the one that is open when something is sent.

    Raises:
        ValueError, TypeError: that can be no id.
    """
    running_program()
    check_id(workflow_id)
    if run_id is not None:
        check_name("run id", run_id)
    return ExternalWorkflowHandle(workflow_id, run_id)


def get_external_workflow_handle_for(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[Any]],
    workflow_id: str,
    *,
    run_id: str | None = None,
) -> ExternalWorkflowHandle[SelfType]:
    """`get_external_workflow_handle`, typed by the other workflow's run method."""
    return get_external_workflow_handle(workflow_id, run_id=run_id)


async def send_signal(
    name: str,
    arguments: Sequence[Any],
    *,
    workflow_id: str,
    run_id: str,
    is_child: bool = False,
    headers: dict[str, Payload] | None = None,
) -> None:
    """Signal another execution; see `ExternalWorkflowHandle.signal`."""
    check_name("signal", name)
    payloads = encoded_for(f"signal {name!r}", None, arguments)
    await running_program().relations.send(ev.SignalSent(workflow_id, name, payloads, run_id, is_child, headers))


def signal_name(signal: str | Callable[..., Any]) -> str:
    """The name of a signal that is to be sent."""
    return name_of_handler(signal, SIGNAL_MARK, "signal")


def described_workflow(workflow: str | type | Callable[..., Any]) -> tuple[str, WorkflowDefinition | None]:
    """Name and definition of a run method or a workflow class (of a name, the name alone)."""
    if isinstance(workflow, str):
        return workflow, None
    definition = WorkflowDefinition.of(workflow) if isinstance(workflow, type) else WorkflowDefinition.of_run(workflow)
    if definition.is_dynamic:
        raise TypeError(f"{definition.cls.__qualname__} is dynamic; start it by a type, as a str")
    return definition.name, definition


def called_workflow(
    workflow: str | type | Callable[..., Any], arg: Any, args: Sequence[Any]
) -> tuple[str, WorkflowDefinition | None, Sequence[Any]]:
    """Name and definition of what is called (of a name, the name alone), and its arguments.

    Raises:
        TypeError: not a workflow, a dynamic one, which has no name, or arguments it can't take.
        ValueError: both ``arg`` and ``args``.
    """
    name, definition = described_workflow(workflow)
    whom = f"workflow {name!r}"
    arguments = arguments_of(whom, arg, args)
    check_workflow_accepts(whom, definition, arguments)
    return name, definition, arguments


def check_workflow_accepts(whom: str, definition: WorkflowDefinition | None, arguments: Sequence[Any]) -> None:
    """Refuse a number of arguments that the workflow can't take, where it is known what it takes.

    Raises:
        TypeError: see above.
    """
    if definition is not None and not definition.signature.accepts(len(arguments)):
        names = ", ".join(definition.signature.names) or "none"
        raise TypeError(f"{whom} takes other arguments ({names}) than the {len(arguments)} it was given")


def encoded_for(whom: str, definition: WorkflowDefinition | None, arguments: Sequence[Any]) -> tuple[Payload, ...]:
    """Arguments as payloads.

    Raises:
        TypeError: there are more or fewer than the workflow takes.
        PayloadError: one can't be encoded.
    """
    check_workflow_accepts(whom, definition, arguments)
    try:
        program = running_program()
        payloads = program.converter.encode(arguments)
        program.asked.take_along(whom, payloads)
    except PayloadError as problem:
        problem.add_note(f"while encoding the arguments of {whom}")
        raise
    return payloads
