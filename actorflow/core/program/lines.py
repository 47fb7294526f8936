"""Finds the line of workflow code that asked for something, or waits for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Any, Final

_PACKAGE: Final = __file__.removesuffix("core/program/lines.py")
_ASYNCIO: Final = asyncio.__file__.removesuffix("__init__.py")
NOWHERE: Final = "a place outside the workflow code"


def calling_line() -> str:
    """The innermost line of user code on the current call stack."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        if _is_user_code(frame.f_code):
            return _shown(frame.f_code, frame.f_lineno)
        frame = frame.f_back
    return NOWHERE


def waiting_line(task: asyncio.Task[Any] | None) -> str:
    """The innermost line of user code that a suspended task waits at."""
    return (waiting_lines(task) or (NOWHERE,))[-1]


def waiting_lines(task: asyncio.Task[Any] | None) -> Sequence[str]:
    """The lines of user code on the stack of a suspended task, outermost first."""
    found: list[str] = []
    awaited: Any = task.get_coro() if task is not None else None
    while awaited is not None:
        frame: FrameType | None = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            break
        if _is_user_code(frame.f_code):
            found.append(_shown(frame.f_code, frame.f_lineno))
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return found


def _is_user_code(code: CodeType) -> bool:
    name = code.co_filename
    return not (name.startswith((_PACKAGE, _ASYNCIO, "<frozen")))


def _shown(code: CodeType, line: int) -> str:
    return f"{code.co_filename}:{line} in {code.co_qualname}"
