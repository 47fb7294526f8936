"""What the code of a workflow is kept from while it runs; whoever keeps it is given from outside."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Watch = Callable[[Callable[[], object]], Any]
"""Takes the step of a program, calls it, and returns what it returns."""


def _nobody() -> None:
    return None


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Guard:
    """How strict an engine is with a definition's code.

    Attributes:
        is_on: I/O is refused.
        passes: modules whose code may do it all the same, with what they call.
        watch: in development mode, gives a new program what looks out for clocks, chance and sleeping threads, or None
            if it goes without.
        runs_twice: in development mode, says of a new program whether each turn of it is repeated, and compared, before
            it is committed.
    """

    is_on: bool = True
    passes: frozenset[str] = frozenset()
    watch: Callable[[], Watch | None] = _nobody
    runs_twice: Callable[[], bool] = _never


GUARDED: Final = Guard()

is_lifted: Final[contextvars.ContextVar[bool]] = contextvars.ContextVar("is_lifted", default=False)
"""True in a block that says it knows what it does, and in the tasks it makes."""
