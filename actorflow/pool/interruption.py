"""An exception thrown into a thread while one piece of code runs in it, and never after.

The interpreter raises such an exception at a moment of its own choice, some time after it was asked to. So the code's
beginning and end and each throw take one lock, what was thrown and not raised when the code ends is taken back, and
nothing is thrown twice: whatever happens while the end is being noted happens once, and the note is taken again.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

_set_exception: Final = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_exception.argtypes = (ctypes.c_ulong, ctypes.py_object)
_set_exception.restype = ctypes.c_int


class Interruption:
    """One piece of code in a thread, and the exception it may be stopped with.

    Args:
        exception: its class; raised without arguments.
    """

    __slots__ = ("_exception", "_is_asked", "_is_thrown", "_lock", "_shields", "_thread")

    def __init__(self, exception: type[BaseException]) -> None:
        self._exception = exception
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._shields = 0
        self._is_asked = False
        self._is_thrown = False

    def run(self, call: Callable[[], Any]) -> Any:
        """Run the code in this thread and return what it returns, or raise what it raises."""
        try:
            try:
                self._begin()
                return call()
            finally:
                self._end()
        except BaseException:  # also what was thrown in the instant in which the code ended
            self._end()
            raise

    def throw(self) -> None:
        """Stop the code, once: now, or when it begins, or leaves its last shield. Any thread may call this."""
        with self._lock:
            self._is_asked = True
            if self._thread is not None and not self._shields:
                self._throw_into(self._thread)

    @contextmanager
    def shield(self) -> Generator[None]:
        """Throw nothing while the block runs; at its end raise what was asked for meanwhile."""
        with self._lock:  # what was thrown before is raised here at the latest
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
                is_due = self._is_asked and not (self._is_thrown or self._shields)
                if is_due:
                    self._is_thrown = True
            if is_due:
                raise self._exception

    def _throw_into(self, thread: int) -> None:
        if not self._is_thrown:
            self._is_thrown = True
            _set_exception(thread, ctypes.py_object(self._exception))

    def _begin(self) -> None:
        with self._lock:
            self._thread = threading.get_ident()
            if self._is_asked and not self._is_thrown:
                self._is_thrown = True
                raise self._exception

    def _end(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None and self._is_thrown:
                _set_exception(thread, ctypes.py_object())  # NULL: it was raised already, or never will be


def settle() -> None:
    """Let this thread forget that something was thrown into another one, or taken back.

    Until somebody raises something thrown, every thread of the interpreter stops at each call to look for it. Before
    3.12 a thread that is being profiled or traced never gets on from there: it looks, and looks again. A thread that
    has not raised its own yet looks for it by itself, as soon as it goes on.
    """
    if sys.version_info >= (3, 12):
        return
    thread = threading.get_ident()
    try:
        _set_exception(thread, ctypes.py_object(_Settled))
        while True:  # it is raised here at the latest
            pass
    except _Settled:
        return
    except BaseException:  # such as Ctrl-C
        _set_exception(thread, ctypes.py_object())
        raise


class _Settled(BaseException):
    """Thrown and caught by `settle`."""
