"""On whose behalf code runs: a context variable, as any asyncio program has some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

caller: ContextVar[str] = ContextVar("caller", default="")


@contextmanager
def acting_for(name: str) -> Iterator[None]:
    """Let what runs inside the block run on somebody's behalf."""
    token = caller.set(name)
    try:
        yield
    finally:
        caller.reset(token)
