"""Takes what executions send each other to its receivers.

A receiver in memory gets a letter before it decides again, and what it decides then is written behind the sender's
turn. A receiver that is not in memory is found by the store, inside the transaction; until that is durable no run of
its workflow is read or takes a turn, or it could decide without the letter; nor does a child, which could answer before
its parent knows that it has begun. So it is with everything a run sends before
it is known that it may begin at all. A sender that waits for an answer gets it as a row of its own inbox, written in
the same transaction. So each letter takes effect exactly once, whenever the process dies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from actorflow.common import WorkflowIDReusePolicy
from actorflow.core import events as ev, limits
from actorflow.core.journal import Turn
from actorflow.core.letters import Birth, Letter, letters
from actorflow.core.messages import CARRIED, Message, encode_message
from actorflow.core.policy.succession import Closing, succession, successor_id
from actorflow.core.state import ExecutionState, first_notes
from actorflow.engine.ledger import first_head
from actorflow.engine.mailbox import Delivery
from actorflow.engine.outgoing import Outgoing
from actorflow.engine.population import Population
from actorflow.engine.site import Site
from actorflow.engine.workflow_actor import WorkflowActor
from actorflow.store.protocol import Begin, Committed, Identity, InboxRow, NewRun, Send

REUSE: Final = {
    WorkflowIDReusePolicy.ALLOW_DUPLICATE: "allow",
    WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY: "failed_only",
    WorkflowIDReusePolicy.REJECT_DUPLICATE: "reject",
}


def _nothing() -> None:
    """No run follows."""


class _Written(NamedTuple):
    """A message as a row, and as the delivery of that row."""

    row: InboxRow
    delivery: Delivery


class _Newcomer(NamedTuple):
    """A run that begins with a turn of another one, and what it begins with."""

    run: NewRun
    deliveries: Sequence[Delivery]


class _Posted(NamedTuple):
    """A letter whose receiver the store finds."""

    letter: Letter | Birth
    to: _Newcomer | None
    message: _Written | None
    received: _Written | None
    refused: _Written | None

    @property
    def workflow(self) -> tuple[str, str]:
        """Namespace and id of the receiver, which is not to go on before the sender has its answer."""
        if self.to is not None:
            run = self.to.run.begin.identity
            return run.namespace, run.workflow_id
        assert isinstance(self.letter, Letter)
        return self.letter.to.namespace, self.letter.to.workflow_id

    @property
    def send(self) -> Send:
        """For the transaction."""
        received = None if self.received is None else self.received.row
        refused = None if self.refused is None else self.refused.row
        if self.to is not None:
            return Send(self.to.run, None, received, refused)
        assert isinstance(self.letter, Letter)
        inbox_max = limits.MAILBOX_MESSAGES_MAX if isinstance(self.letter.message, ev.SignalReceived) else None
        return Send(self.letter.to, None if self.message is None else self.message.row, received, refused, inbox_max)


class Post:
    """The post office of one engine.

    Args:
        site: collaborators; its callable is set here.
        population: where receivers are.
    """

    def __init__(self, site: Site, population: Population) -> None:
        self._site = site
        self._population = population
        site.post = self.outgoing

    def outgoing(self, identity: Identity, state: ExecutionState, turn: Turn, waiting: Sequence[Message]) -> Outgoing:
        """What a turn sends; see `Site.post`."""
        is_closing = state.close is not None
        is_beginning = self._is_beginning(identity)
        follower = self._follower(identity, state, waiting) if successor_id(state.close) else None
        known: list[tuple[WorkflowActor, Message]] = []
        coming: Counter[int] = Counter()
        replies: list[Message] = []
        posted: list[_Posted] = []
        for letter in letters(identity, state, turn):
            receiver = None if is_beginning or isinstance(letter, Birth) else self._in_memory(letter)
            if receiver is None or isinstance(letter, Birth):
                posted.append(self._posted(letter, identity))
            elif receiver.identity.key == identity.key and is_closing:
                follower = self._to_follower(follower, letter)
            elif _is_full(letter, receiver, coming):
                replies.append(_full(letter))
            else:
                coming[receiver.identity.key] += 1
                known.append((receiver, letter.message))
                if letter.received is not None:
                    replies.append(letter.received)
        answers = [self._written(reply) for reply in replies] if not is_closing else []
        return Outgoing(
            successor=None if follower is None else follower.run,
            sends=tuple([one.send for one in posted]),
            replies=tuple([answer.row for answer in answers]),
            is_swept=is_closing and bool(state.sent or state.children),
            hand_over=partial(self._hand_over, identity, None if is_beginning else follower, known, answers, posted),
            on_durable=partial(self._on_durable, identity, self._begins(follower, is_beginning), posted),
            on_refused=partial(self._release, posted),
            follower=partial(self._actor_of, follower),
        )

    def _actor_of(self, follower: _Newcomer | None) -> WorkflowActor | None:
        return None if follower is None else self._population.by_key(follower.run.begin.identity.key)

    # Putting it together

    def _is_beginning(self, sender: Identity) -> bool:
        """True if the turn is the sender's first, and refused if the run may not begin."""
        actor = self._population.by_key(sender.key)
        return actor is not None and actor.is_beginning

    def _in_memory(self, letter: Letter) -> WorkflowActor | None:
        """The receiver, if it is in memory and open: then it is known that it will get the letter."""
        to = letter.to
        actor = self._population.current(to.namespace, to.workflow_id)
        if actor is None or not actor.is_loaded or to.run_id not in ("", actor.identity.run_id):
            return None
        return actor if to.first_run_id in ("", actor.identity.chain) else None

    def _posted(self, letter: Letter | Birth, sender: Identity) -> _Posted:
        received = None if letter.received is None else self._written(letter.received)
        refused = None if letter.refused is None else self._written(letter.refused)
        if isinstance(letter, Birth):
            return _Posted(letter, self._child(letter, sender), None, received, refused)
        return _Posted(letter, None, self._written(letter.message), received, refused)

    def _child(self, birth: Birth, parent: Identity) -> _Newcomer:
        asked = birth.scheduled
        identity = Identity(
            key=self._site.store.new_run_key(),
            namespace=parent.namespace,
            workflow_id=asked.workflow_id,
            run_id=asked.run_id,
            workflow_type=asked.workflow_type,
            task_queue=asked.task_queue,
            started_at=birth.at,
        )
        return self._newcomer(Begin(identity, REUSE[WorkflowIDReusePolicy(asked.reuse)]), (birth.started,))

    def _follower(self, old: Identity, state: ExecutionState, waiting: Sequence[Message]) -> _Newcomer:
        assert state.started is not None  # a run that has not begun has no successor
        assert state.closed_at is not None
        closing = Closing(old.run_id, old.started_at, state.started, state.closed_at)
        started = succession(closing, state.close)
        assert isinstance(started, ev.Started)
        identity = Identity(
            key=self._site.store.new_run_key(),
            namespace=old.namespace,
            workflow_id=old.workflow_id,
            run_id=successor_id(state.close),
            workflow_type=started.workflow_type,
            task_queue=started.task_queue,
            started_at=state.closed_at,
            first_run_id=old.chain,
        )
        return self._newcomer(Begin(identity), (started, *[one for one in waiting if isinstance(one, CARRIED)]))

    def _newcomer(self, begin: Begin, messages: Sequence[Message]) -> _Newcomer:
        started = messages[0]
        options = started.options if isinstance(started, ev.Started) else None
        wake_at = None if options is None else options.not_before or options.expires_at
        written = [self._written(message) for message in messages]
        notes = None if options is None else first_notes(options)
        run = NewRun(begin, first_head(begin.identity, wake_at), tuple([one.row for one in written]), notes)
        return _Newcomer(run, [one.delivery for one in written])

    def _to_follower(self, follower: _Newcomer | None, letter: Letter) -> _Newcomer | None:
        """To itself, with its last words: the run that follows gets it, and if none does nobody."""
        if follower is None or letter.to.run_id:
            return follower
        run, deliveries = follower
        written = self._written(letter.message)
        grown = msgspec.structs.replace(run, inbox=(*run.inbox, written.row))
        return _Newcomer(grown, (*deliveries, written.delivery))

    def _written(self, message: Message) -> _Written:
        seq = self._site.store.new_inbox_seq()
        request_id = message.request_id if isinstance(message, ev.SignalReceived) else ""
        row = InboxRow(seq, encode_message(message), self._site.clock.now(), request_id)
        return _Written(row, Delivery(message, seq=seq))

    def _begins(self, follower: _Newcomer | None, is_beginning: bool) -> Callable[[], None]:
        """What is to be done for the run that follows once it is durable: it may be in memory since it was decided."""
        if follower is None:
            return _nothing
        run, deliveries = follower
        if is_beginning:
            return partial(self._population.begin, run.begin.identity, run.head, deliveries)
        return partial(self._population.has_begun, run.begin.identity)

    # Taking it there

    def _hand_over(
        self,
        sender: Identity,
        follower: _Newcomer | None,
        known: Sequence[tuple[WorkflowActor, Message]],
        answers: Sequence[_Written],
        posted: Sequence[_Posted],
    ) -> None:
        """The turn was submitted: whoever is in memory gets what is for it."""
        if follower is not None:
            self._population.succeed(follower.run.begin.identity, follower.run.head, follower.deliveries)
        for receiver, message in known:
            receiver.accept(message)
        actor = self._population.by_key(sender.key)
        if actor is not None:
            for answer in answers:
                actor.receive(answer.delivery)
        for one in posted:
            self._site.holds.hold(*one.workflow)

    def _on_durable(
        self, sender: Identity, begins: Callable[[], None], posted: Sequence[_Posted], committed: Committed
    ) -> None:
        begins()
        for one, receiver in zip(posted, committed.received, strict=True):
            answer = one.refused if receiver is None else one.received
            actor = self._population.by_key(sender.key)
            if answer is not None and actor is not None:
                actor.receive(answer.delivery)
            if one.to is not None and receiver is not None:
                self._population.begin(one.to.run.begin.identity, one.to.run.head, one.to.deliveries)
            if receiver is not None and one.message is not None:
                self._population.receive(receiver, one.message.delivery)
        self._release(posted)

    def _release(self, posted: Sequence[_Posted]) -> None:
        for one in posted:
            self._site.holds.release(*one.workflow)


def _is_full(letter: Letter, receiver: WorkflowActor, coming: Mapping[int, int]) -> bool:
    """True for one more signal than a receiver may hold; results of children and the like are bounded by themselves."""
    if not isinstance(letter.message, ev.SignalReceived):
        return False
    return receiver.depth + coming.get(receiver.identity.key, 0) >= limits.MAILBOX_MESSAGES_MAX


def _full(letter: Letter) -> Message:
    assert isinstance(letter.refused, ev.MessageRefused)
    return ev.MessageRefused(letter.refused.initiated, "it has too many unprocessed messages")
