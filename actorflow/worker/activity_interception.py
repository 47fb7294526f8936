"""The interceptors of attempts: chains with the activity's code at one end, and its attempt at the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from inspect import iscoroutinefunction
from typing import Any

from actorflow.activity import Info
from actorflow.converter import Payload, public_headers
from actorflow.engine.registry import Run, Speaking
from actorflow.worker.interceptor import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)
from actorflow.workflow.interception import chained


def intercepting_activities(
    interceptors: Sequence[Interceptor], executor: Executor | None
) -> ActivityInterceptors | None:
    """What a worker's attempts go through; None if no interceptor wants them, because then they go straight."""
    wanted = [one for one in interceptors if type(one).intercept_activity is not Interceptor.intercept_activity]
    return ActivityInterceptors(wanted, executor) if wanted else None


class ActivityInterceptors:
    """Implements `actorflow.engine.registry.ActivityInterception`.

    Args:
        interceptors: outermost first.
        executor: where the worker runs sync activities.
    """

    def __init__(self, interceptors: Sequence[Interceptor], executor: Executor | None) -> None:
        self._interceptors = interceptors
        self._executor = executor

    async def call(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        headers: Mapping[str, Payload] | None,
        context: Speaking,
        run: Run,
    ) -> Any:
        """See `ActivityInterception`.

        Raises:
            TypeError: an interceptor is not as interceptors have to be.
        """
        inbound: ActivityInboundInterceptor = _ToCode(context, run)
        for interceptor in reversed(self._interceptors):
            made = interceptor.intercept_activity(inbound)
            name = type(interceptor).__qualname__
            if not isinstance(made, ActivityInboundInterceptor):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"intercept_activity of {name} must return an ActivityInboundInterceptor, not {made!r}")
            inbound = chained(made)
        inbound.init(_ToAttempt(context))
        executor = None if _is_async(function) else self._executor
        return await inbound.execute_activity(
            ExecuteActivityInput(function, arguments, executor, public_headers(headers))
        )


def _is_async(function: Callable[..., Any]) -> bool:
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


class _ToCode(ActivityInboundInterceptor):
    """The end of the inbound chain: runs the code."""

    def __init__(self, context: Speaking, run: Run) -> None:
        self.next = self
        self._context = context
        self._run = run

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        known = chained(outbound)
        self._context.speak_through(known.info, lambda details: known.heartbeat(*details))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await self._run(input.fn, input.args, input.executor)


class _ToAttempt(ActivityOutboundInterceptor):
    """The end of the outbound chain: asks the attempt as code without interceptors does."""

    def __init__(self, context: Speaking) -> None:
        self.next = self
        self._info, self._beat = context.unintercepted()

    def info(self) -> Info:
        return self._info()

    def heartbeat(self, *details: Any) -> None:
        self._beat(details)
