"""The actor of one workflow execution: how a message takes its way, and what follows a turn.

An actor is passive. A message puts it among the ready ones, the dispatcher gives it a turn, the turn goes to the
ledger, and replies and effects follow once it is durable. An actor without an `Execution` is a stub: it routes messages
into the inbox and asks for its journal to be loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from actorflow.converter import Coder, Failure, Payload, payloads_of
from actorflow.core import events as ev, limits
from actorflow.core.commands import Command
from actorflow.core.failing import FailingTurn, decode_failing, turn_failure
from actorflow.core.journal import Turn
from actorflow.core.messages import Message, decode_message
from actorflow.core.program.errors import TurnError
from actorflow.core.program.updates import Rejection
from actorflow.core.state import NO_OPTIONS, first_notes
from actorflow.core.turn import decide, end, fail, failed_turn, released
from actorflow.engine.codecs import (
    Read,
    UnderWay,
    as_they_came,
    codec_failure,
    decisions_of,
    is_carrying,
    read,
    with_decisions,
    without_payloads,
    written,
)
from actorflow.engine.effects import perform, recover_activities, release
from actorflow.engine.execution import Execution, extra_failure_types, turns_of
from actorflow.engine.ledger import Ledger
from actorflow.engine.mailbox import Delivery, Mailbox, Query
from actorflow.engine.outgoing import NOTHING, Outgoing
from actorflow.engine.registry import WorkerHost
from actorflow.engine.reporting import report_turn_failure
from actorflow.engine.site import Site
from actorflow.engine.trouble import Trouble
from actorflow.exceptions import CodecError, CorruptJournalError, MailboxFullError, StorageFailedError
from actorflow.pool.slots import Slots
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
        "_armed_at",
        "_coding",
        "_execution",
        "_ledger",
        "_mailbox",
        "_resident_at",
        "_site",
        "_slots",
        "_trouble",
        "backlog",
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
        self._mailbox = Mailbox()
        self._execution: Execution | None = None
        self._trouble: Trouble | None = None
        self._slots: dict[str, Slots[WorkerHost]] | None = None
        self._armed_at: datetime | None = None
        self.backlog = backlog
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
            self._put_accepted(delivery)
        self._ledger.notes = first_notes(self._options)
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
            self._put_accepted(delivery)
            self._site.dispatcher.wake(self)

    def post(self, delivery: Delivery) -> None:
        """Take a message: from outside (it has a reply) or of our own."""
        if self.is_closed:
            self._refuse_closed(delivery)
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
            self._refuse_closed(delivery)
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
        self._armed_at = None
        if self._execution is not None and self._expire():
            return
        trouble = self._trouble
        if trouble is not None and trouble.is_waiting:
            if trouble.expires_at is not None and trouble.expires_at <= self._site.clock.now():
                self._wake()
            return  # a failing turn is tried again at its own time
        if self._execution is None:
            self._wake()
        else:
            self._post_due_timers()
            self._site.dispatcher.wake(self)

    def try_now(self) -> None:
        """A worker has come, and its code may have changed: don't wait for the next try."""
        if self._trouble is not None:
            self._trouble.stop_waiting()
        self.wake_up()

    @property
    def depth(self) -> int:
        """How many messages wait: in memory while the run is there, else in its inbox rows."""
        return len(self._mailbox) if self._execution is not None else self.backlog

    # Coming into memory, and leaving it

    def on_loaded(self, run: LoadedRun) -> None:
        """The journal has arrived."""
        self.is_loading = False
        if self._execution is not None:
            return
        head = run.record.head
        self._ledger.read(run)
        self.backlog = len(run.inbox)
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
                self._put_accepted(Delivery(decode_message(row.message), seq=row.seq))
            # From here on messages come to this execution: an activity may find its outcome while it is recovered.
            self._execution = execution
            # Of a run that has not begun they are stored with its Started.
            self._ledger.notes = execution.state.notes or first_notes(self._options)
            if not self.is_closed:
                waiting = self._mailbox.messages()
                recover_activities(self._site, self.identity, execution.state, run.activities, waiting)
        except (CorruptJournalError, msgspec.DecodeError) as problem:
            self._execution = None
            self._park_unreadable(problem, run)
            return
        if self.is_closed:
            self._refuse_late(execution.state.close)
        elif not self._expire():
            self._post_due_timers()
            self._arm()
        self._site.dispatcher.wake(self)

    def _refuse_late(self, close: Any) -> None:
        """The run had closed before whoever came here knew."""
        late = self._mailbox.take_direct()
        if self._mailbox.termination is not None:
            late.append(self._mailbox.termination)
            self._mailbox.termination = None
        for delivery in late:
            self._refuse_closed(delivery)
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

    def _put_accepted(self, delivery: Delivery) -> None:
        if type(delivery.message) is ev.Terminated and self._mailbox.termination is None:
            self._mailbox.termination = delivery
        else:
            self._mailbox.put_accepted(delivery)

    def _takes_directly(self, delivery: Delivery) -> bool:
        """True if a turn can journal the message itself, so that it needs no inbox row."""
        if self._trouble is not None or self.host is None:
            return False
        if self._execution is None:
            return delivery.reply is None
        return self._execution.state.started is not None or not self._is_early()

    def _accept(self, delivery: Delivery) -> None:
        """Write a message to the inbox: durable now, consumed by a later turn."""
        row = self._ledger.accept(delivery, partial(self._on_accepted, delivery))
        self.backlog += 1
        if self._execution is not None or self.is_loading:
            self._put_accepted(Delivery(delivery.message, seq=row.seq))
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

    def _refuse_closed(self, delivery: Delivery) -> None:
        if delivery.reply is None:
            self._site.counting.dead(delivery.message)
        # The close may not be durable yet, and nobody may hear of it before it is.
        head = self._ledger.head
        problem = already_closed(self.identity.workflow_id, "running" if head is None else head.status)
        self._site.journal.when_settled(lambda: delivery.refuse(problem), delivery.refuse)

    def _pass_on(self, delivery: Delivery, outgoing: Outgoing) -> None:
        """A message that no row holds finds the run closed; one for its workflow goes to the run that follows."""
        is_for_any_run = isinstance(delivery.message, ev.SignalReceived | ev.CancelRequested)
        follower = outgoing.follower() if is_for_any_run else None
        if follower is None:
            self._refuse_closed(delivery)
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
        if execution is None or self._ledger.is_first_turn_under_way:
            return  # what is under way comes back here
        if self._site.holds.names and self._site.holds.holds_back(self.identity, self._wake):
            return
        if self._coding is not None and not self._codec_is_done(execution, self._coding):
            return
        if self._mailbox.termination is not None and not self.is_closed:
            self._end_by_termination(execution, self._mailbox.termination)
            return
        host = self.host
        if host is None or (execution.state.started is None and self._is_early()):
            self._spill()
            self._mailbox.drop_dead_queries()
            if self._mailbox.is_stored and self._ledger.is_settled and not (self.is_loading or self.is_wanted):
                self._arm()
                self.passivate()
            return
        if execution.is_live and (execution.is_tainted or execution.code is not host or not host.residency.maximum):
            self._reload()
            return
        if self._resident_at is not None and self._resident_at is not host:
            self._resident_at.residency.drop(self.identity.key)
        self._resident_at = host
        host.residency.touch(self.identity.key, self)
        if not self.is_closed:
            taken = self._take()
            if taken:
                self._begin_turn(execution, host, taken)
                if self._coding is not None:
                    return
        if self._mailbox.has_queries and self._execution is not None:
            self._answer_queries(execution, host)
        if len(self._mailbox) and self._trouble is None and self._execution is not None and not self.is_closed:
            self._site.dispatcher.wake(self)

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

    def _take(self) -> list[Delivery]:
        if self._trouble is None:
            return self._mailbox.take(limits.TURN_MESSAGES_MAX)
        return [] if self._trouble.is_waiting else self._mailbox.take_accepted(self._trouble.failing.messages)

    def _begin_turn(self, execution: Execution, host: WorkerHost, taken: list[Delivery]) -> None:
        messages = [delivery.message for delivery in taken]
        if host.coder is None or not is_carrying((*messages, *_events_of(execution.unread))):
            self._run_turn(execution, host, taken, messages)
            return

        def run(outcome: Read | CodecError) -> None:
            if isinstance(outcome, CodecError):
                self._turn_failed(execution, host, taken, outcome, self._now)
            elif self.host is not host:
                self._mailbox.put_back(taken)
            else:
                if outcome.turns:
                    execution.read(outcome.turns)
                self._run_turn(execution, host, taken, outcome.messages)

        work = read(host.coder, self.identity, execution.unread, messages, execution.state.children or {})
        self._wait_for_codec(work, run, partial(self._mailbox.put_back, taken))

    @property
    def _now(self) -> datetime:
        """The time of the next turn; one that failed is tried again at its own."""
        return self._site.clock.now() if self._trouble is None else self._trouble.failing.at

    def _run_turn(
        self, execution: Execution, host: WorkerHost, taken: list[Delivery], messages: Sequence[Message]
    ) -> None:
        """Run a turn; ``messages`` are those taken, as the program is to see them."""
        now = self._now
        self._site.health.turn_started(self.identity)
        try:
            program = execution.program_on(host, execution.started or _started_of(messages))
            program.history_bytes = self._ledger.journal_bytes
            turn = decide(
                execution.state,
                program,
                messages,
                now=now,
                reserve=self._reserve,
                unhandled=self._not_taken,
                new_run_id=self._site.clock.new_run_id,
                typed=self._typed,
                prove=execution.prove,
                is_held=host.coder is not None,
            )
            rejections = program.take_rejections()
        except TurnError as error:
            cause = error.cause
            if not isinstance(cause, extra_failure_types(host, self.identity)):
                self._turn_failed(execution, host, taken, cause, now)
                return
            rejections = ()
            failure = host.converter.failure(cause)
            turn = fail(
                execution.state,
                messages,
                failure,
                identity=self.identity,
                now=now,
                unhandled=self._not_taken,
                new_run_id=self._site.clock.new_run_id,
                is_held=host.coder is not None,
            )
        except BaseException:
            # Such as Ctrl-C in workflow code: nothing was decided, so nothing is lost.
            self._release_slots()
            self._drop_execution()
            raise
        finally:
            self._site.health.turn_ended()
        if host.coder is None:
            self._end_turn(execution, host, turn, taken, rejections)
        else:
            self._encode_turn(execution, host, host.coder, turn, taken, messages, rejections)

    def _encode_turn(
        self,
        execution: Execution,
        host: WorkerHost,
        coder: Coder,
        turn: Turn | None,
        taken: list[Delivery],
        seen: Sequence[Message],
        rejections: Sequence[Rejection],
    ) -> None:
        """Go on with a turn when what it decided is encoded; until then nothing of it counts."""
        came = [delivery.message for delivery in taken]
        drafted = None if turn is None else as_they_came(turn, seen, came)
        decisions = decisions_of(drafted)

        def end(outcome: Sequence[Any] | CodecError) -> None:
            if isinstance(outcome, CodecError):
                self._release_slots()
                self._turn_failed(execution, host, taken, outcome, self._now)
                return
            encoded = None
            if drafted is not None:
                held = with_decisions(drafted, outcome[: len(decisions)])
                encoded = released(execution.state, held, came, self._not_taken())
            self._end_turn(execution, host, encoded, taken, outcome[len(decisions) :])

        if not is_carrying((*decisions, *rejections)):
            end([*decisions, *rejections])
            return

        def put_back() -> None:
            self._release_slots()
            self._mailbox.put_back(taken)

        self._wait_for_codec(written(coder, self.identity, [*decisions, *rejections]), end, put_back)

    def _end_turn(
        self,
        execution: Execution,
        host: WorkerHost,
        turn: Turn | None,
        taken: list[Delivery],
        rejections: Sequence[Rejection],
    ) -> None:
        try:
            self._write(execution, turn, taken, rejections)
        except Exception as problem:  # what the program asked for can't be written down
            self._release_slots()
            self._turn_failed(execution, host, taken, problem, self._now, is_journaled=False)
            return
        for delivery in taken:
            if isinstance(delivery.message, ev.UpdateRequested):  # one that was accepted earlier is not in this turn
                self.tell_update(delivery.message.update_id)

    def _release_slots(self) -> None:
        slots, self._slots = self._slots, None
        release(self._site, slots or {})

    # Codecs

    def _wait_for_codec(
        self, work: Coroutine[Any, Any, T], then: Callable[[T | CodecError], None], put_back: Callable[[], None]
    ) -> None:
        """Do nothing until a codec has done something, and then go on."""
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

    def tell_update(self, update_id: str) -> bool:
        """Tell those who wait for an update what is known of it; False if it was never accepted."""
        updates = None if self._execution is None else self._execution.state.updates
        if updates is None or update_id not in updates:
            return False
        known = partial(self._site.updates.known, self.identity.key, update_id, updates[update_id])
        self._site.journal.when_settled(known)
        return True

    def _reserve(self, scheduled: ev.ActivityScheduled) -> bool:
        slots = self._site.registry.queue(self.identity.namespace, scheduled.task_queue).reserve()
        if slots is None:
            return False
        if self._slots is None:
            self._slots = {}
        self._slots[scheduled.activity_id] = slots
        return True

    def _typed(self, command: Command) -> Command:
        return self._site.attribute_types.command(self.identity, command)

    def _not_taken(self) -> Sequence[Message]:
        return [delivery.message for delivery in self._mailbox.accepted()]

    def _end_by_termination(self, execution: Execution, delivery: Delivery) -> None:
        self._mailbox.termination = None
        event: Any = delivery.message
        turn = end(
            execution.state,
            event,
            identity=self.identity,
            now=self._site.clock.now(),
            unhandled=self._not_taken(),
            new_run_id=self._site.clock.new_run_id,
        )
        self._write(execution, turn, [delivery])

    def _write(
        self, execution: Execution, turn: Turn | None, taken: list[Delivery], rejections: Sequence[Rejection] = ()
    ) -> None:
        """Hand a turn (or the knowledge that no message mattered) to the ledger."""
        consumed = [delivery.seq for delivery in taken if delivery.seq]
        outgoing = NOTHING
        if turn is not None and execution.state.is_connected:
            outgoing = self._site.post(self.identity, execution.state, turn, self._not_taken())
        if execution.state.close is not None:
            consumed.extend([delivery.seq for delivery in self._mailbox.accepted()])
            consumed.extend(self._trouble.unread if self._trouble is not None else ())
            self._mailbox.drop_accepted()
        self.backlog = max(0, self.backlog - len(consumed))
        was_failing = self._trouble is not None
        then = partial(self._on_written, execution, turn, taken, self._slots or {}, rejections, outgoing)
        if turn is not None:
            self._ledger.append(turn, execution.state, consumed=consumed, waiting=taken, then=then, outgoing=outgoing)
            if outgoing is not NOTHING:
                outgoing.hand_over()
        elif consumed or was_failing:
            self._ledger.consume(consumed, waiting=taken, then=then)
        else:
            self._site.journal.when_settled(partial(self._reject, rejections))
            for delivery in taken:
                self._site.journal.when_settled(delivery.settle, delivery.refuse)
        self._slots = None
        if was_failing:
            self._recovered()
        if self.is_closed:
            for delivery in self._mailbox.take_direct():
                self._pass_on(delivery, outgoing)

    def _on_written(
        self,
        execution: Execution,
        turn: Turn | None,
        taken: Sequence[Delivery],
        slots: Mapping[str, Slots[WorkerHost]],
        rejections: Sequence[Rejection],
        outgoing: Outgoing,
        outcome: Outcome,
    ) -> None:
        if isinstance(outcome, Conflict):
            release(self._site, slots)
            outgoing.on_refused()
            self._on_conflict(taken, outcome)
            return
        if outgoing is not NOTHING:
            outgoing.on_durable(outcome)
        if rejections:  # judged by a state that was not durable until now
            self._reject(rejections)
        counted = taken if not rejections else [one for one in taken if type(one.message) is not ev.UpdateRequested]
        self._site.counting.turn(self.identity, turn, counted, self._ledger.journal_bytes)
        if turn is not None:
            if isinstance(turn.events[0], ev.Started):
                self._site.admit(self)
            perform(self._site, self.identity, execution.state, turn, slots)
        for delivery in taken:
            delivery.settle()
        if self.is_closed:
            self._leave_if_closed()
        else:
            self._arm()
            if self._resident_at is not None:
                self._resident_at.residency.trim()
            if execution.is_tainted or not self._mailbox.is_empty:
                self._wake()

    def _reject(self, rejections: Sequence[Rejection]) -> None:
        for rejection in rejections:
            self._site.counting.update_rejected()
            self._site.updates.rejected(self.identity.key, rejection)

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

    # Questions

    def _answer_queries(self, execution: Execution, host: WorkerHost) -> None:
        if self._trouble is None and self._mailbox.has_inbox and not self.is_closed:
            return  # what was accepted before the question comes first
        queries = self._mailbox.take_queries()
        if host.coder is None or self._trouble is not None:
            self._tell(execution, queries, [self._answer(execution, host, query, query.input) for query in queries])
        else:
            self._read_queries(execution, host, host.coder, queries)

    def _read_queries(self, execution: Execution, host: WorkerHost, coder: Coder, queries: list[Query]) -> None:
        def answer(outcome: Read | CodecError) -> None:
            if isinstance(outcome, CodecError):
                self._tell(execution, queries, [codec_failure(outcome)] * len(queries))
                return
            if outcome.turns:
                execution.read(outcome.turns)
            inputs = [request.input for request in outcome.messages if isinstance(request, ev.UpdateRequested)]
            answers = [self._answer(execution, host, *asked) for asked in zip(queries, inputs, strict=True)]
            self._wait_for_codec(written(coder, self.identity, answers), tell, put_back)

        def tell(outcome: Sequence[Any] | CodecError) -> None:
            is_lost = isinstance(outcome, CodecError)
            self._tell(execution, queries, [codec_failure(outcome)] * len(queries) if is_lost else outcome)

        def put_back() -> None:
            for query in queries:
                self._mailbox.put_query(query)

        requests = [ev.UpdateRequested("", query.name, query.input) for query in queries]
        self._wait_for_codec(read(coder, self.identity, execution.unread, requests, {}), answer, put_back)

    def _tell(self, execution: Execution, queries: Sequence[Query], answers: Sequence[Any]) -> None:
        for query, answer in zip(queries, answers, strict=True):
            # What the program knows may not be durable yet, and nobody may hear of it before it is.
            self._site.journal.when_settled(partial(query.answer, answer), query.refuse)
        if execution.is_tainted:
            self._reload()
        self._leave_if_closed()

    def _answer(
        self, execution: Execution, host: WorkerHost, query: Query, input: tuple[Payload, ...]
    ) -> Payload | Failure | Parked:
        if self._trouble is not None:
            return self._trouble.as_parked(self.identity.run_id)
        try:
            program = execution.program_on(host, execution.started or _started_of(()))
            return program.query(query.name, input, query.headers)
        except TurnError as error:
            return host.converter.failure(error.cause)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # whatever a handler raises is the caller's answer
            return host.converter.failure(problem)

    # Timers

    @property
    def _options(self) -> ev.RunOptions:
        """What the run brought along, also while its beginning waits in the inbox."""
        if self._execution is not None and self._execution.state.started is not None:
            return self._execution.state.options
        first = next(iter(self._mailbox.accepted()), None)
        started = None if first is None else first.message
        return NO_OPTIONS if not isinstance(started, ev.Started) else started.options or NO_OPTIONS

    def _is_early(self) -> bool:
        """True if the run is not to begin yet."""
        not_before = self._options.not_before
        return not_before is not None and not_before > self._site.clock.now()

    def _is_to_begin(self) -> bool:
        """True if the run waits for its first turn and for nothing else: what its head waited for has come."""
        return self._execution is not None and self._execution.state.started is None and not self._is_early()

    def _expire(self) -> bool:
        """End the run if it has timed out; that needs neither a worker nor a healthy program."""
        expires_at = self._options.expires_at
        if expires_at is None or self.is_closed or self.is_unreadable or expires_at > self._site.clock.now():
            return False
        if self._mailbox.termination is None:
            self._mailbox.termination = Delivery(ev.TimedOut())
        self._site.dispatcher.wake(self)
        return True

    def _arm(self) -> None:
        head = self._ledger.head
        if head is None or self.host is None or self._is_to_begin():
            at = self._options.expires_at
        else:
            at = head.wake_at
        if at is not None and (self._armed_at is None or at < self._armed_at):
            self._armed_at = at
            self._site.wakes.add(at, self.identity.key)

    def _post_due_timers(self) -> None:
        execution = self._execution
        if execution is None or self._trouble is not None or self.is_closed or self.host is None:
            return
        due = execution.state.due_timers(self._site.clock.now())
        for timer_id in due:
            self._mailbox.put(Delivery(ev.TimerFired(timer_id)))
        if not due:
            self._arm()

    # Failing turns

    def _turn_failed(
        self,
        execution: Execution,
        host: WorkerHost,
        taken: Sequence[Delivery],
        cause: BaseException,
        now: datetime,
        *,
        is_journaled: bool = True,
    ) -> None:
        """Keep the messages of a turn that could not be finished, durably, and try again later."""
        is_codecs = isinstance(cause, CodecError)
        failure = codec_failure(cause) if is_codecs else turn_failure(cause, host.converter)
        if host.coder is None or not payloads_of(failure):
            self._keep(execution, taken, cause, failure, now, is_journaled=is_journaled)
            return

        def keep(outcome: Sequence[Failure] | CodecError) -> None:
            said = without_payloads(failure) if isinstance(outcome, CodecError) else outcome[0]
            self._keep(execution, taken, cause, said, now, is_journaled=is_journaled)

        put_back = partial(self._mailbox.put_back, taken)
        self._wait_for_codec(written(host.coder, self.identity, [failure]), keep, put_back)

    def _keep(
        self,
        execution: Execution,
        taken: Sequence[Delivery],
        cause: BaseException,
        failure: Failure,
        now: datetime,
        *,
        is_journaled: bool,
    ) -> None:
        attempts = 1 if self._trouble is None else self._trouble.failing.attempts + 1
        failing = FailingTurn(attempts, now, len(taken), failure)
        report_turn_failure(self.identity, cause, attempts=attempts, is_parked=failing.is_parked)
        turn = None
        if is_journaled and failing.is_journaled and execution.state.started is not None:
            event = ev.TurnFailed(failing.failure, attempts, failing.reason if failing.is_parked else "")
            turn = failed_turn(execution.state, event, now=now)
        started = execution.state.started or _started_of([delivery.message for delivery in taken])
        expires_at = None if started.options is None else started.options.expires_at
        if expires_at is not None:
            self._site.wakes.add(expires_at, self.identity.key)
        self._trouble = Trouble(failing, expires_at=expires_at)
        then = partial(self._on_kept, taken)
        self._ledger.keep_failing(failing, turn, execution.state, taken=taken, then=then)
        self.backlog = len(taken) + len(self._mailbox.accepted())
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
        """Answer whoever waits for what can't come now, and try again later."""
        parked = trouble.as_parked(self.identity.run_id)
        if trouble.failing.is_parked:
            self._site.answer_waiters(self.identity.key, parked)
            self._site.updates.parked(self.identity.key, parked)
        for query in self._mailbox.take_queries():
            query.answer(parked)
        trouble.schedule(self._site.clock, self.wake_up)

    def _recovered(self) -> None:
        if self._trouble is not None:
            self._trouble.stop_waiting()
        self._trouble = None
        _log.info("workflow %r (run %s) goes on", self.identity.workflow_id, self.identity.run_id)

    def _park_unreadable(self, problem: Exception, run: LoadedRun) -> None:
        """The journal can't be read: leave it as it is, and say so to whoever asks. It can still be terminated."""
        _log.error("workflow %r (run %s) is parked: %s", self.identity.workflow_id, self.identity.run_id, problem)
        if self._trouble is not None:
            self._trouble.stop_waiting()
        failing = FailingTurn.unreadable(problem, self._site.clock.now())
        self._trouble = Trouble(failing, [row.seq for row in run.inbox])
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


def _events_of(turns: Sequence[Turn]) -> list[Any]:
    return [event for turn in turns for event in turn.events]


def _started_of(messages: Sequence[Message]) -> ev.Started:
    for message in messages:
        if isinstance(message, ev.Started):
            return message
    raise TurnError(CorruptJournalError("the run has not begun: no Started event in its journal"))
