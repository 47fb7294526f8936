"""Development mode runs every turn twice: what comes out differently would not replay, and is said at once.

The second run is a program of its own, the twin, which is told each turn as if it had happened before. Now and then it
is built anew and told everything from the beginning: only then it notices what the first program left behind in a
global, after the turn it was looked at. That happens at the turns 4, 16, 64 and so on, so in all it is a third of the
turns again, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from actorflow.core.commands import Command
from actorflow.core.program import Program, matcher
from actorflow.core.program.errors import NondeterminismError, TurnError

_REMEDY: Final = (
    "development mode runs every turn twice, and what the first run asked for stands for the journal here: look for a "
    "clock, chance, or something the two runs share, such as a global"
)


@dataclass(frozen=True)
class Step:
    """A turn as programs are told of it.

    Attributes:
        history_bytes: how large the journal was before it.
    """

    at: datetime
    events: Sequence[Any]
    first_number: int
    history_bytes: int


class Twin:
    """The second run of one execution's turns.

    Args:
        build: makes a program that has run nothing yet.
        dismantle: takes it apart.
        steps: what has happened.
    """

    __slots__ = ("_build", "_dismantle", "_program", "_steps")

    def __init__(
        self, build: Callable[[], Program], dismantle: Callable[[Program], None], steps: Iterable[Step]
    ) -> None:
        self._build = build
        self._dismantle = dismantle
        self._steps = list(steps)
        self._program: Program | None = None

    def prove(
        self, program: Program, at: datetime, first_number: int, arrivals: Sequence[Any], asked: Sequence[Command]
    ) -> None:
        """See `core.turn.Prove`.

        Raises:
            TurnError: the turn, or one before it, came out differently; its cause is a `NondeterminismError` then.
        """
        step = Step(at, (*arrivals, *asked), first_number, program.history_bytes)
        if _is_power_of_four(len(self._steps) + 1):
            self.tear_down()
        try:
            if self._program is None:
                self._program = self._build()
                for past in self._steps:
                    _repeat(self._program, past)
            again = _repeat(self._program, step)
            matcher.check_values(asked, again, first_number=program.history_length + 1, lines=self._program.asked.lines)
        except TurnError as problem:
            explained = _explained(problem)
            raise explained from explained.cause
        self._steps.append(step)

    def tear_down(self) -> None:
        """Take its program apart; the next turn has it built again."""
        program, self._program = self._program, None
        if program is not None:
            self._dismantle(program)


def _repeat(program: Program, step: Step) -> Sequence[Command]:
    program.history_bytes = step.history_bytes
    return program.replay(step.at, step.events, first_number=step.first_number)


def _is_power_of_four(number: int) -> bool:
    return number & (number - 1) == 0 and number.bit_length() % 2 == 1


def _explained(problem: TurnError) -> TurnError:
    cause = problem.cause
    if not isinstance(cause, NondeterminismError):
        return problem
    return TurnError(
        NondeterminismError(
            number=cause.number, recorded=cause.recorded, asked=cause.asked, line=cause.line, remedy=_REMEDY
        )
    )
