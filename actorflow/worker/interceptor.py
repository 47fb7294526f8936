"""What stands around workflows and activities of a worker. Names and meaning follow the Temporal Python SDK."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from actorflow.activity import Info
from actorflow.converter import Headers
from actorflow.workflow.interception import WorkflowInterceptorClassInput
from actorflow.workflow.interceptor import WorkflowInboundInterceptor


class Interceptor:
    """What a worker asks for its chains; one that is an `actorflow.client.Interceptor`, too, can be given to a client
    and is then in its calls and in all of its workers."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Called for each attempt of an activity.

        Args:
            next: the next one in the chain; return it, or one of your own that is made with it.
        """
        return next

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Called once, when the worker is made.

        Returns:
            A class, of which one is made for each run inside its event loop, or None.
        """
        return None


@dataclass
class ExecuteActivityInput:
    """An activity that is to be called.

    Attributes:
        fn: its function.
        args: plain arguments.
        executor: where a sync one runs; None for an async one.
        headers: what the workflow's side has passed on.
    """

    fn: Callable[..., Any]
    args: Sequence[Any]
    executor: Executor | None
    headers: Headers


class ActivityInboundInterceptor:
    """What calls an activity's code; each method passes on unless it is overridden. It runs on the event loop, whatever
    the code runs in, and ``actorflow.activity`` works in it.

    Args:
        next: the next one.
    """

    def __init__(self, next: ActivityInboundInterceptor) -> None:
        self.next = next

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """Called first. To stand behind the code, too, pass on an interceptor made with ``outbound``."""
        self.next.init(outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Call the activity; returns its result. What is raised fails the attempt."""
        return await self.next.execute_activity(input)


class ActivityOutboundInterceptor:
    """What an activity's code calls, in the thread the code runs in.

    Args:
        next: the next one.
    """

    def __init__(self, next: ActivityOutboundInterceptor) -> None:
        self.next = next

    def info(self) -> Info:
        """For ``activity.info``."""
        return self.next.info()

    def heartbeat(self, *details: Any) -> None:
        """For ``activity.heartbeat``."""
        self.next.heartbeat(*details)
