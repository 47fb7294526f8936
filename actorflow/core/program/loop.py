"""A deterministic asyncio event loop: no clock, no I/O, one program.

asyncio's own primitives (gather, Queue, Lock, timeout, TaskGroup, …) only need callbacks in order, futures, tasks and
timers. This loop gives them just that. Time stands still during a turn, timers are handed to the program as durable
ones, and everything else asyncio's loops can do is refused, because replay could not repeat it.

Tasks and futures hash by the order of their creation, so that sets of them, in asyncio too, iterate the same way on
replay. The number is mixed with a salt of the run: asyncio keeps all tasks of a thread in one weak set, and equal small
numbers of thousands of programs would collide there.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from asyncio import events as asyncio_events
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn, Protocol, TypeVar, cast

from actorflow.core import limits
from actorflow.core.guard import Watch
from actorflow.core.program.errors import TurnTooLongError
from actorflow.core.program.lines import NOWHERE, waiting_line
from actorflow.core.program.mode import Mode
from actorflow.core.program.timers import Timers

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HASH_FACTOR: Final = 0x9E3779B97F4A7C15
_HASH_MASK: Final = (1 << 61) - 1
_PRUNE_AT: Final = 32


class Handle:
    """A callback waiting for its step; the part of `asyncio.Handle` that others use."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context) -> None:
        self._callback = callback
        self._args = args
        self._context = context
        self._cancelled = False

    def cancel(self) -> None:
        """Don't run it."""
        self._cancelled = True

    def cancelled(self) -> bool:
        """True after `cancel`."""
        return self._cancelled

    def run(self) -> None:
        """Run it in its context, unless it was cancelled."""
        if not self._cancelled:
            self._context.run(self._callback, *self._args)

    @property
    def owner(self) -> object:
        """The task this is a step of, if it is one."""
        return getattr(self._callback, "__self__", None)


class TimerHandle(Handle):
    """A callback waiting for a durable timer."""

    __slots__ = ("_cancel_timer", "_when")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context,
        when: float,
        cancel_timer: Callable[[], None],
    ) -> None:
        super().__init__(callback, args, context)
        self._when = when
        self._cancel_timer = cancel_timer

    def when(self) -> float:
        """The time of the loop at which it runs."""
        return self._when

    def cancel(self) -> None:
        """Don't run it, and take its timer back."""
        if not self._cancelled:
            self._cancelled = True
            self._cancel_timer()


class ProgramFuture(asyncio.Future[T]):
    """A future that hashes by the order of its creation."""

    __slots__ = ("_salted",)

    def __init__(self, loop: ProgramLoop) -> None:
        self._salted = loop.next_hash()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._salted


class ProgramTask(asyncio.Task[T]):
    """A task that hashes by the order of its creation."""

    __slots__ = ("_salted",)

    def __init__(self, coro: Coroutine[Any, Any, Any], *, loop: ProgramLoop, **options: Any) -> None:
        self._salted = loop.next_hash()
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._salted


class LoopOwner(Protocol):
    """What the loop asks of its program."""

    def on_loop_error(self, context: dict[str, Any]) -> None:
        """A callback raised, or an exception was never retrieved."""
        ...


