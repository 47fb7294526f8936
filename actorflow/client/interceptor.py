"""What stands around the calls of a client. Names and meaning follow the Temporal Python SDK."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from actorflow.client.asking import Asking
from actorflow.client.handle import WorkflowHandle
from actorflow.client.inputs import (
    CountWorkflowsInput,
    CreateScheduleInput,
    ListSchedulesInput,
    ListWorkflowsInput,
    StartWorkflowInput,
    StartWorkflowUpdateWithStartInput,
)
from actorflow.client.listing import WorkflowExecutionAsyncIterator, WorkflowExecutionCount
from actorflow.client.schedule_handle import ScheduleAsyncIterator, ScheduleHandle
from actorflow.client.update import WorkflowUpdateHandle
from actorflow.workflow.interception import chained


class OutboundInterceptor(Asking):
    """What a client and its handles call; each method passes on unless it is overridden.

    What a method raises is raised to the caller. `WorkflowHandle.result` waits beside the interceptors.

    Args:
        next: the next one.
    """

    def __init__(self, next: OutboundInterceptor) -> None:
        super().__init__(next)

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        """For `Client.start_workflow` and ``execute_workflow``."""
        return await self.next.start_workflow(input)

    async def start_update_with_start_workflow(
        self, input: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        """For `Client.start_update_with_start_workflow` and ``execute_update_with_start_workflow``."""
        return await self.next.start_update_with_start_workflow(input)

    def list_workflows(self, input: ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:
        """For `Client.list_workflows`."""
        return self.next.list_workflows(input)

    async def count_workflows(self, input: CountWorkflowsInput) -> WorkflowExecutionCount:
        """For `Client.count_workflows`."""
        return await self.next.count_workflows(input)

    async def create_schedule(self, input: CreateScheduleInput) -> ScheduleHandle:
        """For `Client.create_schedule`."""
        return await self.next.create_schedule(input)

    def list_schedules(self, input: ListSchedulesInput) -> ScheduleAsyncIterator:
        """For `Client.list_schedules`."""
        return self.next.list_schedules(input)


class Interceptor:
    """What a client asks for its chain; an `actorflow.worker.Interceptor`, too, is in the client's workers as well."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Called once, when the client is made.

        Args:
            next: the next one in the chain; return it, or one of your own that is made with it.
        """
        return next


def intercepted(interceptors: Sequence[Interceptor], end: OutboundInterceptor) -> OutboundInterceptor:
    """The chain of a client, outermost first.

    Raises:
        TypeError: an interceptor is not as interceptors have to be.
    """
    outbound = end
    for interceptor in reversed(interceptors):
        made = interceptor.intercept_client(outbound)
        name = type(interceptor).__qualname__
        if not isinstance(made, OutboundInterceptor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"intercept_client of {name} must return an OutboundInterceptor, not {made!r}")
        outbound = chained(made)
    return outbound


def check_instances(option: str, given: Sequence[Any], kind: type, named: str) -> None:
    """Refuse what is no instance of a kind.

    Args:
        option: that has them.
        given: what it has.
        kind: what they have to be.
        named: the kind, for people.

    Raises:
        TypeError: see above.
    """
    for index, one in enumerate(given):
        if inspect.isclass(one):
            raise TypeError(f"{option}[{index}] is the class {one.__qualname__}; pass an instance of it")
        if not isinstance(one, kind):
            raise TypeError(f"{option}[{index}] must be an {named}, not {one!r}")
