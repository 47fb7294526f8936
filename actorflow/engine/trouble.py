"""What keeps one execution from going on (a turn that fails, a journal nobody can read), and its next try."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from actorflow.clock import Clock, TimerHandle
from actorflow.core.failing import FailingTurn
from actorflow.engine.mailbox import Query
from actorflow.engine.site import Site
from actorflow.service import Parked
from actorflow.store.protocol import Identity, LoadedRun

_log = logging.getLogger("actorflow.engine")


class Trouble:
    """Exists only while there is some.

    Args:
        failing: the turn that can't be finished.
        unread: seqs of inbox rows, if the journal can't be read; they go when the execution is terminated.
        expires_at: when the run times out, trouble or not.
    """

    __slots__ = ("_retry", "expires_at", "failing", "unread")

    def __init__(self, failing: FailingTurn, unread: Sequence[int] = (), *, expires_at: datetime | None = None) -> None:
        self.failing = failing
        self.unread = unread
        self.expires_at = expires_at
        self._retry: TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """True while the next try has its own time."""
        return self._retry is not None

    @property
    def is_unreadable(self) -> bool:
        """True if the journal was found damaged, or newer than this version."""
        return self.failing.messages == 0

    @staticmethod
    def unreadable(problem: Exception, run: LoadedRun, now: datetime) -> Trouble:
        """For a run whose journal can't be read."""
        return Trouble(FailingTurn.unreadable(problem, now), [row.seq for row in run.inbox])

    def tell(self, site: Site, identity: Identity, queries: Sequence[Query]) -> None:
        """Answer whoever waits for what can't come now."""
        parked = self.as_parked(identity.run_id)
        if self.failing.is_parked:
            site.answer_waiters(identity.key, parked)
            site.updates.parked(identity.key, parked)
        for query in queries:
            query.answer(parked)

    def schedule(self, clock: Clock, try_again: Callable[[], None]) -> None:
        """Try again when the back-off has passed."""

        def due() -> None:
            self._retry = None
            try_again()

        self.stop_waiting()
        self._retry = clock.call_later(self.failing.retry_delay.total_seconds(), due)

    def stop_waiting(self) -> None:
        """Forget the next try."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def end(self, identity: Identity) -> None:
        """It is over."""
        self.stop_waiting()
        _log.info("workflow %r (run %s) goes on", identity.workflow_id, identity.run_id)

    def as_parked(self, run_id: str) -> Parked:
        """What to tell whoever waits for the execution."""
        return Parked(run_id, self.failing.reason, self.failing.failure)
