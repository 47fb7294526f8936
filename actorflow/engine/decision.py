"""A decision: what was made of messages, on its way to the disk, and what follows once it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from actorflow.core import events as ev
from actorflow.core.journal import Turn
from actorflow.core.program.updates import Rejection
from actorflow.engine.effects import perform, release
from actorflow.engine.execution import Execution
from actorflow.engine.ledger import Ledger, Then
from actorflow.engine.mailbox import Delivery, Mailbox
from actorflow.engine.outgoing import NOTHING, Outgoing
from actorflow.engine.registry import WorkerHost
from actorflow.engine.site import Site
from actorflow.engine.trouble import Trouble
from actorflow.pool.slots import Slots
from actorflow.store.protocol import Committed, Identity


class Decision(msgspec.Struct, eq=False):
    """A turn, or the knowledge that none of the messages mattered.

    Attributes:
        site: collaborators.
        identity: of the run.
        execution: that has decided.
        taken: the messages.
        turn: None if they changed nothing.
        rejections: of updates, by a state that may not be durable yet.
        slots: reserved for first attempts, by activity id.
        outgoing: what the turn sends to others.
    """

    site: Site
    identity: Identity
    execution: Execution
    taken: Sequence[Delivery]
    turn: Turn | None
    rejections: Sequence[Rejection] = ()
    slots: Mapping[str, Slots[WorkerHost]] | None = None
    outgoing: Outgoing = NOTHING

    @property
    def is_beginning(self) -> bool:
        """True if it is the first turn."""
        return self.turn is not None and type(self.turn.events[0]) is ev.Started

    def write(self, ledger: Ledger, mailbox: Mailbox, trouble: Trouble | None, then: Then) -> None:
        """Hand it to the ledger, with what it sends to others.

        Args:
            ledger: of the run.
            mailbox: what no turn will take any more goes with the turn that closes the run.
            trouble: that is over with it.
            then: told the outcome, if there is anything to write.
        """
        turn, state = self.turn, self.execution.state
        if turn is not None and state.is_connected:
            self.outgoing = self.site.post(self.identity, state, turn, mailbox.accepted_messages())
        consumed = self._consumed(mailbox, trouble)
        mailbox.backlog = max(0, mailbox.backlog - len(consumed))
        if turn is not None:
            ledger.append(turn, state, consumed=consumed, waiting=self.taken, then=then, outgoing=self.outgoing)
            if self.outgoing is not NOTHING:
                self.outgoing.hand_over()
        elif consumed or trouble is not None:
            ledger.consume(consumed, waiting=self.taken, then=then)
        else:
            self._tell_when_settled()

    def _consumed(self, mailbox: Mailbox, trouble: Trouble | None) -> Sequence[int]:
        """Seqs of the inbox rows that go with it."""
        consumed = [delivery.seq for delivery in self.taken if delivery.seq]
        if self.execution.state.close is not None:
            consumed.extend([delivery.seq for delivery in mailbox.accepted()])
            consumed.extend(trouble.unread if trouble is not None else ())
            mailbox.drop_accepted()
        return consumed

    def _tell_when_settled(self) -> None:
        """Nothing is written: it is known as soon as what was decided before it is durable."""
        self.site.journal.when_settled(self._reject)
        for delivery in self.taken:
            self.site.journal.when_settled(delivery.settle, delivery.refuse)

    def announce(self, committed: Committed, journal_bytes: int) -> None:
        """It is durable: others may hear of it, and it counts."""
        if self.outgoing is not NOTHING:
            self.outgoing.on_durable(committed)
        counted = self.taken
        if self.rejections:
            self._reject()
            counted = [one for one in counted if type(one.message) is not ev.UpdateRequested]
        self.site.counting.turn(self.identity, self.turn, counted, journal_bytes)

    def perform(self) -> None:
        """It is durable: do what it asks for, and answer those who have sent its messages."""
        if self.turn is not None:
            perform(self.site, self.identity, self.execution.state, self.turn, self.slots or {})
        for delivery in self.taken:
            delivery.settle()

    def pass_on(self, delivery: Delivery, ledger: Ledger) -> None:
        """A message that no row holds finds the run closed; one for its workflow goes to the run that follows."""
        is_for_any_run = isinstance(delivery.message, ev.SignalReceived | ev.CancelRequested)
        follower = self.outgoing.follower() if is_for_any_run else None
        if follower is None:
            ledger.refuse_late(delivery)
        else:
            follower.post(delivery)

    def withdraw(self) -> None:
        """The run may not begin: it is as if nothing had been decided."""
        self.release()
        self.outgoing.on_refused()

    def release(self) -> None:
        """Its activities won't start."""
        release(self.site, self.slots or {})

    def _reject(self) -> None:
        for rejection in self.rejections:
            self.site.counting.update_rejected()
            self.site.updates.rejected(self.identity.key, rejection)
