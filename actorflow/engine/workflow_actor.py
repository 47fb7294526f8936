"""The actor of one workflow execution: its life, and the way messages take to it.

An actor is passive. A message puts it among the ready ones, the dispatcher gives it a step, its turn goes to the
ledger, and replies and effects follow once it is durable. An actor without `Turns` is a stub: it routes messages into
the inbox and asks for its journal to be loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from actorflow.core import events as ev, limits
from actorflow.core.failing import decode_failing
from actorflow.core.messages import Message, decode_message
from actorflow.core.state import first_notes
from actorflow.engine.agenda import Agenda
from actorflow.engine.effects import recover_activities
from actorflow.engine.execution import Execution, turns_of
from actorflow.engine.ledger import Ledger
from actorflow.engine.mailbox import Delivery, Mailbox, Query
from actorflow.engine.registry import WorkerHost
from actorflow.engine.site import Site
from actorflow.engine.trouble import Trouble
from actorflow.engine.turns import Turns
from actorflow.exceptions import CorruptJournalError, MailboxFullError
from actorflow.service import Closed, Parked, already_closed
from actorflow.store.protocol import Begin, Conflict, Head, Identity, LoadedRun, Outcome

_log = logging.getLogger("actorflow.engine")


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
        "_ledger",
        "_site",
        "_turns",
        "identity",
        "is_loading",
        "is_ready",
        "is_wanted",
        "last_used",
        "mailbox",
        "trouble",
    )

    def __init__(self, site: Site, identity: Identity, head: Head | None = None, backlog: int = 0) -> None:
        self._site = site
        self.identity = identity
        self.is_ready = False
        self.is_loading = False
        self.is_wanted = False  # somebody has asked for it to be in memory, and is about to use it
        self.last_used = 0.0
        self._ledger = Ledger(site, identity, head)
        self.mailbox = Mailbox(backlog)
        self._agenda = Agenda(site, identity, self._ledger, self.mailbox)
        self._turns: Turns | None = None
        self.trouble: Trouble | None = None

    # What others ask

    @property
    def host(self) -> WorkerHost | None:
        """The worker that runs executions of this type here."""
        identity = self.identity
        return self._site.registry.host_of(identity.namespace, identity.task_queue, identity.workflow_type)

    @property
    def is_loaded(self) -> bool:
        """True if the state is in memory."""
        return self._turns is not None

    @property
    def is_unreadable(self) -> bool:
        """True if the journal was found damaged, or newer than this version."""
        return self.trouble is not None and self.trouble.is_unreadable

    @property
    def is_settled_stub(self) -> bool:
        """True if nothing is in memory that the store doesn't have."""
        return self._turns is None and self._ledger.is_settled

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
        is_busy = self.is_loading or self.is_wanted or self._is_coding
        return self._ledger.is_settled and self.mailbox.is_empty and not is_busy

    @property
    def parked(self) -> Parked | None:
        """Why the execution can't go on, if so, and if nobody is about to try again."""
        trouble = self.trouble
        if trouble is None or not trouble.failing.is_parked or (not trouble.is_waiting and self.host is not None):
            return None
        return trouble.as_parked(self.identity.run_id)

    def runs_on(self, host: WorkerHost) -> bool:
        """True if the program of this worker is live here."""
        return self._turns is not None and self._turns.execution.code is host

    def tell_update(self, update_id: str) -> bool:
        """Tell those who wait for an update what is known of it; False if it was never accepted."""
        return self._turns is not None and self._turns.tell_update(update_id)

    # Ways in

    def begin(
        self, begin: Begin, messages: Sequence[Message], reply: asyncio.Future[Any], *, is_doubtful: bool = False
    ) -> None:
        """Begin a run: with its first turn if a worker here knows the type, else with inbox rows.

        Args:
            begin: what must hold for it to begin.
            messages: `Started`, and what comes together with it.
            reply: gets None, or the `Conflict` with what is in the way.
            is_doubtful: something is known to be in the way; no code runs for a run that may never be.
        """
        first, *others = messages
        options = first.options if isinstance(first, ev.Started) else None
        notes = None if options is None else first_notes(options)
        self._ledger.begin(begin, None if options is None else options.not_before or options.expires_at, notes)
        delivery = Delivery(first, reply)
        if is_doubtful or self.host is None or (options is not None and options.not_before is not None):
            if self.host is None and self._site.registry.hosts:  # without any, it is a program that only starts
                self._site.unserved.workflow(self.identity)
            self._ledger.accept(delivery, partial(self._on_accepted, delivery), also=others)
            self._site.journal.flush_soon()
        else:
            self._turns = self._turns_of(Execution(self.identity, self._site.counting))
            for one in (delivery, *map(Delivery, others)):
                self.mailbox.put(one)
            self._site.dispatcher.wake(self)

    def begin_with_another(self, head: Head, deliveries: Sequence[Delivery]) -> None:
        """Begin with the turn of another run, which is under way: its messages wait in the inbox."""
        if self.host is None and self._site.registry.hosts:
            self._site.unserved.workflow(self.identity)
        self._ledger.begin_with_another(head)
        execution = Execution(self.identity, self._site.counting)
        self._turns = self._turns_of(execution)
        for delivery in deliveries:
            self.mailbox.put_stored(delivery)
        self._ledger.notes = first_notes(self._agenda.options(execution))
        self._site.dispatcher.wake(self)

    def has_begun(self) -> None:
        """That turn is durable."""
        self._ledger.has_begun()
        if self.is_closed:
            self.leave_if_closed()
        else:
            self.arm()
            self._site.dispatcher.wake(self)

    def accept(self, message: Message) -> None:
        """Take a message of another execution, whose turn was submitted just now."""
        self._accept(Delivery(message))
        if self._turns is not None:
            self._site.dispatcher.wake(self)

    def receive(self, delivery: Delivery) -> None:
        """Take a message that has an inbox row."""
        if self._turns is None:
            self.wake()
        elif not self.is_closed:
            self.mailbox.put_stored(delivery)
            self._site.dispatcher.wake(self)

    def post(self, delivery: Delivery) -> None:
        """Take a message: from outside (it has a reply) or of our own."""
        if self.is_closed:
            self._ledger.refuse_late(delivery)
        elif delivery.reply is not None and self.depth >= limits.MAILBOX_MESSAGES_MAX:
            delivery.refuse(MailboxFullError(self.identity.workflow_id, limit=limits.MAILBOX_MESSAGES_MAX))
        elif self._takes_directly(delivery):
            self.mailbox.put(delivery)
            self.wake()
        else:
            self._accept(delivery)

    def terminate(self, delivery: Delivery) -> None:
        """End the execution; needs neither a worker nor a healthy program."""
        if self.is_closed:
            self._ledger.refuse_late(delivery)
        elif self.mailbox.termination is not None:
            delivery.refuse(already_closed(self.identity.workflow_id, "being terminated"))
        else:
            self.mailbox.termination = delivery
            self.wake()

    def ask(self, query: Query) -> None:
        """Put a question to the program."""
        self.mailbox.put_query(query)
        self.wake()

    def wake_up(self) -> None:
        """The earliest timer may be due, or it is time to begin, to end, or for another try."""
        self._agenda.disarm()
        turns = self._turns
        if turns is not None and self._expire(turns.execution):
            return
        trouble = self.trouble
        if trouble is not None and trouble.is_waiting:
            if trouble.expires_at is not None and trouble.expires_at <= self._site.clock.now():
                self.wake()
            return  # a failing turn is tried again at its own time
        if turns is None:
            self.wake()
        else:
            self._post_due_timers(turns.execution)
            self._site.dispatcher.wake(self)

    def try_now(self) -> None:
        """A worker has come, and its code may have changed: don't wait for the next try."""
        if self.trouble is not None:
            self.trouble.stop_waiting()
        self.wake_up()

    @property
    def depth(self) -> int:
        """How many messages wait: in memory while the run is there, else in its inbox rows."""
        return len(self.mailbox) if self._turns is not None else self.mailbox.backlog

    # Coming into memory, and leaving it

    def on_loaded(self, run: LoadedRun) -> None:
        """The journal has arrived."""
        self.is_loading = False
        if self._turns is not None:
            return
        self._ledger.read(run)
        self.mailbox.backlog = len(run.inbox)
        if run.activities:
            rows = {row.activity_id for row in run.activities}
            self._site.activity_rows.setdefault(self.identity.key, set()).update(rows)
        try:
            execution = self._restored(run)
        except (CorruptJournalError, msgspec.DecodeError) as problem:
            self._turns = None
            self._park_unreadable(problem, run)
            return
        if self.is_closed:
            self._refuse_late(execution.state.close)
        elif not self._expire(execution):
            self._post_due_timers(execution)
            self.arm()
        self._site.dispatcher.wake(self)

    def _restored(self, run: LoadedRun) -> Execution:
        if self.is_unreadable:
            self._forget_trouble()
        head = run.record.head
        if self.trouble is None and head.failing:
            self.trouble = Trouble(decode_failing(head.failing))
        execution = Execution(self.identity, self._site.counting, turns_of(self.identity, run.turns), run.turns)
        for row in run.inbox:
            self.mailbox.put_stored(Delivery(decode_message(row.message), seq=row.seq))
        # From here on messages come to this execution: an activity may find its outcome while it is recovered.
        self._turns = self._turns_of(execution)
        # Of a run that has not begun they are stored with its Started.
        self._ledger.notes = execution.state.notes or first_notes(self._agenda.options(execution))
        if not self.is_closed:
            waiting = self.mailbox.messages()
            recover_activities(self._site, self.identity, execution.state, run.activities, waiting)
        return execution

    def _forget_trouble(self) -> None:
        if self.trouble is not None:
            self.trouble.stop_waiting()
        self.trouble = None

    def _refuse_late(self, close: Any) -> None:
        """The run had closed before whoever came here knew."""
        late = self.mailbox.take_direct()
        if self.mailbox.termination is not None:
            late.append(self.mailbox.termination)
            self.mailbox.termination = None
        for delivery in late:
            self._ledger.refuse_late(delivery)
        self._site.answer_waiters(self.identity.key, Closed(self.identity.run_id, close))

    def _park_unreadable(self, problem: Exception, run: LoadedRun) -> None:
        """The journal can't be read: leave it as it is, and say so to whoever asks. It can still be terminated."""
        _log.error("workflow %r (run %s) is parked: %s", self.identity.workflow_id, self.identity.run_id, problem)
        self._forget_trouble()
        self.trouble = Trouble.unreadable(problem, run, self._site.clock.now())
        self.mailbox.drop_accepted()
        self._site.counting.is_parked(self.identity, "unreadable")
        self.trouble.tell(self._site, self.identity, self.mailbox.take_queries())
        self.trouble.schedule(self._site.clock, self.wake_up)
        self.spill()
        if self.mailbox.termination is not None:
            self._end_unreadable(run.record.head)

    def _end_unreadable(self, head: Head) -> None:
        """A termination needs no journal to be read, only its end."""
        execution = Execution(self.identity, self._site.counting)
        execution.state.last_event = head.last_event
        self._turns = self._turns_of(execution)
        self._site.dispatcher.wake(self)

    def passivate(self, reason: str) -> None:
        """See `actors.residency.Resident`: it is counted, with the reason."""
        if self._turns is not None and self._turns.execution.is_live:
            self._site.counting.passivated(reason)
        self.leave()

    def leave(self) -> None:
        """Leave memory; the journal has everything."""
        self.drop()
        self.mailbox.drop_accepted()
        if self.trouble is not None:
            self.trouble.stop_waiting()
        self._site.forget(self)

    def leave_if_closed(self) -> None:
        """Leave memory if the run is closed and nothing is left to do."""
        if self.is_closed and self._ledger.is_settled and not (self.mailbox.has_queries or self._is_coding):
            self.leave()

    def drop(self) -> None:
        """The turns are over: its program is of no use any more, or takes too much memory."""
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.end()

    def _turns_of(self, execution: Execution) -> Turns:
        return Turns(self, self._site, self.identity, self._ledger, self.mailbox, self._agenda, execution)

    @property
    def _is_coding(self) -> bool:
        return self._turns is not None and self._turns.is_coding

    def _leave_or_load(self) -> None:
        """A stub whose message is durable is needed no more, unless somebody here can run it."""
        if (
            self._turns is not None
            or self.mailbox.termination is not None
            or self.mailbox.has_queries
            or (self.trouble is None and self.host is not None)
        ):
            self.wake()
        elif self.trouble is None and self.is_evictable:
            self._site.forget(self)

    # Routing

    def _takes_directly(self, delivery: Delivery) -> bool:
        """True if a turn can journal the message itself, so that it needs no inbox row."""
        if self.trouble is not None or self.host is None:
            return False
        if self._turns is None:
            return delivery.reply is None
        return not self._agenda.is_early(self._turns.execution)

    def _accept(self, delivery: Delivery) -> None:
        """Write a message to the inbox: durable now, consumed by a later turn."""
        row = self._ledger.accept(delivery, partial(self._on_accepted, delivery))
        self.mailbox.backlog += 1
        if self._turns is not None or self.is_loading:
            self.mailbox.put_stored(Delivery(delivery.message, seq=row.seq))
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

    def spill(self) -> None:
        """No program will journal what waits here: it goes to the inbox."""
        for delivery in self.mailbox.take_direct():
            self._accept(delivery)

    def wake(self) -> None:
        """Have a step soon, or be loaded for one; what is under way comes back here by itself."""
        if self._turns is not None:
            self._site.dispatcher.wake(self)
        elif self._ledger.is_settled:  # else what is under way comes back here
            self._site.load(self.identity.key)

    # Steps and times

    def step(self) -> None:
        """See `actors.dispatcher.Turnable`."""
        if self._turns is not None:
            self._turns.step()

    def _expire(self, execution: Execution) -> bool:
        """End the run if it has timed out; that needs neither a worker nor a healthy program."""
        if self.is_closed or self.is_unreadable or not self._agenda.is_over(execution):
            return False
        if self.mailbox.termination is None:
            self.mailbox.termination = Delivery(ev.TimedOut())
        self._site.dispatcher.wake(self)
        return True

    def arm(self) -> None:
        """Be woken when something is due."""
        self._agenda.arm(None if self._turns is None else self._turns.execution, is_hosted=self.host is not None)

    def _post_due_timers(self, execution: Execution) -> None:
        if self.trouble is not None or self.is_closed or self.host is None:
            return
        due = self._agenda.due_timers(execution)
        for timer_id in due:
            self.mailbox.put(Delivery(ev.TimerFired(timer_id)))
        if not due:
            self.arm()
