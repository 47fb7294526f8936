"""What the actors of one engine share. It knows no actor; where actors must reach each other it is given callables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from actorflow.actors.dispatcher import Dispatcher, Turnable
from actorflow.clock import Clock
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.state import ExecutionState
from actorflow.engine.counting import Counting
from actorflow.engine.group_commit import GroupCommit
from actorflow.engine.health import Health
from actorflow.engine.holds import Holds
from actorflow.engine.mailbox import Later
from actorflow.engine.outgoing import Outgoing
from actorflow.engine.registry import Registry
from actorflow.engine.reporting import Unserved
from actorflow.engine.rest import Rest
from actorflow.engine.updates import Updates
from actorflow.engine.wakes import Wakes
from actorflow.observability.metrics import Metrics
from actorflow.pool.deadlines import Deadlines
from actorflow.service import Closed, Parked
from actorflow.store.protocol import Identity, Store


class OpenActivity(Protocol):
    """An activity that is being taken care of."""

    def request_cancel(self) -> None:
        """The workflow wants it stopped."""
        ...

    def abandon(self) -> None:
        """The execution is over: stop it if possible, its outcome matters no more."""
        ...


class Addressable(Turnable, Protocol):
    """An actor others can find by the identity of its run."""

    identity: Identity

    @property
    def depth(self) -> int:
        """How many messages wait."""
        ...


class Site:
    """Collaborators of every actor.

    Attributes:
        activity_rows: by run, the ids of activities that have a row in the store; it goes with their outcome.
        counting: what is counted of all of them.
        holds: workflows that wait for what is on its way to them.
        rest: what is under way, and who wants to know when it is over.
        deliver: bring an outcome to a run, loading it if need be; the call is made once it is durable.
        wake: a run's earliest timer is due.
        load: read a run from the store and wake it.
        admit: make an actor known; forget: it has left memory.
        post: what a turn sends to other executions; given the sender, its state after the turn, the turn, and accepted
            messages that nobody has taken: the run that follows gets those.
        fail: stop the engine because of this error.
        is_ending: True once the engine, or the program around it, is being ended.
        spawn: run a coroutine in the background, for as long as the engine lives.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, store: Store, clock: Clock, metrics: Metrics, *, slice_seconds: float
    ) -> None:
        self.loop = loop
        self.store = store
        self.clock = clock
        self.metrics = metrics
        self.registry = Registry()
        self.rest = Rest()
        self.counting = counting = Counting(metrics)
        self.journal = GroupCommit(store, clock, lambda problem: self.fail(problem), counting, self.rest)
        self.dispatcher: Dispatcher[Addressable] = Dispatcher(loop, self._end_slice, slice_seconds=slice_seconds)
        self.wakes = Wakes(clock, lambda key: self.wake(key), counting.timer_lag)
        self.deadlines = Deadlines(clock)
        self.health = Health(loop, counting)
        self.activities: dict[int, dict[str, OpenActivity]] = {}
        self.activity_rows: dict[int, set[str]] = {}
        self.waiters: dict[int, list[asyncio.Future[Closed | Parked]]] = {}
        self.updates = Updates(loop)
        self.holds = Holds()
        self.unserved = Unserved()
        self.deliver: Callable[[Identity, Message, Later], None]
        self.wake: Callable[[int], None]
        self.load: Callable[[int], None]
        self.admit: Callable[[Addressable], None]
        self.forget: Callable[[Addressable], None]
        self.post: Callable[[Identity, ExecutionState, Turn, Sequence[Message]], Outgoing]
        self.fail: Callable[[BaseException], None]
        self.is_ending: Callable[[], bool]
        self.spawn: Callable[[Coroutine[Any, Any, None]], None]

    def _end_slice(self) -> None:
        self.journal.flush()
        self.rest.stir()

    def take_activity_rows(self, key: int, ended: Iterable[str] | None) -> tuple[str, ...]:
        """Which activity rows of a run go now: those of the activities that have ended, or (None) all of them."""
        known = self.activity_rows.get(key)
        if known is None:
            return ()
        going = known if ended is None else known.intersection(ended)
        rest = known - going
        if rest:
            self.activity_rows[key] = rest
        else:
            del self.activity_rows[key]
        return tuple(sorted(going))

    def answer_waiters(self, key: int, answer: Closed | Parked) -> None:
        """Answer everybody who waits for the end of a run."""
        for waiter in self.waiters.pop(key, ()):
            if not waiter.done():
                waiter.set_result(answer)

    def refuse_waiters(self, key: int, problem: Exception) -> None:
        """Tell everybody who waits for the end of a run that they wait in vain."""
        for waiter in self.waiters.pop(key, ()):
            if not waiter.done():
                waiter.set_exception(problem)
