"""Keeps workflow code from what replay could not repeat, while it runs: I/O always, more in development mode.

I/O is noticed by an audit hook. It can't be removed, so it asks: is a program's loop the running loop of this thread?
That is so during a turn and never else, and a turn pays nothing for being known by it. Clocks, chance, sleeping and,
before Python 3.12, threads have no audit events; in development mode a profile function of the thread looks at the
calls of a turn. Nothing is replaced in any module, so no other thread notices.

What is open already makes no event when it is read or written, and modules may hide what they do in C: this keeps
honest programs from mistakes, not hostile ones from harm.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from functools import cache, partial
from types import CodeType, FrameType
from typing import Any, Final

from actorflow.core.guard import Guard, is_lifted
from actorflow.core.program import Program, ProgramLoop
from actorflow.core.program.lines import NOWHERE
from actorflow.engine.unrepeatable import CALLS, CHANCE, FREE, IO_EVENTS, SEED
from actorflow.exceptions import RestrictedWorkflowAccessError
from actorflow.pool.interruption import settle

_OURS: Final = __name__.partition(".")[0]
_BOUNDARY: Final[CodeType] = ProgramLoop.run.__code__
_DETAIL_MAX: Final = 200


@cache
def install() -> None:
    """Keep the programs of this process from I/O, from now on and for good; a second call does nothing."""
    sys.addaudithook(_audit_hook())


def _audit_hook() -> Callable[[str, tuple[Any, ...]], None]:
    # The names are the hook's own: it outlives this module when the interpreter ends.
    events = IO_EVENTS
    running_loop, program_loop, check = asyncio._get_running_loop, ProgramLoop, _check_event
    frame_at = sys._getframe  # pyright: ignore[reportPrivateUsage]

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in events:
            loop = running_loop()
            if type(loop) is program_loop:
                check(loop, frame_at(1), event, arguments)

    return audit


def _check_event(loop: Any, frame: FrameType, event: str, arguments: tuple[Any, ...]) -> None:
    detail = str(arguments[0])[:_DETAIL_MAX] if arguments else ""
    if not (event == "open" and _is_time_zone(detail)):
        _check(loop.program, frame, event, detail, IO_EVENTS[event])


def _is_time_zone(path: str) -> bool:
    """Time zones are read when they are used first, by code in C that no frame tells of."""
    zones = sys.modules.get("zoneinfo")
    return zones is not None and path.startswith(tuple(zones.TZPATH))


def watching(step: Callable[[], object]) -> Any:
    """A `Watch`: takes the step of a program and refuses clocks, chance, sleeping and threads in it.

    It leaves a profiler alone that somebody else has set in this thread; the turn's repetition has to do then.
    """
    if sys.getprofile() is not None:
        return step()
    settle()
    sys.setprofile(_look)
    try:
        return step()
    finally:
        sys.setprofile(None)


def _look(frame: FrameType, event: str, called: Any) -> None:
    if event == "c_call":
        if called in CALLS:
            name, instead = CALLS[called]
            _check(_program_here(), frame, name, "", instead)
    elif event == "call" and frame.f_code is SEED and frame.f_locals.get("a") is None:
        _check(_program_here(), frame, "random.Random", "without a seed", CHANCE)


def _program_here() -> Program:
    loop: Any = asyncio._get_running_loop()
    return loop.program


def _check(program: Program, frame: FrameType, name: str, detail: str, instead: str) -> None:
    """Refuse what a program tries, unless it may.

    Raises:
        RestrictedWorkflowAccessError: the program tried it.
    """
    guard = program.definition.guard
    if not guard.is_on or is_lifted.get():
        return
    line = _line_of(frame, guard)
    if line is not None:
        problem = RestrictedWorkflowAccessError(name, detail=detail, line=line, instead=instead)
        program.ending.refuse(problem)
        raise problem


def _line_of(innermost: FrameType, guard: Guard) -> str | None:
    """The innermost line of the program's own code on the way here; None if something is on the way that is free."""
    own = foreign = None
    called = _called_by_others()
    frame: FrameType | None = innermost
    while frame is not None and frame.f_code is not _BOUNDARY:
        module, code = str(frame.f_globals.get("__name__", "")), frame.f_code
        package = module.partition(".")[0]
        if package in FREE or code in called or code.co_name == "__del__" or _passes(module, guard):
            return None
        if own is None and package not in sys.stdlib_module_names and package != _OURS:
            shown = f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"
            if "site-packages" in code.co_filename:
                foreign = foreign or shown
            else:
                own = shown
        frame = frame.f_back
    return own or foreign or NOWHERE


def _called_by_others() -> set[CodeType | None]:
    """Code of others that the interpreter calls in the middle of a turn: for the garbage collector, and for signals."""
    codes: set[CodeType | None] = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    processes = sys.modules.get("multiprocessing.util")
    if processes is not None:  # a proxy that nobody needs any more says good-bye through a socket
        codes.add(processes.Finalize.__call__.__code__)
    codes.update(_code_of(signal.getsignal(number)) for number in signal.valid_signals())
    return codes


def _code_of(handler: Any) -> CodeType | None:
    return getattr(handler.func if isinstance(handler, partial) else handler, "__code__", None)


def _passes(module: str, guard: Guard) -> bool:
    """True for a module that is let through, or is inside a package that is."""
    if guard.passes:
        while module and module not in guard.passes:
            module = module.rpartition(".")[0]
        return bool(module)
    return False
