"""A turn being decided: messages that were taken, read by the codec, run by the program, encoded by the codec again.

Without a codec all of this happens at once. With one the actor waits twice; until what was decided is encoded nothing
of it counts, and the messages can be put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from actorflow.converter import Coder
from actorflow.core import events as ev
from actorflow.core.commands import Command
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.program.errors import TurnError
from actorflow.core.program.updates import Rejection
from actorflow.core.turn import decide, end, fail, released
from actorflow.engine.codec_wait import Waiting
from actorflow.engine.codecs import (
    Read,
    as_they_came,
    decisions_of,
    is_carrying,
    read,
    with_decisions,
    written,
)
from actorflow.engine.decision import Decision
from actorflow.engine.effects import release
from actorflow.engine.execution import Execution, extra_failure_types
from actorflow.engine.ledger import Ledger
from actorflow.engine.mailbox import Delivery, Mailbox
from actorflow.engine.registry import WorkerHost
from actorflow.engine.setback import Setback
from actorflow.engine.site import Site
from actorflow.exceptions import CodecError
from actorflow.pool.slots import Slots
from actorflow.store.protocol import Identity


class Decider(Waiting, Protocol):
    """For whom a turn is decided."""

    @property
    def host(self) -> WorkerHost | None:
        """The worker that runs its executions now."""
        ...

    def on_decided(self, decision: Decision) -> None:
        """Write it. What it raises makes the turn fail: it can't be written down."""
        ...

    def on_failed(self, setback: Setback) -> None:
        """The program could not finish the turn."""
        ...

    def on_interrupted(self) -> None:
        """Something stopped the program in the middle of the turn, such as Ctrl-C; nothing was decided."""
        ...


