"""What can go wrong while a program runs."""

from __future__ import annotations

from actorflow.converter import text_of
from actorflow.exceptions import ActorflowError, TemporalError


class TurnError(ActorflowError):
    """A turn could not be finished; nothing of it counts. ``cause`` is what the program raised."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(text_of(cause))
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """What the program raised."""
        assert self.__cause__ is not None
        return self.__cause__


class NondeterminismError(TemporalError):
    """On replay the program asked for something else than its journal says.

    Args:
        number: the event where the two part.
        recorded: what the journal says.
        asked: what the code asked for.
        line: where in the workflow code.
        version_note: of the interpreters; may be empty.
        remedy: what to do now.
    """

    def __init__(
        self,
        *,
        number: int,
        recorded: str,
        asked: str,
        line: str,
        version_note: str = "",
        remedy: str = "run the code that wrote this journal, or terminate the execution",
    ) -> None:
        super().__init__(
            f"non-determinism at event {number}: the journal says {recorded!r}, the code asked for {asked!r} "
            f"at {line}{version_note}; {remedy}"
        )
        self.number = number
        self.recorded = recorded
        self.asked = asked
        self.line = line


class ReadOnlyContextError(TemporalError):
    """A query (or a validator) tried to change the workflow."""


class TurnTooLongError(ActorflowError):
    """A turn took more loop steps than a turn may; the program is probably spinning."""

    def __init__(self, steps: int, line: str) -> None:
        super().__init__(
            f"one turn took more than {steps:,} steps of the event loop and never came to rest, at {line}; "
            "wait for something that takes time (a timer, an activity, a condition) inside the loop"
        )
        self.line = line


class CommandLimitError(ActorflowError):
    """An execution has as many activities or timers open as it may."""

    def __init__(self, what: str, *, limit: int) -> None:
        super().__init__(f"this execution has {limit:,} {what} open; wait for some, or split the work over executions")
        self.limit = limit


class UnknownQueryError(ActorflowError):
    """The workflow has no handler for a query."""


class UnknownUpdateError(ActorflowError):
    """The workflow has no handler for an update."""


class UnfinishedUpdateHandlersWarning(RuntimeWarning):
    """A workflow ended while handlers of updates were running; their callers get an error."""


class UnfinishedSignalHandlersWarning(RuntimeWarning):
    """A workflow ended while handlers of signals were running; what they had still to do is not done."""


class Evicted(BaseException):
    """Thrown into a program that leaves memory, so that its ``finally`` blocks run now and in its own context.

    A BaseException, so that ``except Exception`` in workflow code does not keep the program alive.
    """
