"""Child processes that run calls, each with a pipe of its own.

The standard library's pool shares its pipes, so one child that dies takes the whole pool and everybody's calls with
it. Here its own call fails, the others don't notice, and the next call gets a new child. Children are never forked: a
fork would inherit the journal's file and lock, and keep both after the death of its parent.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Final, NamedTuple, cast

from actorflow.exceptions import ApplicationError, CancelledError, ProcessDiedError

_CAUSES_MAX: Final = 20
_END_SECONDS: Final = 1.0
"""How long a killed child may take to disappear; the system is busy then, and nobody should wait for it."""


class Likeness(NamedTuple):
    """What a pool of the user's says about its processes.

    Attributes:
        processes_max: how many there may be.
        context: how they are started.
        initializer: called first in each, with ``arguments``.
        arguments: see there.
        calls_max: how many calls one of them runs; None means any number.
    """

    processes_max: int
    context: BaseContext
    initializer: Callable[..., object] | None
    arguments: tuple[Any, ...]
    calls_max: int | None

    @staticmethod
    def of(pool: ProcessPoolExecutor) -> Likeness:
        """Read a pool, which keeps these values to itself; a start method of fork becomes spawn."""
        about = vars(pool)
        context: BaseContext = about["_mp_context"]
        if context.get_start_method() == "fork":
            context = multiprocessing.get_context("spawn")
        return Likeness(
            about["_max_workers"],
            context,
            about.get("_initializer"),
            tuple(about.get("_initargs", ())),
            about.get("_max_tasks_per_child"),
        )


class Processes:
    """Runs calls in children, which are started when they are needed. Any thread may call.

    A child belongs to the call it runs, and to nobody while it is idle. Whoever it belongs to closes its pipe; others
    only kill it, because a file that two threads close may be somebody else's by the second time.

    Args:
        likeness: how many, and how they begin.
    """

    def __init__(self, likeness: Likeness) -> None:
        self._likeness = likeness
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._children: set[_Child] = set()
        self._is_closed = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a call in a child, wait for it in this thread, and return or raise what it does.

        Raises:
            ProcessDiedError: the child died meanwhile.
            CancelledError: it was ended with all others, see `close`.
            PicklingError, TypeError, AttributeError: the call can't be sent.
        """
        message = _pickled((function, arguments))
        child = self._take()
        try:
            answer = child.ask(message)
        except (EOFError, OSError) as gone:
            child.wait()  # else we might be the one who ends it, and know less
            self._drop(child)
            if self._is_closed:
                raise CancelledError("its process was ended with its worker") from gone
            raise ProcessDiedError(child.pid, child.exit_code) from gone
        if child.calls == self._likeness.calls_max:
            self._drop(child)
        else:
            self._give_back(child)
        result, problems = pickle.loads(answer)  # of our own child: it has sent what it calculated
        if problems:
            raise _rebuilt(problems)
        return result

    def close(self) -> None:
        """End every child, whatever it does."""
        with self._lock:
            self._is_closed = True
            children, self._children = list(self._children), set()
            idle, self._idle = self._idle, []
        for child in children:
            child.kill()
        for child in children:
            child.wait()
        for child in idle:
            child.end()

    def _take(self) -> _Child:
        while (idle := self._take_idle()) is not None:
            if idle.is_alive:
                return idle
            self._drop(idle)
        child = _Child(self._likeness)
        with self._lock:
            if not self._is_closed:
                self._children.add(child)
                return child
        child.end()
        raise RuntimeError("these processes were shut down; they run nothing more")

    def _take_idle(self) -> _Child | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(child)
                return
        child.end()

    def _drop(self, child: _Child) -> None:
        with self._lock:
            self._children.discard(child)
        child.end()


class _Child:
    """One process, and our end of its pipe."""

    def __init__(self, likeness: Likeness) -> None:
        self._connection, theirs = likeness.context.Pipe()
        process = cast("Any", likeness.context).Process(
            target=_serve, args=(theirs, likeness.initializer, likeness.arguments), name="actorflow-activity"
        )
        self._process: BaseProcess = process
        # So that whoever forgets to leave the worker still exits: these are ended with the interpreter.
        self._process.daemon = True
        self._process.start()
        theirs.close()
        self.calls = 0

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def ask(self, message: bytes) -> bytes:
        self.calls += 1
        self._connection.send_bytes(message)
        return self._connection.recv_bytes()

    def wait(self) -> None:
        self._process.join(_END_SECONDS)

    def kill(self) -> None:
        """For anybody; whoever waits for an answer is told."""
        self._process.kill()

    def end(self) -> None:
        """For the owner alone."""
        self.kill()
        self.wait()
        self._connection.close()


def _pickled(value: object) -> bytes:
    # Bytes, not the view that this gives: one that is kept by an exception can't be collected in any order.
    return bytes(ForkingPickler.dumps(value))


# In the child


def _serve(
    connection: Connection[Any, Any], initializer: Callable[..., object] | None, arguments: tuple[Any, ...]
) -> None:
    """Run calls until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says what follows
    if initializer is not None:
        initializer(*arguments)
    with suppress(EOFError, OSError):
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))


def _answer(message: bytes) -> bytes:
    try:
        function, arguments = pickle.loads(message)
        return _pickled((function(*arguments), ()))
    except BaseException as problem:
        return _pickled((None, _described(problem)))


def _described(problem: BaseException) -> Sequence[tuple[BaseException, str]]:
    """An exception and its causes, which pickling would leave out as it does their tracebacks."""
    chain: list[tuple[BaseException, str]] = []
    found: BaseException | None = problem
    while found is not None and len(chain) < _CAUSES_MAX:
        chain.append((_sendable(found), "".join(traceback.format_tb(found.__traceback__))))
        hidden = None if found.__suppress_context__ else found.__context__
        found = found.__cause__ or hidden
    return chain


def _sendable(problem: BaseException) -> BaseException:
    if isinstance(problem, SystemExit):
        return RuntimeError(f"the activity called sys.exit({problem.code!r})")
    try:
        pickle.loads(_pickled(problem))
    except Exception:  # whatever a foreign __reduce__ or constructor raises
        return ApplicationError(str(problem), type=type(problem).__name__)
    return problem


def _rebuilt(problems: Sequence[tuple[BaseException, str]]) -> BaseException:
    cause: BaseException | None = None
    for problem, stack_trace in reversed(problems):
        problem.__cause__ = cause
        vars(problem)["_stack_trace"] = stack_trace  # where `converter.failure` looks for one without a traceback
        cause = problem
    assert cause is not None
    return cause
