"""What the code of a program may do right now: everything, read only, or nothing any more."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from actorflow.core.program.errors import ReadOnlyContextError

QUERY: Final = "a query"
"""The reader that leaves no trace: whatever it does, no replay repeats it."""


class Mode:
    """Of one program, whose parts all look at it.

    Attributes:
        is_replaying: the turn happened before.
        is_evicted: the program is being taken apart, and what it asks for is dropped.
        is_read_only: a query or the like is looking at the program.
        is_tainted: one of them tried to change it, perhaps with half a success: rebuild it.
    """

    __slots__ = ("_reader", "is_evicted", "is_read_only", "is_replaying", "is_tainted")

    def __init__(self) -> None:
        self.is_replaying = False
        self.is_evicted = False
        self.is_read_only = False
        self.is_tainted = False
        self._reader = QUERY

    @property
    def is_query(self) -> bool:
        """True while a query looks at the program."""
        return self.is_read_only and self._reader == QUERY

    def check_writable(self, what: str) -> None:
        """Let only those do something who may change the program.

        Raises:
            ReadOnlyContextError: inside queries, validators and the like.
        """
        if self.is_read_only:
            self.is_tainted = True
            raise ReadOnlyContextError(f"can't {what} in {self._reader}; do it in the workflow, a signal or an update")

    @contextmanager
    def reading(self, reader: str) -> Generator[None]:
        """Nobody may change the program meanwhile; ``reader`` is named to those who try."""
        self._reader = reader
        self.is_read_only = True
        try:
            yield
        finally:
            self.is_read_only = False
