"""An attempt with interceptors around it: they are a task of the loop, and its code runs where it always does."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from actorflow.engine.activity_context import AttemptContext
from actorflow.engine.registry import WorkerHost
from actorflow.pool.executors import Done, RunningAttempt, ThreadExecutor
from actorflow.pool.interruption import Interruption


class InterceptedAttempt:
    """Implements `RunningAttempt`. Code in a thread or a process is told to stop there; otherwise the task is.

    Args:
        host: the worker.
        context: what the code can reach.
        interruption: how its thread is stopped, if it may be.
    """

    def __init__(self, host: WorkerHost, context: AttemptContext, interruption: Interruption | None) -> None:
        self._host = host
        self._context = context
        self._interruption = interruption
        self._inner: RunningAttempt | None = None
        self._task: RunningAttempt | None = None
        self._from_process: BaseException | None = None

    def start(
        self, call: Callable[[], Awaitable[Any]], variables: contextvars.Context, done: Done, *, name: str
    ) -> RunningAttempt:
        """Start the interceptors; ``done`` is called once, whatever happens."""

        def ended(result: Any, problem: BaseException | None) -> None:
            if problem is not None and problem is self._from_process:
                problem.__traceback__ = None  # it would only say how the answer came back; see `ProcessExecutor`
            done(result, problem)

        self._task = self._host.loop_executor.start(call, variables, ended, name=name)
        return self

    def cancel(self, msg: Any = None, /) -> None:
        """See `RunningAttempt`."""
        running = self._inner or self._task
        if running is not None:
            running.cancel(msg)

    async def run(self, function: Callable[..., Any], arguments: Sequence[Any], executor: Executor | None) -> Any:
        """The end of the interceptors: run the code; see `actorflow.engine.registry.Run`."""
        if executor is None:
            outcome = function(*arguments)
            return await outcome if hasattr(outcome, "__await__") else outcome
        outcome = asyncio.get_running_loop().create_future()

        def done(result: Any, problem: BaseException | None) -> None:
            self._inner = None
            if not outcome.done():
                outcome.set_result((result, problem))

        self._inner = self._start(function, arguments, executor, done)
        result, problem = await outcome
        self._from_process = problem if self._host.process_executor is not None else None
        if isinstance(problem, KeyboardInterrupt | GeneratorExit):  # on the loop they would mean its own end
            raise RuntimeError(f"the activity raised {type(problem).__name__}") from problem
        if problem is not None:
            raise problem
        return result

    def _start(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        executor: Executor,
        done: Done,
    ) -> RunningAttempt:
        host = self._host
        if host.process_executor is not None:
            return host.process_executor.start(function, arguments, self._context, done)
        threads = host.thread_executor
        if threads is None or not threads.runs_in(executor):
            threads = ThreadExecutor(asyncio.get_running_loop(), executor)
        # What interceptors have set is seen by the code.
        variables = contextvars.copy_context()
        return threads.start(lambda: function(*arguments), variables, done, interruption=self._interruption)
