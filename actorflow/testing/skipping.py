"""Decides when time is skipped: when nothing can happen without time passing.

The engine is a machine of which everything that moves can be named: an actor that waits for its turn, a change on its
way to the journal, a run that is being read, a worker's recovery, a call that reads the store or waits to hear that
something is durable. While any of them is there, something will happen by itself, and time must not move. When none is,
the engine is *at rest* (`Engine.is_at_rest`), and only four things can end that: time, somebody who calls, an activity
that runs, and a worker that comes or goes.

Each thing that moves is counted from the call that sets it off until the call that hands its outcome on, and both are
plain function calls. Only between two of them may a callback of the event loop stand that nobody counts: a future is
done and its task has not run yet, a task is over and its owner has not heard. Such a gap is one round of the loop. So
rest is believed only after it was seen in several rounds, one after the other; a stir between them starts the count
again. The same rounds let a test that was just answered make its next call before time moves on.

Nothing polls. Whatever ends the last thing under way stirs (`engine/rest.py`); the look that follows stops as soon as
it sees something that moves, because its end will stir again.

Then time jumps to the earliest alarm of the clock: a timer, a timeout or a retry, whichever comes first, and what
follows from it comes to rest before the next jump. It jumps for two reasons:

- a client awaits a result, skipping is not switched off, and no activity runs: an activity takes real time;
- somebody sleeps in the environment (`WorkflowEnvironment.sleep`): an alarm among the others. An activity may sleep
  there, so running ones don't hold it up; others that run get a moment of real time to end.

Signals, queries and updates are calls: they are waited for, and never move the time.

A result that can never come is not waited for in silence. When there is no alarm to jump to, or a thousand jumps have
journaled nothing, or a million jumps or a century have not brought it, `Outlook` looks at what is awaited, and says
why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Final

from actorflow.core import limits
from actorflow.engine.engine import Engine
from actorflow.testing.clock import VirtualClock
from actorflow.testing.outlook import Outlook

_ROUNDS: Final = 5
"""Of the event loop, in which rest must be seen: the engine needs two, a test with tasks in tasks a few more."""


class TimeSkipping:
    """Moves the clock of one engine.

    Args:
        engine: whose rest is watched.
        clock: its clock; whoever closes the engine closes it afterwards.
    """

    def __init__(self, engine: Engine, clock: VirtualClock) -> None:
        self._engine = engine
        self.clock = clock
        self._rest = engine.site.rest
        self._waiters = engine.site.waiters
        self._outlook = Outlook(engine.site)
        self._loop = asyncio.get_running_loop()
        self._locks = 0
        self._sleeping: list[asyncio.Future[None]] = []
        self._settling: list[asyncio.Future[None]] = []
        self._is_looking = False
        self._rounds = 0
        self._pause: asyncio.TimerHandle | None = None
        self._skips = 0
        self._idle_skips = 0
        self._events: int = engine.site.counting.journal.events
        self._awaited = (0, "")
        self._awaited_since = clock.now()
        self._rest.watcher = self._stir
        clock.is_flowing = self._is_flowing

    # What the environment asks

    @contextmanager
    def locked(self) -> Generator[None]:
        """Skip for no result while the block lasts."""
        self._locks += 1
        try:
            yield
        finally:
            self._locks -= 1
            self._stir()

    async def sleep(self, seconds: float, *, is_activity: bool) -> None:
        """Skip over so many seconds, alarm by alarm, and wait until what followed from them has come to rest.

        Args:
            seconds: how long.
            is_activity: the caller is an activity that runs.
        """
        slept: asyncio.Future[None] = self._loop.create_future()
        alarm = self.clock.call_later(seconds, partial(self._settle, slept))
        own = 1 if is_activity and self._rest.attempts else 0
        self._sleeping.append(slept)
        self._rest.attempts -= own
        self._stir()
        try:
            await slept
        finally:
            alarm.cancel()
            self._sleeping.remove(slept)
            self._rest.attempts += own
            self._stir()

    def _settle(self, slept: asyncio.Future[None]) -> None:
        """The time is over; what falls due with it comes first."""
        self._settling.append(slept)
        self._stir()

    def close(self) -> None:
        """Skip no more; who sleeps is told. The clock goes on until the engine has closed."""
        self._rest.watcher = None
        self._locks += 1
        self._cancel_pause()
        for slept in self._sleeping:
            if not slept.done():
                slept.set_exception(RuntimeError("the environment was shut down, and with it the time slept in"))

    # When

    def _is_flowing(self) -> bool:
        return self._rest.attempts > 0 or self._locks > 0 or self._engine.is_at_rest

    @property
    def _is_wanted(self) -> bool:
        return bool(self._sleeping) or (bool(self._waiters) and not self._locks)

    def _stir(self) -> None:
        self._rounds = 0
        self._cancel_pause()
        if not self._is_looking and self._is_wanted:
            self._is_looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._is_looking = False
        if not self._is_wanted or self._rest.watcher is None or not self._engine.is_at_rest:
            return
        self._rounds += 1
        if self._rounds < _ROUNDS:
            self._is_looking = True
            self._loop.call_soon(self._look)
        elif self._rest.attempts <= 0:
            self._move()
        elif self._sleeping:
            self._pause = self._loop.call_later(limits.SKIP_ACTIVITY_GRACE.total_seconds(), self._end_grace)

    def _end_grace(self) -> None:
        self._pause = None
        if self._is_wanted and self._engine.is_at_rest:  # else its end stirs
            self._move()

    def _move(self) -> None:
        if self._settling:
            settling, self._settling = self._settling, []
            for slept in settling:
                if not slept.done():
                    slept.set_result(None)
        elif not self.clock.has_alarms:
            self._pause = self._loop.call_later(limits.SKIP_STUCK_GRACE.total_seconds(), self._give_up)
        elif not self._is_in_vain():
            try:
                self.clock.skip()
            finally:
                self._stir()

    # In vain

    def _is_in_vain(self) -> bool:
        """True if so much time was skipped that the awaited results are given up."""
        if self._sleeping or not self._waiters:
            return False
        self._skips += 1
        self._idle_skips += 1
        if self._has_news():
            return False
        reason = None
        if self._idle_skips > limits.SKIPS_IDLE_MAX:
            reason = f"time was skipped {limits.SKIPS_IDLE_MAX:,} times in a row, and nothing came of it"
        elif self._skips > limits.SKIPS_MAX:
            reason = f"time was skipped {limits.SKIPS_MAX:,} times, and it did not end"
        elif self.clock.now() - self._awaited_since > limits.DURATION_MAX:
            reason = f"{limits.DURATION_MAX.days // 365} years were skipped, and it did not end"
        if reason is None:
            return False
        self._awaited = (0, "")
        self._engine.site.spawn(self._outlook.give_up(reason))
        return True

    def _has_news(self) -> bool:
        """True if other results are awaited than before the last jump: then everything is counted anew."""
        actor = self._engine.population.by_key(next(reversed(self._waiters)))
        # Runs that follow each other are one result: a cron would never end, and nobody would notice. One that is not
        # in memory is taken for the one before.
        awaited = (len(self._waiters), self._awaited[1] if actor is None else actor.identity.chain)
        events = self._engine.site.counting.journal.events
        if events != self._events:
            self._events, self._idle_skips = events, 0
        if awaited == self._awaited:
            return False
        self._awaited, self._awaited_since = awaited, self.clock.now()
        self._skips = self._idle_skips = 0
        return True

    def _give_up(self) -> None:
        """Nothing was there to skip to, and nobody has called since."""
        self._pause = None
        if self._waiters and self._engine.is_at_rest and not self.clock.has_alarms:
            self._engine.site.spawn(self._outlook.explain())

    def _cancel_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
