"""One execution in memory: its folded journal and, once somebody needs it, its live program."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from time import perf_counter
from typing import Protocol

from actorflow.converter import ValueConverter
from actorflow.core import events as ev
from actorflow.core.definitions import WorkflowDefinition
from actorflow.core.journal import Turn, TurnRow, decode_turns, identity_checksum
from actorflow.core.messages import Message
from actorflow.core.program import Program
from actorflow.core.program.errors import NondeterminismError, TurnError
from actorflow.core.state import ExecutionState, turn_width
from actorflow.core.turn import Prove
from actorflow.engine.counting import Counting, text_bytes
from actorflow.engine.reporting import ProgramReporter
from actorflow.engine.twin import Step, Twin
from actorflow.exceptions import CorruptJournalError
from actorflow.store.protocol import Identity

_log = logging.getLogger("actorflow.engine")


class Code(Protocol):
    """What a program is built from; a worker's host has it."""

    @property
    def workflows(self) -> Mapping[str, WorkflowDefinition]:
        """Definitions by workflow type."""
        ...

    @property
    def converter(self) -> ValueConverter:
        """For arguments and results."""
        ...

    @property
    def failure_types(self) -> tuple[type[BaseException], ...]:
        """Exceptions that fail a workflow instead of its turn."""
        ...


class Execution:
    """State always, program on demand.

    Args:
        identity: of the run.
        counting: is told of replays, if anybody is.
        turns: its journal so far; kept only until the program has been rebuilt from it.
        rows: the same, as it is stored; without them a program does not know how large its history is.
        has_unseen: see `Program`; False for turns that may have been read from a public history.
    """

    __slots__ = (
        "_code",
        "_counting",
        "_has_unseen",
        "_identity",
        "_program",
        "_rows",
        "_started",
        "_turns",
        "_twin",
        "state",
    )

    def __init__(
        self,
        identity: Identity,
        counting: Counting | None = None,
        turns: Sequence[Turn] = (),
        rows: Sequence[TurnRow] = (),
        *,
        has_unseen: bool = True,
    ) -> None:
        self._identity = identity
        self._counting = counting
        self._turns = turns
        self._rows = rows
        self._has_unseen = has_unseen
        self._program: Program | None = None
        self._twin: Twin | None = None
        self._started: ev.Started | None = None
        self._code: Code | None = None
        self.state = ExecutionState.folded(turns)

    @property
    def code(self) -> Code | None:
        """What the live program was built from."""
        return self._code

    def begun_by(self, messages: Sequence[Message] = ()) -> ev.Started:
        """How it began, as its program is to see it, or is about to begin with one of these messages.

        Raises:
            TurnError: neither.
        """
        started = self._started or self.state.started
        if started is not None:
            return started
        for message in messages:
            if isinstance(message, ev.Started):
                return message
        raise TurnError(CorruptJournalError("the run has not begun: no Started event in its journal"))

    @property
    def unread(self) -> Sequence[Turn]:
        """Turns a program has to be rebuilt from, as they are stored."""
        return self._turns if self._started is None else ()

    def read(self, turns: Sequence[Turn]) -> None:
        """The same turns as a program is to see them: a codec has decoded them."""
        self._turns = turns
        self._started = next((one for turn in turns for one in turn.events if isinstance(one, ev.Started)), None)

    def program_on(self, code: Code, started: ev.Started) -> Program:
        """The live program, rebuilt by replay if need be.

        Raises:
            TurnError: the journal does not replay with this code.
        """
        if self._program is None:
            self._program = self._rebuilt(code, started) if self._turns else self._replayed(code, started)
            self._code = code
            if self._program.definition.guard.runs_twice():
                self._twin = self._twin_on(code, started)
            self._turns = self._rows = ()
        return self._program

    @property
    def prove(self) -> Prove | None:
        """In development mode, what repeats a turn of the live program."""
        return None if self._twin is None else self._twin.prove

    @property
    def is_live(self) -> bool:
        """True if there is a program."""
        return self._program is not None

    @property
    def is_tainted(self) -> bool:
        """True if the live program can't be trusted any more."""
        return self._program is not None and self._program.mode.is_tainted

    def tear_down(self) -> None:
        """Take the program apart. Without its journal the execution is of no use then."""
        program, self._program, self._code = self._program, None, None
        if program is not None:
            dismantle(program, self._identity)
        if self._twin is not None:
            self._twin.tear_down()
            self._twin = None

    def _rebuilt(self, code: Code, started: ev.Started) -> Program:
        began = perf_counter()
        try:
            program = self._replayed(code, started)
            if self._counting is not None:
                self._counting.rebuilt(self._identity.workflow_type, began, self.state.last_event)
            return program
        except TurnError as error:
            if not isinstance(error.cause, NondeterminismError):
                raise
        # Once more, slowly: now with the line that asked for the wrong thing.
        return self._replayed(code, started, records_lines=True)

    def _twin_on(self, code: Code, started: ev.Started) -> Twin:
        build = partial(self._built, code, started, records_lines=True)
        return Twin(build, partial(dismantle, identity=self._identity), _steps(self._turns, self._rows))

    def _built(self, code: Code, started: ev.Started, *, records_lines: bool) -> Program:
        definition = WorkflowDefinition.among(code.workflows, self._identity.workflow_type)
        return Program(
            definition,
            self._identity,
            started,
            code.converter,
            ProgramReporter(self._identity, None if self._counting is None else self._counting.metrics),
            failure_types=extra_failure_types(code, self._identity),
            records_lines=records_lines,
            has_unseen=self._has_unseen,
        )

    def _replayed(self, code: Code, started: ev.Started, *, records_lines: bool = False) -> Program:
        program = self._built(code, started, records_lines=records_lines)
        program.loop.watches = program.definition.guard.watch()
        try:
            for turn, row in zip_longest(self._turns, self._rows):
                if _was_run(turn):
                    first_number = turn.number - turn_width(turn.events) + 1
                    program.replay(turn.at, turn.events, first_number=first_number)
                program.history_bytes += 0 if row is None else text_bytes(row.events)
        except BaseException:
            dismantle(program, self._identity)
            raise
        return program