class ProgramLoop(asyncio.AbstractEventLoop):
    """See the module's head.

    Args:
        program: for `actorflow.workflow`, which finds it through the running loop.
        timers: of the program.
        mode: of the program.
        now: the time of the turn.
        salt: of the run.

    Attributes:
        now: the time of the turn; it stands still meanwhile.
        context: what the program's own code begins in.
        watches: whoever looks at what the program calls, in development mode.
    """

    def __init__(self, program: LoopOwner, timers: Timers, mode: Mode, *, now: datetime, salt: int) -> None:
        self.program = program
        self.context = contextvars.Context()
        self.now = now
        self._timers = timers
        self._mode = mode
        self._salt = salt
        self._created = 0
        self._ready: list[Handle] = []
        self._tasks: list[ProgramTask[Any]] = []
        self._prune_at = _PRUNE_AT
        self._generators: list[AsyncGenerator[Any, Any]] | None = None
        self.watches: Watch | None = None
        self._exception_handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None

    # Stepping

    def run(self, step: Callable[[], object]) -> Any:
        """Call ``step`` with this loop as the running one; the thread's own loop is put back whatever happens."""
        outer = asyncio_events._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        asyncio_events._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=self._keep_generator, finalizer=None)
        try:
            return step() if self.watches is None else self.watches(step)
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio_events._set_running_loop(outer)

    def drain(self, steps_max: int) -> int:
        """Run callbacks in order until none is ready, and return how many ran.

        Raises:
            TurnTooLongError: more than ``steps_max`` became ready.
        """
        ready = self._ready
        steps = 0
        try:
            for handle in ready:  # grows while it is walked: what becomes ready is run in the same pass
                steps += 1
                if steps > steps_max:
                    steps -= 1  # this one has not run
                    owner = handle.owner
                    line = (
                        waiting_line(cast("asyncio.Task[Any]", owner)) if isinstance(owner, asyncio.Task) else NOWHERE
                    )
                    raise TurnTooLongError(limits.TURN_STEPS_MAX, line)
                try:
                    handle.run()
                except Exception as problem:
                    self.call_exception_handler({"message": "Exception in callback", "exception": problem})
        finally:
            del ready[:steps]
        if len(self._tasks) > self._prune_at:
            self._tasks = [task for task in self._tasks if not task.done()]
            self._prune_at = max(_PRUNE_AT, 2 * len(self._tasks))
        return steps

    def time_ns(self) -> int:
        """The time of the turn in nanoseconds since the epoch."""
        return (self.now - _EPOCH) // timedelta(microseconds=1) * 1000

    def next_hash(self) -> int:
        """The hash of the next task or future."""
        self._created += 1
        return (self._created * _HASH_FACTOR ^ self._salt) & _HASH_MASK

    def begin(self, coro: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start a task of the program's own code, in a context of its own."""
        return self.create_task(coro, name=name, context=self.context.copy())

    def unfinished_tasks(self) -> list[ProgramTask[Any]]:
        """Tasks that are not done, in the order of their creation."""
        return [task for task in self._tasks if not task.done()]

    def open_generators(self) -> list[AsyncGenerator[Any, Any]]:
        """Async generators that were started and not exhausted, the newest first."""
        return [generator for generator in reversed(self._generators or ()) if _is_suspended(generator)]

    def dispose(self) -> None:
        """Let go of everything: loop and tasks refer to each other, and only the garbage collector would free them."""
        self._tasks.clear()
        self._ready.clear()
        self._generators = None
        del self.program, self._timers

    def _keep_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        # A generator left to the garbage collector would run its finally inside somebody else's turn.
        if self._generators is None:
            self._generators = []
        elif len(self._generators) > _PRUNE_AT:
            self._generators = [known for known in self._generators if _is_suspended(known)]
        self._generators.append(generator)

    # What asyncio calls

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def get_debug(self) -> bool:
        return False

    def time(self) -> float:
        return (self.now - _EPOCH).total_seconds()

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        if self._mode.is_read_only:
            self._mode.check_writable("schedule a callback")
        handle = Handle(callback, args, context if context is not None else contextvars.copy_context())
        self._ready.append(handle)
        return cast("asyncio.Handle", handle)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        if delay < 0:
            raise RuntimeError(f"can't wait for a negative time ({delay} s)")
        self._mode.check_writable("start a timer")
        run_in = context if context is not None else contextvars.copy_context()
        cancel_timer = self._timers.start(delay, lambda: self._ready.append(handle))
        handle = TimerHandle(callback, args, run_in, self.time() + delay, cancel_timer)
        return cast("asyncio.TimerHandle", handle)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_later(when - self.time(), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return ProgramFuture(self)

    def create_task(  # pyright: ignore[reportIncompatibleMethodOverride] - newer interpreters pass more options
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        self._mode.check_writable("create a task")
        # asyncio's default name counts all tasks of the process, which differs on replay
        task: ProgramTask[Any] = ProgramTask(
            coro, loop=self, name=name or f"Task-{self._created + 1}", context=context, **options
        )
        self._tasks.append(task)
        return task

    def get_task_factory(self) -> None:
        return None

    def get_exception_handler(self) -> Any:
        return self._exception_handler

    def set_exception_handler(self, handler: Any) -> None:
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        program = getattr(self, "program", None)
        if program is not None:  # a future may be collected after its program was taken apart
            program.on_loop_error(context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)


def _is_suspended(generator: AsyncGenerator[Any, Any]) -> bool:
    return getattr(generator, "ag_frame", None) is not None


def _refused(name: str) -> Callable[..., Any]:
    def method(self: ProgramLoop, *_args: Any, **_options: Any) -> NoReturn:
        raise NotImplementedError(
            f"{name} can't be used in a workflow: threads, processes, sockets and signals would not be the same on "
            "replay; do it in an activity"
        )

    return method


# asyncio's own say nothing but NotImplementedError.
for _name in (
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "call_soon_threadsafe",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "run_forever",
    "run_in_executor",
    "run_until_complete",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_sendall",
    "subprocess_exec",
    "subprocess_shell",
):
    setattr(ProgramLoop, _name, _refused(_name))
