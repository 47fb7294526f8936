"""The turns of one run in memory: messages are taken and decided, decisions written, questions answered between them.

They begin when the run comes into memory and end when its execution is dropped. Whatever has to wait (for a codec, for
the disk, for a worker) comes back here as a step.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from actorflow.actors.residency import Resident
from actorflow.converter import Failure
from actorflow.core import events as ev, limits
from actorflow.engine.agenda import Agenda
from actorflow.engine.codec_wait import UnderWay
from actorflow.engine.deciding import Deciding, decided_without_program
from actorflow.engine.decision import Decision
from actorflow.engine.execution import Execution
from actorflow.engine.ledger import Ledger
from actorflow.engine.mailbox import Delivery, Mailbox
from actorflow.engine.questions import Questions
from actorflow.engine.registry import WorkerHost
from actorflow.engine.setback import Setback
from actorflow.engine.site import Addressable, Site
from actorflow.engine.trouble import Trouble
from actorflow.exceptions import CodecError, StorageFailedError
from actorflow.store.protocol import Conflict, Identity, Outcome

T = TypeVar("T")


class Actor(Addressable, Resident, Protocol):
    """Whose turns they are."""

    is_loading: bool
    is_wanted: bool
    trouble: Trouble | None

    @property
    def host(self) -> WorkerHost | None:
        """The worker that runs executions of its type here."""
        ...

    def wake(self) -> None:
        """Have a step soon, or be loaded for one."""
        ...

    def wake_up(self) -> None:
        """It is time for another try."""
        ...

    def arm(self) -> None:
        """Be woken when something is due."""
        ...

    def spill(self) -> None:
        """Put what waits in memory only into the inbox."""
        ...

    def drop(self) -> None:
        """These turns are over."""
        ...

    def leave(self) -> None:
        """Leave memory."""
        ...

    def leave_if_closed(self) -> None:
        """Leave memory if the run is closed and nothing is left to do."""
        ...


class Turns:
    """See the module's head.

    Args:
        actor: whose turns they are.
        site: collaborators.
        identity: of the run.
        ledger: where decisions go.
        mailbox: where messages come from.
        agenda: knows when it is to begin.
        execution: of the run.
    """

    __slots__ = (
        "_actor",
        "_agenda",
        "_coding",
        "_identity",
        "_is_over",
        "_ledger",
        "_mailbox",
        "_resident_at",
        "_site",
        "execution",
    )

    def __init__(
        self,
        actor: Actor,
        site: Site,
        identity: Identity,
        ledger: Ledger,
        mailbox: Mailbox,
        agenda: Agenda,
        execution: Execution,
    ) -> None:
        self._actor = actor
        self._site = site
        self._identity = identity
        self._ledger = ledger
        self._mailbox = mailbox
        self._agenda = agenda
        self.execution = execution
        self._resident_at: WorkerHost | None = None
        self._coding: UnderWay[Any] | None = None
        self._is_over = False

    @property
    def is_coding(self) -> bool:
        """True while they wait for a codec."""
        return self._coding is not None

    def step(self) -> None:
        """See `actors.dispatcher.Turnable`."""
        if self._is_held_up():
            return  # what is under way comes back here
        ending = self._mailbox.termination
        if ending is not None and not self._ledger.is_closed:
            self._end(ending)
            return
        host, execution = self._actor.host, self.execution
        if host is None or self._agenda.is_early(execution):
            self._rest()
        elif execution.is_live and (execution.is_tainted or execution.code is not host or not host.residency.maximum):
            self._reload()
        else:
            self._move_in(host)
            self._go_on(host)

    def end(self) -> None:
        """Take the execution apart; what a codec does for it is not waited for."""
        self._is_over = True
        self._coding = None
        if self._resident_at is not None:
            self._resident_at.residency.drop(self._identity.key)
            self._resident_at = None
        self.execution.tear_down()

    def tell_update(self, update_id: str) -> bool:
        """Tell those who wait for an update what is known of it; False if it was never accepted."""
        updates = self.execution.state.updates
        if updates is None or update_id not in updates:
            return False
        known = partial(self._site.updates.known, self._identity.key, update_id, updates[update_id])
        self._site.journal.when_settled(known)
        return True

    # What comes before a turn

    def _is_held_up(self) -> bool:
        if self._ledger.is_first_turn_under_way:
            return True
        if self._site.holds.names and self._site.holds.holds_back(self._identity, self._actor.wake):
            return True
        return self._coding is not None and not self._codec_is_done(self._coding)

    def _end(self, ending: Delivery) -> None:
        self._mailbox.termination = None
        self._write(decided_without_program(self._site, self._identity, self.execution, self._mailbox, ending))

    def _rest(self) -> None:
        """Nobody here can run it, or it is not to begin yet."""
        actor, mailbox = self._actor, self._mailbox
        actor.spill()
        mailbox.drop_dead_queries()
        if mailbox.is_stored and self._ledger.is_settled and not (actor.is_loading or actor.is_wanted):
            actor.arm()
            actor.leave()

    def _reload(self) -> None:
        """Rebuild a program that a query has changed, or whose worker has left, once everything is durable."""
        if not self._ledger.is_settled:
            return  # what is under way comes back here
        is_idle = self._mailbox.is_empty
        self._actor.drop()
        self._mailbox.drop_accepted()  # the journal brings them again
        if is_idle:
            self._site.forget(self._actor)
        else:
            self._site.load(self._identity.key)

    def _move_in(self, host: WorkerHost) -> None:
        """Its program takes some of the worker's memory from here on."""
        if self._resident_at is not None and self._resident_at is not host:
            self._resident_at.residency.drop(self._identity.key)
        self._resident_at = host
        host.residency.touch(self._identity.key, self._actor)

    # A turn

    def _go_on(self, host: WorkerHost) -> None:
        """Decide a turn if something waits for one, and then answer questions."""
        if not self._ledger.is_closed:
            taken = self._take()
            if taken:
                self._decide(host, taken)
                if self._coding is not None:
                    return
        if self._mailbox.has_queries and not self._is_over:
            self._answer_queries(host)
        if len(self._mailbox) and self._actor.trouble is None and not self._is_over and not self._ledger.is_closed:
            self._site.dispatcher.wake(self._actor)

    def _take(self) -> list[Delivery]:
        trouble = self._actor.trouble
        if trouble is None:
            return self._mailbox.take(limits.TURN_MESSAGES_MAX)
        return [] if trouble.is_waiting else self._mailbox.take_accepted(trouble.failing.messages)

    def _decide(self, host: WorkerHost, taken: Sequence[Delivery]) -> None:
        trouble = self._actor.trouble
        retried_at = None if trouble is None else trouble.failing.at
        deciding = Deciding(
            self, self._site, self._identity, self.execution, host, self._ledger, self._mailbox, taken, retried_at
        )
        deciding.begin()

    @property
    def host(self) -> WorkerHost | None:
        """See `deciding.Decider`."""
        return self._actor.host

    def on_decided(self, decision: Decision) -> None:
        """See `deciding.Decider`."""
        self._write(decision)
        for delivery in decision.taken:
            if isinstance(delivery.message, ev.UpdateRequested):  # one that was accepted earlier is not in this turn
                self.tell_update(delivery.message.update_id)

    def on_interrupted(self) -> None:
        """See `deciding.Decider`: nothing was decided, so nothing is lost."""
        self._actor.drop()

    # What follows a turn

    def _write(self, decision: Decision) -> None:
        trouble = self._actor.trouble
        decision.write(self._ledger, self._mailbox, trouble, partial(self._on_written, decision))
        if trouble is not None:
            trouble.end(self._identity)
            self._actor.trouble = None
        if self._ledger.is_closed:
            for delivery in self._mailbox.take_direct():
                decision.pass_on(delivery, self._ledger)

    def _on_written(self, decision: Decision, outcome: Outcome) -> None:
        if isinstance(outcome, Conflict):
            decision.withdraw()
            self._on_conflict(decision.taken, outcome)
            return
        decision.announce(outcome, self._ledger.journal_bytes)
        if decision.is_beginning:
            self._site.admit(self._actor)
        decision.perform()
        if self._ledger.is_closed:
            self._actor.leave_if_closed()
        else:
            self._actor.arm()
            host = self._resident_at
            if host is not None:
                host.residency.trim()
            # Its worker may have left while a codec worked; then nobody else lets the program go.
            has_left = host is not None and host.is_shutting_down
            if self.execution.is_tainted or not self._mailbox.is_empty or has_left:
                self._actor.wake()

    def _on_conflict(self, taken: Sequence[Delivery], outcome: Conflict) -> None:
        if not self._ledger.is_beginning:
            run = f"run {self._identity.run_id} of workflow {self._identity.workflow_id!r}"
            self._site.fail(
                StorageFailedError(f"{run} was changed by somebody else; another process must not write this database")
            )
            return
        for delivery in taken:
            delivery.settle(outcome)
        self._actor.leave()

    # A turn that failed

    def on_failed(self, setback: Setback) -> None:
        """See `deciding.Decider`."""
        setback.describe(self, partial(self._keep, setback), partial(self._mailbox.put_back, setback.taken))

    def _keep(self, setback: Setback, failure: Failure) -> None:
        """Keep the messages of a turn that could not be finished, durably, and try again later."""
        actor, mailbox = self._actor, self._mailbox
        then = partial(self._on_kept, setback.taken)
        actor.trouble = setback.keep(failure, self._ledger, actor.trouble, then)
        mailbox.backlog = len(setback.taken) + len(mailbox.accepted())
        # A program that has failed is of no use, and the next try needs the journal anyway.
        actor.drop()
        mailbox.drop_accepted()
        actor.spill()

    def _on_kept(self, taken: Sequence[Delivery], outcome: Outcome) -> None:
        if isinstance(outcome, Conflict):
            self._on_conflict(taken, outcome)
            return
        trouble = self._actor.trouble
        if trouble is None:
            return
        failing = trouble.failing
        self._site.counting.turn_failed(self._identity, failing.failure.type, is_parked=failing.is_parked)
        self._site.admit(self._actor)
        for delivery in taken:
            delivery.settle()
        trouble.tell(self._site, self._identity, self._mailbox.take_queries())
        trouble.schedule(self._site.clock, self._actor.wake_up)
        if self._mailbox.termination is not None:
            self._actor.wake()

    # Codecs

    def wait_for_codec(
        self, work: Coroutine[Any, Any, T], then: Callable[[T | CodecError], None], put_back: Callable[[], None]
    ) -> None:
        """See `codec_wait.Waiting`."""
        wake = partial(self._site.dispatcher.wake, self._actor)
        self._coding = UnderWay(self._site, work, then=then, put_back=put_back, wake=wake)

    def _codec_is_done(self, coding: UnderWay[Any]) -> bool:
        """True if the actor can go on: its codec has answered, or nobody waits for that any more."""
        if self._mailbox.termination is not None and not self._ledger.is_closed:
            self._coding = None
            coding.put_back()
            return True
        if not coding.is_done:
            return False
        self._coding = None
        coding.go_on()
        return self._coding is None and not self._is_over and not self._ledger.is_first_turn_under_way

    # Questions

    def _answer_queries(self, host: WorkerHost) -> None:
        trouble = self._actor.trouble
        if trouble is None and self._mailbox.has_inbox and not self._ledger.is_closed:
            return  # what was accepted before the question comes first
        questions = Questions(self, self._site, self._identity, self.execution, host, self._mailbox)
        if trouble is None:
            questions.answer()
        else:
            questions.answer_with(trouble.as_parked(self._identity.run_id))

    def on_answered(self) -> None:
        """See `questions.Asked`."""
        if self.execution.is_tainted:
            self._reload()
        self._actor.leave_if_closed()
