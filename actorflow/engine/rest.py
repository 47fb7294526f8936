"""What an engine has under way beside its journal, and who wants to know when something of it is over.

A clock that skips time must know when nothing can happen any more without time passing. Whatever ends the last thing
that is under way calls `stir`; see `testing/skipping.py` for the one who listens.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager


class Rest:
    """Counts, and a bell.

    Attributes:
        attempts: of activities that run, and whose outcome matters.
        lookups: reads of the store on behalf of calls.
        watcher: rung by `stir`; nobody listens unless time is skipped.
    """

    def __init__(self) -> None:
        self.attempts = 0
        self.lookups = 0
        self.watcher: Callable[[], None] | None = None

    @contextmanager
    def lookup(self) -> Generator[None]:
        """A call reads the store while the block lasts."""
        self.lookups += 1
        try:
            yield
        finally:
            self.lookups -= 1
            self.stir()

    def stir(self) -> None:
        """Something that was under way may be over."""
        if self.watcher is not None:
            self.watcher()
