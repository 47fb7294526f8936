"""What a program asks for in a turn: its commands in order, and how much they weigh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from actorflow.converter import Payload
from actorflow.core import events as ev, limits
from actorflow.core.commands import Command
from actorflow.core.policy.checks import check_payloads
from actorflow.core.program.lines import calling_line
from actorflow.core.program.mode import Mode
from actorflow.exceptions import PayloadTooLargeError

Key = tuple[str, str]
"""Tells a command of a turn apart from the others: what it is about, and which one."""

_CLOSE: Final = ("close", "")


class Asked:
    """The commands of one program, from turn to turn.

    Args:
        mode: of the program.
        records_lines: remember for each command the line that asked for it (slow).

    Attributes:
        has_attributes: it has asked for search attributes of its own run, or of others: their types are known outside
            only.
        lines: those of the commands that were taken last, if lines are recorded.
    """

    __slots__ = (
        "_arrivals",
        "_arriving",
        "_bytes",
        "_close",
        "_commands",
        "_line_of",
        "_mode",
        "has_attributes",
        "lines",
    )

    def __init__(self, mode: Mode, *, records_lines: bool) -> None:
        self._mode = mode
        self._commands: dict[Key, Command] = {}
        self._close: Command | None = None
        self._arrivals: Sequence[ev.Event] = ()
        self._arriving: frozenset[Key] | None = None  # found out when somebody asks: few turns cancel anything
        self._bytes = 0
        self._line_of: dict[Key, str] | None = {} if records_lines else None
        self.lines: Sequence[str] = ()
        self.has_attributes = False

    def begin_turn(self, arrivals: Sequence[ev.Event]) -> None:
        """A turn begins, with these arrivals."""
        self._bytes = 0
        self._arrivals, self._arriving = arrivals, None
        if self._line_of is not None:
            self._line_of.clear()

    def is_arriving(self, what: str, which: str) -> bool:
        """True if a timer, an activity or a child is over with the arrivals of this very turn."""
        if self._arriving is None:
            self._arriving = frozenset(_resolved_by(self._arrivals))
        return (what, which) in self._arriving

    def take_along(self, whom: str, payloads: Iterable[Payload]) -> None:
        """What a call of the program takes along leaves with this turn.

        Raises:
            PayloadTooLargeError: one is too large, or all of the call, or all of the turn.
        """
        asked = self._bytes + check_payloads(whom, payloads)
        if asked > limits.TURN_PAYLOAD_BYTES_MAX:
            raise PayloadTooLargeError(
                f"{whom}, together with what this turn has asked for already,",
                size=asked,
                limit=limits.TURN_PAYLOAD_BYTES_MAX,
                advice="wait for some of it before you ask for more",
            )
        self._bytes = asked

    def add(self, key: Key, command: Command) -> bool:
        """Ask for something; False if it is dropped, because the program has come to its end."""
        if self._close is not None or self._mode.is_evicted:
            return False
        self._commands[key] = command
        if self._line_of is not None:
            self._line_of[key] = calling_line()
        return True

    def take_back(self, key: Key) -> bool:
        """Don't ask for it after all; False if it was not asked for in this turn."""
        return self._commands.pop(key, None) is not None

    def answer(self, completed: ev.UpdateCompleted) -> None:
        """Tell what became of an update: also after the end, since the caller waits for it."""
        if self._mode.is_evicted:
            return
        key = ("update", completed.update_id)
        self._commands[key] = completed
        if self._line_of is not None:
            self._line_of[key] = calling_line()

    def close(self, command: Command) -> None:
        """End the execution; the first to do so wins."""
        if self.add(_CLOSE, command):
            self._close = command

    @property
    def is_closed(self) -> bool:
        """True after `close`."""
        return self._close is not None

    def take(self) -> Sequence[Command]:
        """The turn is over: what it asked for."""
        if self._close is not None:  # results of updates may have come after it, and it is the last of all
            self._commands[_CLOSE] = self._commands.pop(_CLOSE, self._close)
        commands = tuple(self._commands.values())
        if self._line_of is not None:
            self.lines = [self._line_of[key] for key in self._commands]
        self._commands.clear()
        self._arrivals, self._arriving = (), None
        return commands


def _resolved_by(arrivals: Sequence[ev.Event]) -> Iterator[Key]:
    """Timers, activities and children that are over with these arrivals, so that there is nothing left to cancel."""
    for arrival in arrivals:
        if isinstance(arrival, ev.ActivityResolved):
            yield "activity", arrival.activity_id
        elif isinstance(arrival, ev.TimerFired):
            yield "timer", arrival.timer_id
        elif isinstance(arrival, ev.ChildResolved):
            yield "child", str(arrival.initiated)
