"""The actor of one workflow execution: how a message takes its way, and what follows a turn.

An actor is passive. A message puts it among the ready ones, the dispatcher gives it a turn, the turn goes to the
ledger, and replies and effects follow once it is durable. An actor without an `Execution` is a stub: it routes messages
into the inbox and asks for its journal to be loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev, limits
from actorflow.core.failing import decode_failing
from actorflow.core.messages import Message, decode_message
from actorflow.core.state import first_notes
from actorflow.engine.agenda import Agenda
from actorflow.engine.codec_wait import UnderWay
from actorflow.engine.deciding import Deciding, decided_without_program
from actorflow.engine.decision import Decision
from actorflow.engine.effects import recover_activities
from actorflow.engine.execution import Execution, turns_of
from actorflow.engine.ledger import Ledger
from actorflow.engine.mailbox import Delivery, Mailbox, Query
from actorflow.engine.outgoing import Outgoing
from actorflow.engine.questions import Questions
from actorflow.engine.registry import WorkerHost
from actorflow.engine.setback import Setback
from actorflow.engine.site import Site
from actorflow.engine.trouble import Trouble
from actorflow.exceptions import CodecError, CorruptJournalError, MailboxFullError, StorageFailedError
from actorflow.service import Closed, Parked, already_closed
from actorflow.store.protocol import Begin, Conflict, Head, Identity, LoadedRun, Outcome

_log = logging.getLogger("actorflow.engine")
T = TypeVar("T")


class WorkflowActor:
    """See the module's head.

    Args:
        site: collaborators.
        identity: of the run.
        head: as it was read last, if it was.
        backlog: how many inbox rows it had then.
    """

    __slots__ = (
        "_agenda",
        "_coding",
        "_execution",
        "_ledger",
        "_mailbox",
        "_resident_at",
        "_site",
        "_trouble",
        "identity",
        "is_loading",
        "is_ready",
        "is_wanted",
        "last_used",
    )

    def __init__(self, site: Site, identity: Identity, head: Head | None = None, backlog: int = 0) -> None:
        self._site = site
        self.identity = identity
        self.is_ready = False
        self.is_loading = False
        self.is_wanted = False  # somebody has asked for it to be in memory, and is about to use it
        self.last_used = 0.0
        self._ledger = Ledger(site, identity, head)
        self._mailbox = Mailbox(backlog)
        self._agenda = Agenda(site, identity, self._ledger, self._mailbox)
        self._execution: Execution | None = None
        self._trouble: Trouble | None = None
        self._resident_at: WorkerHost | None = None
        self._coding: UnderWay[Any] | None = None

    # What others ask

    @property
    def host(self) -> WorkerHost | None:
        """The worker that runs executions of this type here."""
        identity = self.identity
        return self._site.registry.host_of(identity.namespace, identity.task_queue, identity.workflow_type)

    @property
    def is_loaded(self) -> bool:
        """True if the state is in memory."""
        return self._execution is not None

    @property
    def is_unreadable(self) -> bool:
        """True if the journal was found damaged, or newer than this version."""
        return self._trouble is not None and self._trouble.is_unreadable

    @property
    def is_settled_stub(self) -> bool:
        """True if nothing is in memory that the store doesn't have."""
        return self._execution is None and self._ledger.is_settled

    @property
    def is_beginning(self) -> bool:
        """True while it is not known whether the run may begin."""
        return self._ledger.is_beginning

    @property
    def is_closed(self) -> bool:
        """True if the last turn, durable or not, ended the execution."""
        return self._ledger.is_closed

    @property
    def is_evictable(self) -> bool:
        """See `actors.residency.Resident`."""
        is_busy = self.is_loading or self.is_wanted or self._coding is not None
        return self._ledger.is_settled and self._mailbox.is_empty and not is_busy

    @property
    def parked(self) -> Parked | None:
        """Why the execution can't go on, if so, and if nobody is about to try again."""
        trouble = self._trouble
        if trouble is None or not trouble.failing.is_parked or (not trouble.is_waiting and self.host is not None):
            return None
        return trouble.as_parked(self.identity.run_id)

    def runs_on(self, host: WorkerHost) -> bool:
        """True if the program of this worker is live here."""
        return self._execution is not None and self._execution.code is host

    # Ways in

    def begin(self, begin: Begin, messages: Sequence[Message], reply: asyncio.Future[Any]) -> None:
        """Begin a run: with its first turn if a worker here knows the type, else with inbox rows.

        Args:
            begin: what must hold for it to begin.
            messages: `Started`, and what comes together with it.
            reply: gets None, or the `Conflict` with what is in the way.
        """
        first, *others = messages
        options = first.options if isinstance(first, ev.Started) else None
        notes = None if options is None else first_notes(options)
        self._ledger.begin(begin, None if options is None else options.not_before or options.expires_at, notes)
        delivery = Delivery(first, reply)
        if self.host is None or (options is not None and options.not_before is not None):
            if self.host is None and self._site.registry.hosts:  # without any, it is a program that only starts
                self._site.unserved.workflow(self.identity)
            self._ledger.accept(delivery, partial(self._on_accepted, delivery), also=others)
            self._site.journal.flush_soon()
        else:
            self._execution = Execution(self.identity, self._site.counting)
            for one in (delivery, *map(Delivery, others)):
                self._mailbox.put(one)
            self._site.dispatcher.wake(self)

    def begin_with_another(self, head: Head, deliveries: Sequence[Delivery]) -> None:
        """Begin with the turn of another run, which is under way: its messages wait in the inbox."""
        if self.host is None and self._site.registry.hosts:
            self._site.unserved.workflow(self.identity)
        self._ledger.begin_with_another(head)
        self._execution = Execution(self.identity, self._site.counting)
        for delivery in deliveries:
            self._mailbox.put_stored(delivery)
        self._ledger.notes = first_notes(self._agenda.options(self._execution))
        self._site.dispatcher.wake(self)

    def has_begun(self) -> None:
        """That turn is durable."""
        self._ledger.has_begun()
        if self.is_closed:
            self._leave_if_closed()
        else:
            self._arm()
            self._site.dispatcher.wake(self)

    def accept(self, message: Message) -> None:
        """Take a message of another execution, whose turn was submitted just now."""
        self._accept(Delivery(message))
        if self._execution is not None:
            self._site.dispatcher.wake(self)

    def receive(self, delivery: Delivery) -> None:
        """Take a message that has an inbox row."""
        if self._execution is None:
            self._wake()
        elif not self.is_closed:
            self._mailbox.put_stored(delivery)
            self._site.dispatcher.wake(self)

    def post(self, delivery: Delivery) -> None:
        """Take a message: from outside (it has a reply) or of our own."""
        if self.is_closed:
            self._ledger.refuse_late(delivery)
        elif delivery.reply is not None and self.depth >= limits.MAILBOX_MESSAGES_MAX:
            delivery.refuse(MailboxFullError(self.identity.workflow_id, limit=limits.MAILBOX_MESSAGES_MAX))
        elif self._takes_directly(delivery):
            self._mailbox.put(delivery)
            self._wake()
        else:
            self._accept(delivery)

    def terminate(self, delivery: Delivery) -> None:
        """End the execution; needs neither a worker nor a healthy program."""
        if self.is_closed:
            self._ledger.refuse_late(delivery)
        elif self._mailbox.termination is not None:
            delivery.refuse(already_closed(self.identity.workflow_id, "being terminated"))
        else:
            self._mailbox.termination = delivery
            self._wake()

    def ask(self, query: Query) -> None:
        """Put a question to the program."""
        self._mailbox.put_query(query)
        self._wake()

    def wake_up(self) -> None:
        """The earliest timer may be due, or it is time to begin, to end, or for another try."""
        self._agenda.disarm()
        execution = self._execution
        if execution is not None and self._expire(execution):
            return
        trouble = self._trouble
        if trouble is not None and trouble.is_waiting:
            if trouble.expires_at is not None and trouble.expires_at <= self._site.clock.now():
                self._wake()
            return  # a failing turn is tried again at its own time
        if execution is None:
            self._wake()
        else:
            self._post_due_timers(execution)
            self._site.dispatcher.wake(self)

    def try_now(self) -> None:
        """A worker has come, and its code may have changed: don't wait for the next try."""
        if self._trouble is not None:
            self._trouble.stop_waiting()
        self.wake_up()

    @property
    def depth(self) -> int:
        """How many messages wait: in memory while the run is there, else in its inbox rows."""
        return len(self._mailbox) if self._execution is not None else self._mailbox.backlog

    # Coming into memory, and leaving it

    def on_loaded(self, run: LoadedRun) -> None:
        """The journal has arrived."""
        self.is_loading = False
        if self._execution is not None:
            return
        head = run.record.head
        self._ledger.read(run)
        self._mailbox.backlog = len(run.inbox)
        if run.activities:
            rows = {row.activity_id for row in run.activities}
            self._site.activity_rows.setdefault(self.identity.key, set()).update(rows)
        try:
            if self._trouble is not None and self._trouble.is_unreadable:
                self._trouble.stop_waiting()
                self._trouble = None
            if self._trouble is None and head.failing:
                self._trouble = Trouble(decode_failing(head.failing))
            execution = Execution(self.identity, self._site.counting, turns_of(self.identity, run.turns), run.turns)
            for row in run.inbox:
                self._mailbox.put_stored(Delivery(decode_message(row.message), seq=row.seq))
            # From here on messages come to this execution: an activity may find its outcome while it is recovered.
            self._execution = execution
            # Of a run that has not begun they are stored with its Started.
            self._ledger.notes = execution.state.notes or first_notes(self._agenda.options(execution))
            if not self.is_closed:
                waiting = self._mailbox.messages()
                recover_activities(self._site, self.identity, execution.state, run.activities, waiting)
        except (CorruptJournalError, msgspec.DecodeError) as problem:
            self._execution = None
            self._park_unreadable(problem, run)
            return
        if self.is_closed:
            self._refuse_late(execution.state.close)
        elif not self._expire(execution):
            self._post_due_timers(execution)
            self._arm()
        self._site.dispatcher.wake(self)

    def _refuse_late(self, close: Any) -> None:
        """The run had closed before whoever came here knew."""
        late = self._mailbox.take_direct()
        if self._mailbox.termination is not None:
            late.append(self._mailbox.termination)
            self._mailbox.termination = None
        for delivery in late:
            self._ledger.refuse_late(delivery)
        self._site.answer_waiters(self.identity.key, Closed(self.identity.run_id, close))

    def passivate(self, reason: str | None = None) -> None:
        """See `actors.residency.Resident`: leave memory; the journal has everything. With a reason it is counted."""
        if reason is not None and self._execution is not None and self._execution.is_live:
            self._site.counting.passivated(reason)
        self._drop_execution()
        self._mailbox.drop_accepted()
        if self._trouble is not None:
            self._trouble.stop_waiting()
        self._site.forget(self)

    def _drop_execution(self) -> None:
        execution, self._execution = self._execution, None
        self._coding = None
        if self._resident_at is not None:
            self._resident_at.residency.drop(self.identity.key)
            self._resident_at = None
        if execution is not None:
            execution.tear_down()

    def _leave_or_load(self) -> None:
        """A stub whose message is durable is needed no more, unless somebody here can run it."""
        if (
            self._execution is not None
            or self._mailbox.termination is not None
            or self._mailbox.has_queries
            or (self._trouble is None and self.host is not None)
        ):
            self._wake()
        elif self._trouble is None and self.is_evictable:
            self._site.forget(self)

    # Routing

    def _takes_directly(self, delivery: Delivery) -> bool:
        """True if a turn can journal the message itself, so that it needs no inbox row."""
        if self._trouble is not None or self.host is None:
            return False
        if self._execution is None:
            return delivery.reply is None
        return not self._agenda.is_early(self._execution)

    def _accept(self, delivery: Delivery) -> None:
        """Write a message to the inbox: durable now, consumed by a later turn."""
        row = self._ledger.accept(delivery, partial(self._on_accepted, delivery))
        self._mailbox.backlog += 1
        if self._execution is not None or self.is_loading:
            self._mailbox.put_stored(Delivery(delivery.message, seq=row.seq))
        self._site.journal.flush_soon()

    def _on_accepted(self, delivery: Delivery, outcome: Outcome) -> None:
        if isinstance(outcome, Conflict):
            if isinstance(delivery.message, ev.Started):
                delivery.settle(outcome)
                self._site.forget(self)
                return
            status = outcome.run.head.status if outcome.run is not None else "gone"
            delivery.refuse(already_closed(self.identity.workflow_id, status))
        elif isinstance(delivery.message, ev.Started) and delivery.reply is not None:
            self._site.admit(self)
            options = delivery.message.options
            if options is not None and options.expires_at is not None and self.host is None:
                self._site.wakes.add(options.expires_at, self.identity.key)
        delivery.settle()
        self._leave_or_load()

    def _pass_on(self, delivery: Delivery, outgoing: Outgoing) -> None:
        """A message that no row holds finds the run closed; one for its workflow goes to the run that follows."""
        is_for_any_run = isinstance(delivery.message, ev.SignalReceived | ev.CancelRequested)
        follower = outgoing.follower() if is_for_any_run else None
        if follower is None:
            self._ledger.refuse_late(delivery)
        else:
            follower.post(delivery)

    def _spill(self) -> None:
        """No program will journal what waits here: it goes to the inbox."""
        for delivery in self._mailbox.take_direct():
            self._accept(delivery)

    def _wake(self) -> None:
        if self._execution is not None:
            self._site.dispatcher.wake(self)
        elif self._ledger.is_settled:  # else what is under way comes back here
            self._site.load(self.identity.key)

    # Turns

    def step(self) -> None:
        """See `actors.dispatcher.Turnable`."""
        execution = self._execution
        if execution is None or self._is_held_up(execution):
            return  # what is under way comes back here
        if self._mailbox.termination is not None and not self.is_closed:
            self._end(execution, self._mailbox.termination)
            return
        host = self.host
        if host is None or self._agenda.is_early(execution):
            self._rest()
        elif execution.is_live and (execution.is_tainted or execution.code is not host or not host.residency.maximum):
            self._reload()
        else:
            self._move_in(host)
            self._go_on(execution, host)

    def _is_held_up(self, execution: Execution) -> bool:
        if self._ledger.is_first_turn_under_way:
            return True
        if self._site.holds.names and self._site.holds.holds_back(self.identity, self._wake):
            return True
        return self._coding is not None and not self._codec_is_done(execution, self._coding)

    def _end(self, execution: Execution, ending: Delivery) -> None:
        self._mailbox.termination = None
        self._write(decided_without_program(self._site, self.identity, execution, self._mailbox, ending))

    def _rest(self) -> None:
        """Nobody here can run it, or it is not to begin yet."""
        self._spill()
        self._mailbox.drop_dead_queries()
        if self._mailbox.is_stored and self._ledger.is_settled and not (self.is_loading or self.is_wanted):
            self._arm()
            self.passivate()

    def _reload(self) -> None:
        """Rebuild a program that a query has changed, or whose worker has left, once everything is durable."""
        if not self._ledger.is_settled:
            return  # what is under way comes back here
        is_idle = self._mailbox.is_empty
        self._drop_execution()
        self._mailbox.drop_accepted()  # the journal brings them again
        if is_idle:
            self._site.forget(self)
        else:
            self._site.load(self.identity.key)

    def _move_in(self, host: WorkerHost) -> None:
        """Its program takes some of the worker's memory from here on."""
        if self._resident_at is not None and self._resident_at is not host:
            self._resident_at.residency.drop(self.identity.key)
        self._resident_at = host
        host.residency.touch(self.identity.key, self)

    def _go_on(self, execution: Execution, host: WorkerHost) -> None:
        """Decide a turn if something waits for one, and then answer questions."""
        if not self.is_closed:
            taken = self._take()
            if taken:
                self._decide(execution, host, taken)
                if self._coding is not None:
                    return
        if self._mailbox.has_queries and self._execution is not None:
            self._answer_queries(execution, host)
        if len(self._mailbox) and self._trouble is None and self._execution is not None and not self.is_closed:
            self._site.dispatcher.wake(self)

    def _take(self) -> list[Delivery]:
        if self._trouble is None:
            return self._mailbox.take(limits.TURN_MESSAGES_MAX)
        return [] if self._trouble.is_waiting else self._mailbox.take_accepted(self._trouble.failing.messages)

    def _decide(self, execution: Execution, host: WorkerHost, taken: Sequence[Delivery]) -> None:
        retried_at = None if self._trouble is None else self._trouble.failing.at
        deciding = Deciding(
            self, self._site, self.identity, execution, host, self._ledger, self._mailbox, taken, retried_at
        )
        deciding.begin()

    def on_decided(self, decision: Decision) -> None:
        """See `deciding.Decider`."""
        self._write(decision)
        for delivery in decision.taken:
            if isinstance(delivery.message, ev.UpdateRequested):  # one that was accepted earlier is not in this turn
                self.tell_update(delivery.message.update_id)

    def on_interrupted(self) -> None:
        """See `deciding.Decider`: nothing was decided, so nothing is lost."""
        self._drop_execution()

    def _write(self, decision: Decision) -> None:
        trouble = self._trouble
        decision.write(self._ledger, self._mailbox, trouble, partial(self._on_written, decision))
        if trouble is not None:
            trouble.stop_waiting()
            self._trouble = None
            _log.info("workflow %r (run %s) goes on", self.identity.workflow_id, self.identity.run_id)
        if self.is_closed:
            for delivery in self._mailbox.take_direct():
                self._pass_on(delivery, decision.outgoing)

    def _on_written(self, decision: Decision, outcome: Outcome) -> None:
        if isinstance(outcome, Conflict):
            decision.withdraw()
            self._on_conflict(decision.taken, outcome)
            return
        decision.announce(outcome, self._ledger.journal_bytes)
        if decision.is_beginning:
            self._site.admit(self)
        decision.perform()
        if self.is_closed:
            self._leave_if_closed()
        else:
            self._arm()
            if self._resident_at is not None:
                self._resident_at.residency.trim()
            if decision.execution.is_tainted or not self._mailbox.is_empty:
                self._wake()

    def _on_conflict(self, taken: Sequence[Delivery], outcome: Conflict) -> None:
        if not self._ledger.is_beginning:
            run = f"run {self.identity.run_id} of workflow {self.identity.workflow_id!r}"
            self._site.fail(
                StorageFailedError(f"{run} was changed by somebody else; another process must not write this database")
            )
            return
        for delivery in taken:
            delivery.settle(outcome)
        self.passivate()

    def _leave_if_closed(self) -> None:
        if self.is_closed and self._ledger.is_settled and not self._mailbox.has_queries and self._coding is None:
            self.passivate()

    def tell_update(self, update_id: str) -> bool:
        """Tell those who wait for an update what is known of it; False if it was never accepted."""
        updates = None if self._execution is None else self._execution.state.updates
        if updates is None or update_id not in updates:
            return False
        known = partial(self._site.updates.known, self.identity.key, update_id, updates[update_id])
        self._site.journal.when_settled(known)
        return True

    # Codecs

    def wait_for_codec(
        self, work: Coroutine[Any, Any, T], then: Callable[[T | CodecError], None], put_back: Callable[[], None]
    ) -> None:
        """See `codec_wait.Waiting`."""
        wake = partial(self._site.dispatcher.wake, self)
        self._coding = UnderWay(self._site, work, then=then, put_back=put_back, wake=wake)

    def _codec_is_done(self, execution: Execution, coding: UnderWay[Any]) -> bool:
        """True if the actor can go on: its codec has answered, or nobody waits for that any more."""
        if self._mailbox.termination is not None and not self.is_closed:
            self._coding = None
            coding.put_back()
            return True
        if not coding.is_done:
            return False
        self._coding = None
        coding.go_on()
        return self._coding is None and self._execution is execution and not self._ledger.is_first_turn_under_way

    # Questions

    def _answer_queries(self, execution: Execution, host: WorkerHost) -> None:
        if self._trouble is None and self._mailbox.has_inbox and not self.is_closed:
            return  # what was accepted before the question comes first
        questions = Questions(self, self._site, self.identity, execution, host, self._mailbox)
        if self._trouble is None:
            questions.answer()
        else:
            questions.answer_with(self._trouble.as_parked(self.identity.run_id))

    def on_answered(self, execution: Execution) -> None:
        """See `questions.Asked`."""
        if execution.is_tainted:
            self._reload()
        self._leave_if_closed()

    # Times

    def _expire(self, execution: Execution) -> bool:
        """End the run if it has timed out; that needs neither a worker nor a healthy program."""
        if self.is_closed or self.is_unreadable or not self._agenda.is_over(execution):
            return False
        if self._mailbox.termination is None:
            self._mailbox.termination = Delivery(ev.TimedOut())
        self._site.dispatcher.wake(self)
        return True

    def _arm(self) -> None:
        self._agenda.arm(self._execution, is_hosted=self.host is not None)

    def _post_due_timers(self, execution: Execution) -> None:
        if self._trouble is not None or self.is_closed or self.host is None:
            return
        due = self._agenda.due_timers(execution)
        for timer_id in due:
            self._mailbox.put(Delivery(ev.TimerFired(timer_id)))
        if not due:
            self._arm()

    # Trouble

    def on_failed(self, setback: Setback) -> None:
        """See `deciding.Decider`."""
        setback.describe(self, partial(self._keep, setback), partial(self._mailbox.put_back, setback.taken))

    def _keep(self, setback: Setback, failure: Failure) -> None:
        """Keep the messages of a turn that could not be finished, durably, and try again later."""
        self._trouble = setback.keep(failure, self._ledger, self._trouble, partial(self._on_kept, setback.taken))
        self._mailbox.backlog = len(setback.taken) + len(self._mailbox.accepted())
        # A program that has failed is of no use, and the next try needs the journal anyway.
        self._drop_execution()
        self._mailbox.drop_accepted()
        self._spill()

    def _on_kept(self, taken: Sequence[Delivery], outcome: Outcome) -> None:
        if isinstance(outcome, Conflict):
            self._on_conflict(taken, outcome)
            return
        trouble = self._trouble
        if trouble is None:
            return
        failing = trouble.failing
        self._site.counting.turn_failed(self.identity, failing.failure.type, is_parked=failing.is_parked)
        self._site.admit(self)
        for delivery in taken:
            delivery.settle()
        self._tell_trouble(trouble)
        if self._mailbox.termination is not None:
            self._wake()

    def _tell_trouble(self, trouble: Trouble) -> None:
        trouble.tell(self._site, self.identity, self._mailbox.take_queries())
        trouble.schedule(self._site.clock, self.wake_up)

    def _park_unreadable(self, problem: Exception, run: LoadedRun) -> None:
        """The journal can't be read: leave it as it is, and say so to whoever asks. It can still be terminated."""
        _log.error("workflow %r (run %s) is parked: %s", self.identity.workflow_id, self.identity.run_id, problem)
        if self._trouble is not None:
            self._trouble.stop_waiting()
        self._trouble = Trouble.unreadable(problem, run, self._site.clock.now())
        self._mailbox.drop_accepted()
        self._site.counting.is_parked(self.identity, "unreadable")
        self._tell_trouble(self._trouble)
        self._spill()
        if self._mailbox.termination is not None:
            self._end_unreadable(run.record.head)

    def _end_unreadable(self, head: Head) -> None:
        """A termination needs no journal to be read, only its end."""
        execution = Execution(self.identity, self._site.counting)
        execution.state.last_event = head.last_event
        self._execution = execution
        self._site.dispatcher.wake(self)
