"""What stands around workflow code: interceptors in front of it, and behind it.

Both are chains. Each interceptor is made with the next one, and passes on what it does not want to change; the end of
the inbound chain calls the code, the end of the outbound chain is the runtime. All of it runs inside turns, so the same
must come of it on replay: time, chance and I/O are those of workflow code.
"""

from __future__ import annotations

from typing import Any, NoReturn

from actorflow.core.program.pending import ActivityHandle
from actorflow.workflow.children import ChildWorkflowHandle
from actorflow.workflow.context import Info
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


class WorkflowInboundInterceptor:
    """What calls a workflow's code; each method passes on unless it is overridden. One is made for each run.

    What a method raises counts as if the code had raised it.

    Args:
        next: the next one.
    """

    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        self.next = next

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """Called first, before there is a workflow object. To stand behind the code, too, pass on an interceptor
        made with ``outbound``."""
        self.next.init(outbound)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        """Call the run method; returns the workflow's result."""
        return await self.next.execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        """Call a signal's handler."""
        return await self.next.handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        """Call a query's handler; must not wait, nor change the workflow."""
        return await self.next.handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        """Call an update's validator, if it has one; what it raises rejects the update."""
        self.next.handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        """Call an update's handler; returns the update's result."""
        return await self.next.handle_update_handler(input)


class WorkflowOutboundInterceptor:
    """What a workflow's code calls; each method passes on unless it is overridden.

    Args:
        next: the next one.
    """

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:
        self.next = next

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        """For ``workflow.continue_as_new``."""
        self.next.continue_as_new(input)

    def info(self) -> Info:
        """For ``workflow.info``."""
        return self.next.info()

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        """For `ChildWorkflowHandle.signal`."""
        return await self.next.signal_child_workflow(input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        """For `ExternalWorkflowHandle.signal`."""
        return await self.next.signal_external_workflow(input)

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        """For ``workflow.start_activity`` and ``execute_activity``, in all their forms."""
        return self.next.start_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        """For ``workflow.start_child_workflow`` and ``execute_child_workflow``."""
        return await self.next.start_child_workflow(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        """For ``workflow.start_local_activity`` and ``execute_local_activity``, in all their forms."""
        return self.next.start_local_activity(input)
