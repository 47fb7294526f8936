"""The interceptors of one run: chains with the workflow's code at one end, and its program at the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from actorflow.converter import NO_HEADERS, public_headers, stored_headers
from actorflow.core.definitions import DYNAMIC
from actorflow.core.program.errors import UnknownQueryError, UnknownUpdateError
from actorflow.core.program.interception import Sent
from actorflow.core.program.pending import ActivityHandle
from actorflow.workflow import activities, children, local_activities
from actorflow.workflow.arguments import UNSET
from actorflow.workflow.children import ChildWorkflowHandle
from actorflow.workflow.context import Info, info_of, running_program
from actorflow.workflow.inputs import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
)
from actorflow.workflow.interceptor import WorkflowInboundInterceptor, WorkflowOutboundInterceptor
from actorflow.workflow.others import send_signal
from actorflow.workflow.succession import go_on


@dataclass
class WorkflowInterceptorClassInput:
    """What `Interceptor.workflow_interceptor_class` is given.

    Attributes:
        unsafe_extern_functions: put functions into it that interceptors are to call from workflow code, where they find
            them by ``workflow.extern_functions()``. What they do is not repeated on replay by itself.
    """

    unsafe_extern_functions: dict[str, Callable[..., Any]]


class RunInterceptors:
    """Implements `actorflow.core.program.interception.Interception`; made inside the loop of its run.

    Args:
        classes: outermost first.
        extern_functions: see `WorkflowInterceptorClassInput`.

    Raises:
        TypeError: an interceptor is not as interceptors have to be.
    """

    def __init__(
        self,
        classes: Sequence[type[WorkflowInboundInterceptor]],
        extern_functions: Mapping[str, Callable[..., Any]],
    ) -> None:
        self.extern_functions = extern_functions
        code = _ToCode()
        inbound: WorkflowInboundInterceptor = code
        for cls in reversed(classes):
            inbound = chained(cls(inbound))
        self._inbound = inbound
        inbound.init(_ToProgram())
        if code.outbound is None:
            names = " or ".join(cls.__qualname__ for cls in classes)
            raise TypeError(f"init of {names} keeps the outbound interceptor to itself; call self.next.init(outbound)")
        self.outbound: WorkflowOutboundInterceptor = chained(code.outbound)

    def around_run(self, cls: type, run: Callable[..., Any], headers: Sent) -> Callable[..., Any]:
        """See `Interception`."""

        async def around(instance: object, *arguments: Any) -> Any:
            asked = ExecuteWorkflowInput(cls, run, arguments, public_headers(headers))
            return await self._inbound.execute_workflow(asked)

        return around

    def around_signal(self, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """See `Interception`."""

        async def around(*arguments: Any) -> None:
            asked = HandleSignalInput(name, arguments[is_dynamic:], public_headers(headers))
            await self._inbound.handle_signal(asked)

        return around

    def around_query(self, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """See `Interception`."""

        async def around(*arguments: Any) -> Any:
            return await self._inbound.handle_query(
                HandleQueryInput("", name, arguments[is_dynamic:], public_headers(headers))
            )

        return around

    def around_validator(self, update_id: str, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """See `Interception`."""

        def around(*arguments: Any) -> None:
            asked = HandleUpdateInput(update_id, name, arguments[is_dynamic:], public_headers(headers))
            self._inbound.handle_update_validator(asked)

        return around

    def around_update(self, update_id: str, name: str, headers: Sent, *, is_dynamic: bool) -> Callable[..., Any]:
        """See `Interception`."""

        async def around(*arguments: Any) -> Any:
            asked = HandleUpdateInput(update_id, name, arguments[is_dynamic:], public_headers(headers))
            return await self._inbound.handle_update_handler(asked)

        return around


def chained(interceptor: Any) -> Any:
    """An interceptor that knows the next one; the ends of chains know that there is none.

    Raises:
        TypeError: its ``__init__`` has not called that of its class's base.
    """
    if not hasattr(interceptor, "next"):
        name = type(interceptor).__qualname__
        raise TypeError(f"{name} is an interceptor without a next one; let its __init__ call super().__init__(next)")
    return interceptor


class _ToCode(WorkflowInboundInterceptor):
    """The end of the inbound chain: calls what the inputs name."""

    def __init__(self) -> None:
        self.next = self
        self.outbound: WorkflowOutboundInterceptor | None = None

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self.outbound = outbound

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        return await input.run_fn(running_program().workflow.instance, *input.args)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        function, arguments = _handler("signal", input.signal, input.args)
        outcome = function(*arguments)
        if hasattr(outcome, "__await__"):
            await outcome

    async def handle_query(self, input: HandleQueryInput) -> Any:
        function, arguments = _handler("query", input.query, input.args)
        outcome = function(*arguments)
        return await outcome if hasattr(outcome, "__await__") else outcome

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        validator = running_program().workflow.validator(input.update)
        if validator is not None:
            _, arguments = _handler("update", input.update, input.args)
            validator(*arguments)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        function, arguments = _handler("update", input.update, input.args)
        outcome = function(*arguments)
        return await outcome if hasattr(outcome, "__await__") else outcome


def _handler(kind: str, name: str, arguments: Sequence[Any]) -> tuple[Callable[..., Any], Sequence[Any]]:
    """A handler and its arguments; that of a name an interceptor has chosen, perhaps."""
    program = running_program()
    handler = program.workflow.handler(kind, name)
    if handler is not None:
        return handler, arguments
    handler = program.workflow.handler(kind, DYNAMIC)
    if handler is None:
        problem = UnknownQueryError if kind == "query" else UnknownUpdateError if kind == "update" else LookupError
        raise problem(f"an interceptor has asked for the {kind} {name!r}, which the workflow has no handler for")
    return handler, (name, *arguments)


class _ToProgram(WorkflowOutboundInterceptor):
    """The end of the outbound chain: asks the program."""

    def __init__(self) -> None:
        self.next = self

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        go_on(input)

    def info(self) -> Info:
        return info_of(running_program())

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        await send_signal(
            input.signal,
            input.args,
            workflow_id=input.child_workflow_id,
            run_id=input.run_id,
            is_child=True,
            headers=stored_headers(input.headers),
        )

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        await send_signal(
            input.signal,
            input.args,
            workflow_id=input.workflow_id,
            run_id=input.workflow_run_id or "",
            headers=stored_headers(input.headers),
        )

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        return activities.begin(
            input.activity,
            None,
            UNSET,
            args=input.args,
            task_queue=input.task_queue,
            result_type=input.ret_type,
            schedule_to_close_timeout=input.schedule_to_close_timeout,
            schedule_to_start_timeout=input.schedule_to_start_timeout,
            start_to_close_timeout=input.start_to_close_timeout,
            heartbeat_timeout=input.heartbeat_timeout,
            retry_policy=input.retry_policy,
            cancellation_type=input.cancellation_type,
            activity_id=input.activity_id,
            versioning_intent=input.versioning_intent,
            summary=input.summary,
            priority=input.priority,
            headers=stored_headers(input.headers) or NO_HEADERS,
        )

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        return await children.begin(
            input.workflow,
            UNSET,
            args=input.args,
            id=input.id,
            task_queue=input.task_queue,
            result_type=input.ret_type,
            cancellation_type=input.cancellation_type,
            parent_close_policy=input.parent_close_policy,
            execution_timeout=input.execution_timeout,
            run_timeout=input.run_timeout,
            task_timeout=input.task_timeout,
            id_reuse_policy=input.id_reuse_policy,
            retry_policy=input.retry_policy,
            cron_schedule=input.cron_schedule,
            memo=input.memo,
            search_attributes=input.search_attributes,
            static_summary=input.static_summary,
            static_details=input.static_details,
            versioning_intent=input.versioning_intent,
            priority=input.priority,
            headers=stored_headers(input.headers) or NO_HEADERS,
        )

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        return local_activities.begin(
            input.activity,
            None,
            UNSET,
            args=input.args,
            result_type=input.ret_type,
            schedule_to_close_timeout=input.schedule_to_close_timeout,
            schedule_to_start_timeout=input.schedule_to_start_timeout,
            start_to_close_timeout=input.start_to_close_timeout,
            retry_policy=input.retry_policy,
            local_retry_threshold=input.local_retry_threshold,
            cancellation_type=input.cancellation_type,
            activity_id=input.activity_id,
            summary=input.summary,
            headers=stored_headers(input.headers) or NO_HEADERS,
        )