class Deciding:
    """See the module's head.

    Args:
        decider: is told how it ends.
        site: collaborators.
        identity: of the run.
        execution: has the program.
        host: its worker.
        ledger: knows how large its journal is.
        mailbox: where the messages were taken from.
        taken: the messages.
        retried_at: the time of the turn if it was tried before; else it is that of the clock.
    """

    __slots__ = (
        "_decider",
        "_execution",
        "_host",
        "_identity",
        "_ledger",
        "_mailbox",
        "_retried_at",
        "_site",
        "_slots",
        "_taken",
    )

    def __init__(
        self,
        decider: Decider,
        site: Site,
        identity: Identity,
        execution: Execution,
        host: WorkerHost,
        ledger: Ledger,
        mailbox: Mailbox,
        taken: Sequence[Delivery],
        retried_at: datetime | None,
    ) -> None:
        self._decider = decider
        self._site = site
        self._identity = identity
        self._execution = execution
        self._host = host
        self._ledger = ledger
        self._mailbox = mailbox
        self._taken = taken
        self._retried_at = retried_at
        self._slots: dict[str, Slots[WorkerHost]] | None = None

    def begin(self) -> None:
        """Decide the turn, at once or when the codec has read what the program is to see."""
        messages = self._messages()
        coder = self._host.coder
        if coder is None:
            self._run(messages)
            return
        unread = self._execution.unread
        if is_carrying((*messages, *[event for turn in unread for event in turn.events])):
            work = read(coder, self._identity, unread, messages, self._execution.state.children or {})
            self._decider.wait_for_codec(work, self._on_read, self._put_back)
        else:
            self._run(messages)

    def _messages(self) -> list[Message]:
        return [delivery.message for delivery in self._taken]

    def _now(self) -> datetime:
        return self._retried_at or self._site.clock.now()

    def _on_read(self, outcome: Read | CodecError) -> None:
        if isinstance(outcome, CodecError):
            self._fail(outcome, self._now())
        elif self._decider.host is not self._host:
            self._put_back()
        else:
            if outcome.turns:
                self._execution.read(outcome.turns)
            self._run(outcome.messages)

    def _run(self, messages: Sequence[Message]) -> None:
        """Run the program; ``messages`` are those taken, as it is to see them."""
        now = self._now()
        rejections: Sequence[Rejection] = ()
        self._site.health.turn_started(self._identity)
        try:
            program = self._execution.program_on(self._host, self._execution.begun_by(messages))
            program.history_bytes = self._ledger.journal_bytes
            turn = decide(
                self._execution.state,
                program,
                messages,
                now=now,
                reserve=self._reserve,
                unhandled=self._mailbox.accepted_messages,
                new_run_id=self._site.clock.new_run_id,
                typed=self._typed,
                prove=self._execution.prove,
                is_held=self._host.coder is not None,
            )
            rejections = program.take_rejections()
        except TurnError as error:
            if not isinstance(error.cause, extra_failure_types(self._host, self._identity)):
                self._fail(error.cause, now)
                return
            turn = self._failed_by(error.cause, messages, now)
        except BaseException:
            self._release()
            self._decider.on_interrupted()
            raise
        finally:
            self._site.health.turn_ended()
        if self._host.coder is None:
            self._end(turn, rejections)
        else:
            self._encode(self._host.coder, turn, messages, rejections)

    def _failed_by(self, cause: BaseException, messages: Sequence[Message], now: datetime) -> Turn:
        """An exception that fails the workflow instead of its turn."""
        return fail(
            self._execution.state,
            messages,
            self._host.converter.failure(cause),
            identity=self._identity,
            now=now,
            unhandled=self._mailbox.accepted_messages,
            new_run_id=self._site.clock.new_run_id,
            is_held=self._host.coder is not None,
        )

    def _encode(
        self, coder: Coder, turn: Turn | None, seen: Sequence[Message], rejections: Sequence[Rejection]
    ) -> None:
        drafted = None if turn is None else as_they_came(turn, seen, self._messages())
        decisions = decisions_of(drafted)
        decided = [*decisions, *rejections]
        go_on = partial(self._on_encoded, drafted, len(decisions))
        if is_carrying(decided):
            self._decider.wait_for_codec(written(coder, self._identity, decided), go_on, self._put_back)
        else:
            go_on(decided)

    def _on_encoded(self, drafted: Turn | None, count: int, outcome: Sequence[Any] | CodecError) -> None:
        """The first so many are the decisions of the turn, the others rejections."""
        if isinstance(outcome, CodecError):
            self._fail(outcome, self._now())
            return
        turn = None
        if drafted is not None:
            held = with_decisions(drafted, outcome[:count])
            turn = released(self._execution.state, held, self._messages(), self._mailbox.accepted_messages())
        self._end(turn, outcome[count:])

    def _end(self, turn: Turn | None, rejections: Sequence[Rejection]) -> None:
        decision = Decision(self._site, self._identity, self._execution, self._taken, turn, rejections, self._slots)
        try:
            self._decider.on_decided(decision)
        except Exception as problem:  # what the program asked for can't be written down
            self._fail(problem, self._now(), is_journaled=False)

    def _fail(self, cause: BaseException, at: datetime, *, is_journaled: bool = True) -> None:
        self._release()
        self._decider.on_failed(
            Setback(self._site, self._identity, self._execution, self._host, self._taken, cause, at, is_journaled)
        )

    def _put_back(self) -> None:
        """Nobody waits for the codec any more: it is as if nothing had been taken."""
        self._release()
        self._mailbox.put_back(self._taken)

    def _release(self) -> None:
        slots, self._slots = self._slots, None
        release(self._site, slots or {})

    def _reserve(self, scheduled: ev.ActivityScheduled) -> bool:
        slots = self._site.registry.queue(self._identity.namespace, scheduled.task_queue).reserve()
        if slots is None:
            return False
        if self._slots is None:
            self._slots = {}
        self._slots[scheduled.activity_id] = slots
        return True

    def _typed(self, command: Command) -> Command:
        return self._site.attribute_types.command(self._identity, command)


def decided_without_program(
    site: Site, identity: Identity, execution: Execution, mailbox: Mailbox, ending: Delivery
) -> Decision:
    """What ends a run from outside: a termination, or its time; that needs neither a worker nor a healthy program."""
    event: Any = ending.message
    turn = end(
        execution.state,
        event,
        identity=identity,
        now=site.clock.now(),
        unhandled=mailbox.accepted_messages(),
        new_run_id=site.clock.new_run_id,
    )
    return Decision(site, identity, execution, [ending], turn)
