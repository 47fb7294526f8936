"""What waits for one execution: a termination, messages in order, and questions."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any, Final

import msgspec

from actorflow.converter import Payload
from actorflow.core import events as ev
from actorflow.core.messages import Message

Later = tuple[Callable[..., None], tuple[Any, ...]]
"""A call that has its time later."""


class Delivery(msgspec.Struct, eq=False):
    """A message on its way, and who waits to hear that it is durable: a caller, or whoever counts it.

    ``seq`` is that of its inbox row, or 0.
    """

    message: Message
    reply: asyncio.Future[Any] | None = None
    seq: int = 0
    on_durable: Later | None = None

    def settle(self, result: Any = None) -> None:
        """It is durable."""
        if self.on_durable is not None:
            call, arguments = self.on_durable
            self.on_durable = None
            call(*arguments)
        if self.reply is not None and not self.reply.done():
            self.reply.set_result(result)

    def refuse(self, problem: BaseException) -> None:
        """It was not accepted, or nobody can say whether it will be."""
        if self.reply is not None and not self.reply.done():
            self.reply.set_exception(problem)


class Query:
    """A question to a program, and who waits for the answer."""

    __slots__ = ("headers", "input", "name", "reply")

    def __init__(
        self,
        name: str,
        input: tuple[Payload, ...],
        reply: asyncio.Future[Any],
        headers: dict[str, Payload] | None = None,
    ) -> None:
        self.name = name
        self.input = input
        self.reply = reply
        self.headers = headers

    def refuse(self, problem: BaseException) -> None:
        """It can't be answered now."""
        if not self.reply.done():
            self.reply.set_exception(problem)

    def answer(self, answer: object) -> None:
        """Tell who asked, if somebody still waits."""
        if not self.reply.done():
            self.reply.set_result(answer)


class Mailbox:
    """Three lanes. Accepted messages (inbox rows) come before those that wait to be journaled by their turn.

    Most executions have nothing waiting most of the time, so a lane exists only while something is in it.

    Args:
        backlog: how many inbox rows the run has, in memory or not.
    """

    __slots__ = ("_direct", "_inbox", "_queries", "backlog", "termination")

    def __init__(self, backlog: int = 0) -> None:
        self.backlog = backlog
        self._inbox: list[Delivery] | None = None
        self._direct: list[Delivery] | None = None
        self._queries: list[Query] | None = None
        self.termination: Delivery | None = None

    def __len__(self) -> int:
        return len(self._inbox or ()) + len(self._direct or ())

    @property
    def is_empty(self) -> bool:
        """True if nothing at all waits."""
        return not (self._inbox or self._direct or self._queries or self.termination)

    @property
    def is_stored(self) -> bool:
        """True if nothing waits but what the store has too."""
        return not (self._direct or self._queries or self.termination)

    @property
    def has_inbox(self) -> bool:
        """True if accepted messages wait."""
        return bool(self._inbox)

    @property
    def has_queries(self) -> bool:
        """True if somebody waits for an answer."""
        return bool(self._queries)

    def put(self, delivery: Delivery) -> None:
        """A message that its turn will journal."""
        if self._direct is None:
            self._direct = [delivery]
        else:
            self._direct.append(delivery)

    def put_back(self, taken: Sequence[Delivery]) -> None:
        """Messages that were taken and had no turn: to where they came from."""
        for delivery in taken:
            if delivery.seq:
                self.put_accepted(delivery)
        self._direct = [*[one for one in taken if not one.seq], *(self._direct or ())] or None

    def put_accepted(self, delivery: Delivery) -> None:
        """A message that has an inbox row."""
        if self._inbox is None:
            self._inbox = []
        place = bisect_left(self._inbox, delivery.seq, key=_seq)
        if place == len(self._inbox) or self._inbox[place].seq != delivery.seq:
            self._inbox.insert(place, delivery)

    def put_stored(self, delivery: Delivery) -> None:
        """What an inbox row holds: a termination has its own lane."""
        if type(delivery.message) is ev.Terminated and self.termination is None:
            self.termination = delivery
        else:
            self.put_accepted(delivery)

    def put_query(self, query: Query) -> None:
        """A question; those nobody waits for any more make room."""
        self.drop_dead_queries()
        self._queries = [*(self._queries or ()), query]

    def drop_dead_queries(self) -> None:
        """Forget questions nobody waits for any more."""
        if self._queries is not None:
            self._queries = [query for query in self._queries if not query.reply.done()] or None

    def take(self, limit: int) -> list[Delivery]:
        """The next messages, accepted ones first.

        An update is judged by its validator before its turn runs, so nothing that has a handler may come before it in
        the same turn: it would be judged by a state that callers have seen change.
        """
        direct = self._direct
        if direct is not None and len(direct) == 1 and not self._inbox:  # as it mostly is
            self._direct = None
            return direct
        limit = self._until_update(limit)
        taken: list[Delivery] = []
        if self._inbox:
            taken, rest = self._inbox[:limit], self._inbox[limit:]
            self._inbox = rest or None
        if self._direct and len(taken) < limit:
            count = limit - len(taken)
            taken.extend(self._direct[:count])
            self._direct = self._direct[count:] or None
        return taken

    def _until_update(self, limit: int) -> int:
        """How many messages come before an update that has to wait for another turn."""
        has_handler = False
        for place, delivery in enumerate(islice(chain(self._inbox or (), self._direct or ()), limit)):
            kind = type(delivery.message)
            if kind in _HANDLED:
                if has_handler and kind is ev.UpdateRequested:
                    return place
                has_handler = True
        return limit

    def take_accepted(self, count: int) -> list[Delivery]:
        """The first so many accepted messages, and no others."""
        taken = (self._inbox or [])[:count]
        self._inbox = (self._inbox or [])[count:] or None
        return taken

    def take_direct(self) -> list[Delivery]:
        """All messages without a row."""
        taken, self._direct = self._direct or [], None
        return taken

    def take_queries(self) -> list[Query]:
        """All questions."""
        taken, self._queries = self._queries or [], None
        return taken

    def drop_accepted(self) -> None:
        """Forget accepted messages: their rows are in the store."""
        self._inbox = None

    def messages(self) -> list[Message]:
        """Every message that waits, in order."""
        return [delivery.message for delivery in (*(self._inbox or ()), *(self._direct or ()))]

    def accepted(self) -> Sequence[Delivery]:
        """What has a row and has not been taken."""
        return self._inbox or ()

    def accepted_messages(self) -> Sequence[Message]:
        """The messages of `accepted`."""
        return [delivery.message for delivery in self._inbox or ()]


_HANDLED: Final = frozenset((ev.SignalReceived, ev.UpdateRequested))


def _seq(delivery: Delivery) -> int:
    return delivery.seq
