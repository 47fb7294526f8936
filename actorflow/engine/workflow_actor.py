"""The actor of one workflow execution: how a message takes its way, and what a turn leaves behind.

An actor is passive. A message puts it among the ready ones, the dispatcher gives it a turn, the turn's change goes to
the group commit, and replies and effects follow once that is durable. An actor without an `Execution` is a stub: it
routes messages into the inbox and asks for its journal to be loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from actorflow.clock import TimerHandle
from actorflow.converter import Failure, Payload
from actorflow.core import events as ev
from actorflow.core import limits
from actorflow.core.journal import Turn, TurnRow, decode_turns, encode_turn, identity_checksum
from actorflow.core.messages import Message, decode_message, encode_message
from actorflow.core.program.errors import TurnError
from actorflow.core.state import ExecutionState
from actorflow.core.turn import decide, fail, failed_turn, terminate
from actorflow.engine.activity_actor import ActivityActor
from actorflow.engine.effects import perform, release
from actorflow.engine.execution import Execution, failure_types
from actorflow.engine.failing import FailingTurn, decode_failing, encode_failing
from actorflow.engine.mailbox import Delivery, Mailbox, Query
from actorflow.engine.registry import WorkerHost
from actorflow.engine.reporting import report_turn_failure
from actorflow.engine.site import Site
from actorflow.exceptions import CorruptJournalError, MailboxFullError, StorageFailedError
from actorflow.pool.slots import Slots
from actorflow.service import Parked, already_closed
from actorflow.store.protocol import (
    Begin,
    Change,
    Conflict,
    Head,
    Identity,
    InboxRow,
    LoadedRun,
    Outcome,
)

_log = logging.getLogger("actorflow.engine")

_OUTCOMES = (ev.ActivityCompleted, ev.ActivityFailed, ev.ActivityTimedOut, ev.ActivityCancelled)


class WorkflowActor:
    """See the module's head.

    Args:
        site: collaborators.
        identity: of the run.
        head: as it was read last, if it was.
    """

    __slots__ = (
        "_armed_at",
        "_begin",
        "_execution",
        "_failing",
        "_head",
        "_mailbox",
        "_retry",
        "_site",
        "_slots",
        "_uncommitted",
        "identity",
        "is_loading",
        "is_ready",
        "last_used",
    )

    def __init__(self, site: Site, identity: Identity, head: Head | None = None) -> None:
        self._site = site
        self.identity = identity
        self.is_ready = False
        self.is_loading = False
        self.last_used = 0.0
        self._mailbox = Mailbox()
        self._execution: Execution | None = None
        self._head = head
        self._failing: FailingTurn | None = None
        self._begin: Begin | None = None
        self._slots: dict[str, Slots[WorkerHost]] = {}
        self._uncommitted = 0
        self._armed_at: datetime | None = None
        self._retry: TimerHandle | None = None

    # What others ask

    @property
    def host(self) -> WorkerHost | None:
        """The worker that runs executions of this type here."""
        identity = self.identity
        return self._site.registry.host_of(identity.namespace, identity.task_queue, identity.workflow_type)

    def runs_on(self, host: WorkerHost) -> bool:
        """True if the program of this worker is live here."""
        return self._execution is not None and self._execution.host is host

    @property
    def is_loaded(self) -> bool:
        """True if the state is in memory."""
        return self._execution is not None

    @property
    def is_closed(self) -> bool:
        """True if the last turn, committed or not, ended the execution."""
        return self._head is not None and self._head.status != "running"

    @property
    def status(self) -> str:
        """As in the head."""
        return "running" if self._head is None else self._head.status

    @property
    def failing(self) -> FailingTurn | None:
        """The turn that could not be finished, if there is one."""
        return self._failing

    @property
    def state(self) -> ExecutionState | None:
        """The folded state; not to be changed."""
        return None if self._execution is None else self._execution.state

    @property
    def is_evictable(self) -> bool:
        """See `actors.residency.Resident`."""
        return self._uncommitted == 0 and self._mailbox.is_empty and self._begin is None and not self.is_loading

    # Ways in

    def begin(self, begin: Begin, started: ev.Started, reply: asyncio.Future[Any]) -> None:
        """Begin a run: with its first turn if a worker here knows the type, else with an inbox row."""
        identity = self.identity
        seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
        self._head = Head(last_event=0, checksum=seed)
        self._begin = begin
        delivery = Delivery(started, reply)
        if self.host is None:
            row = self._inbox_row(delivery)
            change = Change(key=identity.key, expected=0, head=self._head, begin=begin, arrived=(row,))
            self._submit(change, [delivery], partial(self._on_begun, delivery))
            return
        self._execution = Execution(identity)
        self._mailbox.put(delivery)
        self._site.dispatcher.wake(self)

    def post(self, delivery: Delivery) -> None:
        """Take a message from outside (it has a reply) or of our own."""
        if self.is_closed:
            self._refuse_closed(delivery)
        elif delivery.reply is not None and len(self._mailbox) >= limits.MAILBOX_MESSAGES_MAX:
            delivery.refuse(MailboxFullError(self.identity.workflow_id, limit=limits.MAILBOX_MESSAGES_MAX))
        elif self._takes_directly(delivery):
            self._mailbox.put(delivery)
            self._wake()
        else:
            self._accept(delivery)

    def terminate(self, delivery: Delivery) -> None:
        """End the execution; needs neither a worker nor a healthy program."""
        if self.is_closed or self._mailbox.termination is not None:
            self._refuse_closed(delivery)
            return
        self._mailbox.termination = delivery
        self._wake()

    def ask(self, query: Query) -> None:
        """Put a question to the program."""
        self._mailbox.put_query(query)
        self._wake()

    def wake_up(self) -> None:
        """The earliest timer may be due, a worker has come, or it is time for another try."""
        self._armed_at = None
        if self._retry is not None:
            return  # a failing turn is tried again at its own time
        if self._execution is None:
            self._site.load(self.identity.key)
        else:
            self._post_due_timers()
            self._site.dispatcher.wake(self)

    def try_now(self) -> None:
        """The code may have changed: don't wait for the next try."""
        self._drop_retry()
        self.wake_up()

    def on_loaded(self, run: LoadedRun) -> None:
        """The journal has arrived."""
        self.is_loading = False
        if self._execution is not None:
            return
        identity, head = run.record.identity, run.record.head
        self._head = head
        self._failing = decode_failing(head.failing) if head.failing else None
        seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
        try:
            turns = decode_turns(run.turns, seed=seed, run_id=identity.run_id)
            inbox = [Delivery(decode_message(row.message), seq=row.seq) for row in run.inbox]
        except (CorruptJournalError, msgspec.DecodeError) as problem:
            self._park_unreadable(problem)
            return
        self._execution = Execution(identity, turns)
        for delivery in inbox:
            self._mailbox.put_accepted(delivery)
        if not self.is_closed:
            self._recover_activities(run)
            self._post_due_timers()
            self._arm()
        self._touch()
        self._site.dispatcher.wake(self)

    def passivate(self) -> None:
        """See `actors.residency.Resident`: leave memory; the journal has everything."""
        if self._execution is not None:
            host = self._execution.host
            self._execution.tear_down()
            self._execution = None
            if host is not None:
                host.residency.drop(self.identity.key)
        self._mailbox.drop_accepted()
        self._drop_retry()
        self._site.forget(self)

    # Routing

    def _takes_directly(self, delivery: Delivery) -> bool:
        """True if a turn can journal the message itself, so that it needs no inbox row."""
        if self._failing is not None or self.host is None:
            return False
        return self._execution is not None or delivery.reply is None

    def _accept(self, delivery: Delivery) -> None:
        """Write a message to the inbox: durable now, consumed by a later turn."""
        row = self._inbox_row(delivery)
        message = delivery.message
        finished = (message.activity_id,) if isinstance(message, _OUTCOMES) else ()
        change = Change(key=self.identity.key, arrived=(row,), finished=finished)
        if self._execution is not None or self.is_loading:
            self._mailbox.put_accepted(Delivery(message, seq=row.seq))
        self._submit(change, [delivery], partial(self._on_accepted, delivery))

    def _inbox_row(self, delivery: Delivery) -> InboxRow:
        seq = self._site.store.new_inbox_seq()
        return InboxRow(seq, encode_message(delivery.message), self._site.clock.now())

    def _refuse_closed(self, delivery: Delivery) -> None:
        # The close may not be durable yet, and nobody may hear of it before it is.
        problem = already_closed(self.identity.workflow_id, self.status)
        self._site.journal.when_settled(lambda: delivery.refuse(problem))

    def _wake(self) -> None:
        if self._execution is not None:
            self._site.dispatcher.wake(self)
        elif self._uncommitted == 0:
            self._site.load(self.identity.key)

    def _answer_queries(self, execution: Execution, host: WorkerHost) -> None:
        if self._failing is None and self._mailbox.has_inbox:
            return  # what was accepted before the question comes first
        for query in self._mailbox.take_queries():
            answer = self._answer(execution, host, query)
            # What the program knows may not be durable yet, and nobody may hear of it before it is.
            self._site.journal.when_settled(partial(query.answer, answer))
        if self.is_closed:
            self._leave_closed()

    def _answer(self, execution: Execution, host: WorkerHost, query: Query) -> Payload | Failure | Parked:
        started = execution.state.started
        if self._failing is not None or started is None:
            return self.parked_answer()
        try:
            return execution.program_on(host, started).query(query.name, query.input)
        except TurnError as error:
            return host.converter.failure(error.__cause__ or error)
        except Exception as problem:  # noqa: BLE001 - whatever a handler raises is the caller's answer
            return host.converter.failure(problem)

    # The turn

    def step(self) -> None:
        """See `actors.dispatcher.Turnable`."""
        execution = self._execution
        if execution is None:
            return
        if self._mailbox.termination is not None and not self.is_closed:
            self._end_by_termination(execution, self._mailbox.termination)
            return
        host = self.host
        if host is None:
            self._spill()
            if self.is_evictable:
                self.passivate()
            return
        self._touch()
        if not self.is_closed:
            taken = self._take(execution)
            if taken:
                self._run_turn(execution, host, taken)
        if self._mailbox.has_queries and self._execution is not None:
            self._answer_queries(execution, host)
        if len(self._mailbox) and self._failing is None and self._execution is not None and not self.is_closed:
            self._site.dispatcher.wake(self)

    def _take(self, execution: Execution) -> list[Delivery]:
        if self._failing is not None:
            if self._retry is not None:
                return []  # not before its time
            return self._mailbox.take_accepted(self._failing.messages)
        if execution.state.started is None and not self._mailbox.has_inbox and self._begin is None:
            return []
        return self._mailbox.take(limits.TURN_MESSAGES_MAX)

    def _run_turn(self, execution: Execution, host: WorkerHost, taken: list[Delivery]) -> None:
        messages = [delivery.message for delivery in taken]
        now = self._site.clock.now() if self._failing is None else self._failing.at
        self._site.health.turn_started(self.identity)
        try:
            program = execution.program_on(host, execution.state.started or _started_of(messages))
            turn = decide(
                execution.state, program, messages, now=now, reserve=self._reserve, unhandled=self._not_taken
            )
        except TurnError as error:
            cause = error.__cause__ or error
            if not isinstance(cause, failure_types(host, self.identity)):
                self._turn_failed(execution, taken, cause, host, now)
                return
            failure = host.converter.failure(cause)
            turn = fail(execution.state, messages, failure, now=now, unhandled=self._not_taken)
        finally:
            self._site.health.turn_ended()
        self._commit_turn(execution, turn, taken)

    def _reserve(self, scheduled: ev.ActivityScheduled) -> bool:
        slots = self._site.registry.queue(self.identity.namespace, scheduled.task_queue).reserve()
        if slots is None:
            return False
        self._slots[scheduled.activity_id] = slots
        return True

    def _not_taken(self) -> Sequence[Message]:
        return [delivery.message for delivery in self._mailbox.accepted()]

    def _end_by_termination(self, execution: Execution, delivery: Delivery) -> None:
        self._mailbox.termination = None
        event: Any = delivery.message
        turn = terminate(execution.state, event, now=self._site.clock.now(), unhandled=self._not_taken())
        self._commit_turn(execution, turn, [delivery])

    def _commit_turn(self, execution: Execution, turn: Turn | None, taken: list[Delivery]) -> None:
        consumed = [delivery.seq for delivery in taken if delivery.seq]
        if execution.state.close is not None:
            consumed.extend(delivery.seq for delivery in self._mailbox.accepted())
            self._mailbox.drop_accepted()
        head = self._head
        assert head is not None
        rows: tuple[TurnRow, ...] = ()
        new_head = head
        if turn is not None:
            rows = (encode_turn(turn, previous=head.checksum),)
            new_head = _head_after(execution.state, rows[-1].checksum)
        elif self._failing is not None:
            new_head = msgspec.structs.replace(head, failing=None, parked=None)
        elif not consumed:
            self._settle_when_durable(taken)
            return
        change = Change(
            key=self.identity.key,
            expected=head.last_event,
            head=new_head,
            begin=self._begin,
            turns=rows,
            consumed=tuple(consumed),
            finished=self._finished_rows(turn),
        )
        self._head = new_head
        if self._failing is not None:
            self._recovered_from_failing()
        slots, self._slots = self._slots, {}
        self._submit(change, taken, partial(self._on_turn_committed, execution, turn, taken, slots))
        if self.is_closed:
            for delivery in self._mailbox.take_direct():
                self._refuse_closed(delivery)

    def _finished_rows(self, turn: Turn | None) -> tuple[str, ...]:
        """Ids of activities whose rows go with this turn."""
        if turn is None:
            return ()
        return tuple([event.activity_id for event in turn.events if isinstance(event, _OUTCOMES)])

    def _settle_when_durable(self, taken: Sequence[Delivery]) -> None:
        for delivery in taken:
            self._site.journal.when_settled(delivery.settle)

    def _spill(self) -> None:
        """No worker here knows the type: what waits to be journaled goes to the inbox."""
        for delivery in self._mailbox.take_direct():
            self._accept(delivery)

    # After the commit

    def _submit(self, change: Change, waiting: Sequence[Delivery], on_outcome: Any) -> None:
        self._uncommitted += 1

        def stalled(problem: Exception) -> None:
            for delivery in waiting:
                delivery.refuse(problem)

        has_waiting = any(delivery.reply is not None for delivery in waiting)
        self._site.journal.submit(change, on_outcome, stalled if has_waiting else None)
        self._site.journal.flush()

    def _on_begun(self, delivery: Delivery, outcome: Outcome) -> None:
        self._uncommitted -= 1
        if isinstance(outcome, Conflict):
            delivery.settle(outcome)
            return
        self._begin = None
        self._site.admit(self)
        delivery.settle(None)
        self._leave_or_load()

    def _on_accepted(self, delivery: Delivery, outcome: Outcome) -> None:
        self._uncommitted -= 1
        if isinstance(outcome, Conflict):
            status = outcome.run.head.status if outcome.run is not None else "gone"
            delivery.refuse(already_closed(self.identity.workflow_id, status))
        else:
            delivery.settle()
        self._leave_or_load()

    def _leave_or_load(self) -> None:
        """A stub whose message is durable is needed no more, unless somebody here can run it."""
        if self._execution is not None:
            self._wake()
        elif self.host is not None and self._failing is None:
            self._site.load(self.identity.key)
        elif self.is_evictable and self._failing is None:
            self._site.forget(self)

    def _on_turn_committed(
        self,
        execution: Execution,
        turn: Turn | None,
        taken: Sequence[Delivery],
        slots: Mapping[str, Slots[WorkerHost]],
        outcome: Outcome,
    ) -> None:
        self._uncommitted -= 1
        if isinstance(outcome, Conflict):
            self._on_conflict(execution, taken, slots, outcome)
            return
        if self._begin is not None:
            self._begin = None
            self._site.admit(self)
        if turn is not None:
            perform(self._site, self.identity, execution.state, turn, slots)
        for delivery in taken:
            delivery.settle()
        if self.is_closed:
            self._leave_closed()
        else:
            self._arm()
            self._trim()

    def _on_conflict(
        self, execution: Execution, taken: Sequence[Delivery], slots: Mapping[str, Slots[WorkerHost]], outcome: Conflict
    ) -> None:
        release(self._site, slots)
        if self._begin is None:
            run = f"run {self.identity.run_id} of workflow {self.identity.workflow_id!r}"
            self._site.fail(
                StorageFailedError(f"{run} was changed by somebody else; another process must not write this database")
            )
            return
        self._begin = None
        for delivery in taken:
            delivery.settle(outcome)
        self.passivate()

    def _leave_closed(self) -> None:
        if self._uncommitted == 0 and not self._mailbox.has_queries:
            self.passivate()

    def _trim(self) -> None:
        host = self._execution.host if self._execution is not None else None
        if host is not None and len(host.residency) > host.residency.maximum:
            host.residency.trim()

    def _touch(self) -> None:
        host = self.host
        if host is not None:
            host.residency.touch(self.identity.key, self)

    # Timers and activities

    def _arm(self) -> None:
        at = self._head.wake_at if self._head is not None else None
        if at is not None and (self._armed_at is None or at < self._armed_at):
            self._armed_at = at
            self._site.wakes.add(at, self.identity.key)

    def _post_due_timers(self) -> None:
        state, now = self.state, self._site.clock.now()
        if state is None or self._failing is not None or self.is_closed or self.host is None:
            return
        due = [(timer.fires_at, timer.number, id_) for id_, timer in state.timers.items() if timer.fires_at <= now]
        for _, _, timer_id in sorted(due):
            self._mailbox.put(Delivery(ev.TimerFired(timer_id)))
        if not due:
            self._arm()

    def _recover_activities(self, run: LoadedRun) -> None:
        """Take care of open activities nobody takes care of yet: those an earlier process left."""
        state = self.state
        if state is None or not state.activities:
            return
        known = self._site.activities.get(self.identity.key, {})
        rows = {row.activity_id: row for row in run.activities}
        resolved = {
            delivery.message.activity_id
            for delivery in self._mailbox.accepted()
            if isinstance(delivery.message, _OUTCOMES)
        }
        for activity_id, pending in list(state.activities.items()):
            if activity_id not in known and activity_id not in resolved:
                row = rows.get(activity_id)
                ActivityActor(self._site, self.identity, pending, row).recover(row)

    # Failing turns

    def _turn_failed(
        self, execution: Execution, taken: Sequence[Delivery], cause: BaseException, host: WorkerHost, now: datetime
    ) -> None:
        """Keep the messages of a turn that could not be finished, durably, and try again later."""
        attempts = 1 if self._failing is None else self._failing.attempts + 1
        failing = FailingTurn(attempts, now, len(taken), host.converter.failure(cause))
        parked = failing.reason if failing.is_parked else None
        report_turn_failure(self.identity, cause, attempts=attempts, parked=parked)
        head = self._head
        assert head is not None
        rows: tuple[TurnRow, ...] = ()
        new_head = head
        is_told = attempts in (1, limits.TURN_FAILURES_BEFORE_PARKING)
        if is_told and execution.state.started is not None:
            event = ev.TurnFailed(failing.failure, attempts, parked or "")
            rows = (encode_turn(failed_turn(execution.state, event, now=now), previous=head.checksum),)
            new_head = _head_after(execution.state, rows[-1].checksum)
        new_head = msgspec.structs.replace(new_head, failing=encode_failing(failing), parked=parked)
        change = Change(
            key=self.identity.key,
            expected=head.last_event,
            head=new_head,
            begin=self._begin,
            turns=rows,
            arrived=tuple(self._inbox_row(delivery) for delivery in taken if not delivery.seq),
        )
        self._head = new_head
        self._failing = failing
        self._submit(change, taken, partial(self._on_failure_committed, execution, taken))
        # A program that has failed is of no use, and its journal is needed for the next try.
        self._execution = None
        execution.tear_down()
        if execution.host is not None:
            execution.host.residency.drop(self.identity.key)
        self._mailbox.drop_accepted()
        self._spill()

    def _on_failure_committed(self, execution: Execution, taken: Sequence[Delivery], outcome: Outcome) -> None:
        if isinstance(outcome, Conflict):
            self._uncommitted -= 1
            self._on_conflict(execution, taken, {}, outcome)
            return
        self._uncommitted -= 1
        if self._begin is not None:
            self._begin = None
            self._site.admit(self)
        for delivery in taken:
            delivery.settle()
        failing = self._failing
        if failing is None:
            return
        if failing.is_parked:
            self._site.answer_waiters(self.identity.key, self.parked_answer())
        self._retry = self._site.clock.call_later(failing.retry_delay.total_seconds(), self._try_again)
        for query in self._mailbox.take_queries():
            query.answer(self.parked_answer())

    def _try_again(self) -> None:
        self._retry = None
        self.wake_up()

    def _recovered_from_failing(self) -> None:
        self._failing = None
        self._drop_retry()
        _log.info("workflow %r (run %s) goes on", self.identity.workflow_id, self.identity.run_id)

    def _drop_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def parked_answer(self) -> Parked:
        """Why the execution can't go on."""
        failing = self._failing
        assert failing is not None
        return Parked(self.identity.run_id, failing.reason, failing.failure)

    def _park_unreadable(self, problem: Exception) -> None:
        """The journal can't be read: leave it as it is, and say so to whoever asks."""
        _log.error("workflow %r (run %s) is parked: %s", self.identity.workflow_id, self.identity.run_id, problem)
        failure = Failure(message=str(problem), type=type(problem).__name__)
        self._failing = FailingTurn(limits.TURN_FAILURES_BEFORE_PARKING, self._site.clock.now(), 0, failure)
        self._retry = self._site.clock.call_later(limits.TURN_RETRY_DELAY_MAX.total_seconds(), self._try_again)
        self._site.answer_waiters(self.identity.key, self.parked_answer())
        for query in self._mailbox.take_queries():
            query.answer(self.parked_answer())
        for delivery in self._mailbox.take_direct():
            self._accept(delivery)


def _head_after(state: ExecutionState, checksum: int) -> Head:
    return Head(
        last_event=state.last_event,
        checksum=checksum,
        status=state.status,
        wake_at=state.wake_at,
        open_activities=len(state.activities),
        closed_at=state.closed_at,
    )


def _started_of(messages: Sequence[Message]) -> ev.Started:
    for message in messages:
        if isinstance(message, ev.Started):
            return message
    raise TurnError("the run has no Started event") from CorruptJournalError("the run has no Started event")
