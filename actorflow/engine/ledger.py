"""What is decided of one run and on its way to the disk: its head, and the changes that lead from one head to the next.

The head here is ahead of the store by the changes under way. They are written in order, so a turn may be decided on top
of one that is not durable yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import msgspec

from actorflow.core import events as ev
from actorflow.core.failing import FailingTurn, encode_failing
from actorflow.core.journal import Turn, encode_turn, identity_checksum
from actorflow.core.messages import Message, encode_message
from actorflow.core.notes import Notes
from actorflow.core.state import ExecutionState
from actorflow.engine.counting import text_bytes
from actorflow.engine.mailbox import Delivery
from actorflow.engine.outgoing import NOTHING, Outgoing
from actorflow.engine.site import Site
from actorflow.exceptions import StorageError
from actorflow.service import already_closed
from actorflow.store.protocol import Begin, Change, Committed, Head, Identity, InboxRow, LoadedRun, Outcome

Then = Callable[[Outcome], None]


class Ledger:
    """See the module's head.

    Args:
        site: for the group commit.
        identity: of the run.
        head: as it was read last, if it was.
    """

    __slots__ = ("_begin", "_head", "_identity", "_site", "_under_way", "is_closed", "journal_bytes", "notes")

    def __init__(self, site: Site, identity: Identity, head: Head | None) -> None:
        self._site = site
        self._identity = identity
        self._head = head
        self._begin: Begin | None = None
        self._under_way = 0
        self.is_closed = head is not None and head.status != "running"
        """True if something decided, durable or not, ended the run."""
        self.journal_bytes = 0
        """Of all turns, once the run was read or began here."""
        self.notes: Notes | None = None
        """As they are stored, or on their way there; None for none, or where that is not known."""

    @property
    def head(self) -> Head | None:
        """The head after everything decided; None if the run was not read yet."""
        return self._head

    @property
    def is_beginning(self) -> bool:
        """True until the run exists durably."""
        return self._begin is not None

    @property
    def is_first_turn_under_way(self) -> bool:
        """True while it is not known whether the run may begin: nothing more is decided before that."""
        return self._begin is not None and self._under_way > 0

    @property
    def is_settled(self) -> bool:
        """True if nothing is under way."""
        return self._under_way == 0 and self._begin is None

    def begin(self, begin: Begin, wake_at: datetime | None, notes: Notes | None) -> None:
        """The run does not exist yet; its first change creates it."""
        self._begin = begin
        self.notes = notes
        self._head = first_head(self._identity, wake_at)

    def begin_with_another(self, head: Head) -> None:
        """The run begins with another's change, which is under way until `has_begun`."""
        self._head = head
        self._under_way += 1

    def has_begun(self) -> None:
        """That change is durable."""
        self._under_way -= 1

    def read(self, run: LoadedRun) -> None:
        """The run as the store has it, nothing being under way."""
        self._head = run.record.head
        self.is_closed = self._head.status != "running"
        self.journal_bytes = sum([text_bytes(row.events) for row in run.turns])

    def append(
        self,
        turn: Turn,
        state: ExecutionState,
        *,
        consumed: Sequence[int],
        waiting: Sequence[Delivery],
        then: Then,
        outgoing: Outgoing = NOTHING,
    ) -> None:
        """Append a turn, with what it sends to others; a turn that was failing before is over with it."""
        head = self._known_head()
        row = encode_turn(turn, previous=head.checksum)
        text = row.events
        self.journal_bytes += len(text) if text.isascii() else text_bytes(text)
        ended = [event.activity_id for event in turn.events if isinstance(event, ev.ActivityResolved)]
        after = _head_after(state, row.checksum)
        change = Change(
            key=self._identity.key,
            expected=head.last_event,
            head=after,
            begin=self._begin,
            turns=(row,),
            consumed=tuple(consumed),
            finished=self._site.take_activity_rows(self._identity.key, ended if state.close is None else None),
            arrived=outgoing.replies,
            successor=outgoing.successor,
            sends=outgoing.sends,
            is_swept=outgoing.is_swept,
            notes=self._notes_after(state),
        )
        self._submit(change, after, waiting, then)

    def consume(self, consumed: Sequence[int], *, waiting: Sequence[Delivery], then: Then) -> None:
        """Drop messages that turned out to change nothing, and the failing turn with them."""
        head = self._known_head()
        after = msgspec.structs.replace(head, failing=None, parked=None)
        change = Change(key=self._identity.key, expected=head.last_event, head=after, consumed=tuple(consumed))
        self._submit(change, after, waiting, then)

    def accept(self, delivery: Delivery, then: Then, *, also: Sequence[Message] = ()) -> InboxRow:
        """Write a message to the inbox, and others behind it; returns its row."""
        begin = None if self._under_way else self._begin  # what is accepted behind a begin that is under way follows it
        row = self._row(delivery)
        message = delivery.message
        ended = (message.activity_id,) if isinstance(message, ev.ActivityResolved) else ()
        change = Change(
            key=self._identity.key,
            expected=None if begin is None else 0,
            head=None if begin is None else self._head,
            begin=begin,
            arrived=(row, *[self._row(Delivery(message)) for message in also]),
            finished=self._site.take_activity_rows(self._identity.key, ended),
            notes=None if begin is None else self.notes,
        )
        self._submit(change, self._head, [delivery], then)
        return row

    def keep_failing(
        self,
        failing: FailingTurn,
        turn: Turn | None,
        state: ExecutionState,
        *,
        taken: Sequence[Delivery],
        then: Then,
    ) -> None:
        """Keep the messages of a turn that could not be finished, and what is known of its failure.

        Args:
            failing: for the head.
            turn: holds `TurnFailed`, if this failure is to be journaled.
            state: after it.
            taken: the messages; those without a row get one.
            then: told the outcome.
        """
        head = after = self._known_head()
        rows = () if turn is None else (encode_turn(turn, previous=head.checksum),)
        if rows:
            self.journal_bytes += text_bytes(rows[0].events)
            after = _head_after(state, rows[0].checksum)
        after = msgspec.structs.replace(
            after, failing=encode_failing(failing), parked=failing.reason if failing.is_parked else None
        )
        change = Change(
            key=self._identity.key,
            expected=head.last_event,
            head=after,
            begin=self._begin,
            turns=rows,
            arrived=tuple(self._row(delivery) for delivery in taken if not delivery.seq),
            notes=None if self._begin is None else self.notes,
        )
        self._submit(change, after, taken, then)

    def refuse_late(self, delivery: Delivery) -> None:
        """A message finds the run closed; the close may not be durable yet, and nobody may hear of it before it is."""
        if delivery.reply is None:
            self._site.counting.dead(delivery.message)
        problem = already_closed(self._identity.workflow_id, "running" if self._head is None else self._head.status)
        self._site.journal.when_settled(lambda: delivery.refuse(problem), delivery.refuse)

    def _notes_after(self, state: ExecutionState) -> Notes | None:
        """The notes a turn leaves, if they are not stored yet; most runs have none."""
        notes = state.notes
        if notes is None or (notes == self.notes and self._begin is None):
            return None
        self.notes = notes
        return notes

    def _row(self, delivery: Delivery) -> InboxRow:
        seq = self._site.store.new_inbox_seq()
        request_id = delivery.message.request_id if isinstance(delivery.message, ev.SignalReceived) else ""
        return InboxRow(seq, encode_message(delivery.message), self._site.clock.now(), request_id)

    def _known_head(self) -> Head:
        assert self._head is not None  # turns are decided on a state, and a state is read with its head
        return self._head

    def _submit(self, change: Change, after: Head | None, waiting: Sequence[Delivery], then: Then) -> None:
        self._head = after
        self.is_closed = after is not None and after.status != "running"
        self._under_way += 1

        def told(outcome: Outcome) -> None:
            self._under_way -= 1
            if self._begin is not None and type(outcome) is Committed:
                self._begin = None
                self._site.counting.types[self._identity.workflow_type].started.value += 1
            then(outcome)

        self._site.journal.submit(change, told, partial(_refuse, waiting) if _is_awaited(waiting) else None)


def _is_awaited(deliveries: Sequence[Delivery]) -> bool:
    """True if somebody waits for one of them; a loop, because `any` makes a generator for what is mostly one."""
    for delivery in deliveries:  # noqa: SIM110
        if delivery.reply is not None:
            return True
    return False


def _refuse(deliveries: Sequence[Delivery], problem: StorageError) -> None:
    unknown = type(problem)(
        f"{problem} (this call is kept and will be written as soon as possible, so its outcome is unknown "
        "until then: repeat it only with the same request_id)"
    )
    for delivery in deliveries:
        delivery.refuse(unknown)


def first_head(identity: Identity, wake_at: datetime | None = None) -> Head:
    """The head of a run that has no turn yet."""
    seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
    return Head(last_event=0, checksum=seed, wake_at=wake_at)


def _head_after(state: ExecutionState, checksum: int) -> Head:
    return Head(
        last_event=state.last_event,
        checksum=checksum,
        status=state.status,
        wake_at=state.wake_at,
        open_activities=state.open_activities,
        closed_at=state.closed_at,
    )