def _was_run(turn: Turn) -> bool:
    """True if a program decided the turn: it did not fail in it, and was not ended from outside."""
    return type(turn.events[0]) is not ev.TurnFailed and type(turn.events[-1]) not in ev.UNASKED


def _steps(turns: Sequence[Turn], rows: Sequence[TurnRow]) -> Iterable[Step]:
    size = 0
    for turn, row in zip_longest(turns, rows):
        if _was_run(turn):
            yield Step(turn.at, turn.events, turn.number - turn_width(turn.events) + 1, size)
        size += 0 if row is None else text_bytes(row.events)


def turns_of(identity: Identity, rows: Sequence[TurnRow]) -> Sequence[Turn]:
    """The journal of a run from its rows.

    Raises:
        CorruptJournalError, msgspec.DecodeError: see `decode_turns`.
    """
    seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
    return decode_turns(rows, seed=seed, run_id=identity.run_id)


def last_turn_of(identity: Identity, rows: Sequence[TurnRow]) -> Turn:
    """The last turn of a journal, checked against the row before it: damage further back does not concern it.

    Raises:
        CorruptJournalError, msgspec.DecodeError: see `decode_turns`.
    """
    if len(rows) < 2:
        return turns_of(identity, rows)[-1]
    return decode_turns(rows[-1:], seed=rows[-2].checksum, run_id=identity.run_id)[0]


def extra_failure_types(code: Code, identity: Identity) -> tuple[type[BaseException], ...]:
    """Exceptions that a worker and the definition add to those that fail any execution."""
    definition = WorkflowDefinition.among(code.workflows, identity.workflow_type)
    return (*code.failure_types, *definition.failure_exception_types)


def dismantle(program: Program, identity: Identity) -> None:
    """Tear a program down, and name it if it resists."""
    resisting = program.tear_down()
    if resisting:
        _log.error(
            "workflow %r (run %s) did not let go: %d of its tasks catch BaseException and go on waiting; "
            "catch Exception instead",
            identity.workflow_id,
            identity.run_id,
            resisting,
        )
