"""An interceptor that passes the caller on: out as a header of what is sent, in as the context variable.

One object for both sides: given to a client it is in its calls, and in all of its workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, Protocol

from actorflow import client, worker, workflow
from actorflow.api.common.v1 import Payload
from actorflow.converter import PayloadConverter
from examples.context_propagation.caller import acting_for, caller

HEADER = "caller"
CONVERTER = PayloadConverter.default


class HasHeaders(Protocol):
    """Most inputs of interceptors."""

    headers: Mapping[str, Payload]


def send(input: HasHeaders) -> None:
    """Say in a header who the caller is, if anybody is."""
    if caller.get():
        input.headers = {**input.headers, HEADER: CONVERTER.to_payload(caller.get())}


def received(input: HasHeaders) -> AbstractContextManager[None]:
    """Act for the caller that a header names, if one does."""
    payload = input.headers.get(HEADER)
    return nullcontext() if payload is None else acting_for(CONVERTER.from_payload(payload, str))


class CallerPropagation(client.Interceptor, worker.Interceptor):
    """See the module's head."""

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:
        """Around the calls of a client."""
        return _FromClient(next)

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:
        """Around each attempt of an activity."""
        return _ToActivity(next)

    def workflow_interceptor_class(
        self, input: worker.WorkflowInterceptorClassInput
    ) -> type[worker.WorkflowInboundInterceptor]:
        """Around each run of a workflow."""
        return _ToWorkflow


class _FromClient(client.OutboundInterceptor):
    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:
        send(input)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:
        send(input)
        await super().signal_workflow(input)

    async def query_workflow(self, input: client.QueryWorkflowInput) -> Any:
        send(input)
        return await super().query_workflow(input)

    async def start_workflow_update(self, input: client.StartWorkflowUpdateInput) -> client.WorkflowUpdateHandle[Any]:
        send(input)
        return await super().start_workflow_update(input)


class _ToActivity(worker.ActivityInboundInterceptor):
    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        with received(input):
            return await super().execute_activity(input)


class _ToWorkflow(worker.WorkflowInboundInterceptor):
    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(_FromWorkflow(outbound))

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:
        with received(input):
            return await super().execute_workflow(input)

    async def handle_signal(self, input: worker.HandleSignalInput) -> None:
        with received(input):
            await super().handle_signal(input)

    async def handle_query(self, input: worker.HandleQueryInput) -> Any:
        with received(input):
            return await super().handle_query(input)

    def handle_update_validator(self, input: worker.HandleUpdateInput) -> None:
        with received(input):
            super().handle_update_validator(input)

    async def handle_update_handler(self, input: worker.HandleUpdateInput) -> Any:
        with received(input):
            return await super().handle_update_handler(input)


class _FromWorkflow(worker.WorkflowOutboundInterceptor):
    def continue_as_new(self, input: worker.ContinueAsNewInput) -> NoReturn:
        send(input)
        super().continue_as_new(input)

    def start_activity(self, input: worker.StartActivityInput) -> workflow.ActivityHandle[Any]:
        send(input)
        return super().start_activity(input)

    def start_local_activity(self, input: worker.StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        send(input)
        return super().start_local_activity(input)

    async def start_child_workflow(
        self, input: worker.StartChildWorkflowInput
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        send(input)
        return await super().start_child_workflow(input)

    async def signal_child_workflow(self, input: worker.SignalChildWorkflowInput) -> None:
        send(input)
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: worker.SignalExternalWorkflowInput) -> None:
        send(input)
        await super().signal_external_workflow(input)
