"""What one turn sends to other executions: it leaves in the turn's own transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from actorflow.engine.mailbox import Delivery
from actorflow.store.protocol import Committed, InboxRow, NewRun, Send


def _nothing() -> None:
    """There is nothing to do."""


def _nobody(_committed: Committed) -> None:
    """Nobody has to be told."""


class Recipient(Protocol):
    """Who takes messages."""

    def post(self, delivery: Delivery) -> None:
        """Take a message."""
        ...


class Outgoing(NamedTuple):
    """What leaves with a turn, and what is to be done about it.

    Attributes:
        successor: the run that follows.
        sends: for runs that are not in memory.
        replies: rows for the sender's own inbox: what is known of the others already.
        is_swept: the sender is closed and has replies under way that nobody needs any more.
        hand_over: call it when the turn was submitted: those in memory get their messages, before they decide again.
        on_durable: call it when the turn is durable.
        on_refused: call it if the run may not begin, so that the turn never was.
        follower: who takes messages for the workflow from here on, if somebody does.
    """

    successor: NewRun | None = None
    sends: tuple[Send, ...] = ()
    replies: tuple[InboxRow, ...] = ()
    is_swept: bool = False
    hand_over: Callable[[], None] = _nothing
    on_durable: Callable[[Committed], None] = _nobody
    on_refused: Callable[[], None] = _nothing
    follower: Callable[[], Recipient | None] = _nothing


NOTHING: Final = Outgoing()
